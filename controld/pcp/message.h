/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Messages of the Port Control Protocol (RFC 6887): requests for ANNOUNCE, MAP and
 * PEER, and the responses to them.
 *
 * The parser never reads behind `length` and copies what it keeps. Fields ending in
 * _be are network byte order, all others host byte order.
 */
#ifndef BNG_PCP_MESSAGE_H
#define BNG_PCP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/pcp.h"

#define PCP_VERSION      2
#define PCP_SERVER_PORT  5351
#define PCP_CLIENT_PORT  5350
#define PCP_MESSAGE_MAX  1100
#define PCP_PROTOCOL_ALL 0

enum pcp_opcode {
	PCP_ANNOUNCE = 0,
	PCP_MAP = 1,
	PCP_PEER = 2,
	PCP_OPCODES,
};

/* Result codes: name, text, for how many seconds an error holds (section 7.4). */
#define PCP_LONG  1800u
#define PCP_SHORT 30u
/* clang-format off */
#define PCP_RESULTS(X) \
	X(SUCCESS,                 "success",                 0) \
	X(UNSUPP_VERSION,          "unsupp_version",          PCP_LONG) \
	X(NOT_AUTHORIZED,          "not_authorized",          PCP_LONG) \
	X(MALFORMED_REQUEST,       "malformed_request",       PCP_LONG) \
	X(UNSUPP_OPCODE,           "unsupp_opcode",           PCP_LONG) \
	X(UNSUPP_OPTION,           "unsupp_option",           PCP_LONG) \
	X(MALFORMED_OPTION,        "malformed_option",        PCP_LONG) \
	X(NETWORK_FAILURE,         "network_failure",         PCP_SHORT) \
	X(NO_RESOURCES,            "no_resources",            PCP_SHORT) \
	X(UNSUPP_PROTOCOL,         "unsupp_protocol",         PCP_LONG) \
	X(USER_EX_QUOTA,           "user_ex_quota",           PCP_SHORT) \
	X(CANNOT_PROVIDE_EXTERNAL, "cannot_provide_external", PCP_SHORT) \
	X(ADDRESS_MISMATCH,        "address_mismatch",        PCP_LONG) \
	X(EXCESSIVE_REMOTE_PEERS,  "excessive_remote_peers",  PCP_LONG)

enum pcp_result {
#define PCP_RESULT_ENUM(name, text, seconds) PCP_##name,
	PCP_RESULTS(PCP_RESULT_ENUM)
#undef PCP_RESULT_ENUM
	PCP_RESULT_COUNT,
	PCP_DROP, /* no response at all */
};
/* clang-format on */

_Static_assert(PCP_RESULT_COUNT == BNG_PCP_RESULTS, "each has its counter");

struct pcp_address {
	uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct pcp_request {
	enum pcp_opcode opcode;
	uint32_t lifetime;
	uint8_t nonce[BNG_PCP_NONCE];
	uint8_t protocol; /* IANA's number */
	uint16_t inner_port;
	uint16_t public_port; /* suggested; 0: any */
	struct pcp_address public_address;
	uint16_t peer_port; /* PEER only, also below */
	struct pcp_address peer_address;
	bool prefer_failure;
};

/* What a successful MAP or PEER says beyond the request. */
struct pcp_answer {
	uint32_t lifetime;
	uint16_t public_port;
	uint32_t public_be;
};

/* Reads a datagram that came from `source_be`: PCP_SUCCESS and *request, or what is
 * wrong with it. */
enum pcp_result pcp_parse(const uint8_t *data, size_t length, uint32_t source_be,
			  struct pcp_request *request);

/* Both write at most PCP_MESSAGE_MAX bytes and return how many. */
size_t pcp_build_success(const uint8_t *data, const struct pcp_request *request,
			 const struct pcp_answer *answer, uint32_t epoch, uint8_t *out);
/* For the request of `length` bytes, which may be anything that is not PCP_DROP. */
size_t pcp_build_error(const uint8_t *data, size_t length, enum pcp_result result, uint32_t lifetime,
		       uint32_t epoch, uint8_t *out);
/* ANNOUNCE that nobody has asked for (section 14.1). */
size_t pcp_build_announce(uint32_t epoch, uint8_t *out);

const char *pcp_result_name(enum pcp_result result);
/* For how long an error holds. */
uint32_t pcp_error_seconds(enum pcp_result result);

/* The IPv4 address in it; false when it holds none. 0.0.0.0 is one. */
bool pcp_address_v4(const struct pcp_address *address, uint32_t *address_be);
/* All zeros, or IPv4's all zeros: no preference. */
bool pcp_address_is_any(const struct pcp_address *address);

#endif
