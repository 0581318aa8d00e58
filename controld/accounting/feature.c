/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Accounting's place in the daemon: its configuration, the ledger that the holder keeps,
 * its topic on the bus, and what is looked at once a second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/session/sessions.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LEDGER_NAME   "controld.accounting.ledger"
#define SETTLED_TICKS 2

static void keep_ledger(struct accounting *accounting)
{
	struct holder *holder = accounting->controld->holder;
	int failure = holder ? holder_keep(holder, LEDGER_NAME, accounting->ledger->fd) : 0;

	if (failure)
		log_warning("accounting: bpfholder does not keep the ledger (%s): a restart may tell the "
			    "servers something twice",
			    strerror(-failure));
}

static int take_ledger(struct accounting *accounting)
{
	struct holder *holder = accounting->controld->holder;
	int fd, failure;

	if (!holder || holder_take(holder, LEDGER_NAME, &fd))
		return 0;
	failure = ledger_adopt(fd, &accounting->ledger);
	if (failure == -EINVAL) {
		log_warning("accounting: the ledger of the last start has another layout: what the bus did "
			    "not have yet is lost");
		return 0;
	}
	if (failure)
		return failure;
	keep_ledger(accounting);
	spool_adopt_ledger(accounting);
	return 0;
}

/* Where there was none. */
static int need_ledger(struct accounting *accounting)
{
	int failure = accounting->ledger ? 0 : ledger_new(&accounting->ledger);

	if (failure)
		log_error("accounting: memory for the ledger: %s", strerror(-failure));
	else
		keep_ledger(accounting);
	return failure;
}

/* ---- Once a second -------------------------------------------------------------------- */

/* Whoever was told of neither as up nor as ended is known to nobody. */
static void release_orphans(struct accounting *accounting)
{
	struct account *account, *next;

	for (size_t i = 0; i < ACCOUNTS_BUCKETS; i++)
		for (account = LIST_FIRST(&accounting->buckets[i]); account; account = next) {
			next = LIST_NEXT(account, same_bucket);
			if (!account->is_live && !account->is_ended)
				account_gone(account);
		}
}

static void look_for_orphans(struct accounting *accounting)
{
	const struct controld *controld = accounting->controld;

	if (accounting->settled > SETTLED_TICKS || !accounting->is_open ||
	    !sync_topic_is_synced(controld, ACCOUNTING_TOPIC) ||
	    !sync_topic_is_synced(controld, SESSION_TOPIC))
		return;
	if (accounting->settled++ == SETTLED_TICKS)
		release_orphans(accounting);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct accounting *accounting = context;

	(void)fd;
	(void)what;
	if (!accounting->ledger)
		return;
	spool_again(accounting);
	look_for_orphans(accounting);
	deliver_tick(accounting, clock_boottime_ns());
	bounds_tick(accounting);
}

/* ---- The topic ---------------------------------------------------------------------------- */

static void on_record(struct controld *controld, const char *key, struct json_slice value)
{
	struct accounting *accounting = controld->accounting;
	json_t *record = json_loadb(value.text, value.length, 0, NULL);

	if (!need_ledger(accounting))
		spool_adopt_record(accounting, key, record);
	json_decref(record);
}

static void on_synced(struct controld *controld)
{
	struct accounting *accounting = controld->accounting;

	if (!accounting->ledger)
		return;
	if (accounting->ledger->header->birth == BIRTH_UNDER_WAY && !accounting->barrier)
		accounting->ledger->header->birth = BIRTH_OVER; /* the bus has lost it */
	bounds_sort(accounting);
	deliver_consider_all(accounting);
}

static void on_rewrite(struct controld *controld)
{
	if (controld->accounting->ledger)
		spool_rewrite(controld->accounting);
}

static const struct sync_topic topic = {
	.name = ACCOUNTING_TOPIC, .record = on_record, .synced = on_synced, .rewrite = on_rewrite};

/* ---- Configuration ---------------------------------------------------------------------------- */

/* A gateway that starts from nothing says so; one whose sessions are up does not. */
static void announce_birth(struct accounting *accounting)
{
	struct ledger_header *header = accounting->ledger->header;

	if (header->birth != BIRTH_OWED || !accounting->config.enabled)
		return;
	if (session_count(accounting->controld) || spool_count(accounting) || accounts_on(accounting))
		header->birth = BIRTH_OVER;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct accounting *accounting = controld->accounting;
	int failure = next->accounting.enabled ? need_ledger(accounting) : 0;

	if (failure)
		return failure;
	accounting->config = next->accounting;
	if (!accounting->ledger)
		return 0;
	deliver_adopt(accounting);
	accounting->is_open = true;
	announce_birth(accounting);
	/* At a start, the hooks tell of every session. */
	if (old)
		accounts_apply(accounting);
	deliver_consider_all(accounting);
	return 0;
}

/* ---- Start and end ------------------------------------------------------------------------------ */

static int start_tick(struct accounting *accounting)
{
	struct timeval interval = {.tv_sec = 1};

	accounting->tick = event_new(accounting->controld->base, -1, EV_PERSIST, on_tick, accounting);
	return accounting->tick && !event_add(accounting->tick, &interval) ? 0 : -ENOMEM;
}

static int feature_init(struct controld *controld)
{
	struct accounting *accounting = calloc(1, sizeof(*accounting));
	int failure;

	controld->accounting = accounting;
	if (!accounting)
		return -ENOMEM;
	accounting->controld = controld;
	TAILQ_INIT(&accounting->turns);
	TAILQ_INIT(&accounting->resting);
	TAILQ_INIT(&accounting->interims);
	TAILQ_INIT(&accounting->agains);
	accounting->buckets = calloc(ACCOUNTS_BUCKETS, sizeof(*accounting->buckets));
	if (!accounting->buckets)
		return -ENOMEM;
	failure = deliver_new(accounting);
	if (!failure)
		failure = start_tick(accounting);
	return failure ? failure : take_ledger(accounting);
}

static void feature_free(struct controld *controld)
{
	struct accounting *accounting = controld->accounting;

	if (!accounting)
		return;
	spool_free(accounting);
	deliver_free(accounting);
	if (accounting->tick)
		event_free(accounting->tick);
	free(accounting);
	controld->accounting = NULL;
}

const struct bng_feature accounting_feature = {
	.name = "accounting",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = accounting_methods,
	.hooks = &accounting_hooks,
	.topic = &topic,
};
