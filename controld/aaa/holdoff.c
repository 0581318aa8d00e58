/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who was denied is not asked about again for a while, however often it comes. Sets of
 * eight places: when a set is full, who comes last is not remembered, and counted.
 */
#include <stdio.h>
#include <string.h>

#include "controld/aaa/aaa.h"

#define SET 8

_Static_assert(sizeof(struct hold_off) == 128, "part of the layout");
_Static_assert(AAA_HOLD_OFFS % SET == 0, "whole sets");

static size_t set_of(uint64_t client)
{
	return client / SET % (AAA_HOLD_OFFS / SET) * SET;
}

const struct hold_off *hold_off_find(const struct aaa *aaa, uint64_t client, uint64_t now_ns)
{
	const struct hold_off *set = &aaa->kept->hold_offs[set_of(client)];

	for (size_t i = 0; i < SET; i++)
		if (set[i].client == client && set[i].until_ns > now_ns)
			return &set[i];
	return NULL;
}

void hold_off_add(struct aaa *aaa, uint64_t client, uint64_t now_ns, uint64_t until_ns, const char *source,
		  const char *message)
{
	struct hold_off *set = &aaa->kept->hold_offs[set_of(client)], *to = NULL;

	for (size_t i = 0; i < SET; i++)
		if (set[i].client == client || (!to && (!set[i].client || set[i].until_ns <= now_ns)))
			to = &set[i];
	if (!to) {
		aaa->kept->counts.not_held_off++;
		return;
	}
	to->client = 0;
	to->until_ns = until_ns;
	snprintf(to->source, sizeof(to->source), "%s", source);
	snprintf(to->message, sizeof(to->message), "%s", message);
	to->client = client;
}

uint32_t hold_off_count(const struct aaa *aaa, uint64_t now_ns)
{
	uint32_t count = 0;

	for (size_t i = 0; i < AAA_HOLD_OFFS; i++)
		count += aaa->kept->hold_offs[i].client && aaa->kept->hold_offs[i].until_ns > now_ns;
	return count;
}
