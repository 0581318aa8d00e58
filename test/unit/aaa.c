/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Authorisation: what is asked, what is made of each answer and of none, and who is not
 * asked about.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aaa_fixture.h"
#include "controld/radius/mschap.h"
#include "lib/clock.h"
#include "run.h"

static const uint8_t challenge[16] = "0123456789abcde";

static struct authorise_question ppp_question(const char *user, enum credential kind, const void *response,
					      size_t length)
{
	return (struct authorise_question){
		.kind = BNG_SESSION_PPPOE,
		.client = {.interface = 3, .outer_vid = 100, .mac = {2, 0, 0, 0, 0, 8}, .pppoe_session = 5},
		.user = user,
		.session_id = 0x1122334455667788,
		.credentials = {.kind = kind,
				.id = 9,
				.challenge = challenge,
				.challenge_length = sizeof(challenge),
				.response = response,
				.response_length = length},
	};
}

static void ask_and_wait(const struct authorise_question *question)
{
	unsigned before = world.answers;

	ck_assert_int_eq(ask(question, 1), 0);
	ck_assert_uint_eq(world.answers, before); /* never before it returns */
	run_until(before + 1);
}

/* ---- What is asked ---------------------------------------------------------------------- */

START_TEST(rfc2865_s4_1_a_line_is_described)
{
	struct authorise_question question = line_question();
	uint8_t circuit[] = {'o', 'l', 't', 1, 0xff}, remote[300];

	memset(remote, 'r', sizeof(remote));
	question.line = (struct session_line){circuit, remote, sizeof(circuit), sizeof(remote)};
	question.session_id = 0xabcdef;
	question.address_be = inet_addr("10.0.0.77");
	ask_and_wait(&question);
	ck_assert_str_eq(heard_text(0, 1), "02:00:00:00:00:09");
	ck_assert_str_eq(heard_password(), "02:00:00:00:00:09");
	ck_assert_str_eq(heard_text(0, 32), "bng");
	ck_assert_uint_eq(heard_number(0, 4), 0xc0000201);
	ck_assert_uint_eq(heard_number(0, 5), 3u << 24 | 100u << 12 | 7);
	ck_assert_uint_eq(heard_number(0, 61), 15);
	ck_assert_uint_eq(heard_number(0, 6), 2);
	ck_assert_str_eq(heard_text(0, 7), "(none)");
	ck_assert_uint_eq(heard_number(0, 8), 0x0a00004d);
	ck_assert_str_eq(heard_text(0, 87), "access0:100.7");
	ck_assert_str_eq(heard_text(0, 31), "02:00:00:00:00:09");
	ck_assert_str_eq(heard_text(0, 30), "access0");
	ck_assert_str_eq(heard_text(0, 44), "0000000000abcdef");
	ck_assert_str_eq(heard_text(3561, 1), "olt\1\xff");
	ck_assert_uint_eq(strlen(heard_text(3561, 2)), RADIUS_VALUE_MAX - 6);
	ck_assert_str_ne(heard_text(0, 80), "(none)");
	ck_assert_str_eq(world.profile.user, "02:00:00:00:00:09");
	ck_assert_str_eq(world.source, "one");
	ck_assert_uint_eq(counts().method[CREDENTIAL_LINE].asked, 1);
	ck_assert_uint_eq(counts().method[CREDENTIAL_LINE].granted, 1);
}
END_TEST

START_TEST(names_are_made_as_configured)
{
	static const struct {
		const char *format;
		const char *user;
	} rows[] = {
		{"%{mac}@%{interface}", "02:00:00:00:00:09@access0"},
		{"%{outer_vid}.%{inner_vid}", "100.7"},
		{"x-%{circuit_id}", "x-olt 7"},
		{"%{remote_id}", "00ff"},
		{"%{address}%", "10.0.0.77%"},
	};
	struct authorise_question question = line_question();
	char aaa[256];

	question.line = (struct session_line){(uint8_t *)"olt 7", (uint8_t *)"\0\xff", 5, 2};
	question.address_be = inet_addr("10.0.0.77");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(aaa, sizeof(aaa),
			 "{\"ipoe\": {\"method\": \"radius\", \"username\": \"%s\", \"password\": \"open\"}}",
			 rows[i].format);
		world_configure(aaa);
		ask_and_wait(&question);
		ck_assert_str_eq(heard_text(0, 1), rows[i].user);
		ck_assert_str_eq(heard_password(), "open");
		ck_assert_str_eq(world.profile.user, rows[i].user);
	}
}
END_TEST

START_TEST(rfc2865_s4_1_pap_and_chap_are_proven)
{
	uint8_t answer[17] = "0123456789ABCDEF", value[RADIUS_VALUE_MAX];
	struct authorise_question question = ppp_question("nemo", CREDENTIAL_PAP, "arctangent", 10);

	ask_and_wait(&question);
	ck_assert_str_eq(heard_text(0, 1), "nemo");
	ck_assert_str_eq(heard_password(), "arctangent");
	ck_assert_uint_eq(heard_number(0, 7), 1);
	ck_assert_uint_eq(heard_number(0, 61), 33);
	ck_assert_str_eq(heard_text(0, 87), "access0:100");
	ck_assert_str_eq(heard_text(0, 44), "1122334455667788");
	question = ppp_question("nemo", CREDENTIAL_CHAP, answer, 16);
	ask_and_wait(&question);
	ck_assert_str_eq(heard_password(), "(none)");
	ck_assert_int_eq(heard_attribute(0, 3, value), 17);
	ck_assert(value[0] == 9 && !memcmp(value + 1, answer, 16));
	ck_assert_int_eq(heard_attribute(0, 60, value), 16);
	ck_assert(!memcmp(value, challenge, 16));
	ck_assert_uint_eq(counts().method[CREDENTIAL_PAP].granted, 1);
	ck_assert_uint_eq(counts().method[CREDENTIAL_CHAP].granted, 1);
}
END_TEST

START_TEST(mschap2_is_proven_both_ways)
{
	static const char proof[] = "S=407A5589115FD0D6209F510FE9C04566932CDA56";
	uint8_t answer[MSCHAP_ANSWER], value[RADIUS_VALUE_MAX];
	struct authorise_question question = ppp_question("nemo", CREDENTIAL_MSCHAP2, answer, sizeof(answer));

	for (unsigned i = 0; i < sizeof(answer); i++)
		answer[i] = (uint8_t)i;
	reply_with(RADIUS_ACCESS_ACCEPT);
	reply_add(311, 26, "\x09S=407A5589115FD0D6209F510FE9C04566932CDA56", 43);
	ask_and_wait(&question);
	ck_assert_int_eq(heard_attribute(311, 25, value), 50);
	ck_assert(value[0] == 9 && value[1] == 48 && value[2] == 0 && value[49] == 47);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	ck_assert_str_eq(world.success, proof);
	reply_with(RADIUS_ACCESS_ACCEPT);
	reply_add_text(311, 26, proof); /* without Ident, as some have it */
	ask_and_wait(&question);
	ck_assert_str_eq(world.success, proof);
	reply_with(RADIUS_ACCESS_REJECT);
	reply_add(311, 2,
		  "\x09"
		  "E=691 R=0 C=00 V=3",
		  19);
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
	ck_assert_str_eq(world.error, "E=691 R=0 C=00 V=3");
	ck_assert_str_eq(world.success, "(none)");
	ck_assert_str_eq(world.message, "refused by one");
}
END_TEST

START_TEST(an_accept_that_a_subscriber_would_not_believe_is_none)
{
	uint8_t answer[MSCHAP_ANSWER] = {0};
	struct authorise_question question = ppp_question("nemo", CREDENTIAL_MSCHAP2, answer, sizeof(answer));

	reply_with(RADIUS_ACCESS_ACCEPT);
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
	ck_assert_str_eq(world.message,
			 "one accepted without MS-CHAP2-Success: the subscriber would not believe it");
}
END_TEST

START_TEST(what_cannot_be_asked_is_denied)
{
	static char user[300], big[RADIUS_PASSWORD_MAX + 1];
	const struct {
		struct authorise_question question;
		const char *message;
	} rows[] = {
		{ppp_question(memset(user, 'u', 254), CREDENTIAL_PAP, "x", 1),
		 "the user's name is longer than"},
		{ppp_question("a", CREDENTIAL_PAP, big, sizeof(big)),
		 "its password, challenge or answer has"},
		{ppp_question("a", CREDENTIAL_CHAP, "x", 1), "its password, challenge or answer has"},
		{ppp_question("a", CREDENTIAL_MSCHAP2, big, 48), "its password, challenge or answer has"},
		{line_question(), "its line does not tell what /aaa/ipoe/username is made of"},
	};

	world_configure("{\"ipoe\": {\"method\": \"radius\", \"username\": \"%{circuit_id}\"}}");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_and_wait(&rows[i].question);
		ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
		ck_assert_msg(!strncmp(world.message, rows[i].message, strlen(rows[i].message)), "%s",
			      world.message);
		ck_assert_uint_eq(counts().malformed, i + 1);
	}
	ck_assert_uint_eq(world.heard, 0);
}
END_TEST

/* ---- What it means ------------------------------------------------------------------------- */

START_TEST(defaults_complete_an_answer)
{
	struct authorise_question question = line_question();

	world_configure(
		"{\"ipoe\": {\"method\": \"radius\"}, \"profiles\": [{\"rate_up\": 1000, \"rate_down\": "
		"2000, "
		"\"burst_down\": 77, \"session_timeout\": 60, \"idle_timeout\": 5, \"interim\": 6, "
		"\"max_mappings\": 7, \"max_blocks\": 2, \"nat_pool\": \"gold\", \"dns\": [\"192.0.2.7\"]}, "
		"{\"pool\": \"homes\", \"rate_down\": 9}]}");
	reply_with(RADIUS_ACCESS_ACCEPT);
	reply_add_text(0, 1, "nemo");
	reply_add_text(0, 18, "welcome");
	reply_add_number(0, 27, 3600);
	ask_and_wait(&question);
	ck_assert_uint_eq(world.profile.given, PROFILE_USER | PROFILE_RATE_UP | PROFILE_RATE_DOWN |
						       PROFILE_SESSION_TIMEOUT | PROFILE_IDLE_TIMEOUT |
						       PROFILE_INTERIM | PROFILE_MAX_MAPPINGS |
						       PROFILE_MAX_BLOCKS | PROFILE_NAT_POOL | PROFILE_DNS);
	ck_assert_str_eq(world.profile.user, "nemo");
	ck_assert_str_eq(world.message, "welcome");
	ck_assert_uint_eq(world.profile.up.bits_s, 1000);
	ck_assert_uint_eq(world.profile.down.burst_bytes, 77);
	ck_assert_uint_eq(world.profile.session_timeout_s, 3600);
	ck_assert_uint_eq(world.profile.max_blocks, 2);
	ck_assert_str_eq(world.profile.nat_pool, "gold");
	ck_assert_uint_eq(world.profile.dns_be[0], inet_addr("192.0.2.7"));
	reply_with(RADIUS_ACCESS_ACCEPT);
	reply_add_text(0, 88, "homes");
	ask_and_wait(&question);
	ck_assert_uint_eq(world.profile.given, PROFILE_USER | PROFILE_POOL | PROFILE_RATE_DOWN);
	ck_assert_uint_eq(world.profile.down.bits_s, 9);
}
END_TEST

START_TEST(values_without_sense_refuse_or_are_left_out)
{
	struct authorise_question question = line_question();

	reply_with(RADIUS_ACCESS_ACCEPT);
	reply_add_text(0, 88, "nowhere");
	reply_add_number(0, 27, 60);
	world_configure("{\"ipoe\": {\"method\": \"radius\"}, \"invalid_values\": \"ignore\"}");
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	ck_assert_uint_eq(world.profile.given, PROFILE_USER | PROFILE_SESSION_TIMEOUT);
	ck_assert_uint_eq(counts().invalid_values, 1);
	ck_assert_uint_eq(counts().refused_values, 0);
	world_configure("{\"ipoe\": {\"method\": \"radius\"}}");
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
	ck_assert_str_eq(world.message,
			 "one said Framed-Pool: \"nowhere\": must be the name of a configured address "
			 "pool");
	ck_assert_uint_eq(counts().invalid_values, 2);
	ck_assert_uint_eq(counts().refused_values, 1);
	ck_assert_uint_eq(counts().method[CREDENTIAL_LINE].denied, 1);
}
END_TEST

START_TEST(rfc2865_s4_4_a_challenge_is_a_denial)
{
	struct authorise_question question = line_question();

	reply_with(RADIUS_ACCESS_CHALLENGE);
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
	ck_assert_ptr_nonnull(strstr(world.message, "one asks for one more answer (Access-Challenge)"));
}
END_TEST

START_TEST(who_was_denied_is_not_asked_about_for_a_while)
{
	struct authorise_question question = line_question(), other = line_question();
	unsigned left_s;
	int end = 0;

	world_configure("{\"ipoe\": {\"method\": \"radius\"}, \"hold_off_seconds\": 4}");
	reply_with(RADIUS_ACCESS_REJECT);
	reply_add_text(0, 18, "unpaid");
	ask_and_wait(&question);
	ck_assert_str_eq(world.message, "unpaid");
	reply_with(RADIUS_ACCESS_ACCEPT);
	for (int i = 0; i < 3; i++) {
		ask_and_wait(&question);
		ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
		ck_assert_int_eq(sscanf(world.message, "unpaid (not asked again for %u s)%n", &left_s, &end),
				 1);
		ck_assert(left_s <= 4 && end && !world.message[end]);
		ck_assert_str_eq(world.source, "one");
	}
	ck_assert_uint_eq(world.heard, 1);
	ck_assert_uint_eq(counts().held_off, 3);
	ck_assert_uint_eq(hold_off_count(world.controld.aaa, clock_boottime_ns()), 1);
	other.client.mac[5]++;
	ask_and_wait(&other);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	other = line_question();
	other.user = "somebody else";
	ask_and_wait(&other);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	nanosleep(&(struct timespec){4, 10000000}, NULL);
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	ck_assert_uint_eq(counts().held_off, 3);
}
END_TEST

START_TEST(a_shorter_hold_off_holds_at_once)
{
	struct authorise_question question = line_question();

	world_configure("{\"ipoe\": {\"method\": \"radius\"}, \"hold_off_seconds\": 3600}");
	reply_with(RADIUS_ACCESS_REJECT);
	ask_and_wait(&question);
	ask_and_wait(&question);
	ck_assert_uint_eq(world.heard, 1);
	world_configure("{\"ipoe\": {\"method\": \"radius\"}, \"hold_off_seconds\": 0}");
	ask_and_wait(&question);
	ask_and_wait(&question);
	ck_assert_uint_eq(world.heard, 3);
}
END_TEST

START_TEST(one_question_for_each_client)
{
	struct authorise_question question = line_question(), other = line_question();

	other.client.inner_vid++;
	ck_assert_int_eq(ask(&question, 1), 0);
	ck_assert_int_eq(ask(&question, 2), -EALREADY);
	ck_assert_int_eq(ask(&other, 3), 0);
	ck_assert_uint_eq(world.controld.aaa->under_way.count, 2);
	run_until(2);
	ck_assert_uint_eq(world.ticket.owner, AUTHORISE_DHCP4);
	ck_assert(world.ticket.context[0] == 3 && world.ticket.context[AUTHORISE_TICKET - 1] == 3);
	ck_assert_uint_eq(world.controld.aaa->under_way.count, 0);
	ck_assert_uint_eq(counts().repeated, 1);
	ask_and_wait(&question);
	ck_assert_uint_eq(world.heard, 3);
}
END_TEST

START_TEST(each_pppoe_session_may_ask_and_all_are_held_off)
{
	struct authorise_question question = ppp_question("nemo", CREDENTIAL_PAP, "x", 1), other = question;

	other.client.pppoe_session++;
	reply_with(RADIUS_ACCESS_REJECT);
	ck_assert_int_eq(ask(&question, 1), 0);
	ck_assert_int_eq(ask(&other, 2), 0);
	ck_assert_int_eq(ask(&question, 3), -EALREADY);
	run_until(2);
	ck_assert_uint_eq(world.heard, 2);
	other.client.pppoe_session++;
	ask_and_wait(&other);
	ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
	ck_assert_uint_eq(world.heard, 2);
	ck_assert_uint_eq(counts().held_off, 1);
}
END_TEST

/* ---- Nobody answers --------------------------------------------------------------------------- */

START_TEST(silence_is_told_and_then_refused_at_once)
{
	struct authorise_question question = line_question();

	reply_with(0);
	ask_and_wait(&question);
	ck_assert_int_eq(world.outcome, AUTHORISE_UNANSWERED);
	ck_assert_str_eq(world.message, "no RADIUS server answered");
	ck_assert_int_eq(ask(&question, 1), -EHOSTUNREACH);
	ck_assert_uint_eq(world.heard, 1);
	ck_assert_uint_eq(counts().method[CREDENTIAL_LINE].unanswered, 1);
	ck_assert_uint_eq(counts().no_server, 1);
	ck_assert_uint_eq(world.controld.aaa->under_way.count, 0);
}
END_TEST

START_TEST(a_fallback_grants_what_the_profile_says)
{
	struct authorise_question question = line_question(),
				  ppp = ppp_question("nemo", CREDENTIAL_PAP, "x", 1);

	world_configure("{\"ipoe\": {\"method\": \"radius\", \"fallback\": \"local\"}, \"profiles\": "
			"[{\"rate_up\": 5}]}");
	reply_with(0);
	for (unsigned i = 1; i <= 2; i++) {
		ask_and_wait(&question); /* asked in vain, then not at all */
		ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
		ck_assert_str_eq(world.source, "local");
		ck_assert_str_eq(world.profile.user, "02:00:00:00:00:09");
		ck_assert_uint_eq(world.profile.up.bits_s, 5);
		ck_assert_uint_eq(counts().fallback, i);
	}
	ck_assert_uint_eq(world.heard, 1);
	ck_assert_int_eq(ask(&ppp, 1), -EHOSTUNREACH);
}
END_TEST

START_TEST(the_queue_is_bounded)
{
	struct authorise_question question = line_question();

	reply_with(0);
	for (uint8_t i = 0; i < 8; i++) {
		question.client.mac[4] = i;
		ck_assert_int_eq(ask(&question, i), 0);
	}
	question.client.mac[4] = 8;
	ck_assert_int_eq(ask(&question, 8), -ENOBUFS);
	ck_assert_uint_eq(counts().queue_full, 1);
	run_until(8);
	ck_assert_uint_eq(counts().method[CREDENTIAL_LINE].unanswered, 8);
}
END_TEST

START_TEST(without_radius_nobody_is_asked)
{
	struct authorise_question line = line_question(), pap = ppp_question("nemo", CREDENTIAL_PAP, "x", 1);
	struct authorise_question mschap2 = ppp_question("nemo", CREDENTIAL_MSCHAP2, challenge, 16);

	world_configure("{\"pppoe\": {\"method\": \"none\"}, \"profiles\": [{\"rate_up\": 5}]}");
	ck_assert_int_eq(ask(&line, 1), -ENOTSUP);
	ask_and_wait(&pap);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	ck_assert_uint_eq(world.profile.given, PROFILE_USER);
	ask_and_wait(&mschap2);
	ck_assert_int_eq(world.outcome, AUTHORISE_DENIED);
	world_configure("{\"ipoe\": {\"method\": \"local\"}, \"profiles\": [{\"rate_up\": 5}]}");
	ask_and_wait(&line);
	ck_assert_int_eq(world.outcome, AUTHORISE_GRANTED);
	ck_assert_uint_eq(world.profile.given, PROFILE_USER | PROFILE_RATE_UP);
	ck_assert_uint_eq(world.heard, 0);
	ck_assert_uint_eq(counts().local, 2);
}
END_TEST

/* ---- The parts ---------------------------------------------------------------------------------- */

START_TEST(tickets_come_back_as_they_were)
{
	struct authorise_ticket ticket = {.owner = AUTHORISE_FIRST_PACKET};
	struct radius_ticket packed;

	for (unsigned i = 0; i < AUTHORISE_TICKET; i++)
		ticket.context[i] = (uint8_t)(i + 1);
	ticket_pack(&ticket, CREDENTIAL_MSCHAP2, true, 0x123456789abc, &packed);
	struct aaa_ticket back = ticket_unpack(&packed);
	ck_assert_uint_eq(packed.owner, RADIUS_OWNER_AAA);
	ck_assert(!memcmp(&back.ticket, &ticket, sizeof(ticket)));
	ck_assert(back.credential == CREDENTIAL_MSCHAP2 && back.is_pppoe && back.client == 0x123456789abc);
}
END_TEST

/* Random additions and removals against a list, with numbers that share their place. */
START_TEST(the_set_under_way_is_exact)
{
	static bool is_in[512];
	struct under_way set;
	uint32_t count = 0;

	srandom(4);
	ck_assert(!under_way_new(&set));
	for (int step = 0; step < 50000; step++) {
		unsigned which = (unsigned)random() % 512;
		uint64_t client = 1 + (which % 37) + ((uint64_t)(which / 37) << 17);

		if (random() % 2) {
			count += !is_in[which];
			is_in[which] = true;
			under_way_add(&set, client);
		} else {
			count -= is_in[which];
			is_in[which] = false;
			under_way_remove(&set, client);
		}
		which = (unsigned)random() % 512;
		ck_assert_int_eq(under_way_has(&set, 1 + (which % 37) + ((uint64_t)(which / 37) << 17)),
				 is_in[which]);
		ck_assert_uint_eq(set.count, count);
	}
	under_way_free(&set);
}
END_TEST

START_TEST(hold_offs_are_bounded_and_make_room)
{
	struct aaa *aaa = world.controld.aaa;
	uint32_t lost;

	for (uint64_t client = 1; client <= 2 * AAA_HOLD_OFFS; client++)
		hold_off_add(aaa, client * 0x9e3779b97f4aull >> 2, 1000, 5000, "one", "no");
	lost = (uint32_t)counts().not_held_off;
	ck_assert_uint_eq(hold_off_count(aaa, 1000) + lost, 2 * AAA_HOLD_OFFS);
	ck_assert_uint_gt(lost, AAA_HOLD_OFFS - 1);
	ck_assert_uint_eq(hold_off_count(aaa, 5000), 0);
	hold_off_add(aaa, 77, 5000, 6000, "one", "no");
	hold_off_add(aaa, 77, 5500, 7000, "two", "still no");
	ck_assert_uint_eq(hold_off_count(aaa, 5600), 1);
	ck_assert_str_eq(hold_off_find(aaa, 77, 6500)->message, "still no");
	ck_assert_ptr_null(hold_off_find(aaa, 77, 7000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aaa");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, world_start, world_stop);
	tcase_add_test(tcase, rfc2865_s4_1_a_line_is_described);
	tcase_add_test(tcase, names_are_made_as_configured);
	tcase_add_test(tcase, rfc2865_s4_1_pap_and_chap_are_proven);
	tcase_add_test(tcase, mschap2_is_proven_both_ways);
	tcase_add_test(tcase, an_accept_that_a_subscriber_would_not_believe_is_none);
	tcase_add_test(tcase, what_cannot_be_asked_is_denied);
	tcase_add_test(tcase, defaults_complete_an_answer);
	tcase_add_test(tcase, values_without_sense_refuse_or_are_left_out);
	tcase_add_test(tcase, rfc2865_s4_4_a_challenge_is_a_denial);
	tcase_add_test(tcase, who_was_denied_is_not_asked_about_for_a_while);
	tcase_add_test(tcase, a_shorter_hold_off_holds_at_once);
	tcase_add_test(tcase, one_question_for_each_client);
	tcase_add_test(tcase, each_pppoe_session_may_ask_and_all_are_held_off);
	tcase_add_test(tcase, silence_is_told_and_then_refused_at_once);
	tcase_add_test(tcase, a_fallback_grants_what_the_profile_says);
	tcase_add_test(tcase, the_queue_is_bounded);
	tcase_add_test(tcase, without_radius_nobody_is_asked);
	tcase_add_test(tcase, tickets_come_back_as_they_were);
	tcase_add_test(tcase, the_set_under_way_is_exact);
	tcase_add_test(tcase, hold_offs_are_bounded_and_make_room);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
