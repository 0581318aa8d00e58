/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Map `pppoe_session` (dataplane/abi/pppoe.h): how the data plane finds the session of a
 * PPP control packet. Entries follow the records: one is added while its record is being
 * prepared and taken out when the session ends; a start takes out what no ACTIVE record
 * stands for and adds what is missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/session/sessions.h"
#include "lib/log.h"

static struct bng_pppoe_key key_of(const struct bng_subscriber *record)
{
	struct bng_pppoe_key key = {
		.interface = record->interface,
		.session = record->pppoe_session,
		.outer_vid = record->outer_vid,
		.inner_vid = record->inner_vid,
	};

	memcpy(key.mac, record->mac, sizeof(key.mac));
	return key;
}

int pppoe_index_add(struct sessions *sessions, uint32_t slot)
{
	const struct bng_subscriber *record = &sessions->maps->subscriber[slot];
	struct bng_pppoe_key key = key_of(record);
	int failure = record->pppoe_session ? maps_set(sessions->maps, MAP_pppoe_session, &key, &slot) : 0;

	return failure == -E2BIG ? -ENOSPC : failure;
}

void pppoe_index_remove(struct sessions *sessions, uint32_t slot)
{
	const struct bng_subscriber *record = &sessions->maps->subscriber[slot];
	struct bng_pppoe_key key = key_of(record);

	if (record->pppoe_session)
		maps_delete(sessions->maps, MAP_pppoe_session, &key);
}

static bool is_right(const struct sessions *sessions, const struct bng_pppoe_key *key, uint32_t slot)
{
	const struct bng_subscriber *record = &sessions->maps->subscriber[slot];
	struct bng_pppoe_key expected;

	if (!slot || slot >= sessions->capacity || record->state != BNG_SUBSCRIBER_ACTIVE)
		return false;
	expected = key_of(record);
	return !memcmp(&expected, key, sizeof(expected));
}

/* `right`: bitmap of the slots that have their entry. */
static void add_missing(struct sessions *sessions, const uint64_t *right)
{
	int failure;

	for (uint32_t slot = 1; slot < sessions->capacity; slot++) {
		const struct bng_subscriber *record = &sessions->maps->subscriber[slot];

		if (record->state != BNG_SUBSCRIBER_ACTIVE || !record->pppoe_session ||
		    right[slot / 64] >> (slot % 64) & 1)
			continue;
		failure = pppoe_index_add(sessions, slot);
		if (failure)
			log_error("session %llu: its LCP echoes are not answered, as adding it to the map "
				  "pppoe_session failed: %s",
				  (unsigned long long)record->session_id, strerror(-failure));
	}
}

int pppoe_index_adopt(struct sessions *sessions)
{
	uint64_t *right = calloc(sessions->capacity / 64 + 1, sizeof(*right));
	struct bng_pppoe_key *keys = NULL;
	uint32_t *slots = NULL, count = 0;
	int failure = right ? maps_snapshot(sessions->maps, MAP_pppoe_session, (void **)&keys,
					    (void **)&slots, &count)
			    : -ENOMEM;

	for (uint32_t i = 0; !failure && i < count; i++) {
		if (is_right(sessions, &keys[i], slots[i]))
			right[slots[i] / 64] |= 1ULL << (slots[i] % 64);
		else
			maps_delete(sessions->maps, MAP_pppoe_session, &keys[i]);
	}
	if (!failure) {
		add_missing(sessions, right);
		free(keys);
		free(slots);
	}
	free(right);
	return failure;
}
