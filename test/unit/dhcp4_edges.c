/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCP server at the edges: clients that are none, addresses that are gone
 * in between, pools that are nearly full, two pools on one interface.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp4_double.h"
#include "run.h"

#define A      "10.0.0.10"
#define B      "10.0.0.11"
#define SERVER "10.0.0.1"
#define MAC    0x0a
#define BOOTP  (14 + 8 + 20 + 8) /* offset of the message behind two tags */

static uint32_t offered(uint8_t mac, const char *wanted)
{
	const struct request discover = {.type = DHCP4_DISCOVER, .mac = mac, .requested = wanted};
	struct session_client client = client_of(mac);

	if (ask(&discover) != DHCP4_ACCEPTED)
		return 0;
	return ntohl(reservation_of_client(world.dhcp4->offers, &client, world.now_ns)->address_be) & 0xffff;
}

/* A session that somebody else opened on the address. */
static void occupy(uint32_t slot, uint32_t address)
{
	world.record[slot] = (struct bng_subscriber){
		.state = BNG_SUBSCRIBER_ACTIVE,
		.kind = BNG_SESSION_ADDED,
		.address_be = htonl(address),
		.interface = 9,
	};
}

/* ---- Clients that are none ------------------------------------------------------- */

static const struct {
	size_t offset;
	uint8_t value;
	enum dhcp4_refusal refusal;
} changes[] = {
	{6, 0x03, DHCP4_REFUSED_MAC},                      /* multicast source */
	{BOOTP + 1, 6, DHCP4_REFUSED_MAC},                 /* htype: not Ethernet */
	{BOOTP + 2, 16, DHCP4_REFUSED_MAC},                /* hlen */
	{BOOTP, 2, DHCP4_REFUSED_NOT_FOR_SERVER},          /* op: a reply */
	{BOOTP + 236, 0, DHCP4_REFUSED_MALFORMED},         /* cookie */
	{BOOTP - 8 + 3, 68, DHCP4_REFUSED_NOT_FOR_SERVER}, /* port */
	{BOOTP - 28 + 9, 6, DHCP4_REFUSED_CHECKSUM},       /* protocol, without repair */
};

START_TEST(packets_that_are_no_clients_are_refused)
{
	uint8_t frame[2048];
	const struct request discover = {.type = DHCP4_DISCOVER, .mac = MAC, .no_udp_checksum = true};
	size_t length = request_build(&discover, frame);

	frame[changes[_i].offset] = changes[_i].value;
	if (changes[_i].offset == 6)
		frame[BOOTP + 28] = changes[_i].value; /* the message agrees */
	world.length = 0;
	ck_assert_int_eq(dhcp4_serve(world.dhcp4, 1, frame, length, world.now_ns), changes[_i].refusal);
	ck_assert_uint_eq(world.dhcp4->stats.refused[changes[_i].refusal], 1);
	ck_assert_uint_eq(world.length, 0);
}
END_TEST

START_TEST(both_tags_may_be_of_the_service_kind)
{
	uint8_t frame[2048];
	const struct request select = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = SERVER};
	size_t length = request_build(&select, frame);

	memcpy(frame + 16, "\x88\xa8", 2);
	ck_assert_int_eq(serve(frame, length), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world_session(A)->flags, BNG_SUBSCRIBER_OUTER_AD | BNG_SUBSCRIBER_INNER_AD);
}
END_TEST

/* ---- Addresses that are gone -------------------------------------------------------- */

START_TEST(offer_whose_address_is_gone_is_replaced)
{
	const struct request select = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = SERVER};

	ck_assert_uint_eq(offered(MAC, A), 10);
	occupy(40, 0x0a00000a);
	ck_assert_int_eq(ask(&select), DHCP4_REFUSED_ADDRESS_TAKEN);
	world.record[40].state = BNG_SUBSCRIBER_FREE;
	ck_assert_uint_eq(offered(MAC, A), 10);
	occupy(40, 0x0a00000a);
	ck_assert_uint_ne(offered(MAC, NULL), 10);
	struct session_client client = client_of(MAC);
	ck_assert_int_eq(dhcp4_state_of(world.dhcp4, &client, world.now_ns), DHCP4_STATE_OFFERED);
}
END_TEST

START_TEST(address_of_before_goes_before_the_one_asked_for)
{
	const struct request select = {.type = DHCP4_REQUEST, .mac = MAC, .requested = B, .server = SERVER};
	const struct request release = {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = B, .server = SERVER};
	const struct request reboot = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A};

	ck_assert_int_eq(ask(&select), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&release), DHCP4_ACCEPTED);
	world_release();
	ck_assert_int_eq(ask(&reboot), DHCP4_REFUSED_WRONG_ADDRESS);
	for (int i = 12; i <= 13; i++) {
		char wanted[16];
		snprintf(wanted, sizeof(wanted), "10.0.0.%d", i);
		ck_assert_uint_eq(offered(MAC, wanted), 11);
		world_seconds(61);
	}
}
END_TEST

START_TEST(gateway_and_ends_of_the_network_are_never_leased)
{
	world.pool[0].prefix = (struct config_prefix){0x0a000000, 0x0a000007, 29};
	world.pool[0].first = 0x0a000000;
	world.pool[0].last = 0x0a000007;
	world.gateway.address_be = htonl(0x0a000005);
	for (int round = 0; round < 2; round++)
		for (uint8_t mac = 1; mac <= 12; mac++) {
			uint32_t address = offered(mac, NULL);
			ck_assert(address != 1 && address != 5 && address != 7);
			ck_assert_int_eq(address == 0, mac > 4);
		}
}
END_TEST

/* ---- Pools nearly full ------------------------------------------------------------------ */

START_TEST(full_pool_is_not_searched_again_at_once)
{
	for (uint8_t mac = 0x20; mac < 0x24; mac++)
		ck_assert_uint_ne(offered(mac, NULL), 0);
	ck_assert_uint_eq(offered(0x30, NULL), 0);
	struct session_client client = client_of(0x20);
	reservation_remove_client(world.dhcp4->offers, &client);
	ck_assert_uint_eq(offered(0x30, NULL), 0);
	world_seconds(1);
	ck_assert_uint_ne(offered(0x30, NULL), 0);
}
END_TEST

/* 1,000 addresses, all but a few offered already: each of these is found. */
START_TEST(last_free_addresses_of_a_large_pool_are_found)
{
	world.pool[0].prefix = (struct config_prefix){0x0a000000, 0x0a00ffff, 16};
	world.pool[0].first = 0x0a000400;
	world.pool[0].last = 0x0a0007e7;
	world.pool[0].max_sessions_per_interface = 100000;
	for (uint32_t i = 0; i < 1000; i++) {
		struct session_client somebody = {.interface = 7, .inner_vid = (uint16_t)i};
		if (i % 250 != 249)
			reservation_add(world.dhcp4->offers, &somebody, htonl(0x0a000400 + i), world.now_ns);
	}
	uint32_t found = 0;
	for (uint8_t mac = 1; mac <= 4; mac++) {
		uint32_t address = offered(mac, NULL);
		ck_assert_uint_eq((address - 0x400) % 250, 249);
		found += address;
	}
	ck_assert_uint_eq(found, 4 * 0x400 + 249 + 499 + 749 + 999);
	ck_assert_uint_eq(offered(5, NULL), 0);
}
END_TEST

/* ---- Two pools on one interface -------------------------------------------------------------- */

static void second_pool(void)
{
	world.pool[1] = world.pool[0];
	strcpy(world.pool[1].name, "more");
	world.pool[1].prefix = (struct config_prefix){0x0a000100, 0x0a0001ff, 24};
	world.pool[1].first = world.pool[1].last = 0x0a00010a;
	world.pool[1].router_be = inet_addr("10.0.1.1");
	world.pool[1].max_sessions_per_interface = 100;
	world.config.dhcp4_pool_count = 2;
	ck_assert_int_eq(dhcp4_configure(world.dhcp4, &world.config), 0);
}

START_TEST(second_pool_serves_when_the_first_is_full)
{
	second_pool();
	for (uint8_t mac = 0x20; mac < 0x24; mac++)
		ck_assert_uint_lt(offered(mac, NULL), 0x100);
	ck_assert_uint_eq(offered(0x30, NULL), 0x10a);
	ck_assert_ptr_nonnull(strstr(answer(), " 10.0.1.1:67>10.0.1.10:68 "));
	ck_assert_ptr_nonnull(strstr(answer(), " 54=0a000101 "));
	ck_assert_uint_eq(offered(0x31, NULL), 0);
}
END_TEST

START_TEST(nak_comes_from_the_server_that_was_asked)
{
	const struct request select = {
		.type = DHCP4_REQUEST, .mac = MAC, .requested = "10.0.1.200", .server = "10.0.1.1"};

	second_pool();
	ck_assert_int_eq(ask(&select), DHCP4_REFUSED_ADDRESS_TAKEN);
	ck_assert_ptr_nonnull(strstr(answer(), " 10.0.1.1:67>255.255.255.255:68 "));
	ck_assert_ptr_nonnull(strstr(answer(), " 54=0a000101 "));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 edges");
	TCase *tests = tcase_create("edges");

	tcase_add_checked_fixture(tests, world_init, world_free);
	tcase_add_loop_test(tests, packets_that_are_no_clients_are_refused, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tests, both_tags_may_be_of_the_service_kind);
	tcase_add_test(tests, offer_whose_address_is_gone_is_replaced);
	tcase_add_test(tests, address_of_before_goes_before_the_one_asked_for);
	tcase_add_test(tests, gateway_and_ends_of_the_network_are_never_leased);
	tcase_add_test(tests, full_pool_is_not_searched_again_at_once);
	tcase_add_test(tests, last_free_addresses_of_a_large_pool_are_found);
	tcase_add_test(tests, second_pool_serves_when_the_first_is_full);
	tcase_add_test(tests, nak_comes_from_the_server_that_was_asked);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
