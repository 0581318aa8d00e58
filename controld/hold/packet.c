/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a frame, see the header.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#define TAGS_MAX  2
#define TAG_BYTES 4

static uint16_t read_be16(const uint8_t *from)
{
	uint16_t value_be;

	memcpy(&value_be, from, sizeof(value_be));
	return value_be;
}

/* Where L3 begins, if it is IPv4; 0: it is not. */
static size_t find_ip(const uint8_t *frame, size_t length)
{
	size_t at = ETH_HLEN - 2;

	for (int tags = 0; at + 2 <= length; tags++, at += TAG_BYTES) {
		uint16_t type = ntohs(read_be16(frame + at));

		if (type == ETH_P_IP)
			return at + 2;
		if ((type != ETH_P_8021Q && type != ETH_P_8021AD) || tags == TAGS_MAX)
			return 0;
	}
	return 0;
}

int hold_packet_parse(const uint8_t *frame, size_t length, struct hold_packet *packet)
{
	size_t at = find_ip(frame, length), header, total;
	struct iphdr ip;

	if (!at || length > HOLD_FRAME_MAX || at + sizeof(ip) > length)
		return -EBADMSG;
	memcpy(&ip, frame + at, sizeof(ip));
	header = ip.ihl * 4u;
	total = ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || total < header || at + total > length)
		return -EBADMSG;
	struct hold_packet found = {
		.source_be = ip.saddr,
		.destination_be = ip.daddr,
		.id_be = ip.id,
		.ip_protocol = ip.protocol,
		.offset = (uint16_t)((ntohs(ip.frag_off) & IP_OFFMASK) * 8),
	};
	if (ip.protocol == IPPROTO_TCP && !found.offset) {
		if (total < header + 4)
			return -EBADMSG;
		found.source_port_be = read_be16(frame + at + header);
		found.destination_port_be = read_be16(frame + at + header + 2);
	}
	*packet = found;
	return 0;
}
