/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a controld that is killed would forget: records that the bus has not got yet, and
 * those that a server has got and the bus has not forgotten yet. In memory that the holder
 * keeps, with what was counted.
 *
 * Invariants, at any moment at which this process may be killed:
 *  1. a slot whose state is not LEDGER_FREE is whole;
 *  2. a record is DELIVERED here before the request that delivered it is forgotten, and
 *     until the bus has forgotten the record.
 */
#ifndef BNG_CONTROLD_ACCOUNTING_LEDGER_H
#define BNG_CONTROLD_ACCOUNTING_LEDGER_H

#include "controld/accounting/record.h"

#define LEDGER_SLOTS   65536
#define LEDGER_RESERVE 2048 /* of them for records that were delivered */
#define LEDGER_NONE    UINT32_MAX

enum ledger_state {
	LEDGER_FREE,
	LEDGER_WAITING,
	LEDGER_DELIVERED, /* the content means nothing any more */
};

/* Whether the servers were told that the gateway is there. */
enum ledger_birth {
	BIRTH_OWED,
	BIRTH_OVER,      /* or they need not be */
	BIRTH_UNDER_WAY, /* an Accounting-On was made that nobody has answered */
};

struct ledger_slot {
	uint32_t state; /* enum ledger_state, written last */
	uint32_t sequence;
	uint64_t session_id;
	int64_t made_s;
	uint16_t length;
	uint8_t kind;
	uint8_t is_behind; /* as in struct record_content */
	uint8_t reserved[4];
	uint8_t attributes[RECORD_ATTRIBUTES_MAX];
	uint8_t reserved1[4];
};

struct ledger_header {
	uint64_t magic;
	uint64_t length;
	uint32_t high;       /* slots at and behind were never used */
	uint8_t birth;       /* enum ledger_birth */
	uint8_t is_off;      /* by the operator */
	uint8_t is_stalled;  /* nobody answers, and it was told */
	uint8_t is_overfull; /* more waits than may, none of which is dropped, and it was told */
	uint64_t made[RECORD_KINDS];
	uint64_t delivered[RECORD_KINDS];
	uint64_t sent; /* requests */
	uint64_t failed;
	uint64_t dropped; /* interim records that found the spool full */
	uint64_t refused; /* records that no request can hold, or that were damaged */
	uint64_t stalls;
};

struct ledger {
	int fd;
	struct ledger_header *header;
	struct ledger_slot *slots;
	uint32_t *free; /* below header->high */
	uint32_t free_count;
};

int ledger_new(struct ledger **ledger);
/* Takes `fd` in every case. -EINVAL: another layout, or none of ours. */
int ledger_adopt(int fd, struct ledger **ledger);
void ledger_free(struct ledger *ledger);

/* LEDGER_NONE: all are in use. The last ones are for what was delivered. */
uint32_t ledger_take(struct ledger *ledger, const struct record_content *content, enum ledger_state state);
void ledger_set(struct ledger *ledger, uint32_t slot, enum ledger_state state);
/* An earlier one of its session is on the bus and nowhere else from now on. */
void ledger_set_behind(struct ledger *ledger, uint32_t slot);
/* Of a slot that is in use. False: what no controld of this layout left behind. */
bool ledger_content(const struct ledger_slot *slot, struct record_content *content);

#endif
