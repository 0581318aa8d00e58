/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of what is cut: the input is an MTU of two bytes, then a frame. The
 * fragments together have its data, in order, and none is larger than the MTU.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/large/cut.h"
#include "controld/punt/frame.h"

struct seen {
	const uint8_t *frame;
	size_t ip;
	size_t done;
	uint16_t mtu;
	int more; /* of the last one */
};

static size_t header_of(const uint8_t *ip)
{
	return (ip[0] & 15) * 4u;
}

static int check(const uint8_t *frame, size_t length, void *context)
{
	struct seen *seen = context;
	const uint8_t *ip = frame + seen->ip, *original = seen->frame + seen->ip;
	size_t total = (size_t)ip[2] << 8 | ip[3], data = total - header_of(ip);
	unsigned units = (ip[6] & 0x1fu) << 8 | ip[7], first = (original[6] & 0x1fu) << 8 | original[7];

	if (frame_find_ipv4(frame, length) != seen->ip || seen->ip + total != length || total > seen->mtu ||
	    units != first + seen->done / 8)
		abort();
	if (memcmp(ip + header_of(ip), original + header_of(original) + seen->done, data) != 0)
		abort();
	seen->done += data;
	seen->more = ip[6] & 0x20;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {0};
	const uint8_t *ip;

	if (size < 2)
		return 0;
	seen.mtu = (uint16_t)(data[0] << 8 | data[1]);
	seen.frame = data + 2;
	seen.ip = frame_find_ipv4(seen.frame, size - 2);
	if (cut_frame(seen.frame, size - 2, seen.mtu, check, &seen))
		return 0;
	ip = seen.frame + seen.ip;
	if (seen.done != ((size_t)ip[2] << 8 | ip[3]) - header_of(ip) || seen.more != (ip[6] & 0x20))
		abort();
	return 0;
}
