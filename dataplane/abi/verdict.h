/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What became of a packet. Every packet ends in exactly one verdict, which is
 * counted in map `reason_count` (per-CPU array, index = verdict -> bng_count)
 * and decides what is done with it.
 *
 * The numbers are part of the layout: append, never reorder. The kind is the
 * first word of the name; the text is what an operator reads.
 */
#ifndef BNG_ABI_VERDICT_H
#define BNG_ABI_VERDICT_H

#include <linux/types.h>

#define BNG_VERDICT_SLOTS 256 /* size of `reason_count`: room to append */

/* clang-format off */
#define BNG_VERDICTS(X) \
	X(NONE,                     "none",                     "not decided (a bug if ever counted)") \
	X(FORWARD_UP,               "forward_up",               "translated, sent to the core") \
	X(FORWARD_UP_EXEMPT,        "forward_up_exempt",        "sent to the core untranslated") \
	X(FORWARD_DOWN,             "forward_down",             "translated, sent to the subscriber") \
	X(FORWARD_DOWN_EXEMPT,      "forward_down_exempt",      "sent to the subscriber untranslated") \
	X(ANSWER_ARP,               "answer_arp",               "ARP request for the gateway answered") \
	X(ANSWER_ECHO,              "answer_echo",              "ICMP echo to the gateway answered") \
	X(ANSWER_TTL,               "answer_ttl",               "TTL expired, sender told by ICMP") \
	X(PUNT_DHCP4,               "punt_dhcp4",               "DHCPv4 packet handed to controld") \
	X(PASS_LOCAL,               "pass_local",               "for this host, handed to the kernel") \
	X(PASS_NEIGHBOUR,           "pass_neighbour",           "next hop unresolved, handed to the kernel translated") \
	X(INJECT,                   "inject",                   "sent by controld") \
	X(DROP_SHORT,               "drop_short",               "truncated header") \
	X(DROP_VLAN,                "drop_vlan",                "more than two VLAN tags, or a tag where none may be") \
	X(DROP_ETHERTYPE,           "drop_ethertype",           "neither IPv4 nor ARP") \
	X(DROP_IPV6,                "drop_ipv6",                "IPv6 is not served yet") \
	X(DROP_PPPOE,               "drop_pppoe",               "PPPoE is not offered on this interface") \
	X(DROP_ARP,                 "drop_arp",                 "ARP that is no request for a gateway address") \
	X(DROP_IP_HEADER,           "drop_ip_header",           "malformed IPv4 header") \
	X(DROP_FRAGMENT,            "drop_fragment",            "later IPv4 fragment whose first did not come in time") \
	X(DROP_PROTOCOL,            "drop_protocol",            "IP protocol that cannot be translated") \
	X(DROP_ICMP_TYPE,           "drop_icmp_type",           "ICMP type that is not translated") \
	X(DROP_ADDRESS,             "drop_address",             "source or destination that is never forwarded") \
	X(DROP_NO_SESSION,          "drop_no_session",          "no session has this address") \
	X(DROP_SPOOF_INTERFACE,     "drop_spoof_interface",     "session belongs to another interface") \
	X(DROP_SPOOF_VLAN,          "drop_spoof_vlan",          "session belongs to other VLAN tags") \
	X(DROP_SPOOF_MAC,           "drop_spoof_mac",           "session belongs to another MAC") \
	X(DROP_GATEWAY,             "drop_gateway",             "for the gateway, which offers no such service") \
	X(DROP_TTL,                 "drop_ttl",                 "TTL expired") \
	X(DROP_HAIRPIN,             "drop_hairpin",             "to another subscriber's inner address") \
	X(DROP_NOT_SUBSCRIBER,      "drop_not_subscriber",      "from the core, for nobody here") \
	X(DROP_NOT_EXEMPT,          "drop_not_exempt",          "inner address seen on the core side") \
	X(DROP_NO_ROUTE,            "drop_no_route",            "kernel has no route") \
	X(DROP_MTU,                 "drop_mtu",                 "larger than the next link takes; sender told by ICMP if it forbade fragments") \
	X(DROP_NO_INTERFACE,        "drop_no_interface",        "route leads to an interface that is not attached") \
	X(DROP_CGNAT_NO_POOL,       "drop_cgnat_no_pool",       "session has no address pool") \
	X(DROP_CGNAT_NO_BLOCK,      "drop_cgnat_no_block",      "pool has no free port block") \
	X(DROP_CGNAT_BLOCK_LIMIT,   "drop_cgnat_block_limit",   "subscriber's limit of port blocks") \
	X(DROP_CGNAT_MAPPING_LIMIT, "drop_cgnat_mapping_limit", "subscriber's limit of mappings") \
	X(DROP_CGNAT_BUSY,          "drop_cgnat_busy",          "another CPU kept the session's lock") \
	X(DROP_CGNAT_NO_MAPPING,    "drop_cgnat_no_mapping",    "public port is not mapped") \
	X(DROP_CGNAT_STALE,         "drop_cgnat_stale",         "port block of a session that has ended") \
	X(DROP_PUNT_LIMIT,          "drop_punt_limit",          "too many control packets") \
	X(DROP_INJECT,              "drop_inject",              "malformed packet from controld") \
	X(DROP_INTERNAL,            "drop_internal",            "a map entry was missing (a bug)") \
	X(DROP_TCP_FLAGS,           "drop_tcp_flags",           "TCP packet that may not open a mapping") \
	X(DROP_FORWARDING_OFF,      "drop_forwarding_off",      "kernel forwarding is off on the interface (net.ipv4.conf.*.forwarding)") \
	X(DROP_OTHER_STATION,       "drop_other_station",       "Ethernet destination is another station") \
	X(FORWARD_HAIRPIN,          "forward_hairpin",          "subscriber to subscriber by public addresses") \
	X(FORWARD_ICMP_UP,          "forward_icmp_up",          "ICMP error from a subscriber, translated") \
	X(FORWARD_ICMP_DOWN,        "forward_icmp_down",        "ICMP error to a subscriber, translated") \
	X(DROP_ICMP_CHECKSUM,       "drop_icmp_checksum",       "ICMP error with a bad checksum") \
	X(DROP_ICMP_QUOTE,          "drop_icmp_quote",          "ICMP error that quotes no packet of a mapping") \
	X(DROP_CGNAT_RATE_LIMIT,    "drop_cgnat_rate_limit",    "subscriber's limit of new mappings a second") \
	X(DROP_CGNAT_FILTER,        "drop_cgnat_filter",        "the pool's filtering keeps this remote end out") \
	X(DROP_CGNAT_FLOW_FULL,     "drop_cgnat_flow_full",     "no room to remember the remote end for filtering") \
	X(DROP_FRAGMENT_FULL,       "drop_fragment_full",       "no room to remember a fragmented packet") \
	X(PASS_FRAGMENT,            "pass_fragment",            "larger than the next link takes, handed to the kernel translated") \
	X(INJECT_PIN,               "inject_pin",               "port forwarding set or ended by controld") \
	X(DROP_CGNAT_PORT_TAKEN,    "drop_cgnat_port_taken",    "public port asked for by a port forwarding is in use") \
	X(PUNT_FRAGMENT,            "punt_fragment",            "later fragment that came before its first, handed to controld to be held") \
	X(DROP_HOLD_FULL,           "drop_hold_full",           "later fragment that came before its first, and no room to hold it") \
	X(ANSWER_UNREACHABLE,       "answer_unreachable",       "unsolicited TCP SYN of six seconds ago, sender told by ICMP") \
	X(INJECT_FORGOTTEN,         "inject_forgotten",         "unsolicited TCP SYN of six seconds ago, let in by now: forgotten") \
	X(INJECT_UNANSWERED,        "inject_unanswered",        "unsolicited TCP SYN of six seconds ago, no ICMP error allowed") \
	X(PUNT_PCP,                 "punt_pcp",                 "PCP request handed to controld") \
	X(DROP_PUNT_SUBSCRIBER,     "drop_punt_subscriber",     "too many control packets of one subscriber") \
	X(DROP_TUNNEL_TAKEN,        "drop_tunnel_taken",        "GRE or ESP to a remote end, to which another subscriber has the public address's tunnel") \
	X(DROP_TUNNEL_FULL,         "drop_tunnel_full",         "no room to remember a GRE or ESP tunnel") \
	X(DROP_TUNNEL_UNKNOWN,      "drop_tunnel_unknown",      "GRE or ESP from a remote end to which nobody has a tunnel") \
	X(DROP_TUNNEL_HAIRPIN,      "drop_tunnel_hairpin",      "GRE or ESP to another subscriber's public address") \
	X(DROP_ICMP_SOURCE_ROUTE,   "drop_icmp_source_route",   "ICMP message with a source route, to the internet") \
	X(PUNT_FTP,                 "punt_ftp",                 "FTP command with an address, handed to controld to be rewritten") \
	X(FORWARD_ALG_PLAIN,        "forward_alg_plain",        "FTP command with an address, sent to the core as it is: not understood, or no room") \
	X(INJECT_EXPECT,            "inject_expect",            "port opened for an FTP data connection") \
	X(DROP_ALG_WAIT,            "drop_alg_wait",            "behind an FTP command that is being rewritten; is sent again") \
	X(DROP_RATE_UP,             "drop_rate_up",             "from a subscriber, over the session's rate") \
	X(DROP_RATE_DOWN,           "drop_rate_down",           "to a subscriber, over the session's rate") \
	X(ANSWER_PPP_ECHO,          "answer_ppp_echo",          "LCP echo request of a PPPoE session answered") \
	X(ANSWER_PPP_ALIVE,         "answer_ppp_alive",         "LCP echo reply of a PPPoE session, noted") \
	X(PUNT_PPPOE_DISCOVERY,     "punt_pppoe_discovery",     "PPPoE discovery packet handed to controld") \
	X(PUNT_PPPOE_SESSION,       "punt_pppoe_session",       "PPP control packet handed to controld") \
	X(DROP_PPPOE_HEADER,        "drop_pppoe_header",        "malformed PPPoE header, or a code that no subscriber sends") \
	X(DROP_PPPOE_NO_SESSION,    "drop_pppoe_no_session",    "PPPoE data, and no session has this address") \
	X(DROP_SPOOF_PPPOE,         "drop_spoof_pppoe",         "session belongs to another PPPoE session, or to none") \
	X(DROP_PPPOE_FLOOD_MAC,     "drop_pppoe_flood_mac",     "too many PPPoE discovery packets of one MAC") \
	X(DROP_PPPOE_FLOOD_VLAN,    "drop_pppoe_flood_vlan",    "too many PPPoE discovery packets of one interface and VLAN") \
	X(PUNT_FIRST_PACKET,        "punt_first_packet",        "of an address without session that may get one, handed to controld") \
	X(PUNT_LARGE,               "punt_large",               "to a PPPoE subscriber, larger than its link takes, handed to controld to be sent in fragments") \
	X(DROP_FILTER_UP,           "drop_filter_up",           "from a subscriber, denied by the session's filter") \
	X(DROP_FILTER_DOWN,         "drop_filter_down",         "to a subscriber, denied by the session's filter")

enum bng_verdict {
#define BNG_VERDICT_ENUM(name, text, meaning) BNG_##name,
	BNG_VERDICTS(BNG_VERDICT_ENUM)
#undef BNG_VERDICT_ENUM
	BNG_VERDICT_COUNT
};
/* clang-format on */

_Static_assert(BNG_VERDICT_COUNT <= BNG_VERDICT_SLOTS, "reason_count is full");

struct bng_count {
	__u64 packets;
	__u64 bytes; /* Ethernet frame bytes at ingress */
};

#endif
