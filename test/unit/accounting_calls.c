/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What accounting calls, in place of the real functions: each is a moment at which it may
 * be killed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounting_double.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/session/sessions.h"

/* ---- In place of the bus's client ---------------------------------------------------------- */

static int ask(const char *name, const char *key, json_t *value, sync_acknowledged *done, void *context)
{
	enum world_topic topic = strcmp(name, SESSION_TOPIC) ? TOPIC_ACCOUNTING : TOPIC_SESSION;
	struct world_op *op = &world.ops[topic][world.op_count[topic]];

	world_call();
	if (world.op_count[topic] == WORLD_OPS)
		abort();
	*op = (struct world_op){.value = value, .done = done, .context = context};
	snprintf(op->key, sizeof(op->key), "%s", key);
	world.op_count[topic]++;
	if (world.written[topic])
		json_object_set_new(world.written[topic], key, json_true());
	world_call();
	return 0;
}

int sync_put(struct controld *controld, const char *topic, const char *key, json_t *value,
	     sync_acknowledged *done, void *context)
{
	(void)controld;
	return ask(topic, key, value, done, context);
}

int sync_delete(struct controld *controld, const char *topic, const char *key, sync_acknowledged *done,
		void *context)
{
	(void)controld;
	return ask(topic, key, NULL, done, context);
}

bool sync_is_up(const struct controld *controld)
{
	(void)controld;
	return world.is_bus_up;
}

uint64_t sync_store_room(const struct controld *controld)
{
	(void)controld;
	return world.room;
}

bool sync_topic_is_synced(const struct controld *controld, const char *name)
{
	(void)controld;
	return !world.written[strcmp(name, SESSION_TOPIC) ? TOPIC_ACCOUNTING : TOPIC_SESSION];
}

/* ---- In place of the holder ------------------------------------------------------------------ */

int holder_take(struct holder *holder, const char *name, int *fd)
{
	(void)holder;
	(void)name;
	*fd = world.ledger < 0 ? -1 : dup(world.ledger);
	return *fd < 0 ? -ENOENT : 0;
}

int holder_keep(struct holder *holder, const char *name, int fd)
{
	(void)holder;
	(void)name;
	if (world.ledger >= 0)
		close(world.ledger);
	world.ledger = dup(fd);
	world_call();
	return 0;
}

/* ---- In place of the RADIUS client ------------------------------------------------------------- */

void radius_register(struct radius *radius, enum radius_owner owner, radius_handler *handler)
{
	(void)radius;
	(void)owner;
	world.handler = handler;
}

int radius_submit(struct radius *radius, const uint8_t *packet, size_t length,
		  const struct radius_ticket *ticket)
{
	(void)radius;
	world_call();
	if (radius_length(packet, length) != length)
		return -EMSGSIZE;
	for (int i = 0; i < WORLD_TICKETS; i++) {
		if (world.tickets[i].is_used)
			continue;
		world.tickets[i] = (struct world_ticket){.ticket = *ticket, .is_used = true};
		world_call();
		return 0;
	}
	return -ENOBUFS;
}

void radius_each(struct radius *radius, enum radius_owner owner, radius_visitor *visit, void *context)
{
	(void)radius;
	(void)owner;
	for (int i = 0; i < WORLD_TICKETS; i++)
		if (world.tickets[i].is_used && !visit(context, &world.tickets[i].ticket))
			world.tickets[i].is_used = false;
}

void radius_add_nas(const struct controld *controld, struct radius_builder *builder)
{
	(void)controld;
	(void)builder;
}

/* ---- In place of the sessions -------------------------------------------------------------------- */

uint64_t session_new_id(struct controld *controld)
{
	static uint64_t id = 1ull << 40;

	(void)controld;
	return ++id;
}

bool session_by_id(struct controld *controld, uint64_t id, struct session *session)
{
	(void)controld;
	for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++)
		if (world.sessions[slot].is_active && world.sessions[slot].id == id) {
			*session = world_view(slot);
			return true;
		}
	return false;
}

uint32_t session_count(const struct controld *controld)
{
	uint32_t count = 0;

	(void)controld;
	for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++)
		count += world.sessions[slot].is_active;
	return count;
}

bool session_next(struct controld *controld, uint32_t *slot, struct session *session)
{
	(void)controld;
	while (++*slot < WORLD_SESSIONS)
		if (world.sessions[*slot].is_active) {
			*session = world_view(*slot);
			return true;
		}
	return false;
}

struct session_detail *session_detail_new(uint64_t session_id)
{
	struct session_detail *detail = calloc(1, sizeof(*detail));

	detail->session_id = session_id;
	return detail;
}

void session_detail_free(struct session_detail *detail)
{
	if (detail)
		free(detail->source);
	free(detail);
}

struct session_detail *session_detail(struct controld *controld, const struct session *session)
{
	(void)controld;
	return world.sessions[session->slot].live;
}

int sessions_detail_put(struct controld *controld, const struct session_detail *detail,
			sync_acknowledged *done, void *context)
{
	char key[RECORD_KEY_TEXT];

	world_session_key(detail->session_id, key);
	return sync_put(controld, SESSION_TOPIC, key, world_detail_value(detail), done, context);
}

void session_detail_save(struct controld *controld, const struct session *session)
{
	sessions_detail_put(controld, session_detail(controld, session), NULL, NULL);
}

/* ---- In place of what a record says ---------------------------------------------------------------- */

/* How much the session sent: one attribute. */
size_t attributes_make(struct controld *controld, enum record_kind kind,
		       const struct attributes_subject *subject,
		       uint8_t attributes[static RECORD_ATTRIBUTES_MAX])
{
	(void)controld;
	(void)kind;
	attributes[0] = RADIUS_ACCT_INPUT_OCTETS;
	attributes[1] = 3;
	attributes[2] = subject->record ? (uint8_t)subject->record->up_bytes : 0;
	return 3;
}

bool attributes_count(uint8_t *attributes, size_t length, const struct bng_subscriber *record)
{
	bool is_new = length == 3 && attributes[2] != (uint8_t)record->up_bytes;

	if (is_new)
		attributes[2] = (uint8_t)record->up_bytes;
	return is_new;
}

const struct rpc_method accounting_methods[] = {{0}};
const struct bng_feature *const bng_features[] = {&accounting_feature, NULL};

bool ctl_followed(const struct controld *controld)
{
	(void)controld;
	return false;
}

void ctl_event(struct controld *controld, json_t *params)
{
	(void)controld;
	json_decref(params);
}
