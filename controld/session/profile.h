/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a subscriber is granted: the answer of whoever authorises, in our own terms.
 * A profile owns what it points to; a zeroed one grants nothing in particular.
 */
#ifndef BNG_CONTROLD_SESSION_PROFILE_H
#define BNG_CONTROLD_SESSION_PROFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json_scan.h"

#define PROFILE_NAME_MAX  32 /* of a pool, as in the configuration */
#define PROFILE_ROUTES    8
#define PROFILE_CLASS_MAX 1024 /* bytes of all Class attributes */

/* Which members mean something; the others are as if nobody had said anything. */
enum profile_field {
	PROFILE_USER = 1 << 0,
	PROFILE_ADDRESS = 1 << 1,
	PROFILE_POOL = 1 << 2,
	PROFILE_NAT_POOL = 1 << 3,
	PROFILE_SESSION_TIMEOUT = 1 << 4,
	PROFILE_IDLE_TIMEOUT = 1 << 5,
	PROFILE_INTERIM = 1 << 6,
	PROFILE_DNS = 1 << 7,
	PROFILE_RATE_UP = 1 << 8,
	PROFILE_RATE_DOWN = 1 << 9,
	PROFILE_FILTER = 1 << 10,
	PROFILE_ROUTE = 1 << 11,
	PROFILE_CLASS = 1 << 12,
	PROFILE_DELEGATED_PREFIX = 1 << 13,
	PROFILE_MAX_MAPPINGS = 1 << 14,
	PROFILE_MAX_BLOCKS = 1 << 15,
};

struct profile_rate {
	uint64_t bits_s;      /* of IP packets; 0: unlimited */
	uint32_t burst_bytes; /* 0: the default */
};

struct profile_route {
	uint32_t first_be;
	uint8_t length; /* of the prefix */
};

struct profile_prefix6 {
	uint8_t address[16];
	uint8_t length;
};

struct session_profile {
	uint32_t given;              /* enum profile_field */
	uint32_t address_be;         /* Framed-IP-Address */
	char *user;                  /* User-Name of the answer: who is billed */
	char *filter;                /* of /filters (Filter-Id) */
	char pool[PROFILE_NAME_MAX]; /* Framed-Pool: of inner addresses */
	char nat_pool[PROFILE_NAME_MAX];
	uint32_t session_timeout_s; /* 0: none; the same below */
	uint32_t idle_timeout_s;
	uint32_t interim_s; /* Acct-Interim-Interval */
	uint32_t dns_be[2];
	uint32_t max_mappings;
	uint32_t max_blocks;
	struct profile_rate up;
	struct profile_rate down;
	struct {
		struct profile_route route[PROFILE_ROUTES]; /* Framed-Route */
		uint8_t route_count;
	};
	struct profile_prefix6 delegated_prefix;
	struct {
		uint16_t class_length;
		uint8_t *class; /* Class attributes: each its length (a byte), then its value */
	};
};

void profile_done(struct session_profile *profile);
/* 0 or -ENOMEM, and *to is as it was. */
int profile_copy(const struct session_profile *from, struct session_profile *to);
/* What `given` says is taken over from `from`; the rest of `to` stays. 0 or -ENOMEM, and
 * *to is as it was. */
int profile_merge(struct session_profile *to, const struct session_profile *from);

/* New reference; only what is given. */
json_t *profile_json(const struct session_profile *profile);
/* What profile_json made, as text. 0; -EINVAL: it is not that, or no memory, and *profile
 * is zeroed. */
int profile_parse(struct json_slice value, struct session_profile *profile);

#endif
