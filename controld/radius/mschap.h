/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * MS-CHAPv2 (RFC 2759) by who knows the password: what the subscriber answers to a
 * challenge, and what proves that the other side knows the password, too.
 */
#ifndef BNG_CONTROLD_RADIUS_MSCHAP_H
#define BNG_CONTROLD_RADIUS_MSCHAP_H

#include <stddef.h>
#include <stdint.h>

#include "controld/radius/packet.h"

#define MSCHAP_CHALLENGE 16
#define MSCHAP_RESPONSE  24
#define MSCHAP_PROOF     43 /* "S=" and 40 hexadecimal digits, and the end */
#define MSCHAP_ANSWER    49 /* peer challenge, 8 zero bytes, response, flags */
#define MSCHAP_VENDOR    311

enum mschap_type {
	MSCHAP_ERROR = 2,
	MSCHAP_CHALLENGE_TYPE = 11,
	MSCHAP2_RESPONSE_TYPE = 25,
	MSCHAP2_SUCCESS = 26,
};

/* `user` as it is sent; what is before a '\' is not part of it. The password is UTF-8.
 * 0, -EINVAL (no UTF-8, or too long) or -EIO. */
int mschap_respond(const char *user, const char *password, const uint8_t challenge[static MSCHAP_CHALLENGE],
		   const uint8_t peer_challenge[static MSCHAP_CHALLENGE],
		   uint8_t response[static MSCHAP_RESPONSE]);
int mschap_prove(const char *user, const char *password, const uint8_t challenge[static MSCHAP_CHALLENGE],
		 const uint8_t peer_challenge[static MSCHAP_CHALLENGE],
		 const uint8_t response[static MSCHAP_RESPONSE], char proof[static MSCHAP_PROOF]);

/* MS-CHAP-Challenge and MS-CHAP2-Response (RFC 2548 section 2.3): `answer` as a subscriber
 * gave it. */
void mschap_add(struct radius_builder *builder, uint8_t id, const uint8_t *challenge, size_t challenge_length,
		const uint8_t answer[static MSCHAP_ANSWER]);

#endif
