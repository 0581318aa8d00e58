/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * See the header.
 */
#include "controld/session/address.h"

#include <stddef.h>
#include <string.h>

#define NEAR_HASH 64 /* addresses tried from the hash on */
#define FULL_NS   1000000000ull

/* FNV-1a: must not change between versions, or clients change their addresses. */
static uint32_t client_hash(const struct session_client *client)
{
	uint8_t bytes[10] = {(uint8_t)(client->outer_vid >> 8), (uint8_t)client->outer_vid,
			     (uint8_t)(client->inner_vid >> 8), (uint8_t)client->inner_vid};
	uint32_t hash = 2166136261u;

	memcpy(bytes + 4, client->mac, sizeof(client->mac));
	for (size_t i = 0; i < sizeof(bytes); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

bool address_search(struct address_search *search, uint32_t first, uint32_t last,
		    const struct session_client *client, uint64_t now_ns, address_usable *usable,
		    const void *context, uint32_t *address)
{
	uint64_t size = (uint64_t)last - first + 1, hash = client_hash(client) % size;

	if (search->full_until_ns > now_ns)
		return false;
	for (uint64_t i = 0; i < NEAR_HASH && i < size; i++) {
		*address = first + (uint32_t)((hash + i) % size);
		if (usable(context, *address))
			return true;
	}
	for (uint64_t i = 0; i < size; i++) {
		*address = first + (uint32_t)((search->cursor + i) % size);
		if (usable(context, *address)) {
			search->cursor = *address - first + 1;
			return true;
		}
	}
	search->full_until_ns = now_ns + FULL_NS;
	return false;
}
