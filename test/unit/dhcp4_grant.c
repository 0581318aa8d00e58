/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCP server with somebody who authorises: what is asked, what becomes of each kind
 * of answer, of Option 82, and of a client in the middle when the server is restarted.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp4_double.h"
#include "run.h"

#define A              "10.0.0.10"
#define B              "10.0.0.11"
#define STATIC         "10.0.0.200" /* in the network, not among the leased */
#define SERVER         "10.0.0.1"
#define MAC            0x0a
#define REFUSED(name)  (world.dhcp4->stats.refused[DHCP4_REFUSED_##name])
#define NOT_AUTHORISED "56=6e6f7420617574686f7269736564"

static const struct session_profile nothing;
static const struct request discover = {.type = DHCP4_DISCOVER, .mac = MAC, .requested = A};
static const struct request select_a = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = SERVER};

static void begin(void)
{
	world_init();
	world.ask_error = 0;
}

static enum dhcp4_state state(void)
{
	struct session_client client = client_of(MAC);

	return dhcp4_state_of(world.dhcp4, &client, world.now_ns);
}

static bool answered(const char *part)
{
	return strstr(answer(), part) != NULL;
}

static void granted(const struct session_profile *profile)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	world_answer(AUTHORISE_GRANTED, profile);
}

/* ---- The question ------------------------------------------------------------------ */

START_TEST(question_says_who_and_where)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_uint_eq(world.frames, 0);
	ck_assert_uint_eq(world.question.client.interface, 1);
	ck_assert_uint_eq(world.question.client.outer_vid, 100);
	ck_assert_uint_eq(world.question.client.inner_vid, 7);
	ck_assert_uint_eq(world.question.client.mac[5], MAC);
	ck_assert_uint_eq(world.question.session_id, 1000);
	ck_assert_uint_eq(world.question.address_be, inet_addr(A));
	ck_assert_uint_eq(world.ticket.owner, AUTHORISE_DHCP4);
	ck_assert_int_eq(memcmp(world.ticket.context, &world.question.client, sizeof(struct session_client)),
			 0);
}
END_TEST

START_TEST(client_is_asked_about_once_and_its_last_packet_is_answered)
{
	struct request again = discover;

	again.flags = 0x8000;
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(ask(i < 3 ? &discover : &again), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_uint_eq(world.dhcp4->stats.asked, 1);
	ck_assert_uint_eq(world.dhcp4->stats.repeated, 3);
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert(answered("flags 8000 ci 0.0.0.0 yi " A " 53=02"));
	ck_assert_uint_eq(world.frames, 1);
	ck_assert_uint_eq(world.dhcp4->stats.received[DHCP4_DISCOVER], 4);
}
END_TEST

START_TEST(session_has_the_id_that_was_asked_with_and_what_was_granted)
{
	struct session_profile profile = {.given = PROFILE_USER | PROFILE_MAX_BLOCKS | PROFILE_MAX_MAPPINGS |
						   PROFILE_NAT_POOL,
					  .user = "line 7",
					  .nat_pool = "business",
					  .max_blocks = 2,
					  .max_mappings = 99};

	granted(&profile);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert(answered("yi " A " 53=05"));
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_uint_eq(world.spec.session_id, 1000);
	ck_assert_uint_eq(world.spec.pool, 6);
	ck_assert_uint_eq(world.spec.max_blocks, 2);
	ck_assert_uint_eq(world.spec.max_mappings, 99);
	const struct session_detail *detail = world.detail[1];
	ck_assert_str_eq(detail->user, "line 7");
	ck_assert_str_eq(detail->source, "server");
	ck_assert_uint_eq(detail->profile.max_mappings, 99);
}
END_TEST

/* ---- What was granted ----------------------------------------------------------------- */

START_TEST(granted_address_is_the_only_one)
{
	const struct session_profile profile = {.given = PROFILE_ADDRESS, .address_be = inet_addr(STATIC)};
	const struct request select = {
		.type = DHCP4_REQUEST, .mac = MAC, .requested = STATIC, .server = SERVER};
	const struct request renew = {
		.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = STATIC, .destination = SERVER};

	granted(&profile);
	ck_assert(answered("yi " STATIC " 53=02"));
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_WRONG_ADDRESS);
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_ADDRESS_TAKEN);
	ck_assert_int_eq(ask(&select), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(world_session(STATIC));
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	ck_assert(answered("yi " STATIC " 53=05"));
	ck_assert_uint_eq(world.asked, 1);
	session_detail_free(world.detail[1]); /* the bus has lost it */
	world.detail[1] = NULL;
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	ck_assert(answered("yi " STATIC " 53=05"));
}
END_TEST

START_TEST(granted_address_that_cannot_be_had_is_refused)
{
	struct session_profile profile = {.given = PROFILE_ADDRESS, .address_be = inet_addr("172.16.0.1")};

	granted(&profile);
	ck_assert_uint_eq(REFUSED(GRANT), 1);
	ck_assert_str_eq(world.event, "no address: what was granted is not configured here");
	world.record[9] = (struct bng_subscriber){
		.state = BNG_SUBSCRIBER_ACTIVE, .address_be = inet_addr(STATIC), .interface = 9};
	profile.address_be = inet_addr(STATIC);
	world_restart();
	granted(&profile);
	ck_assert_uint_eq(REFUSED(ADDRESS_TAKEN), 1);
	ck_assert_uint_eq(world.frames, 0);
}
END_TEST

static void second_pool(void)
{
	world.pool[1] = world.pool[0];
	strcpy(world.pool[1].name, "more");
	world.pool[1].prefix = (struct config_prefix){0x0a000100, 0x0a0001ff, 24};
	world.pool[1].first = world.pool[1].last = 0x0a00010a;
	world.pool[1].router_be = inet_addr("10.0.1.1");
	world.config.dhcp4_pool_count = 2;
	world_restart();
}

START_TEST(granted_pool_is_where_the_address_comes_from)
{
	const struct session_profile more = {.given = PROFILE_POOL, .pool = "more"};
	const struct session_profile other = {.given = PROFILE_POOL, .pool = "other"};

	second_pool();
	granted(&more); /* the client wanted one of the first pool */
	ck_assert(answered("yi 10.0.1.10 53=02 54=0a000101"));
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_WRONG_ADDRESS);
	world_restart();
	granted(&other);
	ck_assert_str_eq(answer(), "none");
	ck_assert_uint_eq(REFUSED(GRANT), 1);
}
END_TEST

START_TEST(nat_pool_that_is_not_configured_opens_nothing)
{
	const struct session_profile profile = {.given = PROFILE_NAT_POOL, .nat_pool = "gone"};

	granted(&profile);
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_GRANT);
	ck_assert_str_eq(answer(), "none");
	ck_assert_ptr_null(world_session(A));
}
END_TEST

START_TEST(session_timeout_bounds_the_lease_and_its_renewals)
{
	const struct session_profile profile = {.given = PROFILE_SESSION_TIMEOUT, .session_timeout_s = 1000};
	const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};

	granted(&profile);
	ck_assert(answered("51=000003e8 58=000001f4 59=0000036b"));
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert(answered("51=000003e8"));
	ck_assert_uint_eq(world_session(A)->lease_seconds, 1000);
	world_seconds(900);
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	ck_assert(answered("51=00000064"));
	ck_assert_uint_eq(world_session(A)->lease_seconds, 100);
	world_seconds(100);
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED); /* it ends any moment */
	ck_assert(answered("51=00000001"));
}
END_TEST

START_TEST(granted_name_servers_take_the_pools_place)
{
	struct session_profile profile = {.given = PROFILE_DNS, .dns_be = {inet_addr("192.0.2.9")}};
	const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};

	granted(&profile);
	ck_assert(answered(" 6=c0000209 "));
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert(answered(" 6=c0000209 "));
	world_restart();
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	ck_assert(answered(" 6=c0000209 "));
}
END_TEST

/* ---- Not granted ------------------------------------------------------------------------ */

START_TEST(denied_discover_is_silence)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	world_answer(AUTHORISE_DENIED, NULL);
	ck_assert_str_eq(answer(), "none");
	ck_assert_uint_eq(REFUSED(DENIED), 1);
	ck_assert_int_eq(state(), DHCP4_STATE_NONE);
	ck_assert_str_eq(world.event, "not authorised: because");
}
END_TEST

START_TEST(denied_request_is_a_nak)
{
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	world_answer(AUTHORISE_DENIED, NULL);
	ck_assert(answered("53=06 54=0a000001 " NOT_AUTHORISED));
	ck_assert_uint_eq(REFUSED(DENIED), 1);
	ck_assert_uint_eq(world.dhcp4->stats.sent[DHCP4_NAK], 1);
	ck_assert_int_eq(state(), DHCP4_STATE_NONE);
}
END_TEST

START_TEST(unanswered_is_silence_and_the_next_packet_asks_again)
{
	static const enum authorise_outcome outcomes[] = {AUTHORISE_UNANSWERED, AUTHORISE_UNAVAILABLE};

	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
		ck_assert_uint_eq(world.asked, i + 1);
		world_answer(outcomes[i], NULL);
		ck_assert_str_eq(answer(), "none");
		ck_assert_uint_eq(REFUSED(UNANSWERED), i + 1);
	}
}
END_TEST

START_TEST(question_that_cannot_be_asked_is_refused_and_forgotten)
{
	world.ask_error = -ENOBUFS;
	ck_assert_int_eq(ask(&discover), DHCP4_REFUSED_BUSY);
	world.ask_error = -EHOSTUNREACH;
	ck_assert_int_eq(ask(&discover), DHCP4_REFUSED_UNANSWERED);
	ck_assert_str_eq(world.event, "not authorised: nobody who authorises can be reached");
	ck_assert_str_eq(world.told, "DHCP: DISCOVER received; DHCP: DISCOVER refused: unanswered");
	ck_assert_int_eq(state(), DHCP4_STATE_NONE);
	ck_assert_uint_eq(world.dhcp4->stats.asked, 0);
}
END_TEST

/* Whoever traces the client sees each packet, and why one is refused. */
START_TEST(each_packet_is_told)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	ck_assert_str_eq(world.told, "DHCP: DISCOVER received");
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_str_eq(world.told, "DHCP: OFFER sent, 10.0.0.10");
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_str_eq(world.told, "DHCP: REQUEST received; DHCP: ACK sent, 10.0.0.10");
	struct request wrong = {.type = DHCP4_REQUEST, .requested = "10.0.0.13", .mac = select_a.mac};
	ck_assert_int_eq(ask(&wrong), DHCP4_REFUSED_WRONG_ADDRESS);
	ck_assert_str_eq(world.told,
			 "DHCP: REQUEST received; DHCP: NAK sent; DHCP: REQUEST refused: wrong_address");
}
END_TEST

/* ---- Restart, and answers that come twice ------------------------------------------------- */

START_TEST(answer_after_a_restart_waits_for_the_client)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	world_restart();
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_str_eq(answer(), "none");
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	ck_assert(answered("53=02"));
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.spec.session_id, 1000);
}
END_TEST

START_TEST(offer_before_a_restart_is_accepted_after_it)
{
	granted(&nothing);
	world_restart();
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.asked, 2);
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert(answered("yi " A " 53=05"));
}
END_TEST

START_TEST(answer_that_comes_twice_is_taken_once)
{
	granted(&nothing);
	world_answer(AUTHORISE_DENIED, NULL);
	ck_assert_int_eq(state(), DHCP4_STATE_OFFERED);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_int_eq(state(), DHCP4_STATE_BOUND);
	ck_assert_uint_eq(world.dhcp4->stats.granted, 1);
	ck_assert_uint_eq(REFUSED(DENIED), 0);
}
END_TEST

START_TEST(grant_is_forgotten_after_a_minute)
{
	granted(&nothing);
	world_seconds(59);
	ck_assert_int_eq(state(), DHCP4_STATE_OFFERED);
	world_seconds(1);
	ck_assert_int_eq(state(), DHCP4_STATE_NONE);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.asked, 2);
}
END_TEST

START_TEST(renewal_of_a_session_asks_nobody)
{
	const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};
	const struct request rebind = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A};
	const struct request reboot = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A};
	const struct request *const all[] = {&renew, &rebind, &reboot, &discover};

	granted(&nothing);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	world.ask_error = -EHOSTUNREACH;
	for (unsigned i = 0; i < 4; i++) {
		world_restart();
		ck_assert_int_eq(ask(all[i]), DHCP4_ACCEPTED);
		ck_assert_uint_ne(world.length, 0);
	}
	ck_assert_uint_eq(world.asked, 1);
}
END_TEST

/* ---- Durable first ------------------------------------------------------------------------- */

START_TEST(acknowledgement_waits_for_the_record)
{
	world.bus_is_slow = true;
	granted(&nothing);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), "none");
	ck_assert_uint_eq(world.dhcp4->stats.bound, 0);
	ck_assert_uint_eq(world.dhcp4->stats.repeated, 1);
	world_durable();
	ck_assert(answered("yi " A " 53=05"));
	ck_assert_uint_eq(world.dhcp4->stats.bound, 1);
	ck_assert_uint_eq(world.dhcp4->stats.sent[DHCP4_ACK], 1);
	ck_assert_int_eq(state(), DHCP4_STATE_BOUND);
}
END_TEST

START_TEST(address_of_a_session_on_its_way_is_nobody_elses)
{
	const struct request other = {.type = DHCP4_DISCOVER, .mac = 0x20, .requested = A};
	const struct request taken = {.type = DHCP4_REQUEST, .mac = 0x20, .requested = A, .server = SERVER};

	world.ask_error = -ENOTSUP;
	world.bus_is_slow = true;
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&other), DHCP4_ACCEPTED);
	ck_assert(!answered("yi " A));
	ck_assert_int_eq(ask(&taken), DHCP4_REFUSED_WRONG_ADDRESS);
	world.pool[0].max_sessions_per_interface = 1; /* and its place is taken */
	world_seconds(1);
	const struct request third = {.type = DHCP4_DISCOVER, .mac = 0x21};
	ck_assert_int_eq(ask(&third), DHCP4_REFUSED_INTERFACE_LIMIT);
}
END_TEST

START_TEST(session_that_does_not_come_up_is_told)
{
	world.bus_is_slow = true;
	world.opened_error = -ECANCELED;
	granted(&nothing);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	world_durable();
	ck_assert_str_eq(answer(), "none");
	ck_assert_uint_eq(REFUSED(SYSTEM), 1);
	ck_assert_int_eq(state(), DHCP4_STATE_NONE);
	ck_assert_uint_eq(world.dhcp4->stats.bound, 0);
}
END_TEST

/* ---- Option 82 ----------------------------------------------------------------------------- */

#define LINE                                                                                                 \
	"520c"                                                                                               \
	"0105706f727437"                                                                                     \
	"0203637065" /* circuit "port7", remote "cpe" */

static struct request with_line(const char *option)
{
	struct request request = discover;

	request.options = option;
	return request;
}

START_TEST(line_is_told_and_echoed)
{
	struct request request = with_line(LINE), select = select_a;

	select.options = LINE;
	world.config.option82.policy = OPTION82_ACCEPT;
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	ck_assert_str_eq(world.circuit, "port7");
	ck_assert_str_eq(world.remote, "cpe");
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert(answered(" 82=0105706f7274370203637065"));
	ck_assert_int_eq(ask(&select), DHCP4_ACCEPTED);
	ck_assert(answered(" 82=0105706f7274370203637065"));
	ck_assert_uint_eq(world.detail[1]->line.circuit_id_length, 5);
	ck_assert_int_eq(memcmp(world.detail[1]->line.circuit_id, "port7", 5), 0);
	ck_assert_int_eq(memcmp(world.detail[1]->line.remote_id, "cpe", 3), 0);
}
END_TEST

static char trusted[1][IF_NAMESIZE] = {"access9"};

static const struct {
	const char *what;
	enum option82_policy policy;
	bool trusted;
	const char *option;
	enum dhcp4_refusal refusal;
	const char *circuit;
} lines[] = {
	{"ignored", OPTION82_IGNORE, true, LINE, 0, ""},
	{"ignored, malformed", OPTION82_IGNORE, true, "52020109", 0, ""},
	{"accepted, none", OPTION82_ACCEPT, true, NULL, 0, ""},
	{"accepted, not ours", OPTION82_ACCEPT, true, "52030901ff", 0, ""},
	{"accepted, empty circuit", OPTION82_ACCEPT, true, "52020100", 0, ""},
	{"accepted, malformed", OPTION82_ACCEPT, true, "52020109", DHCP4_REFUSED_MALFORMED, NULL},
	{"accepted, cut", OPTION82_ACCEPT, true,
	 "52040101"
	 "4101",
	 DHCP4_REFUSED_MALFORMED, NULL},
	{"accepted, twice", OPTION82_ACCEPT, true,
	 "5206"
	 "010141"
	 "010142",
	 0, "A"},
	{"accepted, in two options", OPTION82_ACCEPT, true,
	 "520301024152"
	 "0142",
	 0, "AB"},
	{"from elsewhere", OPTION82_ACCEPT, false, LINE, DHCP4_REFUSED_UNTRUSTED_LINE, NULL},
	{"from elsewhere, none", OPTION82_ACCEPT, false, NULL, 0, ""},
	{"required", OPTION82_REQUIRE, true, LINE, 0, "port7"},
	{"required, none", OPTION82_REQUIRE, true, NULL, DHCP4_REFUSED_NO_LINE, NULL},
	{"required, not ours", OPTION82_REQUIRE, true, "52030901ff", DHCP4_REFUSED_NO_LINE, NULL},
};

START_TEST(line_by_policy)
{
	struct request request = with_line(lines[_i].option);

	world.config.option82.policy = (uint8_t)lines[_i].policy;
	world.config.option82.trusted = trusted;
	world.config.option82.trusted_count = !lines[_i].trusted;
	ck_assert_msg(ask(&request) == lines[_i].refusal, "%s", lines[_i].what);
	ck_assert_uint_eq(world.asked, lines[_i].circuit != NULL);
	ck_assert_msg(!lines[_i].circuit || strcmp(world.circuit, lines[_i].circuit) == 0, "%s: %s",
		      lines[_i].what, world.circuit);
	ck_assert_uint_eq(world.frames, 0);
}
END_TEST

START_TEST(required_line_is_not_required_of_renewals)
{
	const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};

	granted(&nothing);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	world.config.option82.policy = OPTION82_REQUIRE;
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	ck_assert(answered("53=05"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 grant");
	TCase *tests = tcase_create("grant");

	tcase_add_checked_fixture(tests, begin, world_free);
	tcase_add_test(tests, question_says_who_and_where);
	tcase_add_test(tests, client_is_asked_about_once_and_its_last_packet_is_answered);
	tcase_add_test(tests, session_has_the_id_that_was_asked_with_and_what_was_granted);
	tcase_add_test(tests, granted_address_is_the_only_one);
	tcase_add_test(tests, granted_address_that_cannot_be_had_is_refused);
	tcase_add_test(tests, granted_pool_is_where_the_address_comes_from);
	tcase_add_test(tests, nat_pool_that_is_not_configured_opens_nothing);
	tcase_add_test(tests, session_timeout_bounds_the_lease_and_its_renewals);
	tcase_add_test(tests, granted_name_servers_take_the_pools_place);
	tcase_add_test(tests, each_packet_is_told);
	tcase_add_test(tests, denied_discover_is_silence);
	tcase_add_test(tests, denied_request_is_a_nak);
	tcase_add_test(tests, unanswered_is_silence_and_the_next_packet_asks_again);
	tcase_add_test(tests, question_that_cannot_be_asked_is_refused_and_forgotten);
	tcase_add_test(tests, answer_after_a_restart_waits_for_the_client);
	tcase_add_test(tests, offer_before_a_restart_is_accepted_after_it);
	tcase_add_test(tests, answer_that_comes_twice_is_taken_once);
	tcase_add_test(tests, grant_is_forgotten_after_a_minute);
	tcase_add_test(tests, renewal_of_a_session_asks_nobody);
	tcase_add_test(tests, acknowledgement_waits_for_the_record);
	tcase_add_test(tests, address_of_a_session_on_its_way_is_nobody_elses);
	tcase_add_test(tests, session_that_does_not_come_up_is_told);
	tcase_add_test(tests, line_is_told_and_echoed);
	tcase_add_loop_test(tests, line_by_policy, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_test(tests, required_line_is_not_required_of_renewals);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
