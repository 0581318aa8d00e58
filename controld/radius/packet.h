/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * RADIUS packets (RFC 2865, 2866, 2869): attributes put into a buffer and taken out
 * of one. Nothing is read behind `length`, nothing is written behind `size`.
 *
 * Who knows the secret is the matter of seal.h; a packet is built open, with the
 * password as it is, and sealed for the server it is sent to.
 */
#ifndef BNG_CONTROLD_RADIUS_PACKET_H
#define BNG_CONTROLD_RADIUS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RADIUS_HEADER       20
#define RADIUS_PACKET_MAX   4096
#define RADIUS_DIGEST       16
#define RADIUS_VALUE_MAX    253
#define RADIUS_PASSWORD_MAX 128

enum radius_code {
	RADIUS_ACCESS_REQUEST = 1,
	RADIUS_ACCESS_ACCEPT = 2,
	RADIUS_ACCESS_REJECT = 3,
	RADIUS_ACCOUNTING_REQUEST = 4,
	RADIUS_ACCOUNTING_RESPONSE = 5,
	RADIUS_ACCESS_CHALLENGE = 11,
};

enum radius_type {
	RADIUS_USER_NAME = 1,
	RADIUS_USER_PASSWORD = 2,
	RADIUS_CHAP_PASSWORD = 3,
	RADIUS_NAS_IP_ADDRESS = 4,
	RADIUS_NAS_PORT = 5,
	RADIUS_SERVICE_TYPE = 6,
	RADIUS_FRAMED_PROTOCOL = 7,
	RADIUS_FRAMED_IP_ADDRESS = 8,
	RADIUS_REPLY_MESSAGE = 18,
	RADIUS_CLASS = 25,
	RADIUS_VENDOR_SPECIFIC = 26,
	RADIUS_CALLED_STATION_ID = 30,
	RADIUS_CALLING_STATION_ID = 31,
	RADIUS_NAS_IDENTIFIER = 32,
	RADIUS_ACCT_STATUS_TYPE = 40,
	RADIUS_ACCT_DELAY_TIME = 41,
	RADIUS_ACCT_INPUT_OCTETS = 42,
	RADIUS_ACCT_OUTPUT_OCTETS = 43,
	RADIUS_ACCT_SESSION_ID = 44,
	RADIUS_ACCT_AUTHENTIC = 45,
	RADIUS_ACCT_SESSION_TIME = 46,
	RADIUS_ACCT_INPUT_PACKETS = 47,
	RADIUS_ACCT_OUTPUT_PACKETS = 48,
	RADIUS_ACCT_TERMINATE_CAUSE = 49,
	RADIUS_ACCT_INPUT_GIGAWORDS = 52,
	RADIUS_ACCT_OUTPUT_GIGAWORDS = 53,
	RADIUS_EVENT_TIMESTAMP = 55,
	RADIUS_CHAP_CHALLENGE = 60,
	RADIUS_NAS_PORT_TYPE = 61,
	RADIUS_MESSAGE_AUTHENTICATOR = 80,
	RADIUS_NAS_PORT_ID = 87,
	RADIUS_FRAMED_POOL = 88,
};

/* Where the fields of the header are. */
enum radius_at { RADIUS_AT_CODE = 0, RADIUS_AT_ID = 1, RADIUS_AT_LENGTH = 2, RADIUS_AT_AUTHENTICATOR = 4 };

/* ---- Building ------------------------------------------------------------- */

struct radius_builder {
	uint8_t *data;
	size_t size;
	size_t length;
	bool is_full; /* something did not fit, or was too long: the packet is of no use */
};

/* An Access-Request begins with its Message-Authenticator, empty until it is sealed. */
void radius_begin(struct radius_builder *builder, uint8_t *data, size_t size, enum radius_code code);
void radius_add(struct radius_builder *builder, uint8_t type, const void *value, size_t length);
void radius_add_text(struct radius_builder *builder, uint8_t type, const char *text);
void radius_add_integer(struct radius_builder *builder, uint8_t type, uint32_t value);
void radius_add_vendor(struct radius_builder *builder, uint32_t vendor, uint8_t type, const void *value,
		       size_t length);
/* User-Password, padded and in the clear. */
void radius_add_password(struct radius_builder *builder, const void *password, size_t length);
/* CHAP-Password and CHAP-Challenge, as if a subscriber had answered. 0 or -errno. */
int radius_add_chap(struct radius_builder *builder, uint8_t id, const uint8_t *challenge,
		    size_t challenge_length, const void *password, size_t password_length);
/* Writes the length into the header: the length, or 0 when something did not fit. */
size_t radius_end(struct radius_builder *builder);

/* ---- Parsing -------------------------------------------------------------- */

/* The length that the header tells, with every attribute inside it; 0: malformed.
 * Bytes behind it are padding. */
size_t radius_length(const uint8_t *data, size_t length);

struct radius_attribute {
	uint32_t vendor; /* 0: none */
	uint8_t type;    /* of the vendor, if any */
	uint8_t length;
	const uint8_t *value;
};

struct radius_cursor {
	const uint8_t *at;
	const uint8_t *end;
	const uint8_t *inner; /* inside a Vendor-Specific attribute, or NULL */
	const uint8_t *inner_end;
	uint32_t vendor;
};

/* Over a packet whose length radius_length gave. */
struct radius_cursor radius_attributes(const uint8_t *data, size_t length);
/* The next attribute, one by one also those of a vendor; a Vendor-Specific that is not
 * made of attributes comes whole, with vendor 0. False at the end. */
bool radius_next(struct radius_cursor *cursor, struct radius_attribute *attribute);
/* The first of this type of the packet's own; NULL: none. */
uint8_t *radius_find(uint8_t *data, size_t length, uint8_t type, size_t *value_length);

#endif
