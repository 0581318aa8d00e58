/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Changing a session that is up. What the data plane has of it and can change live is
 * changed here; the rest is the matter of who hears the hook.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/maps/filter.h"
#include "controld/maps/fixed.h"
#include "controld/maps/names.h"
#include "controld/session/detail.h"
#include "controld/session/sessions.h"
#include "lib/clock.h"
#include "lib/log.h"

void session_set_nat(const struct controld *controld, const struct session *session, uint8_t pool_index,
		     uint8_t max_blocks, uint32_t max_mappings)
{
	struct bng_subscriber *record = session->record;
	const struct bng_pool *pool = pool_index < BNG_POOLS ? &controld->maps->pool[pool_index] : NULL;
	uint8_t blocks = max_blocks ? max_blocks : pool ? pool->max_blocks : 0;
	uint32_t mappings = max_mappings ? max_mappings : pool ? pool->max_mappings : 0;

	if (blocks > BNG_BLOCKS_PER_SUBSCRIBER)
		blocks = BNG_BLOCKS_PER_SUBSCRIBER;
	if (record->pool != pool_index)
		__atomic_store_n(&record->pool, pool_index, __ATOMIC_RELAXED);
	if (record->max_blocks != blocks)
		__atomic_store_n(&record->max_blocks, blocks, __ATOMIC_RELAXED);
	if (record->max_mappings != mappings)
		__atomic_store_n(&record->max_mappings, mappings, __ATOMIC_RELAXED);
	fixed_move(record, fixed_of_record(controld, record));
}

void session_set_filter(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);
	const char *name = detail && detail->profile.given & PROFILE_FILTER ? detail->profile.filter : NULL;
	uint8_t number = name ? filter_find(controld->maps, name) : 0;

	if (name && !number) {
		number = BNG_FILTER_CLOSED;
		log_error("session %" PRIu64 " was granted the filter \"%s\", which is not configured any "
			  "more: nothing passes until it is",
			  (uint64_t)session->record->session_id, name);
	}
	filter_set(session->record, number);
}

/* The pool that the session is to have: its index, -ENOENT, or -EINVAL: its port blocks
 * have another size, or the session is not translated. */
static int nat_pool_of(const struct controld *controld, const struct session *session,
		       const struct session_profile *changes)
{
	int pool = session->record->pool;

	if (!(changes->given & PROFILE_NAT_POOL))
		return pool;
	pool = names_pool_index(controld, changes->nat_pool);
	if (pool < 0)
		return -ENOENT;
	if (session->record->flags & BNG_SUBSCRIBER_EXEMPT ||
	    controld->maps->pool[pool].block_shift != session->record->block_shift)
		return -EINVAL;
	return pool;
}

/* "CoA-Request from 192.0.2.10: down, filter"; "..." stands for what there is no room for. */
static void describe(const char *why, const struct session_profile *changes,
		     char text[static DETAIL_HISTORY_TEXT])
{
	json_t *given = profile_json(changes), *value;
	size_t used = (size_t)snprintf(text, DETAIL_HISTORY_TEXT, "%s", why);
	const char *name, *separator = ": ";

	json_object_foreach(given, name, value)
	{
		if (used < DETAIL_HISTORY_TEXT)
			used += (size_t)snprintf(text + used, DETAIL_HISTORY_TEXT - used, "%s%s", separator,
						 name);
		separator = ", ";
	}
	if (used >= DETAIL_HISTORY_TEXT)
		memcpy(text + DETAIL_HISTORY_TEXT - sizeof("..."), "...", sizeof("..."));
	json_decref(given);
}

#define NAT_FIELDS (PROFILE_NAT_POOL | PROFILE_MAX_BLOCKS | PROFILE_MAX_MAPPINGS)

int session_change(struct controld *controld, const struct session *session,
		   const struct session_profile *changes, const char *why)
{
	struct session_detail *detail = session_detail(controld, session);
	struct session_client client = session_client_of(session->record);
	int pool = nat_pool_of(controld, session, changes);
	char text[DETAIL_HISTORY_TEXT];

	if (pool < 0)
		return pool;
	if (changes->given & PROFILE_FILTER && !filter_find(controld->maps, changes->filter))
		return -ENOENT;
	if (!detail || profile_merge(&detail->profile, changes))
		return -ENOMEM;
	if (changes->given & PROFILE_SESSION_TIMEOUT && changes->session_timeout_s)
		detail->profile.session_timeout_s += (uint32_t)session_age_s(session, clock_boottime_ns());
	if (changes->given & NAT_FIELDS)
		session_set_nat(controld, session, (uint8_t)pool, (uint8_t)detail->profile.max_blocks,
				detail->profile.max_mappings);
	describe(why, changes, text);
	session_event(controld, detail->session_id, &client, "%s", text);
	sessions_tell_change(controld, session);
	session_detail_save(controld, session);
	return 0;
}
