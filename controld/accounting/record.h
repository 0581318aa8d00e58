/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * An accounting record: what is told to the servers, fixed when it is made, but for the
 * time it waited and the gateway's own names. Its key on the bus says whose and which it
 * is, so that the same record made twice is one.
 */
#ifndef BNG_CONTROLD_ACCOUNTING_RECORD_H
#define BNG_CONTROLD_ACCOUNTING_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/radius/packet.h"
#include "controld/radius/requests.h"

#define RECORD_KEY_TEXT 32
/* What record_request adds: header, status, session id, time, delay, NAS. */
#define RECORD_REQUEST_EXTRA  132
#define RECORD_ATTRIBUTES_MAX (RADIUS_REQUEST_MAX - RECORD_REQUEST_EXTRA)

/* What a record takes on the bus beside its attributes: its key, the frame of its value, the row. */
#define RECORD_STORED_EXTRA 128

struct controld;

enum record_kind { RECORD_ON, RECORD_START, RECORD_INTERIM, RECORD_STOP, RECORD_OFF, RECORD_KINDS };

struct record_key {
	uint64_t session_id;
	uint32_t sequence; /* of an interim record, from 1 on; else 0 */
	uint8_t kind;      /* enum record_kind */
};

struct record_content {
	struct record_key key;
	int64_t made_s; /* Unix */
	uint16_t length;
	const uint8_t *attributes; /* RADIUS attributes, one after the other */
	bool is_behind;            /* an earlier one of its session may be on the bus and nowhere else */
};

/* "00000000000003e8-start", "...-stop", "...-0000000c" (interim), "...-on", "...-off". */
void record_key_format(const struct record_key *key, char text[static RECORD_KEY_TEXT]);
/* False: it is no such key. */
bool record_key_parse(const char *text, struct record_key *key);
/* In which order the records of a session go. */
int record_key_compare(const struct record_key *a, const struct record_key *b);
const char *record_kind_name(enum record_kind kind);

/* New reference; the key is not in it. NULL: no memory. */
json_t *record_value(const struct record_content *content);
/* About what it takes in the bus's store. */
static inline uint64_t record_stored_bytes(const struct record_content *content)
{
	return 2u * content->length + RECORD_STORED_EXTRA;
}

/* What record_value made; `attributes` has room for RECORD_ATTRIBUTES_MAX and is pointed to.
 * False: it is not that. */
bool record_value_parse(const json_t *json, struct record_content *content, uint8_t *attributes);
/* Whole attributes, and not too many bytes of them. */
bool record_attributes_ok(const uint8_t *attributes, size_t length);

/* The Accounting-Request, as of now. Its length, or 0: it does not fit. */
size_t record_request(const struct controld *controld, const struct record_content *content, int64_t now_s,
		      uint8_t packet[static RADIUS_REQUEST_MAX]);

#endif
