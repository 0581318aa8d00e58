/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text as a file of golden packets, and any bytes behind a zero as its pcap file:
 * refused with a reason, or every packet has a frame and a world.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/issu/golden.h"

static char *copy(const uint8_t *from, size_t size)
{
	char *to = malloc(size ? size : 1);

	memcpy(to, from, size);
	return to;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = memchr(data, 0, size);
	size_t text = zero ? (size_t)(zero - data) : size, rest = zero ? size - text - 1 : 0;
	struct golden *golden = NULL;
	char error[512] = "";
	uint8_t sum = 0;

	if (golden_parse(copy(data, text), text, copy(zero ? zero + 1 : data, rest), rest, &golden, error,
			 sizeof(error))) {
		if (golden || !error[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < golden->count; i++) {
		const struct golden_packet *packet = &golden->packet[i];

		if (!packet->what || !packet->set || packet->verdict >= BNG_VERDICT_COUNT ||
		    packet->entry >= WORLD_ENTRIES || !packet->interface || packet->frame.length < 14)
			abort();
		for (uint32_t k = 0; k < packet->frame.length; k++)
			sum = (uint8_t)(sum + packet->frame.bytes[k]);
	}
	golden_free(golden);
	return sum == 1;
}
