/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of the PCP server: the input is datagrams from a subscriber, each behind
 * two bytes of length, served one after the other. A response has the shape of one, a
 * lease has its mapping, and time ends them all.
 */
#include <stdlib.h>
#include <string.h>

#include "test/unit/pcp_double.h"

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void serve(const uint8_t *data, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1), response[PCP_MESSAGE_MAX];
	enum pcp_result result;
	size_t built;

	must(copy);
	memcpy(copy, data, length);
	built = pcp_ask_raw(1, copy, length, response, &result);
	if (result == PCP_DROP) {
		must(!built);
	} else {
		must(built >= 24 && built <= PCP_MESSAGE_MAX && built % 4 == 0);
		must(response[0] == PCP_VERSION && response[1] == (copy[1] | 0x80) && response[3] == result);
	}
	free(copy);
}

static void look(void)
{
	for (uint32_t i = 1; i < PCP_RECORDS; i++)
		must(!lease_is_live(&pcp_world.pcp[i], pcp_world.tick) ||
		     pcp_word(pcp_world.pcp[i].port) != 0);
	must(lease_count_live(pcp_world.leases, 1, pcp_world.tick) <= pcp_world.policy.max_mappings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	pcp_world_init();
	while (size >= 2) {
		size_t length = (size_t)(data[0] << 8 | data[1]);

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		serve(data, length);
		look();
		data += length;
		size -= length;
	}
	pcp_world_seconds(pcp_world.policy.max_lifetime_s + 1);
	pcp_world_sweep();
	must(!pcp_world.leases->count && pcp_world.leases->free_count == PCP_RECORDS - 1);
	pcp_world_free();
	return 0;
}
