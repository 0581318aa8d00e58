/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What was there before the swap, looked up again after it, entry by entry where
 * it was. New flows in between do not matter, and what ends by itself does not: of a
 * canary the swap may be hours later, and connections are closed in as much time.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/issu/issu.h"
#include "controld/maps/mappings.h"
#include "controld/session/session.h"
#include "dataplane/abi/mapping_word.h"

struct kept_session {
	uint32_t slot;
	uint32_t address_be;
	uint64_t id;
};

struct kept_mapping {
	uint32_t port; /* public address index << 16 | port */
	uint32_t key;
	uint32_t slot;
	uint32_t public_be;
	uint32_t left_ticks; /* it may have ended by itself by then, from `tick` */
	bool is_lease;       /* asked for by PCP: it ends with its lease */
	uint64_t session_id;
};

struct kept {
	struct maps *maps;
	uint32_t tick;
	struct kept_session *sessions;
	size_t session_count;
	struct kept_mapping *mappings;
	size_t mapping_count;
	size_t mapping_room;
	bool failed;
};

/* As soon as a TCP connection is closed, or a port forwarding removed, a shorter timer runs. */
static uint32_t least_left(const struct maps *maps, const struct cgnat_mapping *mapping)
{
	const struct bng_pool_address *address = &maps->pool_address[mapping->port >> 16];
	const uint32_t *timeout = maps->pool[address->pool % BNG_POOLS].timeout;
	bool is_pinned = mapping->flags & BNG_MAPPING_PINNED;
	uint32_t least = is_pinned ? timeout[BNG_MAPPING_UDP] : mapping->left_ticks;

	if (mapping->protocol == BNG_PROTOCOL_TCP) {
		least = timeout[BNG_MAPPING_TCP_CLOSING];
		if (timeout[BNG_MAPPING_TCP_RESET] < least)
			least = timeout[BNG_MAPPING_TCP_RESET];
		if (!is_pinned && mapping->left_ticks < least)
			least = mapping->left_ticks;
	}
	return least;
}

static void record_mapping(const struct cgnat_mapping *mapping, void *context)
{
	struct kept *kept = context;

	if (kept->mapping_count == kept->mapping_room) {
		size_t room = kept->mapping_room ? 2 * kept->mapping_room : 4096;
		struct kept_mapping *more =
			kept->failed ? NULL : realloc(kept->mappings, room * sizeof(*more));

		kept->failed = !more;
		if (!more)
			return;
		kept->mappings = more;
		kept->mapping_room = room;
	}
	kept->mappings[kept->mapping_count++] = (struct kept_mapping){
		.port = mapping->port,
		.key = bng_mapping_key(mapping->protocol, htons(mapping->inner_port)),
		.slot = (uint32_t)(mapping->session - kept->maps->subscriber),
		.public_be = mapping->public_be,
		.left_ticks = least_left(kept->maps, mapping),
		.is_lease = (mapping->flags & BNG_MAPPING_PINNED) == BNG_MAPPING_PIN_PCP,
		.session_id = mapping->session->session_id,
	};
}

struct kept *kept_record(struct controld *controld)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	struct cgnat_filter all = {0};
	struct session session;
	uint32_t slot = 0;

	if (!kept)
		return NULL;
	kept->maps = controld->maps;
	kept->tick = maps_tick(controld->maps);
	kept->sessions = calloc(session_count(controld) + 1, sizeof(*kept->sessions));
	kept->failed = !kept->sessions;
	while (!kept->failed && kept->session_count < session_count(controld) &&
	       session_next(controld, &slot, &session))
		kept->sessions[kept->session_count++] = (struct kept_session){
			session.slot, session.record->address_be, session.record->session_id};
	cgnat_walk(controld->maps, &all, record_mapping, kept);
	if (!kept->failed)
		return kept;
	kept_free(kept);
	return NULL;
}

void kept_free(struct kept *kept)
{
	if (!kept)
		return;
	free(kept->sessions);
	free(kept->mappings);
	free(kept);
}

/* Whoever closes a session is controld itself: the record says so. */
static void compare_sessions(const struct kept *kept, struct kept_result *result)
{
	for (size_t i = 0; i < kept->session_count; i++) {
		const struct kept_session *before = &kept->sessions[i];
		const struct bng_subscriber *now = &kept->maps->subscriber[before->slot];

		result->sessions++;
		if (now->state != BNG_SUBSCRIBER_ACTIVE && now->session_id == before->id)
			result->sessions_ended++;
		else if (now->session_id > before->id)
			result->sessions_ended++; /* its slot has a later one */
		else if (now->session_id != before->id || now->address_be != before->address_be)
			result->sessions_lost++;
	}
}

static bool lease_is_there(const struct maps *maps, const struct kept_mapping *mapping)
{
	for (uint32_t i = 1; i < maps->meta->pcp_high && i < maps_entries(maps, MAP_pcp); i++) {
		const struct bng_pcp *lease = &maps->pcp[i];

		if (lease->port == mapping->port && lease->session_id == mapping->session_id &&
		    bng_pcp_state(__atomic_load_n(&lease->life, __ATOMIC_RELAXED)) == BNG_PCP_ACTIVE)
			return true;
	}
	return false;
}

static void compare_mappings(const struct kept *kept, struct kept_result *result)
{
	uint32_t passed = maps_tick(kept->maps) - kept->tick + 1;

	for (size_t i = 0; i < kept->mapping_count; i++) {
		const struct kept_mapping *before = &kept->mappings[i];
		const struct bng_subscriber *session = &kept->maps->subscriber[before->slot];
		const struct bng_pool_address *address = &kept->maps->pool_address[before->port >> 16];
		const struct bng_mapping_bucket *bucket =
			&kept->maps->mapping[before->port / BNG_PORTS_PER_BUCKET];
		uint64_t word =
			__atomic_load_n((const uint64_t *)&bucket->entry[before->port % BNG_PORTS_PER_BUCKET],
					__ATOMIC_RELAXED);

		result->mappings++;
		if (session->session_id != before->session_id || session->state != BNG_SUBSCRIBER_ACTIVE)
			result->mappings_ended++;
		else if (bng_mapping_word_key(word) == before->key &&
			 address->address_be == before->public_be)
			continue;
		else if (before->is_lease ? !lease_is_there(kept->maps, before)
					  : passed >= before->left_ticks)
			result->mappings_ended++;
		else
			result->mappings_lost++;
	}
}

void kept_compare(struct kept *kept, struct kept_result *result)
{
	*result = (struct kept_result){0};
	compare_sessions(kept, result);
	compare_mappings(kept, result);
	kept_free(kept);
}
