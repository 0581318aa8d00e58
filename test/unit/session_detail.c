/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What is known of a session: as JSON and back, on a real bngsync, over restarts of
 * either side, and the timers in it.
 */
#include "test/unit/sync_fixture.h"

#include <arpa/inet.h>

#include "controld/sync/resync.h"
#include "lib/address.h"
#include "lib/bytes.h"
#include "run.h"
#include "test/unit/controld_fixture.h"

#define NAT                                                                                                  \
	"{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"block_size\": 512},"                        \
	"{\"name\": \"m\", \"prefixes\": [\"203.0.113.8/30\"], \"block_size\": 512},"                        \
	"{\"name\": \"large\", \"prefixes\": [\"203.0.113.16/30\"], \"block_size\": 1024}"

static const struct fixture_sizes sizes = {4096, 16, 2048};
static char error[512];

/* ---- As JSON -------------------------------------------------------------------------- */

static const char whole[] =
	"{\"user\":\"anna%25@isp\",\"address\":\"10.0.0.7\",\"pool\":\"homes\",\"nat_pool\":\"n\","
	"\"session_timeout_s\":3600,\"idle_timeout_s\":600,\"interim_s\":300,\"dns\":[\"192.0.2.1\",\"192.0."
	"2.2\"],"
	"\"up\":{\"bits_s\":10000000,\"burst_bytes\":150000},\"down\":{\"bits_s\":100000000000,\"burst_"
	"bytes\":0},"
	"\"filter\":\"walled,%00%FF\",\"routes\":[\"198.51.100.0/29\"],\"class\":[\"%00a%FF\",\"\",\"b\"],"
	"\"delegated_prefix\":\"2001:db8::/48\",\"max_mappings\":100,\"max_blocks\":2}";

START_TEST(every_field_of_a_profile_is_written_and_read)
{
	struct session_profile profile, copy = {0};
	json_t *json = json_loads(whole, 0, NULL), *written;

	ck_assert_ptr_nonnull(json);
	ck_assert_int_eq(profile_parse(slice(whole), &profile), 0);
	ck_assert_uint_eq(profile.given, 0xffff);
	ck_assert_str_eq(profile.user, "anna%@isp");
	ck_assert_uint_eq(profile.class_length, 4 + 1 + 2);
	ck_assert_mem_eq(profile.class, "\3\0a\377\0\1b", 7);
	ck_assert_uint_eq(profile.down.bits_s, 100000000000);
	ck_assert_int_eq(profile_copy(&profile, &copy), 0);
	written = profile_json(&copy);
	free(profile.filter); /* NUL ends it: a text is one */
	ck_assert_str_eq(copy.filter, "walled,");
	profile.filter = NULL;
	json_object_set_new(json, "filter", json_string("walled,"));
	ck_assert(json_equal(json, written));
	json_decref(json);
	json_decref(written);
	profile_done(&profile);
	profile_done(&copy);
	ck_assert_uint_eq(copy.given, 0);
}
END_TEST

static const char *const malformed[] = {
	"[]",
	"{\"address\":\"10.0.0\"}",
	"{\"address\":7}",
	"{\"pool\":\"a name that is longer than any pool's can be\"}",
	"{\"interim_s\":-1}",
	"{\"interim_s\":4294967296}",
	"{\"user\":\"%0\"}",
	"{\"user\":\"%zz\"}",
	"{\"dns\":[\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\"]}",
	"{\"dns\":{}}",
	"{\"up\":{\"bits_s\":-1,\"burst_bytes\":0}}",
	"{\"up\":5}",
	"{\"routes\":[\"198.51.100.1/29\"]}",
	"{\"routes\":[1]}",
	"{\"class\":[7]}",
	"{\"class\":\"x\"}",
	"{\"delegated_prefix\":\"2001:db8::\"}",
	"{\"delegated_prefix\":\"2001:db8::/129\"}",
	"{\"delegated_prefix\":\"nothing/48\"}",
};

START_TEST(a_malformed_profile_is_refused_whole)
{
	struct session_profile profile;

	ck_assert_int_eq(profile_parse(slice(malformed[_i]), &profile), -EINVAL);
	ck_assert_uint_eq(profile.given, 0);
	ck_assert_ptr_null(profile.user);
}
END_TEST

START_TEST(what_is_given_takes_the_place_of_what_was)
{
	struct session_profile profile = {.given = PROFILE_INTERIM | PROFILE_USER, .interim_s = 60};
	struct session_profile changes = {.given = PROFILE_USER | PROFILE_RATE_UP, .up = {1000000, 0}};

	profile.user = strdup("anna");
	changes.user = strdup("berta");
	ck_assert_int_eq(profile_merge(&profile, &changes), 0);
	ck_assert_uint_eq(profile.given, PROFILE_INTERIM | PROFILE_USER | PROFILE_RATE_UP);
	ck_assert_str_eq(profile.user, "berta");
	ck_assert_uint_eq(profile.interim_s, 60);
	ck_assert_uint_eq(profile.up.bits_s, 1000000);
	ck_assert_str_eq(changes.user, "berta");
	profile_done(&profile);
	profile_done(&changes);
}
END_TEST

START_TEST(a_detail_is_written_and_read)
{
	struct session_detail *detail = session_detail_new(0x1234), *again;
	json_t *json, *written;
	char *text;

	detail->kind = BNG_SESSION_PPPOE;
	detail->client = (struct session_client){3, 100, 200, {2, 0, 0, 0, 0, 9}, 77};
	ck_assert_int_eq(address_parse("10.0.0.9", &detail->address_be), 0);
	detail->user = strdup("anna \\\"%\n");
	detail->source = strdup("alpha");
	detail->line.circuit_id = (uint8_t *)strdup("eth 1/1");
	detail->line.circuit_id_length = 7;
	detail->opened_s = 1700000000;
	detail->accounting = (struct detail_accounting){2, 17, 1700000100};
	detail->profile.given = PROFILE_INTERIM;
	detail->profile.interim_s = 60;
	for (int i = 0; i < DETAIL_HISTORY + 2; i++)
		snprintf(detail->event[detail->event_count++ % DETAIL_HISTORY].text, DETAIL_HISTORY_TEXT,
			 "event %d", i);
	json = session_detail_json(detail);
	text = json_dumps(json, JSON_COMPACT);
	again = session_detail_parse(slice(text));
	ck_assert_ptr_nonnull(again);
	free(text);
	written = session_detail_json(again);
	ck_assert(json_equal(json, written));
	ck_assert_uint_eq(json_array_size(json_object_get(json, "history")), DETAIL_HISTORY);
	ck_assert_str_eq(again->event[0].text, "event 2");
	ck_assert_uint_eq(again->session_id, 0x1234);
	ck_assert_mem_eq(&again->client, &detail->client, sizeof(detail->client));
	ck_assert_str_eq(again->user, "anna \\\"%\n");
	json_object_del(json, "at");
	text = json_dumps(json, JSON_COMPACT);
	ck_assert_ptr_null(session_detail_parse(slice(text)));
	free(text);
	json_decref(json);
	json_decref(written);
	session_detail_free(detail);
	session_detail_free(again);
}
END_TEST

/* ---- On the bus ------------------------------------------------------------------------ */

/* A controld on the loop of the fixture's bngsync. */
static void controld_up(void)
{
	struct sessions_adopted adopted;

	sessions_free(&fixture.controld);
	fixture.controld.base = base;
	fixture.controld.started_ns = clock_boottime_ns();
	ck_assert_int_eq(sync_new(&fixture.controld, socket_path), 0);
	sync_receive(&fixture.controld, 3000);
	ck_assert_int_eq(sessions_new(&fixture.controld, 1000000000), 0);
	ck_assert_int_eq(sessions_adopt(&fixture.controld, &adopted), 0);
	sync_deliver(&fixture.controld);
	ck_assert_int_eq(fixture_configure(fixture_text("", "", NAT), error, sizeof(error)), 0);
	sessions_resume(&fixture.controld);
}

/* As when it is killed: what was not acknowledged may be lost. */
static void controld_again(void)
{
	struct sessions_adopted adopted;

	sync_free(&fixture.controld);
	fixture_restart(&adopted);
	controld_up();
}

static void setup_both(void)
{
	setup();
	fixture_start(&sizes);
	controld_up();
}

static void teardown_both(void)
{
	sync_free(&fixture.controld);
	fixture_stop();
	teardown();
}

static struct {
	int calls;
	int failure;
	struct session session;
} outcome;

static void keep_outcome(struct controld *controld, int failure, const struct session *session, void *context)
{
	ck_assert_ptr_eq(controld, &fixture.controld);
	ck_assert_ptr_eq(context, &outcome);
	outcome.calls++;
	outcome.failure = failure;
	outcome.session = session ? *session : (struct session){0};
}

static uint64_t open_one(const char *address, const char *user)
{
	struct session_spec spec = fixture_spec(address, 7);
	struct session_detail *detail = session_detail_new(session_new_id(&fixture.controld));
	uint64_t id = detail->session_id;

	spec.kind = BNG_SESSION_DHCP;
	spec.pool = 0;
	detail->user = strdup(user);
	memset(&outcome, 0, sizeof(outcome));
	ck_assert_int_eq(session_open_durable(&fixture.controld, &spec, detail, keep_outcome, &outcome), 0);
	ck_assert_int_eq(outcome.calls, 0);
	return id;
}

/* All that was written is durable. */
static bool is_quiet(void)
{
	json_t *status = sync_json(&fixture.controld);
	bool waits = json_integer_value(json_object_get(status, "waiting"));

	json_decref(status);
	return !waits;
}

static size_t bus_records(void)
{
	return daemon_state.topics.list[TOPIC_session].records;
}

START_TEST(a_session_comes_up_when_its_record_is_durable)
{
	uint64_t id = open_one("10.0.0.20", "anna");
	struct session found;

	ck_assert(!session_by_id(&fixture.controld, id, &found));
	ck_assert_uint_eq(fixture.ups, 0);
	run_until(outcome.calls);
	ck_assert_int_eq(outcome.failure, 0);
	ck_assert_uint_eq(fixture.ups, 1);
	ck_assert_uint_eq(bus_records(), 1);
	ck_assert(session_by_id(&fixture.controld, id, &found));
	ck_assert_uint_eq(found.record->state, BNG_SUBSCRIBER_ACTIVE);
	ck_assert_str_eq(session_detail(&fixture.controld, &found)->user, "anna");
}
END_TEST

START_TEST(without_the_bus_it_comes_up_at_once_and_is_told_later)
{
	stop_daemon();
	run_until(!sync_is_up(&fixture.controld));
	open_one("10.0.0.20", "anna");
	run_until(outcome.calls);
	ck_assert_int_eq(outcome.failure, 0);
	start_daemon();
	run_until(bus_records() == 1);
	ck_assert_int_eq(outcome.calls, 1);
	ck_assert_uint_eq(fixture.ups, 1);
}
END_TEST

START_TEST(a_bus_that_goes_before_it_answers_holds_nobody_up)
{
	open_one("10.0.0.20", "anna");
	stop_daemon();
	run_until(outcome.calls);
	ck_assert_int_eq(outcome.failure, 0);
	start_daemon();
	run_until(bus_records() == 1 && sync_is_up(&fixture.controld));
	run_for(20);
	ck_assert_int_eq(outcome.calls, 1);
}
END_TEST

START_TEST(one_that_is_cancelled_leaves_nothing)
{
	uint64_t id = open_one("10.0.0.20", "anna");
	struct session_spec spec = fixture_spec("10.0.0.20", 7);
	struct session session;

	session_open_cancel(&fixture.controld, id);
	ck_assert_int_eq(outcome.calls, 1);
	ck_assert_int_eq(outcome.failure, -ECANCELED);
	run_until(fixture.gone == 1);
	run_until(!bus_records());
	ck_assert_uint_eq(fixture.ups, 0);
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
}
END_TEST

START_TEST(a_restart_knows_who_it_is)
{
	uint64_t id = open_one("10.0.0.20", "anna");
	struct session found;

	run_until(outcome.calls);
	session_detail(&fixture.controld, &outcome.session)->accounting.sequence = 5;
	session_detail_save(&fixture.controld, &outcome.session);
	run_until(is_quiet());
	controld_again();
	ck_assert_uint_eq(fixture.adopted, 1);
	ck_assert_uint_eq(fixture.ended + fixture.gone, 0);
	ck_assert(session_by_id(&fixture.controld, id, &found));
	ck_assert_str_eq(session_detail(&fixture.controld, &found)->user, "anna");
	ck_assert_uint_eq(session_detail(&fixture.controld, &found)->accounting.sequence, 5);
	ck_assert_uint_eq(bus_records(), 1);
}
END_TEST

START_TEST(what_ended_while_nobody_looked_is_told_once)
{
	struct bng_subscriber *record;

	open_one("10.0.0.20", "anna");
	run_until(outcome.calls);
	record = outcome.session.record;
	record->up_bytes = 4711;
	record->state = BNG_SUBSCRIBER_CLOSING; /* killed before the bus was told */
	controld_again();
	ck_assert_uint_eq(fixture.adopted, 0);
	ck_assert_uint_eq(fixture.ended, 1);
	ck_assert_uint_eq(fixture.ended_up_bytes, 4711);
	run_until(fixture.gone == 1);
	ck_assert_uint_eq(bus_records(), 0);
	controld_again();
	ck_assert_uint_eq(fixture.ended, 1);
	ck_assert_uint_eq(fixture.gone, 1);
}
END_TEST

START_TEST(what_never_came_up_is_forgotten)
{
	open_one("10.0.0.20", "anna");
	run_until(bus_records() == 1); /* the answer is not read: killed */
	if (outcome.calls)
		fixture_release(outcome.session.slot);
	controld_again();
	ck_assert_uint_eq(fixture.ended, 0);
	run_until(fixture.gone == 1);
	ck_assert_uint_eq(bus_records(), 0);
}
END_TEST

START_TEST(a_bus_that_comes_late_brings_what_it_kept)
{
	uint64_t id = open_one("10.0.0.20", "anna");
	struct session found;

	run_until(outcome.calls);
	stop_daemon();
	controld_again();
	ck_assert(session_by_id(&fixture.controld, id, &found));
	ck_assert_ptr_null(session_detail(&fixture.controld, &found));
	ck_assert_uint_eq(fixture.adopted, 0);
	start_daemon();
	run_until(fixture.adopted == 1);
	ck_assert_str_eq(session_detail(&fixture.controld, &found)->user, "anna");
}
END_TEST

START_TEST(a_session_that_ends_while_the_bus_is_away_stays_ended)
{
	struct session session;

	open_one("10.0.0.20", "anna");
	run_until(outcome.calls);
	session = outcome.session;
	stop_daemon();
	run_until(!sync_is_up(&fixture.controld));
	ck_assert_int_eq(session_close(&fixture.controld, &session, SESSION_END_IDLE_TIMEOUT, "test"), 0);
	run_until(fixture.gone == 1);
	start_daemon();
	run_until(!bus_records());
	ck_assert_uint_eq(fixture.gone, 1);
}
END_TEST

START_TEST(another_store_is_filled_again)
{
	open_one("10.0.0.20", "anna");
	run_until(outcome.calls);
	stop_daemon();
	ck_assert_int_eq(unlink(store_path), 0);
	start_daemon();
	run_until(bus_records() == 1);
}
END_TEST

/* ---- Timers and changes ------------------------------------------------------------------ */

static struct session open_with(const char *profile)
{
	struct session session;

	open_one("10.0.0.20", "anna");
	run_until(outcome.calls);
	session = outcome.session;
	ck_assert_int_eq(profile_parse(slice(profile), &session_detail(&fixture.controld, &session)->profile),
			 0);
	return session;
}

START_TEST(a_session_ends_with_its_timeout)
{
	struct session session = open_with("{\"session_timeout_s\":100}");
	uint64_t now = session.record->opened_ns + 99999999999;

	sessions_expire(&fixture.controld, now);
	ck_assert_uint_eq(session.record->state, BNG_SUBSCRIBER_ACTIVE);
	sessions_expire(&fixture.controld, now + 1000000000);
	ck_assert_uint_eq(session.record->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_uint_eq(fixture.downs, 1);
}
END_TEST

START_TEST(an_idle_session_ends)
{
	struct session session = open_with("{\"idle_timeout_s\":100}");
	uint64_t now = clock_boottime_ns();

	session.record->last_up_tick = maps_tick(fixture.controld.maps) - (99000000000u >> BNG_TICK_SHIFT);
	sessions_expire(&fixture.controld, now + 2000000000);
	ck_assert_uint_eq(session.record->state, BNG_SUBSCRIBER_ACTIVE);
	session.record->last_up_tick = maps_tick(fixture.controld.maps) - (101000000000u >> BNG_TICK_SHIFT);
	sessions_expire(&fixture.controld, now + 4000000000);
	ck_assert_uint_eq(session.record->state, BNG_SUBSCRIBER_CLOSING);
}
END_TEST

static int change(const struct session *session, const char *profile)
{
	struct session_profile changes;
	int failure;

	ck_assert_int_eq(profile_parse(slice(profile), &changes), 0);
	failure = session_change(&fixture.controld, session, &changes, "test");
	profile_done(&changes);
	return failure;
}

START_TEST(a_change_is_applied_told_and_kept)
{
	struct session session = open_with("{\"interim_s\":60}"), found;
	uint64_t id = session.record->session_id;

	session.record->opened_ns -= 50000000000;
	ck_assert_int_eq(
		change(&session, "{\"nat_pool\":\"m\",\"session_timeout_s\":100,\"max_mappings\":9}"), 0);
	ck_assert_uint_eq(session.record->pool, names_pool_index(&fixture.controld, "m"));
	ck_assert_uint_eq(session.record->max_mappings, 9);
	ck_assert_uint_eq(fixture.changes, 1);
	run_until(is_quiet());
	controld_again();
	ck_assert(session_by_id(&fixture.controld, id, &found));
	ck_assert_uint_eq(session_detail(&fixture.controld, &found)->profile.session_timeout_s, 150);
	ck_assert_uint_eq(session_detail(&fixture.controld, &found)->profile.interim_s, 60);
}
END_TEST

START_TEST(a_change_that_cannot_be_changes_nothing)
{
	struct session session = open_with("{\"interim_s\":60}");

	ck_assert_int_eq(change(&session, "{\"nat_pool\":\"none\",\"interim_s\":1}"), -ENOENT);
	ck_assert_int_eq(change(&session, "{\"nat_pool\":\"large\",\"interim_s\":1}"), -EINVAL);
	ck_assert_uint_eq(session_detail(&fixture.controld, &session)->profile.interim_s, 60);
	ck_assert_uint_eq(fixture.changes, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session_detail");
	TCase *json = tcase_create("json"), *bus = tcase_create("bus");

	tcase_add_test(json, every_field_of_a_profile_is_written_and_read);
	tcase_add_loop_test(json, a_malformed_profile_is_refused_whole, 0,
			    sizeof(malformed) / sizeof(malformed[0]));
	tcase_add_test(json, what_is_given_takes_the_place_of_what_was);
	tcase_add_test(json, a_detail_is_written_and_read);
	suite_add_tcase(suite, json);
	tcase_add_checked_fixture(bus, setup_both, teardown_both);
	tcase_add_test(bus, a_session_comes_up_when_its_record_is_durable);
	tcase_add_test(bus, without_the_bus_it_comes_up_at_once_and_is_told_later);
	tcase_add_test(bus, a_bus_that_goes_before_it_answers_holds_nobody_up);
	tcase_add_test(bus, one_that_is_cancelled_leaves_nothing);
	tcase_add_test(bus, a_restart_knows_who_it_is);
	tcase_add_test(bus, what_ended_while_nobody_looked_is_told_once);
	tcase_add_test(bus, what_never_came_up_is_forgotten);
	tcase_add_test(bus, a_bus_that_comes_late_brings_what_it_kept);
	tcase_add_test(bus, a_session_that_ends_while_the_bus_is_away_stays_ended);
	tcase_add_test(bus, another_store_is_filled_again);
	tcase_add_test(bus, a_session_ends_with_its_timeout);
	tcase_add_test(bus, an_idle_session_ends);
	tcase_add_test(bus, a_change_is_applied_told_and_kept);
	tcase_add_test(bus, a_change_that_cannot_be_changes_nothing);
	suite_add_tcase(suite, bus);
	return run_suite(suite);
}
