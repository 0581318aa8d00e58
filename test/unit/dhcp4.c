/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCP server: leases, addresses, replies byte for byte.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp4_texts.h"
#include "run.h"

/* ---- Leases --------------------------------------------------------------------------- */

START_TEST(lease_becomes_a_session_with_the_clients_identity)
{
	enter(DHCP4_STATE_BOUND);
	const struct bng_subscriber *record = world_session(A);
	ck_assert_ptr_nonnull(record);
	ck_assert_uint_eq(record->interface, 1);
	ck_assert_uint_eq(record->outer_vid, 100);
	ck_assert_uint_eq(record->inner_vid, 7);
	ck_assert_uint_eq(record->flags, BNG_SUBSCRIBER_OUTER_AD);
	ck_assert_uint_eq(record->kind, BNG_SESSION_DHCP);
	ck_assert_uint_eq(record->pool, 5);
	ck_assert_uint_eq(record->lease_seconds, 3600);
	ck_assert_uint_eq(record->mac[5], MAC);
}
END_TEST

START_TEST(pool_without_nat_makes_exempt_sessions)
{
	world.pool[0].nat_pool[0] = '\0';
	enter(DHCP4_STATE_BOUND);
	ck_assert_uint_eq(world_session(A)->flags, BNG_SUBSCRIBER_OUTER_AD | BNG_SUBSCRIBER_EXEMPT);
}
END_TEST

START_TEST(renewal_extends_and_silence_ends_a_lease)
{
	const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};

	enter(DHCP4_STATE_BOUND);
	world_seconds(3000);
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	world_seconds(3599);
	dhcp4_expire(world.dhcp4, 1000, world.now_ns);
	ck_assert_ptr_nonnull(world_session(A));
	world_seconds(1);
	dhcp4_expire(world.dhcp4, 1000, world.now_ns);
	ck_assert_ptr_null(world_session(A));
	ck_assert_uint_eq(world.dhcp4->stats.expired, 1);
	ck_assert_uint_eq(world.dhcp4->stats.renewed, 1);
	ck_assert_uint_eq(world.dhcp4->stats.bound, 1);
}
END_TEST

START_TEST(expiry_leaves_configured_sessions_and_works_in_portions)
{
	for (int i = 1; i <= 10; i++)
		world.record[i] =
			(struct bng_subscriber){.state = BNG_SUBSCRIBER_ACTIVE,
						.kind = i <= 2 ? BNG_SESSION_STATIC : BNG_SESSION_DHCP,
						.address_be = (uint32_t)i,
						.lease_expires_ns = 1};
	dhcp4_expire(world.dhcp4, 4, world.now_ns);
	ck_assert_uint_eq(world.dhcp4->stats.expired, 2);
	dhcp4_expire(world.dhcp4, 4, world.now_ns);
	ck_assert_uint_eq(world.dhcp4->stats.expired, 6);
	dhcp4_expire(world.dhcp4, 4, world.now_ns);
	dhcp4_expire(world.dhcp4, 4, world.now_ns);
	ck_assert_uint_eq(world.dhcp4->stats.expired, 8);
	ck_assert_uint_eq(session_count_interface(&world.controld, 0), 2);
}
END_TEST

/* What the OFFER gave, or 0. */
static uint32_t offered(uint8_t mac, const char *wanted)
{
	const struct request discover = {.type = DHCP4_DISCOVER, .mac = mac, .requested = wanted};
	struct session_client client = client_of(mac);

	if (ask(&discover) != DHCP4_ACCEPTED)
		return 0;
	return reservation_of_client(world.dhcp4->offers, &client, world.now_ns)->address_be;
}

START_TEST(offers_are_reserved_for_a_minute)
{
	uint32_t seen[4];

	for (uint8_t mac = 0; mac < 4; mac++) {
		seen[mac] = offered((uint8_t)(0x20 + mac), NULL);
		ck_assert_uint_ne(seen[mac], 0);
		for (int i = 0; i < mac; i++)
			ck_assert_uint_ne(seen[i], seen[mac]);
	}
	ck_assert_uint_eq(offered(0x30, NULL), 0);
	ck_assert_uint_eq(world.dhcp4->stats.refused[DHCP4_REFUSED_EXHAUSTED], 1);
	world_seconds(59);
	ck_assert_uint_eq(offered(0x30, NULL), 0);
	world_seconds(1);
	ck_assert_uint_ne(offered(0x30, NULL), 0);
}
END_TEST

START_TEST(rfc2131_s4_3_1_wanted_address_is_given_only_when_free)
{
	ck_assert_uint_eq(offered(0x20, B) >> 24, 11);
	ck_assert_uint_ne(offered(0x21, B) >> 24, 11);
	ck_assert_uint_ne(offered(0x22, "10.0.0.200") >> 24, 200);
	ck_assert_uint_ne(offered(0x23, "10.0.0.1") >> 24, 1);
}
END_TEST

START_TEST(rfc2131_s4_3_1_returning_client_gets_its_address_back)
{
	const struct request release = {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER};
	const struct request reboot = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A};

	enter(DHCP4_STATE_BOUND);
	ck_assert_int_eq(ask(&release), DHCP4_ACCEPTED);
	ck_assert_uint_ne(offered(MAC, NULL) >> 24, 10); /* still being released */
	world_release();
	world_seconds(61);
	ck_assert_uint_eq(offered(MAC, NULL) >> 24, 10);
	ck_assert_uint_eq(offered(MAC, B) >> 24, 10); /* before what it asks for */
	world_seconds(61);
	ck_assert_int_eq(ask(&reboot), DHCP4_ACCEPTED); /* INIT-REBOOT of a client we know */
	ck_assert_str_eq(answer(), ACK_A);
}
END_TEST

START_TEST(address_of_another_is_not_given_back)
{
	const struct request release = {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER};
	const struct request other = {.type = DHCP4_REQUEST, .mac = 0x20, .requested = A, .server = SERVER};
	const struct request reboot = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A};

	enter(DHCP4_STATE_BOUND);
	ck_assert_int_eq(ask(&release), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&other), DHCP4_REFUSED_ADDRESS_TAKEN); /* still being released */
	ck_assert_str_eq(answer(), NAK NOT_FREE);
	world_release();
	ck_assert_int_eq(ask(&other), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&reboot), DHCP4_REFUSED_ADDRESS_TAKEN);
	ck_assert_str_eq(answer(), NAK NOT_FREE);
	ck_assert_uint_ne(offered(MAC, NULL) >> 24, 10);
}
END_TEST

START_TEST(declined_address_is_quarantined_for_ten_minutes)
{
	const struct request decline = {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER};

	enter(DHCP4_STATE_BOUND);
	ck_assert_int_eq(ask(&decline), DHCP4_ACCEPTED);
	world_release();
	world_seconds(599);
	for (uint8_t mac = 0x20; mac < 0x23; mac++)
		ck_assert_uint_ne(offered(mac, A) >> 24, 10);
	ck_assert_uint_eq(offered(0x23, A), 0);
	ck_assert_uint_eq(reservations_count(world.dhcp4->declined, world.now_ns), 1);
	world_seconds(2);
	ck_assert_uint_eq(offered(0x23, A) >> 24, 10);
}
END_TEST

START_TEST(two_declined_addresses_stay_apart)
{
	for (uint8_t last = 10; last <= 11; last++) {
		char wanted[16];
		snprintf(wanted, sizeof(wanted), "10.0.0.%u", last);
		const struct request decline = {.type = DHCP4_DECLINE, .mac = 0x20, .requested = wanted};
		ck_assert_uint_eq(offered(0x20, wanted) >> 24, last);
		ck_assert_int_eq(ask(&decline), DHCP4_ACCEPTED);
	}
	ck_assert_uint_eq(reservations_count(world.dhcp4->declined, world.now_ns), 2);
}
END_TEST

START_TEST(interface_limit_is_counted_refusal)
{
	const struct request late = {
		.type = DHCP4_REQUEST, .mac = 0x30, .requested = "10.0.0.13", .server = SERVER};

	for (uint8_t mac = 0; mac < 3; mac++) {
		char wanted[16];
		snprintf(wanted, sizeof(wanted), "10.0.0.%u", 10 + mac);
		const struct request select = {.type = DHCP4_REQUEST,
					       .mac = (uint8_t)(0x20 + mac),
					       .requested = wanted,
					       .server = SERVER};
		ck_assert_int_eq(ask(&select), DHCP4_ACCEPTED);
	}
	const struct request discover = {.type = DHCP4_DISCOVER, .mac = 0x30};
	ck_assert_int_eq(ask(&discover), DHCP4_REFUSED_INTERFACE_LIMIT);
	ck_assert_str_eq(answer(), "none");
	ck_assert_int_eq(ask(&late), DHCP4_REFUSED_INTERFACE_LIMIT);
	ck_assert_str_eq(answer(), NAK TOO_MANY);
	ck_assert_uint_eq(world.dhcp4->stats.refused[DHCP4_REFUSED_INTERFACE_LIMIT], 2);
}
END_TEST

START_TEST(session_module_refuses)
{
	world.open_error = -EADDRINUSE;
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_ADDRESS_TAKEN);
	ck_assert_str_eq(answer(), NAK NOT_FREE);
	world.open_error = -ENOSPC;
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_SESSION_LIMIT);
	world.open_error = -EIO;
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_SYSTEM);
	ck_assert_str_eq(answer(), "none");
	world.open_error = 0;
	world.send_error = -ENOBUFS;
	ck_assert_int_eq(ask(&select_a), DHCP4_REFUSED_SYSTEM);
	world.send_error = 0;
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED); /* the session exists; the client asks again */
	ck_assert_str_eq(answer(), ACK_A);
	ck_assert_uint_eq(world.dhcp4->stats.bound, 1);
}
END_TEST

START_TEST(configured_session_is_told_its_address_and_kept)
{
	const struct request release = {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER};
	const struct request decline = {.type = DHCP4_DECLINE, .mac = MAC, .requested = A};

	enter(DHCP4_STATE_BOUND);
	world_session(A)->kind = BNG_SESSION_STATIC;
	world_session(A)->lease_expires_ns = 0;
	ck_assert_int_eq(ask(&(struct request){.type = DHCP4_DISCOVER, .mac = MAC}), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), OFFER_A);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), ACK_A);
	ck_assert_int_eq(ask(&release), DHCP4_REFUSED_NOT_LEASED);
	ck_assert_int_eq(ask(&decline), DHCP4_REFUSED_NOT_LEASED);
	ck_assert_uint_eq(world_session(A)->lease_expires_ns, 0);
}
END_TEST

START_TEST(pool_that_is_gone_ends_its_leases_when_the_client_asks)
{
	const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};

	enter(DHCP4_STATE_BOUND);
	world.pool[0].first++;
	ck_assert_int_eq(ask(&renew), DHCP4_REFUSED_WRONG_NETWORK);
	ck_assert_str_eq(answer(), NAK OTHER_NETWORK);
	ck_assert_ptr_null(world_session(A));
	world.pool[0].first--;
	world_release();
	enter(DHCP4_STATE_BOUND);
	world.pool[0].first++;
	ck_assert_uint_ne(offered(MAC, NULL) >> 24, 10);
	ck_assert_ptr_null(world_session(A));
}
END_TEST

START_TEST(server_that_was_restarted_knows_its_leases)
{
	enter(DHCP4_STATE_BOUND);
	world_restart();
	ck_assert_int_eq(ask(&(struct request){.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A}),
			 DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), RENEW_A);
	ck_assert_uint_ne(offered(0x20, A) >> 24, 10);
}
END_TEST

START_TEST(same_mac_behind_other_tags_is_another_client)
{
	enter(DHCP4_STATE_BOUND);
	ck_assert_int_eq(
		ask(&(struct request){.type = DHCP4_DISCOVER, .mac = MAC, .requested = B, .untagged = true}),
		DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(),
			 "client 10.0.0.1:67>" B ":68 flags 0000 ci 0.0.0.0 yi " B " 53=02" OPTIONS);
	ck_assert_ptr_nonnull(world_session(A));
}
END_TEST

/* ---- Replies ------------------------------------------------------------------------------ */

START_TEST(broadcast_flag_is_honoured)
{
	struct request request = discover_a;

	request.flags = 0x8000;
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(),
			 "all " WAY "255.255.255.255:68 flags 8000 ci 0.0.0.0 yi " A " 53=02" OPTIONS);
}
END_TEST

START_TEST(rfc2131_s4_3_1_options_come_in_the_order_asked_for_mask_before_router)
{
	struct request request = discover_a;

	request.options = "3705"
			  "1a"
			  "03"
			  "2a"
			  "01"
			  "06"; /* MTU, router, NTP (unknown), mask, DNS */
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), "client " WAY A ":68 flags 0000 ci 0.0.0.0 yi " A
				   " 53=02 54=0a000001 51=00000e10 58=00000708 59=00000c4e"
				   " 26=05d4 1=ffffff00 3=0a000001 6=c0000235c0000236");
}
END_TEST

START_TEST(rfc3046_s2_2_client_id_and_relay_agent_are_echoed_last)
{
	struct request request = discover_a;

	request.options = "3d03"
			  "01aabb"
			  "5204"
			  "01020909";
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), OFFER_A " 61=01aabb 82=01020909");
	request.type = DHCP4_REQUEST;
	request.server = SERVER;
	request.requested = B;
	ck_assert_int_eq(ask(&request), DHCP4_REFUSED_WRONG_ADDRESS);
	ck_assert_str_eq(answer(), NAK NOT_YOURS " 61=01aabb 82=01020909");
}
END_TEST

START_TEST(rfc2131_s4_1_reply_fits_what_the_client_takes)
{
	char options[1200] = "52ff";
	struct request request = discover_a;

	for (int i = 0; i < 255; i++)
		strcat(options, "aa");
	request.options = options;
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	ck_assert_ptr_null(strstr(answer(), " 82=")); /* 548 bytes are too few */
	strcat(options, "390205dc");
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(strstr(answer(), " 82=aaaa"));
}
END_TEST

START_TEST(interfaces_without_pool_are_silent)
{
	uint8_t frame[2048];
	size_t length = request_build(&discover_a, frame);

	for (uint16_t interface = 0; interface < 70; interface++)
		if (interface != 1)
			ck_assert_int_eq(dhcp4_serve(world.dhcp4, interface, frame, length, world.now_ns),
					 DHCP4_REFUSED_NO_POOL);
	ck_assert_uint_eq(world.frames, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4");
	TCase *server = tcase_create("server");

	tcase_add_checked_fixture(server, world_init, world_free);
	tcase_add_test(server, lease_becomes_a_session_with_the_clients_identity);
	tcase_add_test(server, pool_without_nat_makes_exempt_sessions);
	tcase_add_test(server, renewal_extends_and_silence_ends_a_lease);
	tcase_add_test(server, expiry_leaves_configured_sessions_and_works_in_portions);
	tcase_add_test(server, offers_are_reserved_for_a_minute);
	tcase_add_test(server, rfc2131_s4_3_1_wanted_address_is_given_only_when_free);
	tcase_add_test(server, rfc2131_s4_3_1_returning_client_gets_its_address_back);
	tcase_add_test(server, address_of_another_is_not_given_back);
	tcase_add_test(server, declined_address_is_quarantined_for_ten_minutes);
	tcase_add_test(server, two_declined_addresses_stay_apart);
	tcase_add_test(server, interface_limit_is_counted_refusal);
	tcase_add_test(server, session_module_refuses);
	tcase_add_test(server, configured_session_is_told_its_address_and_kept);
	tcase_add_test(server, pool_that_is_gone_ends_its_leases_when_the_client_asks);
	tcase_add_test(server, server_that_was_restarted_knows_its_leases);
	tcase_add_test(server, same_mac_behind_other_tags_is_another_client);
	tcase_add_test(server, broadcast_flag_is_honoured);
	tcase_add_test(server, rfc2131_s4_3_1_options_come_in_the_order_asked_for_mask_before_router);
	tcase_add_test(server, rfc3046_s2_2_client_id_and_relay_agent_are_echoed_last);
	tcase_add_test(server, rfc2131_s4_1_reply_fits_what_the_client_takes);
	tcase_add_test(server, interfaces_without_pool_are_silent);
	suite_add_tcase(suite, server);
	return run_suite(suite);
}
