/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE around its engine: discovery, limits, and the way to a session.
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

static void ck_tag(const uint8_t *packet, uint16_t tag, const char *text)
{
	uint16_t length;
	const uint8_t *value = sent_tag(packet, tag, &length);

	ck_assert_ptr_nonnull(value);
	ck_assert_uint_eq(length, strlen(text));
	ck_assert(!memcmp(value, text, length));
}

/* ---- Discovery ------------------------------------------------------------------------------ */

START_TEST(rfc2516_s5_2_a_padi_leaves_nothing_behind)
{
	ck_assert_int_eq(client_padi(&alice, "0101 0000 0103 0002 beef 0110 0003 726c79"), PPPOE_ACCEPTED);
	const uint8_t *offer = sent("1107 0000");
	ck_assert_ptr_nonnull(offer);
	ck_tag(offer, PPPOE_TAG_AC_NAME, "holdfast");
	ck_tag(offer, PPPOE_TAG_SERVICE_NAME, "");
	ck_tag(offer, PPPOE_TAG_HOST_UNIQ, "\xbe\xef");
	ck_tag(offer, PPPOE_TAG_RELAY_SESSION, "rly");
	ck_assert(!memcmp(world.frame[0].bytes, "\x02\0\0\0\0\x07\x02\0\0\0\0\xfe\x81\0\0\x64\x88\x63", 18));
	ck_assert_uint_eq(world.pppoe->peer_count + link_count(world.pppoe->links), 0);
	ck_assert_uint_eq(stats->received[PPPOE_RECEIVED_PADI], 1);
	ck_assert_uint_eq(stats->sent[PPPOE_SENT_PADO], 1);
}
END_TEST

START_TEST(rfc2516_s5_4_a_padr_with_its_cookie_makes_a_session)
{
	ck_assert(client_discover(&alice));
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 01")); /* LCP has begun */
	ck_assert_uint_eq(stats->started, 1);
	ck_assert_uint_eq(link_count(world.pppoe->links), 1);
}
END_TEST

static const struct {
	const char *what;
	const char *tags;
	enum pppoe_refusal why;
} bad_padis[] = {
	{"no service name", "0103 0002 beef", PPPOE_REFUSED_MALFORMED},
	{"two of them", "0101 0000 0101 0000", PPPOE_REFUSED_MALFORMED},
	{"a service that is not offered", "0101 0003 787878", PPPOE_REFUSED_SERVICE},
};

START_TEST(rfc2516_s5_1_what_is_not_offered_gets_no_answer)
{
	strcpy(world.config.pppoe.service[0], "internet");
	world.config.pppoe.service_count = 1;
	ck_assert_msg(client_padi(&alice, bad_padis[_i].tags) == bad_padis[_i].why, "%s", bad_padis[_i].what);
	ck_assert_uint_eq(world.frames, 0);
	ck_assert_uint_eq(stats->refused[bad_padis[_i].why], 1);
}
END_TEST

START_TEST(rfc2516_s5_2_rfc2516_s5_4_services_are_offered_and_chosen)
{
	uint16_t length;

	strcpy(world.config.pppoe.service[0], "internet");
	strcpy(world.config.pppoe.service[1], "voice");
	world.config.pppoe.service_count = 2;
	client_padi(&alice, "0101 0005 766f696365"); /* voice */
	const uint8_t *offer = sent("1107");
	ck_tag(offer, PPPOE_TAG_SERVICE_NAME, "voice");
	const uint8_t *first = sent_tag(offer, PPPOE_TAG_SERVICE_NAME, &length);
	ck_assert(!memcmp(first + length, "\x01\x01\x00\x08internet\x01\x04", 14));
	/* The cookie is for voice. */
	ck_assert_int_eq(client_padr(&alice, "0101 0008 696e7465726e6574"), PPPOE_REFUSED_COOKIE);
	ck_assert_int_eq(client_padr(&alice, "0101 0005 766f696365"), PPPOE_ACCEPTED);
	/* Who asked for any may choose, but only what there is. */
	struct double_client bob = {.mac = 8};
	client_padi(&bob, "0101 0000");
	forget_sent();
	ck_assert_int_eq(client_padr(&bob, "0101 0003 787878"), PPPOE_REFUSED_SERVICE);
	ck_assert_ptr_nonnull(sent_tag(sent("1165 0000"), PPPOE_TAG_SERVICE_NAME_ERROR, &length));
	ck_assert_int_eq(client_padr(&bob, "0101 0008 696e7465726e6574"), PPPOE_ACCEPTED);
}
END_TEST

START_TEST(rfc2516_s9_a_cookie_is_needed_and_lives_a_minute)
{
	ck_assert_int_eq(client_padr(&alice, ASKED), PPPOE_REFUSED_COOKIE);
	client_padi(&alice, ASKED);
	struct double_client bob = alice;
	bob.mac = 8;
	ck_assert_int_eq(client_padr(&bob, ASKED), PPPOE_REFUSED_COOKIE);
	world_seconds(61);
	ck_assert_int_eq(client_padr(&alice, ASKED), PPPOE_REFUSED_COOKIE);
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_ptr_null(sent("1165"));
	client_padi(&alice, ASKED);
	world_seconds(60);
	ck_assert_int_eq(client_padr(&alice, ASKED), PPPOE_ACCEPTED);
}
END_TEST

START_TEST(a_cookie_given_before_a_restart_is_good_after_it)
{
	client_padi(&alice, ASKED);
	restart();
	ck_assert_int_eq(client_padr(&alice, ASKED), PPPOE_ACCEPTED);
	ck_assert_uint_ne(alice.session, 0);
}
END_TEST

START_TEST(the_same_padr_gets_the_same_pads)
{
	uint16_t session;

	ck_assert(client_discover(&alice));
	session = alice.session;
	forget_sent();
	ck_assert_int_eq(client_padr(&alice, ASKED), PPPOE_ACCEPTED);
	ck_assert_uint_eq(alice.session, session);
	ck_assert_uint_eq(stats->repeated, 1);
	ck_assert_uint_eq(world.pppoe->peer_count, 1);
}
END_TEST

START_TEST(rfc4638_s4_a_larger_payload_is_agreed_on)
{
	const struct {
		uint16_t mru;
		const char *asked;
		const char *told; /* NULL: nothing */
	} rows[] = {{1492, "0120 0002 05dc", NULL},
		    {1500, "0120 0002 05dc", "\x05\xdc"},
		    {1500, "0120 0002 05d8", "\x05\xd8"},
		    {1498, "0120 0002 05dc", "\x05\xda"},
		    {1500, "", NULL},
		    {1500, "0120 0002 05d4", NULL}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint16_t length;
		char tags[64] = "0101 0000 ";

		world.config.pppoe.mru = rows[i].mru;
		forget_sent();
		client_padi(&alice, strcat(tags, rows[i].asked));
		if (rows[i].told)
			ck_tag(sent("1107"), PPPOE_TAG_MAX_PAYLOAD, rows[i].told);
		else
			ck_assert_ptr_null(sent_tag(sent("1107"), PPPOE_TAG_MAX_PAYLOAD, &length));
	}
}
END_TEST

static const struct {
	uint16_t interface_mtu;
	uint16_t inner_vid;
	uint16_t configured;
	const char *asked;
	const char *request; /* our first Configure-Request, its MRU */
} rooms[] = {
	{1500, 0, 1492, "", "c021 01.. .... 0104 05d4"},
	{1500, 7, 1492, "", "c021 01.. .... 0104 05d0"},
	{1500, 7, 1500, "0120 0002 05dc", "c021 01.. .... 0104 05d0"},
	{1504, 7, 1492, "", "c021 01.. .... 0104 05d4"},
	{1508, 0, 1500, "", "c021 01.. .... 0104 05d4"},
	{1508, 0, 1500, "0120 0002 05dc", "c021 01.. .... 0104 05dc"},
	{1508, 7, 1500, "0120 0002 05dc", "c021 01.. .... 0104 05d8"},
	{1508, 0, 1400, "0120 0002 05dc", "c021 01.. .... 0104 0578"},
	{100, 7, 1492, "", "c021 01.. .... 0104 0080"},
};

START_TEST(no_more_is_agreed_on_than_the_interface_has_room_for)
{
	char tags[64] = "0101 0000 0103 0002 beef ", request[64] = "1100 .... .... ";

	alice.inner_vid = rooms[_i].inner_vid;
	world.controld.maps->interface[1].mtu = rooms[_i].interface_mtu;
	world.config.pppoe.mru = rooms[_i].configured;
	client_padi(&alice, strcat(tags, rooms[_i].asked));
	client_padr(&alice, tags);
	ck_assert_ptr_nonnull(sent(strcat(request, rooms[_i].request)));
}
END_TEST

/* The link is made again from the session: what RFC 4638 allowed it once it still may have. */
START_TEST(a_larger_link_is_renegotiated_as_large)
{
	static const char large[] = "c021 0101 000e 0104 05dc 0506 01020304";

	world.config.pppoe.mru = 1500;
	client_padi(&alice, "0101 0000 0103 0002 beef 0120 0002 05dc");
	client_padr(&alice, "0101 0000 0103 0002 beef 0120 0002 05dc");
	client_acknowledge(&alice, "1100 .... .... c021 01");
	client_ppp(&alice, large);
	client_say_name(&alice);
	world_grant(NULL, NULL);
	client_network(&alice);
	world_durable();
	ck_assert_uint_eq(world.record[1].mtu, 1500);
	world_seconds(10); /* its record is given back */
	ck_assert_uint_eq(link_count(world.pppoe->links), 0);
	forget_sent();
	client_ppp(&alice, large);
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 0201")); /* acknowledged */
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 01.. .... 0104 05dc"));
}
END_TEST

START_TEST(rfc2516_s4_other_codes_and_places_are_refused)
{
	uint8_t frame[] = "\xff\xff\xff\xff\xff\xff\x02\0\0\0\0\x07\x88\x63\x11\x09\0\0\0\x04\x01\x01\0\0";

	ck_assert_int_eq(pppoe_discover(world.pppoe, 2, frame, 24, 1), PPPOE_REFUSED_INTERFACE);
	ck_assert_int_eq(pppoe_discover(world.pppoe, 1, frame, 23, 1), PPPOE_REFUSED_MALFORMED);
	frame[15] = 0x07;
	ck_assert_int_eq(pppoe_discover(world.pppoe, 1, frame, 24, 1), PPPOE_REFUSED_CODE);
	frame[6] = 3;
	ck_assert_int_eq(pppoe_discover(world.pppoe, 1, frame, 24, 1), PPPOE_REFUSED_SOURCE);
	ck_assert_uint_eq(world.frames, 0);
}
END_TEST

/* ---- Limits ----------------------------------------------------------------------------------- */

START_TEST(a_client_that_begins_again_replaces_itself)
{
	uint32_t slot = client_up(&alice);
	uint16_t before = alice.session;

	session_of(slot);
	world_seconds(5);
	ck_assert(client_discover(&alice));
	ck_assert_uint_ne(alice.session, before);
	ck_assert_uint_eq(world.closed, 1);
	ck_assert_int_eq(world.end, SESSION_END_LOST_CARRIER);
	ck_assert_uint_eq(stats->replaced, 1);
	ck_assert_uint_eq(world.pppoe->peer_count, 1);
	/* And once more, while it comes up. */
	world_seconds(2);
	ck_assert(client_discover(&alice));
	ck_assert_uint_eq(stats->replaced, 2);
	ck_assert_uint_eq(stats->failed, 1);
	ck_assert_uint_eq(world.pppoe->peer_count, 1);
}
END_TEST

START_TEST(another_line_replaces_nobody)
{
	uint16_t length;
	uint32_t slot;

	alice.circuit = "eth 1";
	slot = client_up(&alice);
	struct double_client thief = {.mac = 7, .outer_vid = 100, .circuit = "eth 2"};
	forget_sent();
	client_padi(&thief, ASKED);
	ck_assert_int_eq(client_padr(&thief, ASKED), PPPOE_REFUSED_MAC_LIMIT);
	ck_assert_ptr_nonnull(sent_tag(sent("1165 0000"), PPPOE_TAG_AC_SYSTEM_ERROR, &length));
	ck_assert_int_eq(session_of(slot)->state, BNG_SUBSCRIBER_ACTIVE);
	world.config.pppoe.max_sessions_per_mac = 2;
	ck_assert_int_eq(client_padr(&thief, ASKED), PPPOE_ACCEPTED);
	ck_assert_uint_eq(world.pppoe->peer_count, 2);
}
END_TEST

START_TEST(a_vlan_has_room_for_so_many)
{
	struct double_client bob = {.mac = 8, .outer_vid = 100}, carol = {.mac = 9, .outer_vid = 101};

	world.config.pppoe.max_sessions_per_vlan = 1;
	ck_assert(client_discover(&alice));
	client_padi(&bob, ASKED);
	ck_assert_int_eq(client_padr(&bob, ASKED), PPPOE_REFUSED_VLAN_LIMIT);
	ck_assert(client_discover(&carol));
	client_padt(&alice);
	ck_assert_int_eq(client_padr(&bob, ASKED), PPPOE_ACCEPTED);
}
END_TEST

START_TEST(so_many_come_up_at_a_time)
{
	struct double_client clients[9];

	for (uint8_t i = 0; i < 9; i++) {
		clients[i] = (struct double_client){.mac = (uint8_t)(20 + i)};
		client_padi(&clients[i], ASKED);
	}
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(client_padr(&clients[i], ASKED), PPPOE_ACCEPTED);
	forget_sent();
	ck_assert_int_eq(client_padr(&clients[8], ASKED), PPPOE_REFUSED_SETUP_LIMIT);
	ck_assert_ptr_nonnull(sent("1165 0000"));
	forget_sent();
	ck_assert_int_eq(client_padi(&clients[8], ASKED), PPPOE_REFUSED_SETUP_LIMIT);
	ck_assert_uint_eq(world.frames, 0);
	client_padt(&clients[0]);
	ck_assert_int_eq(client_padr(&clients[8], ASKED), PPPOE_ACCEPTED);
	/* Who is up takes no room of theirs, though it has its record for a while. */
	struct double_client late = {.mac = 40};
	ck_assert_int_eq(client_padi(&late, ASKED), PPPOE_REFUSED_SETUP_LIMIT);
	client_padt(&clients[1]);
	world_seconds(1);
	clients[1].mac = 41;
	ck_assert_uint_ne(client_up(&clients[1]), 0);
	ck_assert_uint_eq(link_count(world.pppoe->links), 8);
	ck_assert_uint_eq(world.pppoe->lingering, 1);
	ck_assert(client_discover(&late));
	world_seconds(5);
	ck_assert_uint_eq(world.pppoe->lingering, 0);
	for (int i = 1; i < 9; i++)
		for (int k = 1; k < i; k++)
			ck_assert_uint_ne(clients[i].session, clients[k].session);
}
END_TEST

/* ---- The way up --------------------------------------------------------------------------------- */

START_TEST(a_session_comes_up_before_the_client_hears_so)
{
	alice.circuit = "line 9";
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_str_eq(world.user, "nemo");
	ck_assert_str_eq(world.password, "sec");
	ck_assert_uint_eq(world.question.kind, BNG_SESSION_PPPOE);
	ck_assert_uint_eq(world.question.line.circuit_id_length, 6);
	world_grant(NULL, NULL);
	client_network(&alice);
	ck_assert_ptr_null(sent("1100 .... .... 8021 02")); /* not yet */
	world_durable();
	ck_assert_ptr_nonnull(sent("1100 .... .... 8021 02"));
	const struct bng_subscriber *record = session_of(1);
	ck_assert_uint_eq(record->kind, BNG_SESSION_PPPOE);
	ck_assert_uint_eq(record->pppoe_session, alice.session);
	ck_assert_uint_eq(record->outer_vid, 100);
	ck_assert_uint_eq(record->mtu, 1492);
	ck_assert_uint_eq(record->mss, 1452);
	ck_assert_uint_eq(record->pool, 5);
	ck_assert_uint_ne(record->ppp_magic, 0);
	ck_assert_uint_eq(record->session_id, world.question.session_id);
	ck_assert(ntohl(record->address_be) >> 8 == 0x0a4000);
	ck_assert_str_eq(world.detail[1]->user, "nemo");
	ck_assert_str_eq(world.detail[1]->source, "aaa1");
	ck_assert_uint_eq(world.detail[1]->profile.session_timeout_s, 3600);
	ck_assert(!memcmp(world.detail[1]->line.circuit_id, "line 9", 6));
	ck_assert_uint_eq(stats->opened, 1);
	/* Nothing is kept of it once the client had time to miss an answer. */
	world_seconds(5);
	ck_assert_uint_eq(link_count(world.pppoe->links), 0);
	ck_assert_uint_eq(world.pppoe->peer_count, 1);
}
END_TEST

START_TEST(an_acknowledgement_that_was_lost_is_said_again)
{
	client_up(&alice);
	const uint8_t *ack = sent("1100 .... .... 8021 02");
	char again[64] = "8021 01";

	for (int i = 0; i < (ack[4] << 8 | ack[5]) - 3; i++)
		sprintf(again + strlen(again), "%02x", ack[9 + i]);
	forget_sent();
	client_ppp(&alice, again);
	ck_assert_ptr_nonnull(sent("1100 .... .... 8021 02"));
	ck_assert_uint_eq(world.closed, 0);
}
END_TEST

START_TEST(the_address_is_what_was_granted)
{
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	world_grant(_i ? NULL : "10.64.0.200", _i ? "other" : NULL);
	client_network(&alice);
	world_durable();
	ck_assert_uint_eq(ntohl(session_of(1)->address_be) >> 8, _i ? 0x0a4100 : 0x0a4000);
	ck_assert(_i || session_of(1)->address_be == inet_addr("10.64.0.200"));
}
END_TEST

START_TEST(a_full_pool_refuses)
{
	struct double_client clients[5];

	for (uint8_t i = 0; i < 5; i++) {
		clients[i] = (struct double_client){.mac = (uint8_t)(20 + i)};
		ck_assert_uint_eq(!client_discover(&clients[i]), 0);
		client_authenticate(&clients[i]);
		world_grant(NULL, NULL);
	}
	/* Four have one, though none is up yet. */
	ck_assert_uint_eq(stats->no_address, 1);
	ck_assert_ptr_nonnull(sent("1100 .... .... c023 03"));
	world_seconds(1.5);
	client_padt(&clients[0]);
	ck_assert(client_discover(&clients[4]));
	client_authenticate(&clients[4]);
	world_grant(NULL, NULL);
	ck_assert_uint_eq(stats->no_address, 1);
}
END_TEST

START_TEST(an_address_in_use_is_not_given_twice)
{
	struct double_client bob = {.mac = 8};

	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	world_grant("10.64.0.11", NULL);
	ck_assert(client_discover(&bob));
	client_authenticate(&bob);
	world_grant("10.64.0.11", NULL);
	ck_assert_uint_eq(stats->no_address, 1);
	ck_assert_uint_eq(stats->granted, 1);
	ck_assert(client_discover(&bob));
	client_authenticate(&bob);
	world_grant("10.64.0.1", NULL);
	ck_assert_uint_eq(stats->no_address, 2);
	ck_assert(client_discover(&bob));
	client_authenticate(&bob);
	world_grant(NULL, "nowhere");
	ck_assert_uint_eq(stats->no_address, 3);
}
END_TEST

/* The last session's address is on its way back. */
START_TEST(an_address_that_is_being_released_is_waited_for)
{
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	world_grant("10.64.0.12", NULL);
	client_network(&alice);
	world_durable();
	ck_assert(client_discover(&alice)); /* replaces it */
	client_authenticate(&alice);
	world_grant("10.64.0.12", NULL);
	client_network(&alice);
	ck_assert(!world.opening.is_waiting);
	world_seconds(0.3);
	ck_assert(!world.opening.is_waiting);
	if (_i) {
		world_release();
		world_seconds(0.3);
		world_durable();
		ck_assert_uint_eq(stats->opened, 2);
		return;
	}
	for (int i = 0; i < 30; i++)
		world_seconds(0.3);
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 05"));
	ck_assert_uint_eq(stats->opened, 1);
}
END_TEST

START_TEST(who_is_refused_hears_it)
{
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	world_deny("wrong password");
	ck_assert_ptr_nonnull(sent("1100 .... .... c023 03"));
	ck_assert_ptr_nonnull(sent("1100 .... .... c021 05"));
	for (int i = 0; i < 4; i++)
		world_seconds(3.1);
	ck_assert_ptr_nonnull(sent("11a7"));
	ck_assert_uint_eq(world.pppoe->peer_count, 0);
	ck_assert_uint_eq(stats->failed, 1);
	ck_assert_uint_eq(stats->denied, 1);
}
END_TEST

START_TEST(nobody_to_ask_is_an_answer)
{
	world.ask_error = -EHOSTUNREACH;
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	ck_assert_ptr_nonnull(sent("1100 .... .... c023 03"));
	ck_assert_uint_eq(stats->unanswered, 1);
}
END_TEST

START_TEST(an_answer_for_who_has_gone_is_counted)
{
	ck_assert(client_discover(&alice));
	client_authenticate(&alice);
	client_padt(&alice);
	world_grant(NULL, NULL);
	ck_assert_uint_eq(stats->orphaned, 1);
	ck_assert(client_discover(&alice)); /* the same record, another session */
	client_authenticate(&alice);
	struct authorise_ticket newer = world.ticket;
	world_grant(NULL, NULL);
	ck_assert_uint_eq(stats->granted, 1);
	world.ticket = newer;
	world_grant(NULL, NULL); /* it came twice */
	ck_assert_uint_eq(stats->orphaned, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pppoe");
	TCase *cases = tcase_create("pppoe");

	tcase_add_checked_fixture(cases, setup, world_free);
	tcase_add_test(cases, rfc2516_s5_2_a_padi_leaves_nothing_behind);
	tcase_add_test(cases, rfc2516_s5_4_a_padr_with_its_cookie_makes_a_session);
	tcase_add_loop_test(cases, rfc2516_s5_1_what_is_not_offered_gets_no_answer, 0, 3);
	tcase_add_test(cases, rfc2516_s5_2_rfc2516_s5_4_services_are_offered_and_chosen);
	tcase_add_test(cases, rfc2516_s9_a_cookie_is_needed_and_lives_a_minute);
	tcase_add_test(cases, a_cookie_given_before_a_restart_is_good_after_it);
	tcase_add_test(cases, the_same_padr_gets_the_same_pads);
	tcase_add_test(cases, rfc4638_s4_a_larger_payload_is_agreed_on);
	tcase_add_loop_test(cases, no_more_is_agreed_on_than_the_interface_has_room_for, 0,
			    sizeof(rooms) / sizeof(rooms[0]));
	tcase_add_test(cases, a_larger_link_is_renegotiated_as_large);
	tcase_add_test(cases, rfc2516_s4_other_codes_and_places_are_refused);
	tcase_add_test(cases, a_client_that_begins_again_replaces_itself);
	tcase_add_test(cases, another_line_replaces_nobody);
	tcase_add_test(cases, a_vlan_has_room_for_so_many);
	tcase_add_test(cases, so_many_come_up_at_a_time);
	tcase_add_test(cases, a_session_comes_up_before_the_client_hears_so);
	tcase_add_test(cases, an_acknowledgement_that_was_lost_is_said_again);
	tcase_add_loop_test(cases, the_address_is_what_was_granted, 0, 2);
	tcase_add_test(cases, a_full_pool_refuses);
	tcase_add_test(cases, an_address_in_use_is_not_given_twice);
	tcase_add_loop_test(cases, an_address_that_is_being_released_is_waited_for, 0, 2);
	tcase_add_test(cases, who_is_refused_hears_it);
	tcase_add_test(cases, nobody_to_ask_is_an_answer);
	tcase_add_test(cases, an_answer_for_who_has_gone_is_counted);
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
