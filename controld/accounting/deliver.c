/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From the spool to the servers: a window of requests, one for each session. When nobody
 * answers it closes to one request at a time, ever more seldom; when somebody does it
 * opens again by doubling, so that servers that return meet no storm.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/radius/radius.h"
#include "controld/sync/sync.h"
#include "lib/clock.h"
#include "lib/log.h"

#define NS_PER_MS     1000000ull
#define PAUSE_MS      500 /* the first; it doubles */
#define PAUSE_MAX_MS  10000
#define PAUSE_DOUBLES 5
#define REST_MS       1000 /* the same for a record that nobody answers while others are */
#define REST_DOUBLES  8

/* ---- Whose turn it is --------------------------------------------------------------- */

/* An Accounting-On that was made, and is not known yet. */
static bool is_on_missing(const struct accounting *accounting)
{
	return accounting->ledger->header->birth == BIRTH_UNDER_WAY && !accounting->barrier;
}

static bool may_be_sent(const struct accounting *accounting, const struct record *record)
{
	bool is_up = sync_is_up(accounting->controld);
	bool is_synced = sync_topic_is_synced(accounting->controld, ACCOUNTING_TOPIC);

	if (!accounting->is_open || record->is_under_way || !record->content.length)
		return false;
	if (is_up && (!record->is_stored || !is_synced))
		return false;
	/* What goes before it only the bus knows, which was away at the start. */
	if (!is_synced && (record->content.is_behind || is_on_missing(accounting)))
		return false;
	if (record->content.key.kind == RECORD_STOP)
		return record->account->is_gone || !is_up;
	/* The last of all. */
	return record->content.key.kind != RECORD_OFF || spool_count(accounting) == 1;
}

static void set_pump(struct accounting *accounting, uint64_t wait_ns)
{
	struct timeval wait = {(time_t)(wait_ns / 1000000000), (suseconds_t)(wait_ns % 1000000000 / 1000)};

	event_add(accounting->pump, &wait);
}

static void leave_turn(struct account *account)
{
	if (account->has_turn)
		TAILQ_REMOVE(&account->accounting->turns, account, turn);
	account->has_turn = false;
}

static void leave_rest(struct account *account)
{
	if (account->is_resting)
		TAILQ_REMOVE(&account->accounting->resting, account, rest);
	account->is_resting = false;
}

void deliver_account_ends(struct account *account)
{
	leave_turn(account);
	leave_rest(account);
}

void deliver_consider(struct account *account)
{
	struct accounting *accounting = account->accounting;
	struct record *first = account_first(account);
	bool has_turn = first && !account->is_resting && may_be_sent(accounting, first);

	if (has_turn && !account->has_turn)
		TAILQ_INSERT_TAIL(&accounting->turns, account, turn);
	if (!has_turn)
		leave_turn(account);
	account->has_turn = has_turn;
	if (has_turn && accounting->under_way < accounting->window &&
	    clock_boottime_ns() >= accounting->paused_until_ns)
		set_pump(accounting, 0);
}

void deliver_consider_all(struct accounting *accounting)
{
	struct account *account;

	for (size_t i = 0; i < ACCOUNTS_BUCKETS; i++)
		LIST_FOREACH(account, &accounting->buckets[i], same_bucket)
	deliver_consider(account);
}

/* ---- Nobody answers ------------------------------------------------------------------- */

static uint64_t doubled_ns(uint64_t ms, uint32_t times, uint32_t most)
{
	uint64_t whole = ms << (times < most ? times : most);

	return (whole / 2 + arc4random_uniform((uint32_t)whole / 2 + 1)) * NS_PER_MS;
}

static void tell(struct accounting *accounting, const char *type, const char *reason)
{
	char when[CLOCK_TEXT];

	if (ctl_followed(accounting->controld))
		ctl_event(accounting->controld,
			  json_pack("{s:s, s:s, s:I, s:s}", "time", clock_format(clock_boottime_ns(), when),
				    "type", type, "waiting", (json_int_t)spool_count(accounting), "reason",
				    reason));
}

static void stall(struct accounting *accounting, const char *reason)
{
	uint64_t pause_ns = doubled_ns(PAUSE_MS, accounting->failures, PAUSE_DOUBLES);
	uint64_t now_ns = clock_boottime_ns();

	/* What was sent together fails together. */
	if (now_ns < accounting->paused_until_ns)
		return;
	if (pause_ns > PAUSE_MAX_MS * NS_PER_MS)
		pause_ns = PAUSE_MAX_MS * NS_PER_MS;
	accounting->failures++;
	accounting->window = 1;
	accounting->paused_until_ns = now_ns + pause_ns;
	set_pump(accounting, pause_ns);
	if (accounting->ledger->header->is_stalled)
		return;
	accounting->ledger->header->is_stalled = true;
	accounting->ledger->header->stalls++;
	log_warning("accounting: %s: %u records wait, and are tried again", reason, spool_count(accounting));
	tell(accounting, "accounting_stalled", reason);
}

static void succeed(struct accounting *accounting)
{
	accounting->successes++;
	accounting->failures = 0;
	accounting->paused_until_ns = 0;
	if (accounting->window < ACCOUNTING_WINDOW)
		accounting->window *= 2;
	if (!accounting->ledger->header->is_stalled)
		return;
	accounting->ledger->header->is_stalled = false;
	log_notice("accounting: records are delivered again, %u wait", spool_count(accounting));
	tell(accounting, "accounting_resumed", "");
}

/* Others were answered since it was sent: it is this record's own trouble. */
static void rest(struct account *account)
{
	account->rest_until_ns = clock_boottime_ns() + doubled_ns(REST_MS, account->tries, REST_DOUBLES);
	account->tries += account->tries < UINT8_MAX;
	if (account->is_resting)
		return;
	account->is_resting = true;
	TAILQ_INSERT_TAIL(&account->accounting->resting, account, rest);
}

/* ---- Sending --------------------------------------------------------------------------- */

static const char *why_not(int failure)
{
	switch (failure) {
	case -ENOTSUP:
		return "no RADIUS server is configured";
	case -EHOSTUNREACH:
		return "no RADIUS server is alive";
	case -ENOBUFS:
		return "as many RADIUS requests wait as may";
	default:
		return strerror(-failure);
	}
}

static int submit(struct accounting *accounting, struct record *record)
{
	struct radius_ticket ticket = {.owner = RADIUS_OWNER_ACCOUNTING};
	uint8_t packet[RADIUS_REQUEST_MAX];
	size_t length = record_request(accounting->controld, &record->content, time(NULL), packet);

	_Static_assert(sizeof(record->content.key) <= sizeof(ticket.context), "a ticket has room");
	memcpy(ticket.context, &record->content.key, sizeof(record->content.key));
	return length ? radius_submit(accounting->controld->radius, packet, length, &ticket) : -EMSGSIZE;
}

/* False: not now. */
static bool send_first(struct accounting *accounting, struct account *account)
{
	struct record *record = account_first(account);
	int failure = submit(accounting, record);

	if (failure == -EMSGSIZE) {
		log_error("accounting: a record of session %016llx fits into no request and is dropped",
			  (unsigned long long)account->session_id);
		accounting->ledger->header->refused++;
		record_over(record, false);
		return true;
	}
	if (failure) {
		stall(accounting, why_not(failure));
		return false;
	}
	leave_turn(account);
	record->is_under_way = true;
	record->successes = accounting->successes;
	accounting->under_way++;
	accounting->ledger->header->sent++;
	return true;
}

static void on_pump(evutil_socket_t fd, short what, void *context)
{
	struct accounting *accounting = context;
	struct account *account;

	uint64_t now_ns = clock_boottime_ns();

	(void)fd;
	(void)what;
	/* A timer may be a little early. */
	if (now_ns < accounting->paused_until_ns) {
		set_pump(accounting, accounting->paused_until_ns - now_ns + 1000000);
		return;
	}
	while (accounting->under_way < accounting->window && (account = TAILQ_FIRST(&accounting->turns))) {
		/* Before the gateway is announced there is nothing to tell of it. */
		if (accounting->barrier)
			account = accounting->barrier;
		if (!account->has_turn || !send_first(accounting, account))
			break;
	}
}

/* ---- Answers ---------------------------------------------------------------------------- */

static void delivered(struct accounting *accounting, struct record *record)
{
	struct account *account = record->account;

	accounting->ledger->header->delivered[record->content.key.kind]++;
	account->tries = 0;
	if (record->content.key.kind == RECORD_START)
		account_started(account);
	record_over(record, true);
}

static void on_answer(struct controld *controld, const struct radius_answer *answer,
		      const struct radius_ticket *ticket)
{
	struct accounting *accounting = controld->accounting;
	struct record_key key;
	struct record *record;

	memcpy(&key, ticket->context, sizeof(key));
	if (!accounting->ledger || key.kind >= RECORD_KINDS)
		return;
	record = spool_of_ticket(accounting, &key);
	if (!record)
		return;
	accounting->under_way -= record->is_under_way;
	record->is_under_way = false;
	if (answer->outcome == RADIUS_ACCOUNTED) {
		succeed(accounting);
		if (!record->is_answered)
			delivered(accounting, record);
	} else {
		accounting->ledger->header->failed++;
		if (record->successes != accounting->successes)
			rest(record->account);
		else
			stall(accounting, "no RADIUS server answers");
		deliver_consider(record->account);
	}
	/* The last one of all waits for all the others. */
	if (spool_count(accounting) == 1)
		deliver_consider_all(accounting);
	if (!TAILQ_EMPTY(&accounting->turns) && !accounting->ledger->header->is_stalled)
		set_pump(accounting, 0);
}

static bool adopt(void *context, const struct radius_ticket *ticket)
{
	struct accounting *accounting = context;
	struct record_key key;
	struct record *record;

	memcpy(&key, ticket->context, sizeof(key));
	record = key.kind < RECORD_KINDS ? spool_of_ticket(accounting, &key) : NULL;
	if (!record || record->is_answered)
		return false;
	if (record->is_under_way)
		return true;
	record->is_under_way = true;
	record->successes = accounting->successes;
	accounting->under_way++;
	return true;
}

void deliver_adopt(struct accounting *accounting)
{
	radius_each(accounting->controld->radius, RADIUS_OWNER_ACCOUNTING, adopt, accounting);
}

/* ---- Once a second ---------------------------------------------------------------------- */

void deliver_tick(struct accounting *accounting, uint64_t now_ns)
{
	bool is_up = sync_is_up(accounting->controld);
	struct account *account, *next;

	for (account = TAILQ_FIRST(&accounting->resting); account; account = next) {
		next = TAILQ_NEXT(account, rest);
		if (account->rest_until_ns > now_ns)
			continue;
		leave_rest(account);
		deliver_consider(account);
	}
	if (is_up != accounting->was_up)
		deliver_consider_all(accounting);
	accounting->was_up = is_up;
	if (!TAILQ_EMPTY(&accounting->turns) && now_ns >= accounting->paused_until_ns)
		set_pump(accounting, 0);
}

int deliver_new(struct accounting *accounting)
{
	accounting->window = 1;
	accounting->pump = event_new(accounting->controld->base, -1, 0, on_pump, accounting);
	radius_register(accounting->controld->radius, RADIUS_OWNER_ACCOUNTING, on_answer);
	return accounting->pump ? 0 : -ENOMEM;
}

void deliver_free(struct accounting *accounting)
{
	if (accounting->pump)
		event_free(accounting->pump);
}
