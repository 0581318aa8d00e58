/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a frame, see the header.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#include "controld/punt/frame.h"

int hold_packet_parse(const uint8_t *frame, size_t length, struct hold_packet *packet)
{
	size_t at = frame_find_ipv4(frame, length), header, total;
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
		found.source_port_be = frame_read_be16(frame + at + header);
		found.destination_port_be = frame_read_be16(frame + at + header + 2);
	}
	*packet = found;
	return 0;
}
