/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a server can do wrong, by name. A fault never passes in silence: it is counted,
 * and the first frame with one is kept for the report.
 */
#ifndef BNG_EMULATOR_FAULT_H
#define BNG_EMULATOR_FAULT_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define FAULTS(X) \
	X(NONE, none) \
	X(FRAME_SHORT, frame_short) \
	X(FRAME_TAGS, frame_tags)               /* other VLANs than the subscriber's */ \
	X(FRAME_SUBSCRIBER, frame_subscriber)   /* to a MAC of ours that nobody has */ \
	X(FRAME_PADDING, frame_padding)         /* something behind the end */ \
	X(IP_HEADER, ip_header) \
	X(IP_LENGTH, ip_length) \
	X(IP_CHECKSUM, ip_checksum) \
	X(IP_ADDRESS, ip_address)               /* to an address that is not the subscriber's */ \
	X(UDP_LENGTH, udp_length) \
	X(UDP_CHECKSUM, udp_checksum) \
	X(PPPOE_HEADER, pppoe_header) \
	X(PPPOE_LENGTH, pppoe_length) \
	X(PPPOE_TAG, pppoe_tag)                 /* a tag that does not end where it should */ \
	X(PPPOE_SERVICE_NAME, pppoe_service_name) /* missing, or another than asked for */ \
	X(PPPOE_AC_NAME, pppoe_ac_name) \
	X(PPPOE_HOST_UNIQ, pppoe_host_uniq)     /* missing or changed */ \
	X(PPPOE_SESSION, pppoe_session)         /* an id that is 0, reserved, or not this session's */ \
	X(PPPOE_CODE, pppoe_code) \
	X(PPPOE_MAX_PAYLOAD, pppoe_max_payload) /* not what was asked for (RFC 4638) */ \
	X(PPP_LENGTH, ppp_length) \
	X(PPP_CODE, ppp_code) \
	X(PPP_PROTOCOL, ppp_protocol) \
	X(PPP_OPTION, ppp_option)               /* malformed, or one that was not sent */ \
	X(PPP_MAGIC, ppp_magic)                 /* our own, or not the server's */ \
	X(PPP_MRU, ppp_mru)                     /* a packet larger than was negotiated */ \
	X(PPP_REJECTED, ppp_rejected)           /* Code-Reject or Protocol-Reject of what everybody knows */ \
	X(PPP_FRAMING, ppp_framing)             /* options that RFC 2516 section 7 forbids */ \
	X(AUTH_LENGTH, auth_length) \
	X(AUTH_METHOD, auth_method)             /* another than was negotiated */ \
	X(AUTH_SUCCESS, auth_success)           /* MS-CHAPv2: the server does not know the password */ \
	X(IPCP_ADDRESS, ipcp_address) \
	X(ECHO_UNASKED, echo_unasked) \
	X(RENEGOTIATED, renegotiated)           /* what was settled begins again */ \
	X(DHCP_HEADER, dhcp_header) \
	X(DHCP_XID, dhcp_xid) \
	X(DHCP_OPTION, dhcp_option)             /* malformed, twice, or of a wrong length */ \
	X(DHCP_TYPE, dhcp_type)                 /* not what was asked */ \
	X(DHCP_MISSING, dhcp_missing)           /* an option a reply must have */ \
	X(DHCP_RELAY_AGENT, dhcp_relay_agent)   /* Option 82 is not echoed as it was */ \
	X(DHCP_SERVER, dhcp_server)             /* of another server than was asked */ \
	X(ARP, arp) \
	X(ADDRESS_CHANGED, address_changed)     /* of a lease that was renewed */ \
	X(PUBLIC_CHANGED, public_changed)       /* public address or port of a session that is up */ \
	X(TRAFFIC_UNKNOWN, traffic_unknown) \
	X(TRAFFIC_ORDER, traffic_order)         /* twice, or behind a later one */
/* clang-format on */

enum fault {
#define FAULT_ENUM(name, text) FAULT_##name,
	FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
		FAULT_COUNT,
};

#define FAULT_FRAME_KEPT 128

struct faults {
	uint64_t count[FAULT_COUNT];
	enum fault first;
	size_t first_length;
	uint8_t first_frame[FAULT_FRAME_KEPT];
};

const char *fault_name(enum fault fault);
void fault_note(struct faults *faults, enum fault fault, const uint8_t *data, size_t length);

#endif
