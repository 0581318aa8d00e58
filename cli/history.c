/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who had a public port then, see the header. Only lines about the question's address
 * are parsed as JSON; of the others the time alone is read, which says how far the
 * log goes.
 */
#include "history.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"

#define EVER INT64_MAX

void history_begin(struct history *history, uint32_t address, uint16_t port, const struct when *when)
{
	char text[ADDRESS_TEXT];

	*history =
		(struct history){.address = address, .port = port, .when = *when, .begin = EVER, .end = -1};
	snprintf(history->quoted, sizeof(history->quoted), "\"%s\"", address_format(htonl(address), text));
}

void history_done(struct history *history)
{
	for (size_t i = 0; i < history->rule_count; i++)
		deterministic_free(history->rules[i].rule);
	free(history->rules);
	free(history->blocks);
	*history = (struct history){0};
}

/* Room for one more element, or NULL and failed. */
static void *grow(struct history *history, void *array, size_t count, size_t size)
{
	void *more;

	if (count & (count - 1) || history->failed)
		return history->failed ? NULL : array;
	more = realloc(array, (count ? 2 * count : 1) * size);
	history->failed |= !more;
	return more;
}

/* ---- lines ---------------------------------------------------------------------- */

static int read_moment(const json_t *object, const char *member, int64_t *moment)
{
	const json_t *value = json_object_get(object, member);

	return json_is_string(value) ? when_exact(json_string_value(value), json_string_length(value), moment)
				     : -1;
}

static int read_port(const json_t *object, const char *member, uint16_t *port)
{
	json_int_t value = json_integer_value(json_object_get(object, member));

	if (!json_is_integer(json_object_get(object, member)) || value < 0 || value > 65535)
		return -1;
	*port = (uint16_t)value;
	return 0;
}

static int read_address(const json_t *object, const char *member, uint32_t *address)
{
	const char *text = json_string_value(json_object_get(object, member));
	uint32_t address_be;

	if (!text || address_parse(text, &address_be))
		return -1;
	*address = ntohl(address_be);
	return 0;
}

static int take_block(struct history *history, const json_t *object, int64_t time, bool given)
{
	struct history_block block = {.time = time, .given = given}, *more;
	const char *pool = json_string_value(json_object_get(object, "pool"));
	const json_t *session = json_object_get(object, "session");
	uint32_t public;

	if (read_address(object, "public", &public) || read_address(object, "address", &block.subscriber) ||
	    read_port(object, "first", &block.first) || read_port(object, "last", &block.last) ||
	    block.last < block.first || !json_is_integer(session) || json_integer_value(session) < 0)
		return -1;
	if (public != history->address || history->port < block.first || history->port > block.last)
		return 0;
	block.session = json_integer_value(session);
	snprintf(block.pool, sizeof(block.pool), "%s", pool ? pool : "");
	more = grow(history, history->blocks, history->block_count, sizeof(block));
	if (!more)
		return 0;
	history->blocks = more;
	history->blocks[history->block_count++] = block;
	return 0;
}

static int take_loss(struct history *history, const json_t *object, int64_t time)
{
	const json_t *count = json_object_get(object, "count");

	if (!json_is_integer(count) || json_integer_value(count) < 0 ||
	    json_integer_value(count) > INT64_MAX - history->lost)
		return -1;
	history->lost += json_integer_value(count);
	if (time > history->lost_last)
		history->lost_last = time;
	return 0;
}

/* The one rule of a list of pools that has the question's address. */
static int find_rule(const struct history *history, const json_t *pools, struct history_rule *found)
{
	const json_t *pool;
	size_t i;

	json_array_foreach(pools, i, pool)
	{
		const char *name = json_string_value(json_object_get(pool, "name"));
		struct deterministic *rule;
		struct json_reader reader;

		json_reader_init(&reader);
		rule = deterministic_read(&reader, pool);
		if (rule && !found->rule && deterministic_dynamic_from(rule, history->address)) {
			found->rule = rule;
			snprintf(found->pool, sizeof(found->pool), "%s", name ? name : "");
			continue;
		}
		deterministic_free(rule);
		if (!rule) {
			deterministic_free(found->rule);
			return -1;
		}
	}
	return 0;
}

static void add_rule(struct history *history, const struct history_rule *rule)
{
	struct history_rule *more = grow(history, history->rules, history->rule_count, sizeof(*rule));

	if (!more) {
		deterministic_free(rule->rule);
		return;
	}
	history->rules = more;
	history->rules[history->rule_count++] = *rule;
}

static int take_rules(struct history *history, const json_t *object)
{
	const json_t *pools = json_object_get(object, "pools");
	struct history_rule rule = {0};

	if (!json_is_array(pools) || read_moment(object, "since", &rule.since) ||
	    find_rule(history, pools, &rule))
		return -1;
	add_rule(history, &rule);
	return 0;
}

static int take_object(struct history *history, const json_t *object)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	int64_t time;

	if (!type || read_moment(object, "time", &time))
		return -1;
	if (!strcmp(type, "block_allocated") || !strcmp(type, "block_freed"))
		return take_block(history, object, time, !strcmp(type, "block_allocated"));
	if (!strcmp(type, "events_lost") || !strcmp(type, "records_lost"))
		return take_loss(history, object, time);
	return strcmp(type, "deterministic_pools") ? 0 : take_rules(history, object);
}

/* The moment with which every line begins. */
static int line_moment(const char *line, size_t length, int64_t *moment)
{
	const char *at = memmem(line, length, "\"time\"", 6), *end = line + length, *quote;

	at = at ? memchr(at + 6, '"', (size_t)(end - at) - 6) : NULL;
	quote = at ? memchr(at + 1, '"', (size_t)(end - at) - 1) : NULL;
	return quote ? when_exact(at + 1, (size_t)(quote - at) - 1, moment) : -1;
}

static bool is_other_block(const struct history *history, const char *line, size_t length)
{
	bool block = memmem(line, length, "\"block_allocated\"", 17) ||
		     memmem(line, length, "\"block_freed\"", 13);

	return block && !memmem(line, length, history->quoted, strlen(history->quoted));
}

void history_line(struct history *history, const char *line, size_t length)
{
	json_t *object;
	int64_t moment;
	int failure;

	if (!length)
		return;
	history->lines++;
	failure = line_moment(line, length, &moment);
	if (!failure && !is_other_block(history, line, length)) {
		object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
		failure = object ? take_object(history, object) : -1;
		json_decref(object);
	}
	if (failure) {
		history->unreadable++;
		return;
	}
	history->begin = moment < history->begin ? moment : history->begin;
	history->end = moment > history->end ? moment : history->end;
}

void history_configured(struct history *history, struct deterministic *rule, const char *pool)
{
	struct history_rule configured = {.since = INT64_MIN, .rule = rule};

	struct history_rule none = {.since = history->begin};

	snprintf(configured.pool, sizeof(configured.pool), "%s", pool);
	if (history->rule_count) {
		deterministic_free(rule);
		return;
	}
	add_rule(history, &configured);
	if (history->begin <= history->end)
		add_rule(history, &none);
}

/* ---- the answer -------------------------------------------------------------------- */

static int compare_blocks(const void *a, const void *b)
{
	const struct history_block *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->session != y->session)
		return x->session < y->session ? -1 : 1;
	return (int)y->given - (int)x->given; /* given before it is taken back */
}

static int compare_rules(const void *a, const void *b)
{
	const struct history_rule *x = a, *y = b;

	return x->since < y->since ? -1 : x->since > y->since;
}

bool history_covers(const struct history *history)
{
	return history->begin <= history->when.from;
}

const struct history_rule *history_rule_at(const struct history *history, int64_t moment, bool *known)
{
	const struct history_rule *found = NULL;

	for (size_t i = 0; i < history->rule_count && history->rules[i].since <= moment; i++)
		found = &history->rules[i];
	/* A log that is older than its first rule was written without one. */
	*known = found ? found->since != INT64_MIN : history->begin <= moment;
	return found && found->rule ? found : NULL;
}

static struct history_holder holder_of(const struct history_block *block)
{
	struct history_holder holder = {
		.subscriber = block->subscriber,
		.session = block->session,
		.first = block->first,
		.last = block->last,
		.given = block->given ? block->time : -1,
		.returned = block->given ? -1 : block->time,
	};

	memcpy(holder.pool, block->pool, sizeof(holder.pool));
	return holder;
}

static bool same_block(const struct history_holder *holder, const struct history_block *block)
{
	return holder->session == block->session && holder->first == block->first;
}

/* From `at` on: when the block went back, or somebody else had it. */
static void find_end(const struct history *history, size_t at, struct history_holder *holder)
{
	for (size_t i = at + 1; i < history->block_count && holder->returned < 0; i++) {
		const struct history_block *block = &history->blocks[i];

		if (same_block(holder, block) && block->given)
			continue; /* told twice */
		holder->returned = block->time;
		holder->cut = block->given || !same_block(holder, block);
	}
}

/* Whether an earlier line speaks of the same holding. */
static bool is_known(const struct history *history, size_t at)
{
	const struct history_block *block = &history->blocks[at];

	for (size_t i = at; i-- > 0;) {
		const struct history_block *before = &history->blocks[i];

		if (before->session == block->session && before->first == block->first)
			return block->given ? before->given : true;
		if (block->given || before->given)
			return false;
	}
	return false;
}

/* Who gave it back without having been given it had it since the log begins, at least. */
static bool overlaps(const struct history *history, const struct history_holder *holder)
{
	int64_t since = holder->given < 0 ? history->begin : holder->given;

	return since < history->when.to && (holder->returned < 0 || holder->returned > history->when.from);
}

static size_t find_dynamic(const struct history *history, struct history_holder *holders, size_t max)
{
	size_t count = 0;
	bool known;

	for (size_t i = 0; i < history->block_count && count < max; i++) {
		struct history_holder holder = holder_of(&history->blocks[i]);

		if (is_known(history, i))
			continue;
		find_end(history, i, &holder);
		if (!overlaps(history, &holder))
			continue;
		holder.kind = history_rule_at(history, history->when.from, &known) ? HISTORY_OVERFLOW
										   : HISTORY_DYNAMIC;
		holders[count++] = holder;
	}
	return count;
}

/* Those of all the rules that were in force in the question's time. */
static size_t find_by_rule(const struct history *history, struct history_holder *holders, size_t count,
			   size_t max)
{
	for (size_t i = 0; i < history->rule_count && count < max; i++) {
		const struct history_rule *rule = &history->rules[i];
		int64_t until = i + 1 < history->rule_count ? rule[1].since : EVER;
		struct deterministic_place place;
		uint32_t owner;

		if (!rule->rule || rule->since >= history->when.to || until <= history->when.from ||
		    !deterministic_owner_of(rule->rule, history->address, history->port, &owner) ||
		    !deterministic_place_of(rule->rule, owner, &place))
			continue;
		if (count && holders[count - 1].kind == HISTORY_DETERMINISTIC &&
		    holders[count - 1].subscriber == owner)
			continue;
		holders[count] = (struct history_holder){
			.kind = HISTORY_DETERMINISTIC,
			.subscriber = owner,
			.session = -1,
			.first = place.first,
			.last = place.last,
			.given = -1,
			.returned = -1,
		};
		memcpy(holders[count++].pool, rule->pool, sizeof(rule->pool));
	}
	return count;
}

size_t history_holders(struct history *history, struct history_holder *holders, size_t max)
{
	size_t count;

	if (history->block_count)
		qsort(history->blocks, history->block_count, sizeof(*history->blocks), compare_blocks);
	if (history->rule_count)
		qsort(history->rules, history->rule_count, sizeof(*history->rules), compare_rules);
	count = find_dynamic(history, holders, max);
	for (size_t i = 0; i < count; i++)
		if (holders[i].given <= history->when.from &&
		    (holders[i].returned < 0 || holders[i].returned >= history->when.to))
			return count;
	return find_by_rule(history, holders, count, max);
}
