/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packets of subscribers with a fixed address that have no session yet
 * (abi/first_packet.h): to controld, which asks whether one may come up. Off the fast path:
 * only what would be dropped for want of a session gets here.
 */
#ifndef BNG_DATAPLANE_FIRST_PACKET_H
#define BNG_DATAPLANE_FIRST_PACKET_H

#include "punt.h"
#include "session.h"

#define FIRST_PACKET_RATE  1 /* of one source, a second */
#define FIRST_PACKET_BURST 3

/* One source that sends all the time takes nothing of what the others may. Several share a
 * place; whoever is refused for that sends again. */
static __always_inline int first_packet_allowed(__be32 source_be)
{
	const __u64 interval = 1000000000ULL / FIRST_PACKET_RATE;
	__u32 place = (source_be * 0x9e3779b1u) >> (32 - FIRST_PACKET_SOURCES_SHIFT);
	__u64 *due_ns = bpf_map_lookup_elem(&first_packet_source, &place);
	struct bng_meta *facts = meta_get();

	return due_ns && facts &&
	       rate_allow(due_ns, clock_now(facts), interval, interval * FIRST_PACKET_BURST);
}

/* IP is parsed, and the source has no session. */
static __always_inline int first_packet(struct bng_pkt *pkt)
{
	struct bng_first_packet_key key = {
		.prefix_length = BNG_FIRST_PACKET_INTERFACE_BITS + 32,
		.interface = ingress_interface(pkt->ctx),
		.address_be = pkt->ip->saddr,
	};
	struct bng_interface *ingress = interface_get(key.interface);

	if (!ingress || !bpf_map_lookup_elem(&first_packet_prefix, &key))
		return BNG_DROP_NO_SESSION;
	if (pkt->data + sizeof(struct ethhdr) > pkt->end)
		return BNG_DROP_SHORT;
	if (mac_differs(ingress->mac, pkt->data))
		return BNG_DROP_OTHER_STATION;
	if (!first_packet_allowed(pkt->ip->saddr))
		return BNG_DROP_PUNT_SUBSCRIBER;
	return punt(pkt, BNG_PUNT_REASON_FIRST_PACKET, BNG_PUNT_FIRST_PACKET);
}

#endif
