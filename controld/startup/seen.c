/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Counting for the next start, see the header.
 */
#include "controld/startup/seen.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/kept.h"
#include "controld/session/sessions.h"
#include "controld/sync/resync.h"
#include "controld/sync/sync.h"
#include "lib/clock.h"

#define SEEN_NAME        "controld.seen"
#define SEEN_MAGIC       0x3130306e65657362ull /* "bseen001": also the layout's version */
#define SEEN_TOPIC       "controller"
#define SEEN_KEY         "seen"
#define BOOT_ID_FILE     "/proc/sys/kernel/random/boot_id"
#define BOOT_ID          40
#define PUBLISH_EVERY_NS 10000000000ULL

struct memory {
	struct kept_header header;
	uint64_t is_counted; /* a controld was ready */
	struct guard_counts counts;
};

struct seen {
	struct kept kept;
	struct memory *memory; /* the same */
	struct guard_counts expected;
	bool is_of_bus;
	char source[128];
	bool is_ready;
	struct event *tick;
	uint64_t published; /* sessions */
	uint64_t published_ns;
};

static void read_boot_id(char id[static BOOT_ID])
{
	FILE *file = fopen(BOOT_ID_FILE, "re");

	if (!file || !fgets(id, BOOT_ID, file))
		snprintf(id, BOOT_ID, "unknown");
	if (file)
		fclose(file);
	id[strcspn(id, "\n")] = '\0';
}

static uint64_t load(const uint64_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

static void set(struct seen *seen, enum guard_count count, uint64_t value)
{
	__atomic_store_n(&seen->memory->counts.of[count], value, __ATOMIC_RELAXED);
}

/* ---- The controld before --------------------------------------------------------------- */

static void expect_of_memory(struct seen *seen)
{
	for (int i = 0; i < GUARD_COUNT; i++)
		seen->expected.of[i] = load(&seen->memory->counts.of[i]);
	snprintf(seen->source, sizeof(seen->source),
		 "as the last bng-controld counted in memory that bpfholder keeps");
}

static void expect_of_bus(struct controld *controld, struct seen *seen)
{
	json_t *value = sync_received(controld, SEEN_TOPIC, SEEN_KEY);
	const char *boot = json_string_value(json_object_get(value, "boot"));
	const char *at = json_string_value(json_object_get(value, "at"));
	char id[BOOT_ID];

	read_boot_id(id);
	for (int i = 0; boot && !strcmp(boot, id) && i < GUARD_COUNT; i++) {
		const json_t *count = json_object_get(value, guard_name((enum guard_count)i));

		if (json_is_integer(count) && json_integer_value(count) >= 0)
			seen->expected.of[i] = (uint64_t)json_integer_value(count);
	}
	seen->is_of_bus = true;
	snprintf(seen->source, sizeof(seen->source), "as the last bng-controld told the bus at %s",
		 at ? at : "?");
	json_decref(value);
}

int seen_open(struct controld *controld)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	bool is_adopted;
	int failure;

	controld->seen = seen;
	if (!seen)
		return -ENOMEM;
	guard_clear(&seen->expected);
	failure = kept_open(controld, SEEN_NAME, SEEN_MAGIC, sizeof(*seen->memory), &seen->kept, &is_adopted);
	if (failure)
		return failure;
	seen->memory = (struct memory *)(void *)seen->kept.header;
	if (load(&seen->memory->is_counted))
		expect_of_memory(seen);
	else
		expect_of_bus(controld, seen);
	return 0;
}

void seen_free(struct controld *controld)
{
	struct seen *seen = controld->seen;

	if (!seen)
		return;
	if (seen->tick)
		event_free(seen->tick);
	kept_close(&seen->kept);
	free(seen);
	controld->seen = NULL;
}

int seen_compare(const struct controld *controld, const struct guard_counts *found, char *error,
		 size_t error_size)
{
	const struct seen *seen = controld->seen;
	char difference[256];
	int failure = guard_compare(found, &seen->expected, seen->is_of_bus, difference, sizeof(difference));

	if (failure)
		snprintf(error, error_size, "%s, %s", difference, seen->source);
	return failure;
}

void seen_forget(struct controld *controld)
{
	guard_clear(&controld->seen->expected);
	__atomic_store_n(&controld->seen->memory->is_counted, 0, __ATOMIC_RELEASE);
}

bool seen_believes(struct controld *controld, uint64_t records, char *why, size_t why_size)
{
	struct seen *seen = controld->seen;
	struct guard_counts found, expected;

	if (!seen || !load(&seen->memory->is_counted))
		return true;
	guard_clear(&found);
	guard_clear(&expected);
	found.of[GUARD_records] = records;
	expected.of[GUARD_records] = load(&seen->memory->counts.of[GUARD_records]);
	return !guard_compare(&found, &expected, false, why, why_size);
}

/* ---- This controld --------------------------------------------------------------------- */

static void publish(struct controld *controld)
{
	struct seen *seen = controld->seen;
	char id[BOOT_ID], at[CLOCK_TEXT];
	json_t *value;

	read_boot_id(id);
	seen->published_ns = clock_boottime_ns();
	seen->published = load(&seen->memory->counts.of[GUARD_sessions]);
	value = json_pack("{s:s, s:s, s:s}", "boot", id, "at", clock_format(seen->published_ns, at),
			  "version", BNG_VERSION);
	for (int i = 0; i < GUARD_COUNT; i++)
		json_object_set_new(value, guard_name((enum guard_count)i),
				    json_integer((json_int_t)load(&seen->memory->counts.of[i])));
	sync_put(controld, SEEN_TOPIC, SEEN_KEY, value, NULL, NULL);
}

/* When all is durable there is a record of every session. */
static void on_tick(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;
	struct seen *seen = controld->seen;
	uint64_t sessions = load(&seen->memory->counts.of[GUARD_sessions]);

	(void)fd;
	(void)what;
	if (sync_is_up(controld) && !sync_waiting(controld) && sync_topic_is_synced(controld, SESSION_TOPIC))
		set(seen, GUARD_records, sessions);
	if (sessions != seen->published && clock_boottime_ns() > seen->published_ns + PUBLISH_EVERY_NS)
		publish(controld);
}

int seen_ready(struct controld *controld)
{
	static const struct timeval second = {.tv_sec = 1};
	struct seen *seen = controld->seen;

	seen->tick = event_new(controld->base, -1, EV_PERSIST, on_tick, controld);
	if (!seen->tick || event_add(seen->tick, &second))
		return -ENOMEM;
	seen->is_ready = true;
	set(seen, GUARD_sessions, session_count(controld));
	if (!load(&seen->memory->is_counted))
		set(seen, GUARD_records, 0);
	seen_config(controld, controld->config);
	__atomic_store_n(&seen->memory->is_counted, 1, __ATOMIC_RELEASE);
	publish(controld);
	return 0;
}

void seen_config(struct controld *controld, const struct config *config)
{
	struct seen *seen = controld->seen;
	struct guard_counts counts;

	if (!seen || !seen->is_ready)
		return;
	guard_clear(&counts);
	guard_count_config(config, &counts);
	for (int i = 0; i < GUARD_COUNT; i++)
		if (counts.of[i] != GUARD_UNKNOWN)
			set(seen, (enum guard_count)i, counts.of[i]);
}

static void on_up(struct controld *controld, const struct session *session)
{
	struct seen *seen = controld->seen;

	(void)session;
	if (seen && seen->is_ready)
		set(seen, GUARD_sessions, load(&seen->memory->counts.of[GUARD_sessions]) + 1);
}

static void on_down(struct controld *controld, const struct session *session, enum session_end end,
		    const char *why)
{
	struct seen *seen = controld->seen;
	uint64_t sessions = seen ? load(&seen->memory->counts.of[GUARD_sessions]) : 0;

	(void)session;
	(void)end;
	(void)why;
	if (!sessions)
		return;
	sessions--;
	set(seen, GUARD_sessions, sessions);
	if (load(&seen->memory->counts.of[GUARD_records]) > sessions)
		set(seen, GUARD_records, sessions);
	/* Before the copy on the bus says more than is believed of it. */
	if (seen->is_ready && sessions * 2 <= seen->published)
		publish(controld);
}

const struct session_hooks seen_hooks = {
	.up = on_up,
	.down = on_down,
};

static void on_rewrite(struct controld *controld)
{
	if (controld->seen && controld->seen->is_ready)
		publish(controld);
}

const struct sync_topic seen_topic = {
	.name = SEEN_TOPIC,
	.rewrite = on_rewrite,
};
