/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A DHCP message in its frame.
 */
#include "packet.h"

#include <errno.h>

int dhcp4_packet_parse(const uint8_t *data, size_t length, struct dhcp4_packet *packet)
{
	struct frame frame;
	int err = frame_parse(data, length, &frame);

	if (err)
		return err;
	packet->link = frame.link;
	packet->flow = frame.flow;
	if (frame.link.pppoe_session || frame.flow.destination_port != DHCP4_SERVER_PORT)
		return -EPROTO;
	return dhcp4_message_parse(frame.payload, frame.payload_length, &packet->message);
}
