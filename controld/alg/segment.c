/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading and rewriting a segment, see the header.
 */
#include "segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "controld/punt/frame.h"

static void write_be16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static int parse_tcp(const uint8_t *frame, struct segment *segment)
{
	struct tcphdr tcp;

	if (segment->tcp + sizeof(tcp) > segment->end)
		return -EBADMSG;
	memcpy(&tcp, frame + segment->tcp, sizeof(tcp));
	segment->source_port_be = tcp.source;
	segment->destination_port_be = tcp.dest;
	segment->sequence = ntohl(tcp.seq);
	segment->payload = segment->tcp + tcp.doff * 4u;
	return tcp.doff * 4u < sizeof(tcp) || segment->payload > segment->end ? -EBADMSG : 0;
}

int segment_parse(const uint8_t *frame, size_t length, struct segment *segment)
{
	struct segment found = {.ip = frame_find_ipv4(frame, length)};
	struct iphdr ip;

	if (!found.ip || length > SEGMENT_FRAME_MAX || found.ip + sizeof(ip) > length)
		return -EBADMSG;
	memcpy(&ip, frame + found.ip, sizeof(ip));
	found.tcp = found.ip + ip.ihl * 4u;
	found.end = found.ip + ntohs(ip.tot_len);
	if (ip.version != 4 || ip.ihl < 5 || found.end > length || found.end < found.tcp ||
	    ip.protocol != IPPROTO_TCP || (ip.frag_off & htons(IP_OFFMASK | IP_MF)))
		return -EBADMSG;
	found.source_be = ip.saddr;
	found.destination_be = ip.daddr;
	if (parse_tcp(frame, &found))
		return -EBADMSG;
	*segment = found;
	return 0;
}

/* Of bytes that begin at an even offset of what is summed. */
static uint32_t sum(const uint8_t *data, size_t length)
{
	uint32_t total = 0;

	for (size_t i = 0; i < length; i++)
		total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

/* The checksum field at `at`, when what it covers was `before` and is `after`. */
static void fix(uint8_t *at, uint16_t before, uint16_t after)
{
	uint16_t old = ntohs(frame_read_be16(at));

	write_be16(at, (uint16_t)~fold((uint16_t)~old + (uint32_t)(uint16_t)~before + after));
}

size_t segment_replace(const uint8_t *frame, const struct segment *segment, size_t old, const char *text,
		       size_t length, uint8_t out[static SEGMENT_FRAME_MAX])
{
	size_t rest = segment->end - segment->payload - old, end = segment->payload + length + rest;
	uint16_t before = (uint16_t)(segment->end - segment->ip), after = (uint16_t)(end - segment->ip);
	uint32_t old_payload = sum(frame + segment->payload, segment->end - segment->payload);

	if (end > SEGMENT_FRAME_MAX)
		return 0;
	memcpy(out, frame, segment->payload);
	memcpy(out + segment->payload, text, length);
	memcpy(out + segment->payload + length, frame + segment->payload + old, rest);
	frame_resized(out, segment->ip, after);
	write_be16(out + segment->ip + offsetof(struct iphdr, tot_len), after);
	fix(out + segment->ip + offsetof(struct iphdr, check), before, after);
	/* The length is part of TCP's pseudo header; the IP header's share cancels out. */
	fix(out + segment->tcp + offsetof(struct tcphdr, check), fold(old_payload + before),
	    fold(sum(out + segment->payload, end - segment->payload) + after));
	return end;
}
