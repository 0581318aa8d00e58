/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Cutting a packet, see the header. The first fragment has all IP options, the others
 * those that are to be copied.
 */
#include "cut.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <string.h>

#include "controld/punt/frame.h"

#define HEADER_MAX   60
#define OPTION_END   0
#define OPTION_NOP   1
#define OPTION_COPY  0x80
#define UNIT         8 /* of fragment offsets */
#define UNITS_MASK   0x1fff
#define PACKET_UNITS 8192

struct cut {
	const uint8_t *frame;
	size_t ip; /* where it begins */
	size_t header;
	size_t data; /* bytes behind the header */
	unsigned first_unit;
	bool is_last; /* of the packet that this is of */
};

static int cut_parse(const uint8_t *frame, size_t length, struct cut *cut)
{
	struct cut found = {.frame = frame, .ip = frame_find_ipv4(frame, length)};
	struct iphdr ip;
	size_t total;

	if (!found.ip || length > CUT_FRAME_MAX || found.ip + sizeof(ip) > length)
		return -EBADMSG;
	memcpy(&ip, frame + found.ip, sizeof(ip));
	found.header = ip.ihl * 4u;
	total = ntohs(ip.tot_len);
	if (ip.version != 4 || found.header < sizeof(ip) || total < found.header ||
	    found.ip + total > length || ip.frag_off & htons(IP_DF))
		return -EBADMSG;
	found.data = total - found.header;
	found.first_unit = ntohs(ip.frag_off) & UNITS_MASK;
	found.is_last = !(ip.frag_off & htons(IP_MF));
	if (found.first_unit + (found.data + UNIT - 1) / UNIT > PACKET_UNITS ||
	    (!found.is_last && found.data % UNIT))
		return -EBADMSG;
	*cut = found;
	return 0;
}

/* The header without the options that only the first fragment has; its length. What is
 * malformed ends the options. */
static size_t later_header(const uint8_t *header, size_t length, uint8_t out[static HEADER_MAX])
{
	size_t at = sizeof(struct iphdr), to = at, size;

	memcpy(out, header, at);
	for (; at < length && header[at] != OPTION_END; at += size) {
		size = header[at] == OPTION_NOP ? 1 : at + 1 < length ? header[at + 1] : 0;
		if (!size || (size < 2 && header[at] != OPTION_NOP) || at + size > length)
			break;
		if (header[at] & OPTION_COPY) {
			memcpy(out + to, header + at, size);
			to += size;
		}
	}
	while (to % 4)
		out[to++] = OPTION_END;
	out[0] = (uint8_t)(4 << 4 | to / 4);
	return to;
}

static uint16_t header_checksum(const uint8_t *header, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* One fragment, from `done` bytes of the data on: `size` of them. Its length. */
static size_t build(const struct cut *cut, const uint8_t *header, size_t header_length, size_t done,
		    size_t size, uint8_t out[static CUT_FRAME_MAX])
{
	bool more = done + size < cut->data || !cut->is_last;
	unsigned units = cut->first_unit + (unsigned)(done / UNIT);
	struct iphdr ip;

	memcpy(out, cut->frame, cut->ip);
	memcpy(out + cut->ip, header, header_length);
	memcpy(&ip, header, sizeof(ip));
	ip.tot_len = htons((uint16_t)(header_length + size));
	ip.frag_off = htons((uint16_t)(units | (more ? IP_MF : 0)));
	ip.check = 0;
	memcpy(out + cut->ip, &ip, sizeof(ip));
	ip.check = header_checksum(out + cut->ip, header_length);
	memcpy(out + cut->ip, &ip, sizeof(ip));
	frame_resized(out, cut->ip, (uint16_t)(header_length + size));
	memcpy(out + cut->ip + header_length, cut->frame + cut->ip + cut->header + done, size);
	return cut->ip + header_length + size;
}

int cut_frame(const uint8_t *frame, size_t length, uint16_t mtu, cut_send *send, void *context)
{
	uint8_t header[HEADER_MAX], out[CUT_FRAME_MAX];
	struct cut cut;
	int failure = cut_parse(frame, length, &cut);
	size_t done = 0, header_length;

	if (failure)
		return failure;
	memcpy(header, frame + cut.ip, cut.header);
	header_length = cut.header;
	do {
		size_t size = cut.data - done;

		if (mtu < header_length + UNIT)
			return -EMSGSIZE;
		if (header_length + size > mtu)
			size = (mtu - header_length) / UNIT * UNIT;
		failure = send(out, build(&cut, header, header_length, done, size, out), context);
		if (!done && cut.header > sizeof(struct iphdr))
			header_length = later_header(frame + cut.ip, cut.header, header);
		done += size;
	} while (!failure && done < cut.data);
	return failure;
}
