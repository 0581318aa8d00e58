/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions and their records on the bus.
 *
 *  1. A session comes up when its record is durable, so that whoever restarts knows
 *     every session there is. While the bus is away it comes up at once.
 *  2. A record goes when its session has ended; a record without an ACTIVE session, found
 *     at a start, is of one that ended while nobody looked, or never came up.
 */
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/session/detail.h"
#include "controld/session/sessions.h"
#include "controld/startup/seen.h"
#include "controld/sync/sync.h"
#include "lib/log.h"

/* ---- Up ------------------------------------------------------------------------------- */

struct session_opening {
	TAILQ_ENTRY(session_opening) next;
	struct controld *controld;
	struct session session;
	uint64_t session_id;
	session_opened *opened;
	void *context;
	bool is_over;  /* told */
	bool is_asked; /* the bus will tell us */
};

static void opening_end(struct session_opening *opening)
{
	TAILQ_REMOVE(&opening->controld->sessions->openings, opening, next);
	opening->is_over = true;
	if (!opening->is_asked)
		free(opening);
}

static void opening_finish(struct session_opening *opening)
{
	struct controld *controld = opening->controld;
	struct session session = opening->session;
	session_opened *opened = opening->opened;
	void *context = opening->context;

	opening_end(opening);
	session_publish(controld, &session);
	opened(controld, 0, &session, context);
}

static void on_durable(void *context, int error, const char *reason)
{
	struct session_opening *opening = context;

	opening->is_asked = false;
	if (opening->is_over) {
		free(opening);
		return;
	}
	if (error == -EINVAL)
		log_error("bngsync refuses the record of session %" PRIu64 ": %s", opening->session_id,
			  reason);
	if (error != -ECANCELED) /* the process ends */
		opening_finish(opening);
}

int session_open_durable(struct controld *controld, const struct session_spec *spec,
			 struct session_detail *detail, session_opened *opened, void *context)
{
	struct sessions *sessions = controld->sessions;
	struct session_opening *opening = calloc(1, sizeof(*opening));
	struct session_spec with_id = *spec;
	int failure = opening ? 0 : -ENOMEM;

	with_id.session_id = detail->session_id;
	if (!failure)
		failure = session_prepare(controld, &with_id, &opening->session);
	if (failure) {
		session_detail_free(detail);
		free(opening);
		return failure;
	}
	opening->controld = controld;
	opening->session_id = opening->session.record->session_id;
	opening->opened = opened;
	opening->context = context;
	TAILQ_INSERT_TAIL(&sessions->openings, opening, next);
	sessions_detail_set(sessions, &opening->session, detail);
	opening->is_asked = !sessions_detail_put(controld, detail, on_durable, opening);
	if (!opening->is_asked || !sync_is_up(controld))
		sessions_run_soon(sessions);
	return 0;
}

void session_open_cancel(struct controld *controld, uint64_t session_id)
{
	struct session_opening *opening;

	TAILQ_FOREACH(opening, &controld->sessions->openings, next)
	if (opening->session_id == session_id) {
		session_opened *opened = opening->opened;
		void *context = opening->context;

		sessions_record_delete(controld, session_id);
		sessions_detail_set(controld->sessions, &opening->session, NULL);
		session_abandon(controld, &opening->session);
		opening_end(opening);
		opened(controld, -ECANCELED, NULL, context);
		return;
	}
}

void sessions_openings_free(struct sessions *sessions)
{
	struct session_opening *opening;

	while ((opening = TAILQ_FIRST(&sessions->openings)))
		opening_end(opening);
}

/* ---- Gone ----------------------------------------------------------------------------- */

static void tell_gone(struct controld *controld, uint64_t session_id)
{
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->hooks && bng_features[i]->hooks->gone)
			bng_features[i]->hooks->gone(controld, session_id);
}

struct session_gone {
	TAILQ_ENTRY(session_gone) next;
	struct controld *controld;
	uint64_t session_id;
};

static void on_deleted(void *context, int error, const char *reason)
{
	struct session_gone *gone = context;

	(void)reason;
	if (error != -ECANCELED)
		tell_gone(gone->controld, gone->session_id);
	free(gone);
}

/* While the bus is away nobody waits for it: it forgets when it is back. */
void sessions_record_delete(struct controld *controld, uint64_t session_id)
{
	struct session_gone *gone = calloc(1, sizeof(*gone));
	bool is_up = sync_is_up(controld);
	char key[SESSION_KEY];

	session_key(session_id, key);
	if (gone)
		*gone = (struct session_gone){.controld = controld, .session_id = session_id};
	if (gone && is_up && !sync_delete(controld, SESSION_TOPIC, key, on_deleted, gone))
		return;
	if (!is_up)
		sync_delete(controld, SESSION_TOPIC, key, NULL, NULL);
	if (!gone)
		return;
	TAILQ_INSERT_TAIL(&controld->sessions->gone, gone, next);
	sessions_run_soon(controld->sessions);
}

void sessions_gone_free(struct sessions *sessions)
{
	struct session_gone *gone;

	while ((gone = TAILQ_FIRST(&sessions->gone))) {
		TAILQ_REMOVE(&sessions->gone, gone, next);
		free(gone);
	}
}

/* ---- Without the bus -------------------------------------------------------------------- */

void sessions_run(struct controld *controld)
{
	struct sessions *sessions = controld->sessions;
	struct session_opening *opening;
	struct session_gone *gone;

	while (!sync_is_up(controld) && (opening = TAILQ_FIRST(&sessions->openings)))
		opening_finish(opening);
	TAILQ_FOREACH(opening, &sessions->openings, next)
	if (!opening->is_asked) { /* the queue was full */
		opening_finish(opening);
		sessions_run_soon(sessions);
		break;
	}
	while ((gone = TAILQ_FIRST(&sessions->gone))) {
		TAILQ_REMOVE(&sessions->gone, gone, next);
		tell_gone(controld, gone->session_id);
		free(gone);
	}
}

void sessions_run_soon(struct sessions *sessions)
{
	if (sessions->run)
		event_active(sessions->run, 0, 0);
}

/* ---- At a start --------------------------------------------------------------------------- */

/* Of an ACTIVE session it is its detail. Any other is looked at when all have come. */
static void on_record(struct controld *controld, const char *key, struct json_slice value)
{
	struct sessions *sessions = controld->sessions;
	struct session_detail *detail = session_detail_parse(value);
	uint32_t slot = detail ? sessions_slot_of_id(sessions, detail->session_id) : 0;

	if (!detail) {
		log_error("bngsync: the record %s of topic %s is none of ours, and left alone", key,
			  SESSION_TOPIC);
		return;
	}
	if (slot && sessions->maps->subscriber[slot].state == BNG_SUBSCRIBER_ACTIVE) {
		session_detail_free(sessions->details[slot]);
		sessions->details[slot] = detail;
		return;
	}
	detail->next = sessions->left;
	sessions->left = detail;
}

/* Slots whose last session is over, by its id. */
static int past_sessions(const struct sessions *sessions, struct slot_table *past)
{
	const struct bng_subscriber *records = sessions->maps->subscriber;
	int failure = slot_table_init(past, records, sessions->capacity, sessions->by_id.hash,
				      sessions->by_id.match);

	for (uint32_t slot = 1; !failure && slot < sessions->capacity; slot++)
		if (records[slot].session_id && records[slot].state != BNG_SUBSCRIBER_ACTIVE)
			slot_table_insert(past, slot);
	return failure;
}

/* What `down` would have told. A slot that never was ACTIVE with this id was never up. */
static void end_left(struct controld *controld, const struct session_detail *detail,
		     const struct slot_table *past)
{
	uint32_t slot = slot_table_find(past, slot_mix(detail->session_id), &detail->session_id);
	const struct bng_subscriber *record = slot ? &controld->maps->subscriber[slot] : NULL;

	if (record && record->state == BNG_SUBSCRIBER_FREE && !record->closed_tick)
		return;
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->hooks && bng_features[i]->hooks->ended)
			bng_features[i]->hooks->ended(controld, detail, record);
}

static void adopt(struct controld *controld, const struct session *session)
{
	if (!session_detail(controld, session)) {
		struct session_detail *detail = session_detail_new(session->record->session_id);

		if (!detail)
			return;
		sessions_detail_set(controld->sessions, session, detail);
		session_detail_save(controld, session);
	}
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->hooks && bng_features[i]->hooks->adopted)
			bng_features[i]->hooks->adopted(controld, session);
}

static void end_all_left(struct controld *controld)
{
	struct sessions *sessions = controld->sessions;
	struct session_detail *detail;
	struct slot_table past;

	if (!sessions->left)
		return;
	if (past_sessions(sessions, &past)) {
		log_error(
			"sessions that ended while nobody looked: out of memory; the next start looks again");
		return;
	}
	while ((detail = sessions->left)) {
		sessions->left = detail->next;
		end_left(controld, detail, &past);
		sessions_record_delete(controld, detail->session_id);
		session_detail_free(detail);
	}
	slot_table_done(&past);
}

void sessions_resume(struct controld *controld)
{
	struct session session;
	uint32_t slot = 0;

	if (!sync_topic_is_synced(controld, SESSION_TOPIC))
		return;
	end_all_left(controld);
	while (session_next(controld, &slot, &session))
		if (session.record->opened_ns < controld->started_ns)
			adopt(controld, &session);
}

static void on_synced(struct controld *controld)
{
	if (controld->config)
		sessions_resume(controld);
}

static void on_rewrite(struct controld *controld)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(controld, &slot, &session))
		session_detail_save(controld, &session);
}

const struct sync_topic session_topic = {
	.name = SESSION_TOPIC,
	.record = on_record,
	.synced = on_synced,
	.rewrite = on_rewrite,
	.believes = seen_believes,
};
