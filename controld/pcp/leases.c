/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Leases by slot, see the header.
 */
#include "controld/pcp/leases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define EXPIRING_YIELDS 1000 /* bng_sweep needs microseconds */

static bool is_current(const struct maps *maps, const struct bng_pcp *record)
{
	const struct bng_subscriber *session;

	if (!record->slot || record->slot >= maps_entries(maps, MAP_subscriber))
		return false;
	session = &maps->subscriber[record->slot];
	return session->state == BNG_SUBSCRIBER_ACTIVE && session->session_id == record->session_id;
}

static void list_add(struct leases *leases, uint32_t slot, uint32_t index)
{
	leases->next[index] = leases->first[slot];
	leases->first[slot] = index;
	leases->count++;
}

/* The free ones are taken from the lowest upwards, so that bng_sweep has few to see. */
static void adopt(struct leases *leases)
{
	uint32_t high = leases->maps->meta->pcp_high;

	for (uint32_t index = leases->entries; index-- > 1;) {
		struct bng_pcp *record = lease_at(leases, index);

		if (index < high && lease_life(record)) {
			if (is_current(leases->maps, record)) {
				list_add(leases, record->slot, index);
				continue;
			}
			__atomic_store_n(&record->life, 0, __ATOMIC_RELEASE);
		}
		leases->free[leases->free_count++] = index;
	}
}

int leases_new(struct maps *maps, struct leases **leases)
{
	struct leases *new = calloc(1, sizeof(*new));

	*leases = new;
	if (!new)
		return -ENOMEM;
	new->maps = maps;
	new->entries = maps_entries(maps, MAP_pcp);
	new->first = calloc(maps_entries(maps, MAP_subscriber), sizeof(uint32_t));
	new->next = calloc(new->entries, sizeof(uint32_t));
	new->free = calloc(new->entries, sizeof(uint32_t));
	if (!new->first || !new->next || !new->free)
		return -ENOMEM;
	adopt(new);
	return 0;
}

void leases_free(struct leases *leases)
{
	if (!leases)
		return;
	free(leases->first);
	free(leases->next);
	free(leases->free);
	free(leases);
}

uint32_t lease_find(const struct leases *leases, uint32_t slot, uint8_t protocol, uint16_t inner_port)
{
	uint32_t index = leases->first[slot];

	while (index && (lease_at(leases, index)->protocol != protocol ||
			 lease_at(leases, index)->inner_port_be != htons(inner_port)))
		index = leases->next[index];
	return index;
}

uint32_t lease_count_live(const struct leases *leases, uint32_t slot, uint32_t tick)
{
	uint32_t count = 0;

	for (uint32_t index = leases->first[slot]; index; index = leases->next[index])
		count += lease_is_live(lease_at(leases, index), tick);
	return count;
}

uint32_t lease_take(struct leases *leases, const struct session *session, uint8_t protocol,
		    uint16_t inner_port)
{
	uint32_t *high = &leases->maps->meta->pcp_high, index;
	struct bng_pcp *record;

	if (!leases->free_count)
		return 0;
	index = leases->free[--leases->free_count];
	record = lease_at(leases, index);
	*record = (struct bng_pcp){
		.session_id = session->record->session_id,
		.slot = session->slot,
		.generation = session->record->generation,
		.inner_port_be = htons(inner_port),
		.protocol = protocol,
	};
	if (*high <= index)
		__atomic_store_n(high, index + 1, __ATOMIC_RELEASE);
	list_add(leases, session->slot, index);
	return index;
}

void lease_free(struct leases *leases, uint32_t index)
{
	struct bng_pcp *record = lease_at(leases, index);
	uint32_t *link = &leases->first[record->slot];
	__u64 life = lease_life(record);

	while (*link && *link != index)
		link = &leases->next[*link];
	if (*link) {
		*link = leases->next[index];
		leases->count--;
	}
	for (int i = 0; i < EXPIRING_YIELDS; i++) {
		if (bng_pcp_state(life) != BNG_PCP_EXPIRING &&
		    __atomic_compare_exchange_n(&record->life, &life, 0, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			leases->free[leases->free_count++] = index;
			return;
		}
		sched_yield();
		life = lease_life(record);
	}
	/* Still in the sweep's hands: it is found EXPIRED at the next start. */
}

bool lease_is_live(const struct bng_pcp *record, uint32_t tick)
{
	__u64 life = lease_life(record);

	return bng_pcp_state(life) == BNG_PCP_ACTIVE && lease_left(bng_pcp_deadline(life), tick);
}

bool lease_set_deadline(struct bng_pcp *record, uint32_t tick)
{
	uint32_t map = lease_left(record->map_tick, tick), peer = lease_left(record->peer_tick, tick);
	__u64 before = lease_life(record);
	uint64_t after =
		bng_pcp_life(BNG_PCP_ACTIVE, map || peer ? tick + (map > peer ? map : peer) : tick - 1);

	if (bng_pcp_state(before) != BNG_PCP_ACTIVE && bng_pcp_state(before) != BNG_PCP_FREE)
		return false;
	return __atomic_compare_exchange_n(&record->life, &before, after, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

uint32_t lease_left(uint32_t deadline, uint32_t tick)
{
	return deadline && (int32_t)(deadline - tick) > 0 ? deadline - tick : 0;
}

uint32_t lease_seconds(uint32_t ticks)
{
	return (uint32_t)(((uint64_t)ticks << BNG_TICK_SHIFT) / 1000000000);
}
