/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A sample of the live traffic. The running program is asked for a few packets, again and
 * again, so that the sample is spread over the time; if we die it shows those few and no
 * more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controld/issu/verify.h"
#include "lib/clock.h"

#define SLICE_NS 20000000

static void on_packet(const struct bng_capture *captured, void *context)
{
	struct packets *packets = context;
	uint8_t *bytes = packets->count < packets->max ? malloc(captured->length) : NULL;

	if (!bytes)
		return;
	memcpy(bytes, captured->frame, captured->length);
	packets->packet[packets->count++] = (struct packet){
		.frame = {bytes, captured->length}, .ifindex = captured->ifindex, .entry = captured->entry};
}

void packets_done(struct packets *packets)
{
	for (size_t i = 0; i < packets->count; i++)
		free((void *)packets->packet[i].frame.bytes);
	free(packets->packet);
	*packets = (struct packets){0};
}

/* How many may be asked for in this slice, so that they last for the time that is left. */
static uint32_t quota(const struct packets *packets, uint64_t left_ns)
{
	uint64_t slices = left_ns / SLICE_NS + 1;

	return (uint32_t)((packets->max - packets->count + slices - 1) / slices);
}

int capture_packets(struct maps *maps, int ring, double seconds, const bool *stop, struct packets *packets)
{
	uint64_t end_ns = clock_boottime_ns() + (uint64_t)(seconds * 1e9), now_ns;
	const struct timespec slice = {.tv_nsec = SLICE_NS};
	struct maps_capture *capture;
	int failure = maps_capture_open(ring, on_packet, packets, &capture);

	if (failure)
		return failure;
	packets->packet = calloc(packets->max + 1, sizeof(*packets->packet));
	maps_capture_drain(capture); /* what nobody fetched: of before */
	for (size_t i = 0; i < packets->count; i++)
		free((void *)packets->packet[i].frame.bytes);
	packets->count = 0;
	while (packets->packet && packets->count < packets->max && (now_ns = clock_boottime_ns()) < end_ns &&
	       !__atomic_load_n(stop, __ATOMIC_ACQUIRE)) {
		maps_capture_ask(maps, quota(packets, end_ns - now_ns));
		nanosleep(&slice, NULL);
		maps_capture_drain(capture);
	}
	maps_capture_ask(maps, 0);
	maps_capture_close(capture);
	return packets->packet ? 0 : -ENOMEM;
}
