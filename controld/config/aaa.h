/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Words that /aaa is made of, for those who read them and those who act on them.
 */
#ifndef BNG_CONTROLD_CONFIG_AAA_H
#define BNG_CONTROLD_CONFIG_AAA_H

/* What the value of an attribute becomes in a profile (session/profile.h has the fields). */
/* clang-format off */
#define ATTRIBUTE_TARGETS(X) \
	X(NOTHING,          nothing,          0)                        /* it is left alone */ \
	X(USER,             user,             PROFILE_USER) \
	X(ADDRESS,          address,          PROFILE_ADDRESS) \
	X(POOL,             pool,             PROFILE_POOL) \
	X(NAT_POOL,         nat_pool,         PROFILE_NAT_POOL) \
	X(SESSION_TIMEOUT,  session_timeout,  PROFILE_SESSION_TIMEOUT) \
	X(IDLE_TIMEOUT,     idle_timeout,     PROFILE_IDLE_TIMEOUT) \
	X(INTERIM,          interim,          PROFILE_INTERIM) \
	X(DNS_FIRST,        dns_first,        PROFILE_DNS) \
	X(DNS_SECOND,       dns_second,       PROFILE_DNS) \
	X(RATE_UP,          rate_up,          PROFILE_RATE_UP) \
	X(RATE_DOWN,        rate_down,        PROFILE_RATE_DOWN) \
	X(BURST_UP,         burst_up,         PROFILE_RATE_UP) \
	X(BURST_DOWN,       burst_down,       PROFILE_RATE_DOWN) \
	X(RATES,            rates,            PROFILE_RATE_UP | PROFILE_RATE_DOWN) /* text: up/down ... */ \
	X(PAIR,             pair,             0)                        /* text: Cisco's name=value */ \
	X(FILTER,           filter,           PROFILE_FILTER) \
	X(ROUTE,            route,            PROFILE_ROUTE) \
	X(CLASS,            class,            PROFILE_CLASS) \
	X(DELEGATED_PREFIX, delegated_prefix, PROFILE_DELEGATED_PREFIX) \
	X(MAX_MAPPINGS,     max_mappings,     PROFILE_MAX_MAPPINGS) \
	X(MAX_BLOCKS,       max_blocks,       PROFILE_MAX_BLOCKS)
/* clang-format on */

enum attribute_target {
#define ATTRIBUTE_TARGET_ENUM(name, text, fields) TARGET_##name,
	ATTRIBUTE_TARGETS(ATTRIBUTE_TARGET_ENUM)
#undef ATTRIBUTE_TARGET_ENUM
		TARGETS,
};

/* What a name of an IPoE subscriber may be made of: "%{mac}@%{interface}". */
#define USER_PARTS(X)                                                                                        \
	X(MAC, mac)                                                                                          \
	X(INTERFACE, interface)                                                                              \
	X(OUTER_VID, outer_vid)                                                                              \
	X(INNER_VID, inner_vid)                                                                              \
	X(CIRCUIT_ID, circuit_id)                                                                            \
	X(REMOTE_ID, remote_id)                                                                              \
	X(ADDRESS, address)

enum user_part {
#define USER_PART_ENUM(name, text) USER_##name,
	USER_PARTS(USER_PART_ENUM)
#undef USER_PART_ENUM
		USER_PARTS_COUNT,
};

/* What "%{...}" at *text is, and *text behind it; USER_PARTS_COUNT: nothing that is known. */
enum user_part config_user_part(const char **text);

#endif
