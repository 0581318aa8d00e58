/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Away from a session: who ends it and how, being killed in every phase, keepalives.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/maps.h"
#include "pppoe_double.h"
#include "run.h"

#define ASKED "0101 0000 0103 0002 beef"

static struct double_client alice;
static const struct pppoe_stats *stats;

static void setup(void)
{
	world_init();
	alice = (struct double_client){.mac = 7, .outer_vid = 100};
	stats = &world.pppoe->stats;
}

static void restart(void)
{
	forget_sent();
	world_restart();
	stats = &world.pppoe->stats;
}

static const struct bng_subscriber *session_of(uint32_t slot)
{
	ck_assert_uint_ne(slot, 0);
	return &world.record[slot];
}

/* ---- The way down ----------------------------------------------------------------------------- */

START_TEST(rfc2516_s5_5_a_padt_ends_a_session)
{
	uint32_t slot = client_up(&alice);

	forget_sent();
	ck_assert_int_eq(client_padt(&alice), PPPOE_ACCEPTED);
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_int_eq(world.end, SESSION_END_USER_REQUEST);
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_uint_eq(world.frames, 0);
	ck_assert_int_eq(client_padt(&alice), PPPOE_REFUSED_NO_SESSION);
	struct double_client bob = alice;
	bob.mac = 8;
	ck_assert_int_eq(client_padt(&bob), PPPOE_REFUSED_NO_SESSION);
}
END_TEST

START_TEST(a_terminate_request_ends_a_session)
{
	uint32_t slot = client_up(&alice);

	world_seconds(_i ? 10 : 0); /* with its record, and without */
	forget_sent();
	client_ppp(&alice, "c021 0509 0004");
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 0609"));
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_int_eq(world.end, SESSION_END_USER_REQUEST);
	for (int i = 0; i < 4; i++)
		world_seconds(3.1);
	ck_assert_ptr_nonnull(sent("11a7"));
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_uint_eq(stats->ended, 1);
	ck_assert_uint_eq(stats->failed, 0);
}
END_TEST

START_TEST(rfc2516_s5_5_who_closes_it_here_takes_leave_there)
{
	uint32_t slot = client_up(&alice);

	world_seconds(_i ? 10 : 0);
	forget_sent();
	world_close(slot, SESSION_END_ADMIN_RESET);
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 05"));
	const uint8_t *request = sent("1100 .... .... c021 05");
	char answer[32];
	snprintf(answer, sizeof(answer), "c021 06%02x 0004", request[9]);
	client_ppp(&alice, answer);
	for (int i = 0; i < 4; i++)
		world_seconds(3.1);
	ck_assert_ptr_nonnull(sent("11a7"));
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
}
END_TEST

START_TEST(a_client_may_begin_lcp_anew)
{
	uint32_t slot = client_up(&alice);
	uint64_t before = session_of(slot)->session_id;

	world_seconds(_i ? 10 : 0);
	forget_sent();
	client_ppp(&alice, "c021 0109 000e 0104 05d4 0506 01020305");
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_uint_eq(stats->renegotiated, 1);
	ck_assert_uint_eq(stats->ended, 1);
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 01"));
	world_release();
	client_acknowledge(&alice, "1100 .... .... c021 01");
	client_say_name(&alice);
	world_grant(NULL, NULL);
	client_network(&alice);
	world_durable();
	ck_assert_uint_eq(stats->opened, 2);
	ck_assert_uint_ne(session_of(slot)->session_id, before);
	ck_assert_uint_eq(session_of(slot)->pppoe_session, alice.session);
}
END_TEST

START_TEST(who_believes_in_a_session_hears_that_there_is_none)
{
	alice.session = 4711;
	ck_assert_int_eq(client_ppp(&alice, "c021 0901 0008 00000000"), PPPOE_REFUSED_NO_SESSION);
	ck_assert_ptr_nonnull(sent("11a7 1267"));
	ck_assert_uint_eq(stats->refused[PPPOE_REFUSED_NO_SESSION], 1);
}
END_TEST

START_TEST(who_does_not_come_up_is_given_up)
{
	ck_assert(client_discover(&alice));
	for (int i = 0; i < 40; i++)
		world_seconds(3);
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_uint_eq(link_count(world.pppoe->links), 0);
	ck_assert_uint_eq(stats->failed, 1);
	ck_assert_ptr_nonnull(sent("11a7"));
}
END_TEST

/* ---- Killed ------------------------------------------------------------------------------------ */

START_TEST(killed_anywhere_it_goes_on)
{
	int phase = _i;

	client_padi(&alice, ASKED);
	client_padr(&alice, ASKED);
	ck_assert_uint_ne(alice.session, 0);
	if (phase == 0)
		world_restart();
	client_authenticate(&alice);
	if (phase == 1)
		world_restart();
	world_grant(NULL, NULL);
	if (phase == 2)
		world_restart();
	client_network(&alice);
	uint32_t address_be = world.opening.spec.address_be;
	if (phase == 3)
		world_restart(); /* it is opened anew */
	ck_assert_uint_eq(world.opening.spec.address_be, address_be);
	world_durable();
	if (phase == 4)
		world_restart();
	ck_assert_ptr_nonnull(sent("1100 .... .... 8021 02"));
	ck_assert_uint_eq(world.pppoe->peer_count, 1);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_int_eq(session_of(1)->state, BNG_SUBSCRIBER_ACTIVE);
	ck_assert_str_eq(world.detail[1]->user, "nemo");
	ck_assert_uint_eq(world.pppoe->stats.adopted, 1);
}
END_TEST

/* Granted before: nobody else gets its address while it comes up. */
START_TEST(killed_it_keeps_its_address)
{
	struct double_client bob = {.mac = 8};

	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	world_grant("10.64.0.11", NULL);
	world_restart();
	stats = &world.pppoe->stats;
	ck_assert(client_discover(&bob));
	client_authenticate(&bob);
	world_grant("10.64.0.11", NULL);
	ck_assert_uint_eq(stats->no_address, 1);
	client_padt(&alice); /* it gives up */
	world_seconds(2);
	ck_assert(client_discover(&bob));
	client_authenticate(&bob);
	world_grant("10.64.0.11", NULL);
	client_network(&bob);
	world_durable();
	ck_assert_uint_eq(session_of(1)->address_be, inet_addr("10.64.0.11"));
}
END_TEST

/* Asked, and killed before that was written down: the client says its name again. */
START_TEST(killed_between_the_question_and_its_record)
{
	ck_assert(client_discover(&alice));
	struct peer *peer = TAILQ_FIRST(&world.pppoe->peers);
	struct link_record *record = link_record(world.pppoe->links, peer->setup - 1);
	client_authenticate(&alice);
	struct link_live next = *link_live(record);
	next.ppp.phase = PPP_AUTHENTICATE;
	link_commit(record, &next);
	restart();
	world.ask_error = -EALREADY;
	client_say_name(&alice);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_uint_eq(stats->unanswered, 0);
	world_grant(NULL, NULL);
	client_network(&alice);
	world_durable();
	ck_assert_int_eq(session_of(1)->state, BNG_SUBSCRIBER_ACTIVE);
	/* Somebody else's question is no answer for this session. */
	struct double_client bob = {.mac = 8};
	ck_assert(client_discover(&bob));
	client_authenticate(&bob);
	ck_assert_ptr_nonnull(sent("1100 .... .... c023 03"));
	ck_assert_uint_eq(stats->unanswered, 1);
}
END_TEST

/* Up in the map, but the client was not told. */
START_TEST(killed_between_the_session_and_its_client)
{
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	world_grant(NULL, NULL);
	client_network(&alice);
	struct double_opening opening = world.opening;
	world.record[1] = (struct bng_subscriber){.address_be = opening.spec.address_be,
						  .interface = 1,
						  .outer_vid = 100,
						  .pppoe_session = alice.session,
						  .mac = {2, 0, 0, 0, 0, 7},
						  .kind = BNG_SESSION_PPPOE,
						  .state = BNG_SUBSCRIBER_ACTIVE,
						  .session_id = opening.spec.session_id};
	ck_assert_ptr_null(sent("1100 .... .... 8021 02"));
	restart();
	ck_assert_ptr_nonnull(sent("1100 .... .... 8021 02"));
	ck_assert(!world.opening.is_waiting);
}
END_TEST

START_TEST(killed_while_it_ends_it_ends)
{
	uint32_t slot = client_up(&alice);

	world_close(slot, SESSION_END_ADMIN_RESET);
	if (_i == 0) /* killed before that was written */
		world.record[slot].state = BNG_SUBSCRIBER_ACTIVE;
	restart();
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
	for (int i = 0; i < 30; i++)
		world_seconds(3.1);
	ck_assert_ptr_nonnull(sent("11a7"));
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_uint_eq(link_count(world.pppoe->links), 0);
}
END_TEST

START_TEST(open_sessions_are_found_again)
{
	uint32_t slot = client_up(&alice);

	world_seconds(10);
	restart();
	ck_assert_uint_eq(world.pppoe->peer_count, 1);
	ck_assert_uint_eq(stats->adopted, 0);
	ck_assert_uint_eq(world.frames, 0);
	client_padt(&alice);
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
}
END_TEST

START_TEST(what_was_not_written_by_us_is_not_adopted)
{
	ck_assert(client_discover(&alice));
	struct peer *peer = TAILQ_FIRST(&world.pppoe->peers);
	struct link_record *record = link_record(world.pppoe->links, peer->setup - 1);

	switch (_i) {
	case 0:
		record->live[0].ppp.phase = record->live[1].ppp.phase = 200;
		break;
	case 1:
		record->current = 7;
		break;
	case 2:
		record->client.pppoe_session = 0;
		break;
	default:
		record->live[0].profile_length = record->live[1].profile_length = UINT32_MAX;
		break;
	}
	restart();
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_uint_eq(stats->abandoned, 1);
	ck_assert_uint_eq(link_count(world.pppoe->links), 0);
	ck_assert(client_discover(&alice));
}
END_TEST

/* ---- Keepalive --------------------------------------------------------------------------------- */

static void keepalive_seconds(int seconds)
{
	while (seconds--) {
		world_seconds(1);
		keepalive_second(world.pppoe, world.now_ns);
	}
}

START_TEST(who_is_silent_is_asked_and_given_up)
{
	uint32_t slot = client_up(&alice);

	keepalive_seconds(8);
	ck_assert_uint_eq(stats->sent[PPPOE_SENT_ECHO], 0);
	keepalive_seconds(22);
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_ACTIVE);
	ck_assert_uint_ge(stats->sent[PPPOE_SENT_ECHO], 2);
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 09"));
	keepalive_seconds(30);
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_int_eq(world.end, SESSION_END_LOST_CARRIER);
	ck_assert_uint_eq(stats->sent[PPPOE_SENT_ECHO], 3);
	ck_assert_uint_eq(stats->lost, 1);
}
END_TEST

START_TEST(who_answers_stays)
{
	uint32_t slot = client_up(&alice);

	for (int i = 0; i < 100; i++) {
		uint64_t before = stats->sent[PPPOE_SENT_ECHO];

		keepalive_seconds(1);
		if (stats->sent[PPPOE_SENT_ECHO] != before)
			world.record[slot].ppp_alive = bng_ppp_alive(maps_tick(NULL));
	}
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_ACTIVE);
	ck_assert_uint_ge(stats->sent[PPPOE_SENT_ECHO], 5);
	/* Who sends is not even asked. */
	uint64_t before = stats->sent[PPPOE_SENT_ECHO];
	for (int i = 0; i < 50; i++) {
		world.record[slot].last_up_tick = maps_tick(NULL);
		keepalive_seconds(1);
	}
	ck_assert_uint_eq(stats->sent[PPPOE_SENT_ECHO], before);
}
END_TEST

/* Hours of silence while nobody was here count for nothing. */
START_TEST(a_restart_forgives_silence)
{
	uint32_t slot = client_up(&alice);

	keepalive_seconds(35);
	world_seconds(7200);
	restart();
	keepalive_seconds(29);
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_ACTIVE);
	keepalive_seconds(20);
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_CLOSING);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pppoe_down");
	TCase *cases = tcase_create("pppoe_down");

	tcase_add_checked_fixture(cases, setup, world_free);
	tcase_add_test(cases, rfc2516_s5_5_a_padt_ends_a_session);
	tcase_add_loop_test(cases, a_terminate_request_ends_a_session, 0, 2);
	tcase_add_loop_test(cases, rfc2516_s5_5_who_closes_it_here_takes_leave_there, 0, 2);
	tcase_add_loop_test(cases, a_client_may_begin_lcp_anew, 0, 2);
	tcase_add_test(cases, who_believes_in_a_session_hears_that_there_is_none);
	tcase_add_test(cases, who_does_not_come_up_is_given_up);
	tcase_add_loop_test(cases, killed_anywhere_it_goes_on, 0, 5);
	tcase_add_test(cases, killed_it_keeps_its_address);
	tcase_add_test(cases, killed_between_the_question_and_its_record);
	tcase_add_test(cases, killed_between_the_session_and_its_client);
	tcase_add_loop_test(cases, killed_while_it_ends_it_ends, 0, 2);
	tcase_add_test(cases, open_sessions_are_found_again);
	tcase_add_loop_test(cases, what_was_not_written_by_us_is_not_adopted, 0, 4);
	tcase_add_test(cases, who_is_silent_is_asked_and_given_up);
	tcase_add_test(cases, who_answers_stays);
	tcase_add_test(cases, a_restart_forgives_silence);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
