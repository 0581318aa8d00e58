/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The world around accounting, see the header: its lives, and its steps.
 */
#include "accounting_double.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/maps/maps.h"
#include "controld/session/sessions.h"

struct world world;
static struct maps maps;

void world_new(uint64_t seed, uint64_t room)
{
	for (int topic = 0; topic < WORLD_TOPICS; topic++)
		json_decref(world.kept[topic]);
	if (world.ledger > 0)
		close(world.ledger);
	memset(&world, 0, sizeof(world));
	world.ledger = -1;
	world.random = seed;
	world.room = room;
	world.is_bus_up = true;
	for (int topic = 0; topic < WORLD_TOPICS; topic++)
		world.kept[topic] = json_object();
}

uint32_t world_random(uint32_t below)
{
	world.random = world.random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(world.random >> 33) % below;
}

void world_call(void)
{
	if (++world.calls == world.kill_at)
		longjmp(world.killed, 1);
}

/* ---- Sessions ------------------------------------------------------------------------ */

void world_session_key(uint64_t id, char key[static RECORD_KEY_TEXT])
{
	snprintf(key, RECORD_KEY_TEXT, "%016" PRIx64, id);
}

struct session world_view(uint32_t slot)
{
	return (struct session){slot, &world.records[slot]};
}

json_t *world_detail_value(const struct session_detail *detail)
{
	return json_pack("{s:i, s:I, s:I}", "state", detail->accounting.state, "sequence",
			 (json_int_t)detail->accounting.sequence, "last",
			 (json_int_t)detail->accounting.last_s);
}

/* NULL value: nothing was kept of it. */
static struct session_detail *detail_of(uint64_t id, const json_t *value)
{
	struct session_detail *detail = session_detail_new(id);

	detail->source = strdup("aaa1");
	detail->accounting.state = (uint8_t)json_integer_value(json_object_get(value, "state"));
	detail->accounting.sequence = (uint32_t)json_integer_value(json_object_get(value, "sequence"));
	detail->accounting.last_s = json_integer_value(json_object_get(value, "last"));
	return detail;
}

void world_open(uint32_t slot, uint64_t id)
{
	struct world_session *session = &world.sessions[slot];
	struct session found = world_view(slot);
	char key[RECORD_KEY_TEXT];

	session->live = detail_of(id, NULL);
	world_session_key(id, key);
	json_object_set_new(world.kept[TOPIC_SESSION], key, world_detail_value(session->live));
	session->id = world.records[slot].session_id = id;
	session->life = world.life;
	session->is_active = true;
	accounting_feature.hooks->up(&world.controld, &found);
}

bool world_due(uint32_t slot)
{
	struct account *account = account_find(world.controld.accounting, world.sessions[slot].id);

	if (!account || !account->due || !account->interval_s)
		return false;
	event_active(account->due, EV_TIMEOUT, 0);
	world_turn();
	return true;
}

struct gone {
	uint64_t id;
};

static void on_gone(void *context, int error, const char *reason)
{
	struct gone *gone = context;
	uint64_t id = gone->id;

	(void)reason;
	free(gone);
	if (error != -ECANCELED)
		accounting_feature.hooks->gone(&world.controld, id);
}

/* As sessions_record_delete does. */
static void forget(uint64_t id)
{
	struct gone *gone = malloc(sizeof(*gone));
	char key[RECORD_KEY_TEXT];

	*gone = (struct gone){id};
	world_session_key(id, key);
	sync_delete(&world.controld, SESSION_TOPIC, key, world.is_bus_up ? on_gone : NULL, gone);
	if (!world.is_bus_up)
		on_gone(gone, 0, "");
}

void world_close(uint32_t slot)
{
	struct world_session *session = &world.sessions[slot];
	struct session found = world_view(slot);

	accounting_feature.hooks->down(&world.controld, &found, SESSION_END_IDLE_TIMEOUT, "");
	world_call();
	session->is_active = false;
	session_detail_free(session->live);
	session->live = NULL;
	world_call();
	world.records[slot].up_bytes++; /* one more packet was under way */
	forget(session->id);
}

/* As sessions_resume does. */
static void resume(const json_t *kept)
{
	const char *key;
	const json_t *value;

	json_object_foreach((json_t *)(uintptr_t)kept, key, value)
	{
		uint64_t id = strtoull(key, NULL, 16);
		struct session_detail *detail = detail_of(id, value);
		uint32_t slot = 1;

		while (slot < WORLD_SESSIONS && world.sessions[slot].id != id)
			slot++;
		if (slot < WORLD_SESSIONS && world.sessions[slot].is_active) {
			session_detail_free(world.sessions[slot].live);
			world.sessions[slot].live = detail;
			continue;
		}
		accounting_feature.hooks->ended(&world.controld, detail,
						slot < WORLD_SESSIONS ? &world.records[slot] : NULL);
		session_detail_free(detail);
		forget(id);
	}
	for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++) {
		struct world_session *session = &world.sessions[slot];
		struct session found = world_view(slot);

		if (!session->is_active || session->life == world.life)
			continue;
		if (!session->live)
			session->live = detail_of(session->id, NULL);
		accounting_feature.hooks->adopted(&world.controld, &found);
	}
}

/* ---- controld's life -------------------------------------------------------------------- */

static json_t *what_is_new(enum world_topic topic)
{
	json_t *given = json_object(), *value;
	const char *key;

	json_object_foreach(world.kept[topic], key, value) if (!json_object_get(world.written[topic], key))
		json_object_set(given, key, value);
	json_decref(world.written[topic]);
	world.written[topic] = NULL;
	return given;
}

static void deliver_accounting(void)
{
	json_t *given = what_is_new(TOPIC_ACCOUNTING), *value;
	const char *key;
	char *text;

	json_object_foreach(given, key, value)
	{
		text = json_dumps(value, JSON_COMPACT);
		accounting_feature.topic->record(&world.controld, key,
						 (struct json_slice){text, strlen(text)});
		free(text);
	}
	json_decref(given);
	accounting_feature.topic->synced(&world.controld);
}

static void deliver_sessions(void)
{
	json_t *given = what_is_new(TOPIC_SESSION);

	resume(given);
	json_decref(given);
}

void world_start(void)
{
	struct event_config *config = event_config_new();

	world.life++;
	event_config_avoid_method(config, "epoll"); /* no descriptor stays behind */
	world.controld = (struct controld){.base = event_base_new_with_config(config), .maps = &maps};
	event_config_free(config);
	world.controld.holder = (struct holder *)(uintptr_t)&world; /* there is one */
	maps.subscriber = world.records;
	for (int topic = 0; topic < WORLD_TOPICS; topic++)
		world.written[topic] = json_object();
	if (accounting_feature.init(&world.controld))
		abort();
	if (world.is_bus_up)
		deliver_accounting();
	if (accounting_feature.apply(&world.controld, NULL, &world.config))
		abort();
	if (world.is_bus_up)
		deliver_sessions();
}

static void drop_op(enum world_topic topic)
{
	json_decref(world.ops[topic][0].value);
	world.op_count[topic]--;
	memmove(&world.ops[topic][0], &world.ops[topic][1],
		world.op_count[topic] * sizeof(world.ops[topic][0]));
}

void world_stop(void)
{
	accounting_feature.free(&world.controld);
	for (enum world_topic topic = 0; topic < WORLD_TOPICS; topic++) {
		while (world.op_count[topic]) {
			struct world_op op = world.ops[topic][0];

			drop_op(topic);
			if (op.done)
				op.done(op.context, -ECANCELED, "");
		}
		json_decref(world.written[topic]);
		world.written[topic] = NULL;
	}
	for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++) {
		session_detail_free(world.sessions[slot].live);
		world.sessions[slot].live = NULL;
	}
	event_base_free(world.controld.base);
	world.handler = NULL;
}

/* Its memory is not given back in order: it was killed in the middle. */
void world_bury(void)
{
	struct accounting *accounting = world.controld.accounting;

	for (enum world_topic topic = 0; topic < WORLD_TOPICS; topic++) {
		uint32_t reached = world.is_bus_up ? world_random(world.op_count[topic] + 1) : 0;

		while (reached-- && world_store(topic))
			;
		while (world.op_count[topic])
			drop_op(topic);
		json_decref(world.written[topic]);
		world.written[topic] = NULL;
	}
	for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++)
		world.sessions[slot].live = NULL;
	world.handler = NULL;
	if (!accounting)
		return;
	ledger_free(accounting->ledger);
	free(accounting->buckets);
}

void world_bus(bool is_up)
{
	world.is_bus_up = is_up;
	if (is_up && world.written[TOPIC_ACCOUNTING])
		deliver_accounting();
	if (is_up && world.written[TOPIC_SESSION])
		deliver_sessions();
}

/* ---- Steps -------------------------------------------------------------------------------- */

bool world_store(enum world_topic topic)
{
	for (unsigned i = 0; world.is_bus_up && i < world.op_count[topic]; i++) {
		struct world_op *op = &world.ops[topic][i];

		if (op->is_durable)
			continue;
		op->is_durable = true;
		if (op->value)
			json_object_set(world.kept[topic], op->key, op->value);
		else
			json_object_del(world.kept[topic], op->key);
		return true;
	}
	return false;
}

bool world_acknowledge(enum world_topic topic)
{
	struct world_op op = world.ops[topic][0];

	if (!world.is_bus_up || !world.op_count[topic] || !op.is_durable)
		return false;
	json_incref(op.value);
	drop_op(topic);
	if (op.done)
		op.done(op.context, 0, "");
	json_decref(op.value);
	return true;
}

static struct world_ticket *some_ticket(bool is_received)
{
	uint32_t first = world_random(WORLD_TICKETS);

	for (uint32_t i = 0; i < WORLD_TICKETS; i++) {
		struct world_ticket *ticket = &world.tickets[(first + i) % WORLD_TICKETS];

		if (ticket->is_used && ticket->is_received == is_received)
			return ticket;
	}
	return NULL;
}

bool world_receive(void)
{
	struct world_ticket *ticket = some_ticket(false);

	if (!ticket || world.told_count == WORLD_TOLD)
		return false;
	ticket->is_received = true;
	memcpy(&world.told[world.told_count++], ticket->ticket.context, sizeof(struct record_key));
	return true;
}

/* The request goes last, as the RADIUS client has it. */
static bool end_ticket(struct world_ticket *ticket, enum radius_outcome outcome)
{
	if (!ticket || !world.handler)
		return false;
	world.handler(&world.controld, &(struct radius_answer){.outcome = outcome}, &ticket->ticket);
	world_call();
	ticket->is_used = false;
	return true;
}

bool world_answer(void)
{
	return end_ticket(some_ticket(true), RADIUS_ACCOUNTED);
}

bool world_give_up(void)
{
	return end_ticket(some_ticket(false), RADIUS_UNANSWERED);
}

void world_turn(void)
{
	event_base_loop(world.controld.base, EVLOOP_NONBLOCK);
}

void world_tick(void)
{
	struct accounting *accounting = world.controld.accounting;
	struct account *account;

	accounting->paused_until_ns = 0;
	TAILQ_FOREACH(account, &accounting->resting, rest)
	account->rest_until_ns = 0;
	event_active(accounting->tick, EV_TIMEOUT, 0);
	world_turn();
}

static bool ledger_is_free(const struct ledger *ledger)
{
	for (uint32_t slot = 0; slot < ledger->header->high; slot++)
		if (ledger->slots[slot].state != LEDGER_FREE)
			return false;
	return true;
}

bool world_is_quiet(void)
{
	const struct accounting *accounting = world.controld.accounting;

	return world.is_bus_up && !world.op_count[TOPIC_ACCOUNTING] && !world.op_count[TOPIC_SESSION] &&
	       !some_ticket(true) && !some_ticket(false) && !spool_count(accounting) &&
	       !json_object_size(world.kept[TOPIC_ACCOUNTING]) && ledger_is_free(accounting->ledger);
}
