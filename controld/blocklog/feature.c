/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Logs of port blocks: from the data plane's events into the journal, and which
 * destinations read it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/blocklog/blocklog.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "lib/clock.h"
#include "lib/log.h"

#define JOURNAL_NAME "controld.blocklog"

static const struct destination_type *const types[JOURNAL_READERS] = {
	[JOURNAL_FILE] = &file_destination,
	[JOURNAL_SYSLOG] = &syslog_destination,
	[JOURNAL_IPFIX] = &ipfix_destination,
};

static void append_block(struct controld *controld, const struct bng_event *event)
{
	struct journal *journal = controld->blocklog->journal;
	struct blocklog_record record = {
		.time_ms = record_wall_ms(event->time_ns),
		.session = event->session_id,
		.inner_be = event->inner_be,
		.public_be = event->public_be,
		.first = event->port_first,
		.last = event->port_last,
		.type = event->type == BNG_EVENT_BLOCK_ALLOCATED ? BLOCKLOG_ALLOCATED : BLOCKLOG_FREED,
	};

	/* Whose they are follows from the rule (RFC 6888 REQ-14, RFC 7422). */
	if (event->flags & BNG_EVENT_DETERMINISTIC)
		return;
	if (!journal || (event->type != BNG_EVENT_BLOCK_ALLOCATED && event->type != BNG_EVENT_BLOCK_FREED))
		return;
	snprintf(record.pool, sizeof(record.pool), "%s", names_pool(controld, event->pool));
	journal_append(journal, &record);
}

/* What the ring had no room for, also while controld was away. */
static void append_loss(struct controld *controld)
{
	struct journal *journal = controld->blocklog->journal;
	uint64_t lost = __atomic_load_n(&controld->maps->meta->events_lost, __ATOMIC_RELAXED);
	struct blocklog_record record = {.type = BLOCKLOG_EVENTS_LOST,
					 .time_ms = record_wall_ms(clock_boottime_ns())};

	/* Less than before: the data plane has been started from nothing. */
	if (lost < journal->header->events_lost)
		journal->header->events_lost = 0;
	if (lost == journal->header->events_lost)
		return;
	record.session = lost - journal->header->events_lost;
	journal->header->events_lost = lost;
	journal_append(journal, &record);
}

static void on_drained(struct controld *controld)
{
	struct blocklog *log = controld->blocklog;

	if (!log->journal)
		return;
	append_loss(controld);
	for (int i = 0; i < JOURNAL_READERS; i++)
		if (log->destinations[i] && destination_has_more(log->destinations[i]))
			types[i]->wake(log->destinations[i]);
}

/* ---- configuration ---------------------------------------------------------- */

static void keep_journal(struct controld *controld)
{
	int failure = holder_keep(controld->holder, JOURNAL_NAME, controld->blocklog->journal->fd);

	if (failure)
		log_warning("log of port blocks: bpfholder does not keep the records that wait (%s): they "
			    "would be lost with this process",
			    strerror(-failure));
}

static int make_journal(struct controld *controld, uint64_t capacity)
{
	struct journal *old = controld->blocklog->journal, *made;
	int failure;

	if (old && old->header->capacity == capacity)
		return 0;
	failure = old ? journal_resized(old, capacity, &made) : journal_new(capacity, &made);
	if (failure) {
		log_error("log of port blocks: memory for %llu records: %s", (unsigned long long)capacity,
			  strerror(-failure));
		return failure;
	}
	if (!old)
		made->header->events_lost = controld->maps->meta->events_lost;
	controld->blocklog->journal = made;
	journal_free(old);
	keep_journal(controld);
	return 0;
}

static void close_destination(struct blocklog *log, int i, bool for_good)
{
	destination_free(log->destinations[i]);
	log->destinations[i] = NULL;
	if (for_good && log->journal)
		log->journal->header->readers[i] = (struct journal_reader){0};
}

static bool any_wanted(const struct config_log *config)
{
	for (int i = 0; i < JOURNAL_READERS; i++)
		if (types[i]->wanted(config))
			return true;
	return false;
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct blocklog *log = controld->blocklog;
	bool wanted = any_wanted(&next->log);
	int failure = 0;

	for (int i = 0; i < JOURNAL_READERS; i++) {
		bool stays = types[i]->wanted(&next->log);

		if (!old || !stays || !types[i]->same(&old->log, &next->log))
			close_destination(log, i, !stays);
	}
	rules_apply(controld, &log->rules, next);
	if (wanted)
		failure = make_journal(controld, next->log.queue_records);
	for (int i = 0; !failure && i < JOURNAL_READERS; i++) {
		if (types[i]->wanted(&next->log) && !log->destinations[i])
			failure = destination_new(log, i, types[i], &next->log, &log->destinations[i]);
		else if (log->destinations[i])
			types[i]->wake(log->destinations[i]);
	}
	return failure;
}

/* ---- start and end ------------------------------------------------------------ */

static void done(struct controld *controld)
{
	struct blocklog *log = controld->blocklog;

	if (!log)
		return;
	for (int i = 0; i < JOURNAL_READERS; i++)
		close_destination(log, i, false);
	rules_done(&log->rules);
	journal_free(log->journal);
	free(log);
	controld->blocklog = NULL;
}

static int init(struct controld *controld)
{
	struct blocklog *log = calloc(1, sizeof(*log));
	int fd, failure;

	controld->blocklog = log;
	if (!log)
		return -ENOMEM;
	log->base = controld->base;
	rules_adopt(controld, &log->rules);
	if (holder_take(controld->holder, JOURNAL_NAME, &fd))
		return 0;
	failure = journal_adopt(fd, &log->journal);
	if (failure)
		log_error("log of port blocks: records kept by an earlier version cannot be read (%s): they "
			  "are lost",
			  strerror(-failure));
	else
		keep_journal(controld);
	return 0;
}

/* ---- RPC ------------------------------------------------------------------- */

static json_t *destination_json(const struct destination *d)
{
	const struct journal_reader *reader = destination_reader(d);

	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "name", d->type->name, "target", d->target,
			 "state", d->failing ? "failing" : "ok", "queued", (json_int_t)destination_queued(d),
			 "sent", (json_int_t)reader->sent, "lost", (json_int_t)reader->lost, "error",
			 d->failing ? d->error : "");
}

static void handle_status(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	const struct blocklog *log = controld->blocklog;
	const struct journal_header *header = log->journal ? log->journal->header : NULL;
	struct json_reader reader;
	json_t *list;

	if (!ctl_params(request, &reader, members))
		return;
	list = json_array();
	for (int i = 0; i < JOURNAL_READERS; i++)
		if (log->destinations[i])
			json_array_append_new(list, destination_json(log->destinations[i]));
	rpc_reply(request,
		  json_pack("{s:I, s:I, s:I, s:o}", "records", header ? (json_int_t)header->head : 0,
			    "queue_records", header ? (json_int_t)header->capacity : 0, "events_lost",
			    header ? (json_int_t)header->events_lost : 0, "destinations", list),
		  NULL, 0);
}

static const struct rpc_method methods[] = {
	{"blocklog.status", 0, handle_status},
	{0},
};

static const struct event_hooks event_hooks = {.event = append_block, .drained = on_drained};

const struct bng_feature blocklog_feature = {
	.name = "blocklog",
	.init = init,
	.free = done,
	.apply = apply,
	.methods = methods,
	.events = &event_hooks,
};
