/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Logs of port blocks: every allocation and every release, to whoever is
 * configured, at least once.
 *
 * 1. An event leaves the data plane's ring when it is in the journal
 *    (journal.h), which outlives controld.
 * 2. Each destination reads the journal at its own pace. It takes records, and
 *    acknowledges them when they are safe: a file when fdatasync returned, TCP
 *    when the other side's kernel confirmed them, a datagram a second after it
 *    was sent without being refused.
 * 3. A destination that fails goes back to what it has acknowledged, and tries
 *    again every second. Nobody waits for it.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_H
#define BNG_CONTROLD_BLOCKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/blocklog/journal.h"
#include "controld/blocklog/rules.h"

#define DESTINATION_TARGET 300
#define DESTINATION_RETRY  1000 /* ms */

struct event;
struct event_base;
struct config_log;
struct destination;

struct blocklog {
	struct event_base *base;
	struct journal *journal; /* NULL: nothing was ever configured */
	struct destination *destinations[JOURNAL_READERS];
	struct rules rules; /* in force */
};

struct destination_type {
	const char *name;
	bool (*wanted)(const struct config_log *config);
	bool (*same)(const struct config_log *a, const struct config_log *b);
	/* 0 or -errno; says in d->target where records go. */
	int (*open)(struct destination *d, const struct config_log *config);
	/* There are new records, or it is time to look again. */
	void (*wake)(struct destination *d);
	/* Acknowledges what it can, without waiting long. */
	void (*close)(struct destination *d);
};

/* How far a destination has got: the next record, and how many lost ones it knows of. */
struct position {
	uint64_t next;
	uint64_t told;
};

struct destination {
	struct blocklog *log;
	const struct destination_type *type;
	int reader; /* JOURNAL_ */
	struct position position;
	bool failing;
	struct event *timer;
	char target[DESTINATION_TARGET];
	char error[512]; /* the last one, also after it ended; "": none */
	void *own;
};

extern const struct destination_type file_destination, syslog_destination, ipfix_destination;

/* ---- destination.c ---- */

int destination_new(struct blocklog *log, int reader, const struct destination_type *type,
		    const struct config_log *config, struct destination **destination);
void destination_free(struct destination *d);
struct journal_reader *destination_reader(const struct destination *d);
uint64_t destination_queued(const struct destination *d);
/* The next record, if there is one; a loss that was not told yet comes first. */
bool destination_take(struct destination *d, struct blocklog_record *record);
bool destination_has_more(const struct destination *d);
/* All before `position` is safe. */
void destination_ack(struct destination *d, const struct position *position);
/* Back to what was acknowledged, and again in a second. `doing` says what was tried. */
void destination_failed(struct destination *d, int error, const char *doing);
void destination_recovered(struct destination *d);
void destination_wake_in(struct destination *d, unsigned ms);

#endif
