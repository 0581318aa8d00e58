/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What happens to sessions, as events of the machine, and the records that follow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/session/sessions.h"
#include "lib/log.h"

#define CAUSE_NAS_REBOOT 11
#define MS_PER_S         1000
#define SPREAD_MS        10000 /* of interim records that are overdue after a start */

/* ---- The machine -------------------------------------------------------------------- */

/* An event, and what is known of its session. */
struct happening {
	enum accounting_event event;
	struct attributes_subject subject;
};

static void make(struct account *account, enum record_kind kind, const struct attributes_subject *subject)
{
	struct accounting *accounting = account->accounting;
	uint8_t attributes[RECORD_ATTRIBUTES_MAX];
	struct record_content content = {
		.key = {.session_id = account->session_id, .kind = (uint8_t)kind},
		.made_s = time(NULL),
		.attributes = attributes,
	};

	if (kind == RECORD_INTERIM)
		content.key.sequence = account->sequence + 1;
	content.length = (uint16_t)attributes_make(accounting->controld, kind, subject, attributes);
	if (!content.length) {
		accounting->ledger->header->refused++;
		log_error("accounting: what is to be told of session %016llx fits into no record",
			  (unsigned long long)account->session_id);
		return;
	}
	spool_make(accounting, &content);
}

static void act(struct account *account, enum accounting_action action,
		const struct attributes_subject *subject)
{
	switch (action) {
	case ACCOUNTING_NOTHING:
		break;
	case ACCOUNTING_MAKE_START:
		make(account, RECORD_START, subject);
		break;
	case ACCOUNTING_MAKE_INTERIM:
		make(account, RECORD_INTERIM, subject);
		break;
	case ACCOUNTING_MAKE_BOTH:
		make(account, RECORD_START, subject);
		make(account, RECORD_STOP, subject);
		break;
	case ACCOUNTING_MAKE_STOP:
		make(account, RECORD_STOP, subject);
		break;
	}
}

static bool live_detail(struct account *account, struct session *session, struct session_detail **detail)
{
	struct controld *controld = account->accounting->controld;

	*detail = account->is_live && session_by_id(controld, account->session_id, session)
			  ? session_detail(controld, session)
			  : NULL;
	return *detail;
}

static void happen(struct account *account, const struct happening *what)
{
	struct accounting_step step = accounting_step(account->state, what->event);
	struct session_detail *detail;
	struct session session;

	if (step.next != account->state)
		log_debug("accounting of session %016llx: %s -> %s", (unsigned long long)account->session_id,
			  accounting_state_name(account->state), accounting_state_name(step.next));
	account->state = (uint8_t)step.next;
	if (live_detail(account, &session, &detail))
		detail->accounting.state = account->state;
	act(account, step.action, &what->subject);
}

void account_started(struct account *account)
{
	happen(account, &(struct happening){.event = ACCOUNTING_DELIVERED});
}

int account_note(struct account *account, const struct record *record, sync_acknowledged *done, void *context)
{
	struct session_detail *detail;
	struct session session;

	if (!live_detail(account, &session, &detail))
		return -ENOENT;
	detail->accounting.state = account->state;
	if (record->content.key.sequence > detail->accounting.sequence)
		detail->accounting.sequence = record->content.key.sequence;
	if (record->content.made_s > detail->accounting.last_s)
		detail->accounting.last_s = record->content.made_s;
	return sessions_detail_put(account->accounting->controld, detail, done, context);
}

/* ---- Interim records ------------------------------------------------------------------ */

static uint32_t interval_of(const struct accounting *accounting, const struct session_detail *detail)
{
	const struct session_profile *profile = &detail->profile;

	if (!accounting->config.enabled || accounting->ledger->header->is_off)
		return 0;
	return profile->given & PROFILE_INTERIM ? profile->interim_s : accounting->config.interim_s;
}

/* The same for a session at every start. */
static uint64_t share_of(uint64_t session_id, uint64_t whole)
{
	return whole ? (session_id * 0x9e3779b97f4a7c15ULL >> 33) % whole : 0;
}

static uint64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * MS_PER_S + (uint64_t)now.tv_nsec / 1000000;
}

/* The first comes after half an interval to a whole one, so that sessions that came up
 * together do not stay together. */
static uint64_t wait_ms(const struct account *account)
{
	uint64_t interval_ms = (uint64_t)account->interval_s * MS_PER_S, now_ms = wall_ms();
	uint64_t due_ms = (uint64_t)account->last_ms + interval_ms;

	if (!account->sequence)
		due_ms -= share_of(account->session_id, interval_ms / 2);
	if (due_ms > now_ms)
		return due_ms - now_ms < interval_ms ? due_ms - now_ms : interval_ms;
	return share_of(account->session_id, interval_ms / 10 < SPREAD_MS ? interval_ms / 10 : SPREAD_MS);
}

static void account_schedule(struct account *account);

static void on_due(evutil_socket_t fd, short what, void *context)
{
	struct account *account = context;
	struct session_detail *detail;
	struct session session;

	(void)fd;
	(void)what;
	if (!live_detail(account, &session, &detail))
		return;
	happen(account, &(struct happening){ACCOUNTING_DUE, {detail, session.record, 0}});
	account->last_ms = (int64_t)wall_ms();
	account_schedule(account);
}

static void account_schedule(struct account *account)
{
	struct accounting *accounting = account->accounting;
	struct session_detail *detail;
	struct session session;
	struct timeval wait;
	uint64_t ms;

	account->interval_s = live_detail(account, &session, &detail) ? interval_of(accounting, detail) : 0;
	if (account->state != ACCOUNTING_OWED && account->state != ACCOUNTING_STARTED)
		account->interval_s = 0;
	if (!account->interval_s) {
		if (account->due)
			event_del(account->due);
		return;
	}
	if (!account->due)
		account->due = event_new(accounting->controld->base, -1, 0, on_due, account);
	if (!account->due) {
		log_error("accounting: no memory for the interim records of a session");
		return;
	}
	ms = wait_ms(account);
	wait = (struct timeval){(time_t)(ms / MS_PER_S), (suseconds_t)(ms % MS_PER_S * 1000)};
	event_add(account->due, &wait);
}

/* ---- Sessions up, found, changed --------------------------------------------------------- */

static bool is_wanted(const struct accounting *accounting, const struct session_detail *detail)
{
	bool is_local = !detail->source || !strcmp(detail->source, "local");

	return accounting->config.enabled && !accounting->ledger->header->is_off &&
	       (!is_local || accounting->config.local_sessions);
}

static void learn(struct account *account, const struct session_detail *detail)
{
	static const struct record_key start = {.kind = RECORD_START};
	struct record *record = record_find(account, &start);

	if (account->state == ACCOUNTING_NONE)
		account->state = detail->accounting.state < ACCOUNTING_STATES ? detail->accounting.state
									      : ACCOUNTING_STOPPED;
	if (account->state == ACCOUNTING_NONE && record)
		account->state = ACCOUNTING_OWED;
	if (account->state == ACCOUNTING_OWED && record && record->is_answered)
		account_started(account);
	if (detail->accounting.sequence > account->sequence)
		account->sequence = detail->accounting.sequence;
	account_made(account, detail->accounting.last_s);
}

static void begin(struct accounting *accounting, const struct session *session)
{
	struct session_detail *detail = session_detail(accounting->controld, session);
	struct account *account = detail ? account_find(accounting, detail->session_id) : NULL;

	if (!detail ||
	    (!account && !is_wanted(accounting, detail) && detail->accounting.state == ACCOUNTING_NONE))
		return;
	account = account ? account : account_get(accounting, detail->session_id);
	if (!account) {
		log_error("accounting: no memory for session %016llx",
			  (unsigned long long)detail->session_id);
		return;
	}
	account->is_live = true;
	account->session_slot = session->slot;
	learn(account, detail);
	if (account->state == ACCOUNTING_OWED || is_wanted(accounting, detail))
		happen(account, &(struct happening){ACCOUNTING_BEGIN, {detail, session->record, 0}});
	account_schedule(account);
	account_settle(account);
}

static void on_session(struct controld *controld, const struct session *session)
{
	if (controld->accounting->ledger)
		begin(controld->accounting, session);
}

static void on_change(struct controld *controld, const struct session *session)
{
	struct accounting *accounting = controld->accounting;
	struct account *account =
		accounting->ledger ? account_find(accounting, session->record->session_id) : NULL;

	if (account)
		account_schedule(account);
}

void accounts_apply(struct accounting *accounting)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(accounting->controld, &slot, &session))
		begin(accounting, &session);
}

/* ---- Sessions down ------------------------------------------------------------------------ */

static void on_down(struct controld *controld, const struct session *session, enum session_end end,
		    const char *why)
{
	struct accounting *accounting = controld->accounting;
	struct account *account =
		accounting->ledger ? account_find(accounting, session->record->session_id) : NULL;
	const struct session_detail *detail = session_detail(controld, session);

	(void)why;
	if (!account)
		return;
	if (detail)
		happen(account, &(struct happening){ACCOUNTING_END, {detail, session->record, end}});
	account->is_live = false;
	account->is_ended = true;
	account_schedule(account);
}

static void on_ended(struct controld *controld, const struct session_detail *detail,
		     const struct bng_subscriber *record)
{
	struct accounting *accounting = controld->accounting;
	struct account *account = accounting->ledger ? account_get(accounting, detail->session_id) : NULL;
	uint32_t cause = record ? SESSION_END_NAS_ERROR : CAUSE_NAS_REBOOT;

	if (!account)
		return;
	learn(account, detail);
	account->is_ended = true;
	account->session_slot = record ? (uint32_t)(record - controld->maps->subscriber) : 0;
	happen(account, &(struct happening){ACCOUNTING_END, {detail, record, cause}});
}

static void on_gone(struct controld *controld, uint64_t session_id)
{
	struct accounting *accounting = controld->accounting;
	struct account *account = accounting->ledger ? account_find(accounting, session_id) : NULL;

	if (account)
		account_gone(account);
}

const struct session_hooks accounting_hooks = {
	.up = on_session,
	.adopted = on_session,
	.change = on_change,
	.down = on_down,
	.ended = on_ended,
	.gone = on_gone,
};

/* ---- The gateway ---------------------------------------------------------------------------- */

static int announce(struct accounting *accounting, enum record_kind kind)
{
	uint8_t authentic[] = {RADIUS_ACCT_AUTHENTIC, 6, 0, 0, 0, 1};
	struct record_content content = {
		.key = {.session_id = session_new_id(accounting->controld), .kind = (uint8_t)kind},
		.made_s = time(NULL),
		.length = sizeof(authentic),
		.attributes = authentic,
	};

	return spool_make(accounting, &content);
}

int accounts_on(struct accounting *accounting)
{
	int failure = announce(accounting, RECORD_ON);

	if (failure)
		return failure;
	accounting->ledger->header->is_off = 0;
	return 0;
}

/* The servers end all sessions with it: nothing more is told of those that are up. */
int accounts_off(struct accounting *accounting)
{
	struct session session;
	uint32_t slot = 0;
	int failure = announce(accounting, RECORD_OFF);

	if (failure)
		return failure;
	accounting->ledger->header->is_off = 1;
	while (session_next(accounting->controld, &slot, &session)) {
		struct account *account = account_find(accounting, session.record->session_id);

		if (!account)
			continue;
		happen(account, &(struct happening){.event = ACCOUNTING_OFF});
		account_schedule(account);
		session_detail_save(accounting->controld, &session);
	}
	return 0;
}
