/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * controld/sync between a feature that writes down what it is given and a bus that says
 * what a test wants: what was received, in which order, and what was written meanwhile.
 */
#include <check.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/sync/resync.h"
#include "controld/sync/sync.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "run.h"

#define SLICE(text) ((struct json_slice){text, strlen(text)})

static struct controld controld;
static struct ctl *const some_ctl = (struct ctl *)&controld; /* that there is one */
static char given[512];                                      /* what the feature was told, in order */

/* ---- The feature ------------------------------------------------------------------------ */

static void on_record(struct controld *to, const char *key, struct json_slice value)
{
	json_t *json = json_loadb(value.text, value.length, 0, NULL);
	size_t used = strlen(given);

	ck_assert_ptr_eq(to, &controld);
	snprintf(given + used, sizeof(given) - used, "%s=%lld ", key,
		 (long long)json_integer_value(json_object_get(json, "n")));
	json_decref(json);
}

static void on_synced(struct controld *to)
{
	(void)to;
	strcat(given, "synced ");
}

static void on_rewrite(struct controld *to)
{
	(void)to;
	strcat(given, "rewrite ");
}

static const struct sync_topic topic = {"session", on_record, on_synced, on_rewrite, NULL};
static const struct bng_feature feature = {.name = "one", .topic = &topic};
const struct bng_feature *const bng_features[] = {&feature, NULL};

/* ---- The bus ---------------------------------------------------------------------------- */

static struct {
	struct sync_client_options options;
	struct sync_subscriber subscriber;
	struct sync_client_status status;
	char published[128];
	int publish_error;
} bus;

struct sync_client *sync_client_new(struct event_base *base, const struct sync_client_options *options)
{
	ck_assert_ptr_eq(base, controld.base);
	bus.options = *options;
	return (struct sync_client *)&bus;
}

void sync_client_free(struct sync_client *client)
{
	ck_assert_ptr_eq(client, &bus);
}

int sync_subscribe(struct sync_client *client, const char *name, const struct sync_subscriber *subscriber,
		   const char *store, int64_t since)
{
	(void)client;
	ck_assert_str_eq(name, "session");
	ck_assert_ptr_null(store);
	ck_assert_int_eq(since, 0);
	bus.subscriber = *subscriber;
	return 0;
}

int sync_publish(struct sync_client *client, const char *name, const char *key, struct json_slice value,
		 sync_acknowledged *done, void *context)
{
	(void)client;
	(void)done;
	(void)context;
	ck_assert_str_eq(name, "session");
	snprintf(bus.published, sizeof(bus.published), "%s %.*s", key, (int)value.length,
		 value.text ? value.text : "");
	return bus.publish_error;
}

const struct sync_client_status *sync_client_status(struct sync_client *client)
{
	(void)client;
	return &bus.status;
}

/* ---- Who follows ------------------------------------------------------------------------ */

static bool is_followed;
static json_t *event;

bool ctl_followed(const struct controld *of)
{
	(void)of;
	return is_followed;
}

void ctl_event(struct controld *of, json_t *params)
{
	(void)of;
	json_decref(event);
	event = params;
}

/* ---- Each test -------------------------------------------------------------------------- */

static void setup(void)
{
	log_init("check", LOG_LEVEL_ERROR);
	controld = (struct controld){.base = event_base_new()};
	ck_assert_int_eq(sync_new(&controld, "bngsync.sock"), 0);
	ck_assert_str_eq(bus.options.path, "bngsync.sock");
}

static void teardown(void)
{
	sync_free(&controld);
	ck_assert_ptr_null(controld.sync);
	event_base_free(controld.base);
	json_decref(event);
}

static void begin(bool snapshot, bool other_store)
{
	bus.subscriber.on_begin(bus.subscriber.context, snapshot, other_store);
}

static void receive(const char *key, const char *value)
{
	bus.subscriber.on_record(bus.subscriber.context, SLICE(key), 1,
				 value ? SLICE(value) : (struct json_slice){NULL, 0});
	bus.status.records++;
}

static void done(void)
{
	bus.subscriber.on_done(bus.subscriber.context, 1, 0);
}

START_TEST(what_the_bus_kept_is_given_when_there_is_somebody)
{
	begin(true, false);
	receive("a", "{\"n\":1}");
	receive("b", "{\"n\":2}");
	done();
	ck_assert_str_eq(given, "");
	ck_assert(!sync_topic_is_synced(&controld, "session"));
	ck_assert(sync_receive(&controld, 10000));
	ck_assert_uint_eq(sync_deliver(&controld), 2);
	ck_assert_str_eq(given, "a=1 b=2 synced ");
	ck_assert(sync_topic_is_synced(&controld, "session"));
	ck_assert(!sync_topic_is_synced(&controld, "other"));
	receive("a", "{\"n\":3}"); /* our own echo */
	done();
	ck_assert_str_eq(given, "a=1 b=2 synced ");
}
END_TEST

START_TEST(the_connection_may_break_while_it_is_received)
{
	begin(true, false);
	receive("gone", "{\"n\":1}");
	receive("a", "{\"n\":1}");
	begin(true, false); /* all of it again, of which one is not there any more */
	receive("a", "{\"n\":2}");
	receive("b", "{\"n\":2}");
	begin(false, false); /* from there on */
	receive("b", NULL);
	receive("c", "{\"n\":3}");
	done();
	ck_assert_uint_eq(sync_deliver(&controld), 2);
	ck_assert_str_eq(given, "a=2 c=3 synced ");
}
END_TEST

START_TEST(what_was_written_meanwhile_is_newer)
{
	begin(true, false);
	receive("old", "{\"n\":1}");
	receive("changed", "{\"n\":1}");
	receive("ended", "{\"n\":1}");
	receive("refused", "{\"n\":1}");
	ck_assert_int_eq(sync_put(&controld, "session", "changed", json_pack("{s:i}", "n", 9), NULL, NULL),
			 0);
	ck_assert_str_eq(bus.published, "changed {\"n\":9}");
	ck_assert_int_eq(sync_delete(&controld, "session", "ended", NULL, NULL), 0);
	ck_assert_str_eq(bus.published, "ended ");
	bus.publish_error = -ENOBUFS;
	ck_assert_int_eq(sync_put(&controld, "session", "refused", json_object(), NULL, NULL), -ENOBUFS);
	ck_assert_int_eq(sync_put(&controld, "other", "a", json_object(), NULL, NULL), -ENOTCONN);
	done();
	ck_assert_uint_eq(sync_deliver(&controld), 2);
	ck_assert_str_eq(given, "old=1 refused=1 synced ");
}
END_TEST

START_TEST(a_bus_that_comes_late_is_given_when_it_comes)
{
	ck_assert(!sync_receive(&controld, 1));
	ck_assert_uint_eq(sync_deliver(&controld), 0);
	ck_assert_str_eq(given, "");
	begin(true, false);
	receive("a", "{\"n\":1}");
	done();
	ck_assert_str_eq(given, "a=1 synced ");
}
END_TEST

START_TEST(another_store_is_written_anew)
{
	begin(true, true); /* the first there is */
	done();
	sync_deliver(&controld);
	begin(false, false);
	done();
	ck_assert_str_eq(given, "synced ");
	begin(true, true);
	ck_assert_str_eq(given, "synced ");
	done();
	ck_assert_str_eq(given, "synced rewrite ");
	done();
	ck_assert_str_eq(given, "synced rewrite ");
}
END_TEST

/* Seconds that a start waits for a bus that does not answer. */
static double waited(uint32_t quiet_ms)
{
	uint64_t began_ns = clock_boottime_ns();

	ck_assert(!sync_receive(&controld, quiet_ms));
	return (double)(clock_boottime_ns() - began_ns) / 1e9;
}

START_TEST(a_bus_that_is_dead_is_not_waited_for)
{
	bus.status.attempts = 1;
	ck_assert(waited(20000) < 10);
	bus.status.connected = true; /* there, but silent */
	ck_assert(waited(300) >= 0.3);
}
END_TEST

START_TEST(its_state_is_told)
{
	json_t *status;

	bus.status.up = false;
	strcpy(bus.status.reason, "disk full");
	bus.status.queued = 7;
	ck_assert(!sync_is_up(&controld));
	status = sync_json(&controld);
	ck_assert_int_eq(json_integer_value(json_object_get(status, "waiting")), 7);
	ck_assert_str_eq(json_string_value(json_object_get(status, "reason")), "disk full");
	ck_assert(json_is_false(json_object_get(status, "synced")));
	json_decref(status);

	bus.options.on_state(bus.options.context, false, "disk full"); /* nobody there to be told */
	ck_assert_ptr_null(event);
	controld.ctl = some_ctl;
	bus.options.on_state(bus.options.context, false, "disk full"); /* nobody follows */
	ck_assert_ptr_null(event);
	is_followed = true;
	bus.options.on_state(bus.options.context, false, "disk full");
	ck_assert_str_eq(json_string_value(json_object_get(event, "type")), "sync_away");
	ck_assert_str_eq(json_string_value(json_object_get(event, "reason")), "disk full");
	bus.options.on_state(bus.options.context, true, "");
	ck_assert_str_eq(json_string_value(json_object_get(event, "type")), "sync_up");
}
END_TEST

START_TEST(damaged_records_are_said)
{
	capture_begin(STDERR_FILENO);
	begin(true, false);
	bus.subscriber.on_done(bus.subscriber.context, 1, 3);
	ck_assert_ptr_nonnull(strstr(capture_end(), "3 records of the topic session are damaged"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("controld_sync");
	TCase *tests = tcase_create("controld_sync");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, what_the_bus_kept_is_given_when_there_is_somebody);
	tcase_add_test(tests, the_connection_may_break_while_it_is_received);
	tcase_add_test(tests, what_was_written_meanwhile_is_newer);
	tcase_add_test(tests, a_bus_that_comes_late_is_given_when_it_comes);
	tcase_add_test(tests, another_store_is_written_anew);
	tcase_add_test(tests, a_bus_that_is_dead_is_not_waited_for);
	tcase_add_test(tests, its_state_is_told);
	tcase_add_test(tests, damaged_records_are_said);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
