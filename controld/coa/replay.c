/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What was answered, see the header. The authenticator is a digest: its first bytes choose
 * the set.
 */
#include "controld/coa/replay.h"

#include <string.h>

static size_t set_of(const uint8_t *authenticator)
{
	uint32_t first;

	memcpy(&first, authenticator, sizeof(first));
	return first % COA_REPLAY_SETS;
}

const struct coa_answered *coa_replay_find(const struct coa_replay *replay, uint32_t client_be,
					   const uint8_t authenticator[static 16], uint64_t now_s)
{
	const struct coa_answered *set = replay->set[set_of(authenticator)];

	for (size_t i = 0; i < COA_REPLAY_WAYS; i++)
		if (set[i].until_s >= now_s && set[i].client_be == client_be &&
		    !memcmp(set[i].authenticator, authenticator, sizeof(set[i].authenticator)))
			return &set[i];
	return NULL;
}

/* A place in the set that nobody needs any more; WAYS: none. */
static size_t place_in(const struct coa_answered *set, uint64_t now_s)
{
	size_t i = 0;

	while (i < COA_REPLAY_WAYS && set[i].until_s >= now_s)
		i++;
	return i;
}

bool coa_replay_has_room(const struct coa_replay *replay, const uint8_t authenticator[static 16],
			 uint64_t now_s)
{
	return place_in(replay->set[set_of(authenticator)], now_s) < COA_REPLAY_WAYS;
}

void coa_replay_add(struct coa_replay *replay, const struct coa_answered *answered, uint64_t now_s)
{
	struct coa_answered *set = replay->set[set_of(answered->authenticator)];
	size_t place = place_in(set, now_s);
	struct coa_answered *to = &set[place];

	if (place == COA_REPLAY_WAYS)
		return;
	__atomic_store_n(&to->until_s, 0, __ATOMIC_RELEASE);
	to->client_be = answered->client_be;
	to->cause = answered->cause;
	to->code = answered->code;
	memcpy(to->authenticator, answered->authenticator, sizeof(to->authenticator));
	__atomic_store_n(&to->until_s, answered->until_s, __ATOMIC_RELEASE);
}
