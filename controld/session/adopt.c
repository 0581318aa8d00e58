/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Adoption: the records are the sessions; one pass over them rebuilds every
 * index. Nothing in a record is changed.
 */
#include <errno.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/session/sessions.h"

/* Routed to a session by an earlier controld; the feature `routes` knows whether it still is. */
static bool is_routed(const struct bng_subscriber *record, uint32_t address_be)
{
	return record->address_be != address_be && record->state == BNG_SUBSCRIBER_ACTIVE;
}

static int adopt_single_slots(struct sessions *sessions)
{
	uint32_t count = 0;
	void *keys, *values;
	int failure = maps_snapshot(sessions->maps, MAP_slot_of_address, &keys, &values, &count);

	if (failure)
		return failure;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t address_be = ((uint32_t *)keys)[i], slot = ((uint32_t *)values)[i];
		const struct bng_subscriber *record =
			&sessions->maps->subscriber[slot < sessions->capacity ? slot : 0];

		if (is_routed(record, address_be))
			continue;
		if (!slot || slot >= sessions->capacity || record->address_be != address_be ||
		    record->state == BNG_SUBSCRIBER_FREE) {
			maps_delete(sessions->maps, MAP_slot_of_address, &address_be);
			continue;
		}
		sessions->rest_used[slot / 64] |= 1ULL << (slot % 64);
		slot_table_insert(&sessions->by_address, slot);
	}
	free(keys);
	free(values);
	return 0;
}

int sessions_adopt(struct controld *controld, struct sessions_adopted *adopted)
{
	struct sessions *sessions = controld->sessions;
	int failure = adopt_single_slots(sessions);

	*adopted = (struct sessions_adopted){0};
	for (uint32_t slot = 1; !failure && slot < sessions->capacity; slot++) {
		const struct bng_subscriber *record = &sessions->maps->subscriber[slot];

		if (record->session_id >= sessions->next_id)
			sessions->next_id = record->session_id + 1;
		if (record->state == BNG_SUBSCRIBER_ACTIVE) {
			slot_table_insert(&sessions->by_id, slot);
			slot_table_insert(&sessions->by_client, slot);
			if (record->interface < BNG_INTERFACES)
				sessions->active_of_interface[record->interface]++;
			adopted->active++;
		} else if (record->state == BNG_SUBSCRIBER_CLOSING) {
			sessions_closing_add(sessions, slot);
			adopted->closing++;
		}
	}
	sessions->active = adopted->active;
	return failure ? failure : pppoe_index_adopt(sessions);
}
