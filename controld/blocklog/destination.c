/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What all destinations have in common: their place in the journal, and how they
 * fail and come back.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/blocklog/blocklog.h"
#include "lib/clock.h"
#include "lib/log.h"

struct journal_reader *destination_reader(const struct destination *d)
{
	return &d->log->journal->header->readers[d->reader];
}

uint64_t destination_queued(const struct destination *d)
{
	return d->log->journal->header->head - destination_reader(d)->acked;
}

bool destination_has_more(const struct destination *d)
{
	return d->position.told != destination_reader(d)->lost ||
	       d->position.next < d->log->journal->header->head;
}

bool destination_take(struct destination *d, struct blocklog_record *record)
{
	const struct journal_reader *reader = destination_reader(d);

	if (d->position.told != reader->lost) {
		*record = (struct blocklog_record){.type = BLOCKLOG_RECORDS_LOST,
						   .time_ms = record_wall_ms(clock_boottime_ns()),
						   .session = reader->lost - d->position.told};
		d->position.told = reader->lost;
		return true;
	}
	if (d->position.next < reader->acked)
		d->position.next = reader->acked;
	if (d->position.next == d->log->journal->header->head)
		return false;
	*record = *journal_record(d->log->journal, d->position.next++);
	return true;
}

void destination_ack(struct destination *d, const struct position *position)
{
	struct journal_reader *reader = destination_reader(d);

	if (position->told > reader->told)
		reader->told = position->told;
	if (position->next <= reader->acked)
		return;
	reader->sent += position->next - reader->acked;
	__atomic_store_n(&reader->acked, position->next, __ATOMIC_RELEASE);
}

static void rewind_position(struct destination *d)
{
	const struct journal_reader *reader = destination_reader(d);

	d->position = (struct position){.next = reader->acked, .told = reader->told};
}

void destination_wake_in(struct destination *d, unsigned ms)
{
	struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(d->timer, &in);
}

void destination_failed(struct destination *d, int error, const char *doing)
{
	rewind_position(d);
	snprintf(d->error, sizeof(d->error), "%s %s: %s", doing, d->target,
		 strerror(error < 0 ? -error : error));
	if (!d->failing)
		log_error("log of port blocks: %s failed; records wait in memory, at most %llu", d->error,
			  (unsigned long long)d->log->journal->header->capacity);
	d->failing = true;
	destination_wake_in(d, DESTINATION_RETRY);
}

void destination_recovered(struct destination *d)
{
	if (d->failing)
		log_notice("log of port blocks: %s takes records again, %llu wait, %llu were lost so far",
			   d->target, (unsigned long long)destination_queued(d),
			   (unsigned long long)destination_reader(d)->lost);
	d->failing = false;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct destination *d = context;

	(void)fd;
	(void)what;
	d->type->wake(d);
}

/* A destination that was not in use before begins with what comes now. */
static void begin_reading(struct destination *d)
{
	struct journal_reader *reader = destination_reader(d);

	if (!reader->used) {
		*reader = (struct journal_reader){.acked = d->log->journal->header->head};
		__atomic_store_n(&reader->used, 1, __ATOMIC_RELEASE);
	}
	rewind_position(d);
}

int destination_new(struct blocklog *log, int reader, const struct destination_type *type,
		    const struct config_log *config, struct destination **destination)
{
	struct destination *d = calloc(1, sizeof(*d));
	int failure = d ? 0 : -ENOMEM;

	if (failure)
		return failure;
	*d = (struct destination){.log = log, .type = type, .reader = reader};
	d->timer = event_new(log->base, -1, 0, on_timer, d);
	failure = d->timer ? type->open(d, config) : -ENOMEM;
	if (failure) {
		if (d->timer)
			event_free(d->timer);
		free(d);
		return failure;
	}
	begin_reading(d);
	destination_wake_in(d, 0);
	*destination = d;
	return 0;
}

void destination_free(struct destination *d)
{
	if (!d)
		return;
	d->type->close(d);
	event_free(d->timer);
	free(d);
}
