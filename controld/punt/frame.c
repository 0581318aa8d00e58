/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Everything around a datagram, see the header. Each parse step takes its header from
 * a cursor, which ends where the layer above says so.
 */
#include "controld/punt/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#ifndef ETHERTYPE_QINQ
#define ETHERTYPE_QINQ 0x88a8
#endif
#define FRAGMENT_MASK 0x3fff /* more fragments, offset */
#define REPLY_TTL     64
#define TAGS_MAX      2
#define TAG_BYTES     4
#define PPPOE_KIND    0x1100 /* version 1, type 1, code 0: session */
#define PPPOE_BYTES   8      /* with the PPP protocol */
#define PPP_IPV4      0x0021

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static bool take(struct cursor *cursor, void *out, size_t length)
{
	if ((size_t)(cursor->end - cursor->at) < length)
		return false;
	memcpy(out, cursor->at, length);
	cursor->at += length;
	return true;
}

/* RFC 1071; the bytes of `data` are added to `sum`. */
static uint32_t checksum_add(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (length & 1)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

static uint16_t checksum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Over pseudo header, UDP header and payload. */
static uint16_t udp_checksum(uint32_t source_be, uint32_t destination_be, const uint8_t *udp, size_t length)
{
	uint32_t sum = checksum_add(0, &source_be, 4);

	sum = checksum_add(sum, &destination_be, 4);
	sum += IPPROTO_UDP + (uint32_t)length;
	return checksum_fold(checksum_add(sum, udp, length));
}

static size_t find_in_pppoe(const uint8_t *data, size_t length, size_t at)
{
	if (at + PPPOE_BYTES > length || ntohs(frame_read_be16(data + at)) != PPPOE_KIND ||
	    ntohs(frame_read_be16(data + at + PPPOE_BYTES - 2)) != PPP_IPV4)
		return 0;
	return at + PPPOE_BYTES;
}

size_t frame_find_ipv4(const uint8_t *data, size_t length)
{
	size_t at = ETH_HLEN - 2;

	for (int tags = 0; at + 2 <= length; tags++, at += TAG_BYTES) {
		uint16_t type = ntohs(frame_read_be16(data + at));

		if (type == ETHERTYPE_IP)
			return at + 2;
		if (type == ETH_P_PPP_SES)
			return find_in_pppoe(data, length, at + 2);
		if ((type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ) || tags == TAGS_MAX)
			return 0;
	}
	return 0;
}

/* In front of IPv4 is either its ethertype or its PPP protocol. */
void frame_resized(uint8_t *data, size_t ipv4, uint16_t length)
{
	uint16_t pppoe_be = htons((uint16_t)(length + sizeof(uint16_t)));

	if (ntohs(frame_read_be16(data + ipv4 - 2)) == PPP_IPV4)
		memcpy(data + ipv4 - 4, &pppoe_be, sizeof(pppoe_be));
}

/* What is behind the PPPoE packet is padding. */
static int parse_pppoe(struct cursor *cursor, struct frame_link *link)
{
	uint16_t header[4]; /* kind, session, length, protocol */

	if (!take(cursor, header, sizeof(header)))
		return -EBADMSG;
	size_t length = ntohs(header[2]);
	link->pppoe_session = ntohs(header[1]);
	if (ntohs(header[0]) != PPPOE_KIND || !link->pppoe_session || length < sizeof(header[3]) ||
	    length - sizeof(header[3]) > (size_t)(cursor->end - cursor->at))
		return -EBADMSG;
	cursor->end = cursor->at + length - sizeof(header[3]);
	return ntohs(header[3]) == PPP_IPV4 ? 0 : -EPROTO;
}

static int parse_tags(struct cursor *cursor, struct frame_link *link, uint16_t *type)
{
	uint16_t type_be, tci_be;

	link->tags = 0;
	link->pppoe_session = 0;
	if (!take(cursor, link->destination, 6) || !take(cursor, link->source, 6) ||
	    !take(cursor, &type_be, 2))
		return -EBADMSG;
	while (ntohs(type_be) == ETHERTYPE_VLAN || ntohs(type_be) == ETHERTYPE_QINQ) {
		if (link->tags == TAGS_MAX)
			return -EPROTO;
		link->tag[link->tags].tpid = ntohs(type_be);
		if (!take(cursor, &tci_be, 2) || !take(cursor, &type_be, 2))
			return -EBADMSG;
		link->tag[link->tags++].tci = ntohs(tci_be);
	}
	*type = ntohs(type_be);
	return 0;
}

size_t frame_parse_link(const uint8_t *data, size_t length, struct frame_link *link, uint16_t *type)
{
	struct cursor cursor = {data, data + length};

	return parse_tags(&cursor, link, type) ? 0 : (size_t)(cursor.at - data);
}

static int parse_link(struct cursor *cursor, struct frame_link *link)
{
	uint16_t type;
	int err = parse_tags(cursor, link, &type);

	if (err)
		return err;
	if (type == ETH_P_PPP_SES)
		return parse_pppoe(cursor, link);
	return type == ETHERTYPE_IP ? 0 : -EPROTO;
}

static int parse_ip(struct cursor *cursor, struct frame_flow *flow)
{
	const uint8_t *start = cursor->at;
	struct iphdr ip;

	if (!take(cursor, &ip, sizeof(ip)))
		return -EBADMSG;
	size_t header = ip.ihl * 4u, total = ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || total < header || total > (size_t)(cursor->end - start))
		return -EBADMSG;
	if (checksum_fold(checksum_add(0, start, header)))
		return -EILSEQ;
	if (ip.protocol != IPPROTO_UDP || ntohs(ip.frag_off) & FRAGMENT_MASK)
		return -EPROTO;
	flow->source_be = ip.saddr;
	flow->destination_be = ip.daddr;
	*cursor = (struct cursor){start + header, start + total};
	return 0;
}

static int parse_udp(struct cursor *cursor, struct frame_flow *flow)
{
	const uint8_t *start = cursor->at;
	struct udphdr udp;

	if (!take(cursor, &udp, sizeof(udp)))
		return -EBADMSG;
	size_t length = ntohs(udp.len);
	if (length < sizeof(udp) || length > (size_t)(cursor->end - start))
		return -EBADMSG;
	if (udp.check && udp_checksum(flow->source_be, flow->destination_be, start, length))
		return -EILSEQ;
	flow->source_port = ntohs(udp.source);
	flow->destination_port = ntohs(udp.dest);
	cursor->end = start + length;
	return 0;
}

int frame_parse(const uint8_t *data, size_t length, struct frame *frame)
{
	struct cursor cursor = {data, data + length};
	int err = parse_link(&cursor, &frame->link);

	if (!err)
		err = parse_ip(&cursor, &frame->flow);
	if (!err)
		err = parse_udp(&cursor, &frame->flow);
	if (err)
		return err;
	frame->payload = cursor.at;
	frame->payload_length = (size_t)(cursor.end - cursor.at);
	return 0;
}

static uint8_t *put(uint8_t *at, const void *data, size_t length)
{
	memcpy(at, data, length);
	return at + length;
}

static uint8_t *put_be16(uint8_t *at, uint16_t value)
{
	uint16_t value_be = htons(value);

	return put(at, &value_be, sizeof(value_be));
}

static uint8_t *build_tags(uint8_t *at, const struct frame_link *link)
{
	at = put(at, link->destination, 6);
	at = put(at, link->source, 6);
	for (unsigned i = 0; i < link->tags; i++) {
		at = put_be16(at, link->tag[i].tpid);
		at = put_be16(at, link->tag[i].tci);
	}
	return at;
}

size_t frame_build_link(const struct frame_link *link, uint16_t type, uint8_t *frame, size_t size)
{
	size_t length = ETH_HLEN + TAG_BYTES * link->tags;

	if (length > size)
		return 0;
	put_be16(build_tags(frame, link), type);
	return length;
}

static uint8_t *build_link(uint8_t *at, const struct frame_link *link, size_t ip_length)
{
	at = build_tags(at, link);
	if (!link->pppoe_session)
		return put_be16(at, ETHERTYPE_IP);
	at = put_be16(put_be16(at, ETH_P_PPP_SES), PPPOE_KIND);
	at = put_be16(put_be16(at, link->pppoe_session), (uint16_t)(ip_length + sizeof(uint16_t)));
	return put_be16(at, PPP_IPV4);
}

static uint8_t *build_ip(uint8_t *at, const struct frame_flow *flow, size_t payload)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons((uint16_t)(sizeof(ip) + payload)),
		.frag_off = htons(IP_DF),
		.ttl = REPLY_TTL,
		.protocol = IPPROTO_UDP,
		.saddr = flow->source_be,
		.daddr = flow->destination_be,
	};

	ip.check = htons(checksum_fold(checksum_add(0, &ip, sizeof(ip))));
	return put(at, &ip, sizeof(ip));
}

size_t frame_build(const struct frame_link *link, const struct frame_flow *flow, const uint8_t *payload,
		   size_t payload_length, uint8_t *frame, size_t size)
{
	size_t udp_length = sizeof(struct udphdr) + payload_length;
	size_t ip_length = sizeof(struct iphdr) + udp_length;
	size_t total =
		ETH_HLEN + TAG_BYTES * link->tags + (link->pppoe_session ? PPPOE_BYTES : 0) + ip_length;
	struct udphdr udp = {
		.source = htons(flow->source_port),
		.dest = htons(flow->destination_port),
		.len = htons((uint16_t)udp_length),
	};

	if (total > size || ip_length > UINT16_MAX - sizeof(uint16_t))
		return 0;
	uint8_t *start = build_ip(build_link(frame, link, ip_length), flow, udp_length);
	put(put(start, &udp, sizeof(udp)), payload, payload_length);
	uint16_t check = udp_checksum(flow->source_be, flow->destination_be, start, udp_length);
	udp.check = htons(check ? check : 0xffff);
	put(start, &udp, sizeof(udp));
	return total;
}
