/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * RADIUS accounting that is exact across every restart.
 *
 * The way of a record: made -> on the bus, durably -> sent -> answered -> its session's
 * detail says so, durably -> off the bus. Killed anywhere on it, the next controld finds
 * the record where it was: in the ledger (holder's memory), on the bus (topic
 * `accounting`), at the RADIUS client (its ticket).
 *
 *  1. Of a session, one record is on its way at a time, in order.
 *  2. A Stop is sent after the bus has forgotten the session (hook `gone`): nobody can
 *     make another one then. Until that its counters are brought up to date.
 *  3. With the bus away, records are in the ledger and in memory, and are sent all the same.
 */
#ifndef BNG_CONTROLD_ACCOUNTING_H
#define BNG_CONTROLD_ACCOUNTING_H

#include <event2/event.h>
#include <sys/queue.h>

#include "controld/accounting/ledger.h"
#include "controld/accounting/machine.h"
#include "controld/config/config.h"
#include "controld/session/detail.h"
#include "controld/sync/sync.h"
#include "lib/rpc.h"

#define ACCOUNTING_TOPIC  "accounting"
#define ACCOUNTS_BUCKETS  65536
#define ACCOUNTING_WINDOW 64 /* requests at the RADIUS client */

struct record {
	TAILQ_ENTRY(record) next;  /* of the account, in order */
	TAILQ_ENTRY(record) aged;  /* interim records, oldest first */
	TAILQ_ENTRY(record) again; /* something failed and is tried again */
	struct account *account;
	struct record_content content;
	uint64_t serial;    /* of this process: tells it from another one with its key */
	uint64_t successes; /* of the accounting when it was sent */
	uint32_t slot;      /* in the ledger, or LEDGER_NONE */
	bool is_aged;
	bool is_again;
	bool is_put;       /* the bus was asked to keep it */
	bool is_stored;    /* the bus keeps it */
	bool is_under_way; /* at the RADIUS client */
	bool is_answered;  /* by a server; or dropped: it is over */
	bool is_noted;     /* the session's detail says so, or there is none any more */
	bool is_noting;
	bool is_deleting;
};

struct account {
	LIST_ENTRY(account) same_bucket;
	TAILQ_ENTRY(account) turn;
	TAILQ_ENTRY(account) rest;
	TAILQ_HEAD(, record) records;
	struct accounting *accounting;
	uint64_t session_id;
	struct event *due; /* the next interim record, or NULL: none */
	uint64_t rest_until_ns;
	int64_t last_ms;       /* Unix: when the last record was made, or a little later */
	uint32_t interval_s;   /* 0: no interim records */
	uint32_t sequence;     /* of the last interim record made */
	uint32_t session_slot; /* 0: not known */
	uint8_t state;         /* enum accounting_state */
	uint8_t tries;         /* of its first record, that nobody answered */
	bool is_live;          /* its session is up */
	bool is_ended;         /* seen: `gone` will tell when it is forgotten */
	bool is_gone;          /* nobody remembers the session */
	bool has_turn;
	bool is_resting;
	bool is_held; /* somebody walks over its records */
};

enum accounting_bound { BOUND_NONE, BOUND_RECORDS, BOUND_DISK, ACCOUNTING_BOUNDS };

LIST_HEAD(account_bucket, account);
TAILQ_HEAD(account_list, account);
TAILQ_HEAD(record_list, record);

struct accounting {
	struct controld *controld;
	struct config_accounting config;
	struct ledger *ledger; /* NULL: accounting was never on */
	struct account_bucket *buckets;
	struct account_list turns;   /* whose first record may be sent, and is not under way */
	struct account_list resting; /* whose first record nobody answered */
	struct record_list interims; /* not answered, oldest first */
	struct record_list agains;
	uint64_t next_serial;
	uint32_t accounts;
	uint32_t waiting[RECORD_KINDS];      /* not answered */
	uint64_t bytes[RECORD_KINDS];        /* that they take on the bus */
	uint64_t dropped[ACCOUNTING_BOUNDS]; /* since it was told last */
	bool is_open;     /* the configuration is there, and what the RADIUS client has of ours */
	bool was_up;      /* the bus, at the last tick */
	uint32_t settled; /* ticks since everybody who is known was told of */
	struct event *tick;
	/* deliver.c */
	struct event *pump;
	uint32_t under_way;
	uint32_t window;
	uint32_t failures; /* one after the other */
	uint64_t successes;
	uint64_t paused_until_ns;
	struct account *barrier; /* an Accounting-On that is not answered */
};

/* ---- spool.c: records, from being made to being forgotten --------------------------- */

struct account *account_find(const struct accounting *accounting, uint64_t session_id);
/* Finds or makes it. NULL: no memory. */
struct account *account_get(struct accounting *accounting, uint64_t session_id);
/* If nobody needs it any more. */
void account_tidy(struct account *account);
/* Nobody remembers the session: what was delivered can go, the Stop can be sent. */
void account_gone(struct account *account);
/* A record of it was made at that time. */
void account_made(struct account *account, int64_t made_s);
/* Its first record, if it may be sent now. */
struct record *account_first(const struct account *account);

struct record *record_find(const struct account *account, const struct record_key *key);
/* Makes it, unless there is one of its key. 0 or -ENOMEM. */
int spool_make(struct accounting *accounting, const struct record_content *content);
/* One of which only the RADIUS client may know so far, and of it the key. NULL: no memory. */
struct record *spool_of_ticket(struct accounting *accounting, const struct record_key *key);
/* What the ledger and the bus kept. */
void spool_adopt_ledger(struct accounting *accounting);
void spool_adopt_record(struct accounting *accounting, const char *key, const json_t *value);
/* All of them once more to a bus that has lost them. */
void spool_rewrite(struct accounting *accounting);
/* A server has it, or it was given up: the rest of its way, and the turn of the next one.
 * The record, and its account, may be gone after this. */
void record_over(struct record *record, bool is_delivered);
/* The same for what was answered in an earlier life. */
void account_settle(struct account *account);
void spool_again(struct accounting *accounting);
void spool_free(struct accounting *accounting);
uint32_t spool_count(const struct accounting *accounting);

/* ---- deliver.c: from the spool to the servers ---------------------------------------- */

int deliver_new(struct accounting *accounting);
void deliver_free(struct accounting *accounting);
/* Something about the account's first record has changed. */
void deliver_consider(struct account *account);
void deliver_consider_all(struct accounting *accounting);
/* What the RADIUS client has of ours. */
void deliver_adopt(struct accounting *accounting);
void deliver_tick(struct accounting *accounting, uint64_t now_ns);
void deliver_account_ends(struct account *account);

/* ---- bounds.c: how much may wait ------------------------------------------------------ */

/* Drops what is beyond the bounds and may be dropped. */
void bounds_keep(struct accounting *accounting);
/* Interim records were found, in any order: the oldest is to go first. */
void bounds_sort(struct accounting *accounting);
/* The same as bounds_keep, and tells of it. */
void bounds_tick(struct accounting *accounting);
/* Of all that waits, on the bus. */
uint64_t bounds_bytes(const struct accounting *accounting);
/* 0: the bus has not told how large its disk is. */
uint64_t bounds_bytes_max(const struct accounting *accounting);
/* The member of /accounting that is exceeded by what may not be dropped; NULL: none. */
const char *bounds_overfull(const struct accounting *accounting);

/* ---- attributes.c: what a record says -------------------------------------------------- */

struct attributes_subject {
	const struct session_detail *detail;
	const struct bng_subscriber *record; /* NULL: nothing is known of what was counted */
	uint32_t terminate_cause;            /* of a Stop */
};

size_t attributes_make(struct controld *controld, enum record_kind kind,
		       const struct attributes_subject *subject,
		       uint8_t attributes[static RECORD_ATTRIBUTES_MAX]);
/* Brings what was counted up to date. True: it was not. */
bool attributes_count(uint8_t *attributes, size_t length, const struct bng_subscriber *record);

/* ---- sessions.c: what happens to sessions ----------------------------------------------- */

extern const struct session_hooks accounting_hooks;
/* Accounting was turned on, or its configuration changed: for every session. */
void accounts_apply(struct accounting *accounting);
/* The start of a session was delivered. */
void account_started(struct account *account);
/* What was delivered goes into the session's detail and onto the bus. 0: `done` will be
 * told; -ENOENT: there is nothing to tell it to; else it is to be tried again. */
int account_note(struct account *account, const struct record *record, sync_acknowledged *done,
		 void *context);
int accounts_off(struct accounting *accounting);
int accounts_on(struct accounting *accounting);

extern const struct rpc_method accounting_methods[]; /* rpc.c */

#endif
