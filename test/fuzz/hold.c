/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of what is held: the input is a list of frames, each behind a byte that
 * is its length in units of four, taken by both queues. Whatever comes, the bounds
 * hold, and every frame that was taken leaves once.
 */
#include <stdint.h>
#include <stdlib.h>

#include "controld/hold/fragments.h"
#include "controld/hold/syns.h"

#define SECOND 1000000000ULL
#define UNIT   4

static unsigned taken, left;

static int leave(const struct bng_punt *header, const uint8_t *frame, size_t length, void *context)
{
	struct hold_packet packet;

	(void)header;
	(void)context;
	if (hold_packet_parse(frame, length, &packet))
		abort();
	left++;
	return 0;
}

static bool is_noted(const struct hold_packet *packet, void *context)
{
	(void)context;
	return packet->id_be & 1;
}

static void feed(struct fragments *fragments, struct syns *syns, const uint8_t *data, size_t size)
{
	static const struct fragments_ways ways = {is_noted, leave, NULL};
	uint64_t now_ns = SECOND;

	while (size) {
		size_t length = (size_t)data[0] * UNIT;
		struct bng_punt header = {.time_ns = now_ns};

		data++, size--;
		if (length > size)
			length = size;
		taken += !fragments_put(fragments, &header, data, length, now_ns);
		taken += !syns_put(syns, &header, data, length, now_ns);
		data += length, size -= length;
		now_ns += SECOND / 4;
		fragments_look(fragments, now_ns, &ways);
		syns_look(syns, now_ns, leave, NULL);
		if (fragments_stats(fragments)->held > 4 || syns_stats(syns)->held > 4)
			abort();
	}
	fragments_flush(fragments, &ways);
	syns_look(syns, now_ns + 9 * SECOND, leave, NULL);
	if (taken != left || fragments_stats(fragments)->bytes || syns_stats(syns)->bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fragments_limits fragment_limits = {4, 2, 4096, SECOND};
	static const struct syns_limits syn_limits = {4, 4096, SECOND};
	struct fragments *fragments = fragments_new(&fragment_limits);
	struct syns *syns = syns_new(&syn_limits);

	taken = left = 0;
	if (fragments && syns)
		feed(fragments, syns, data, size);
	fragments_free(fragments);
	syns_free(syns);
	return 0;
}
