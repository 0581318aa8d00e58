/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Deterministic pools by configuration: what sessions and addresses are told, and
 * that a change of the rule, live or while controld was away, touches no block in use.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgnat_fixture.h"
#include "controld/cgnat/deterministic.h"
#include "controld/cgnat/plan.h"
#include "controld/maps/fixed.h"
#include "lib/address.h"
#include "run.h"

#define POOL(own)                                                                                            \
	"{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"block_size\": 512, \"deterministic\": "     \
	"{\"subscribers\": [\"10.9.0.0/24\"]" own "}}"
#define PLAIN "{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"block_size\": 512}"

static const struct fixture_sizes sizes = {4096, 16, 4096};

static void setup(void)
{
	fixture_start(&sizes);
}

/* "203.0.113.1:33280", the first port that is the session's own; "" when it has none. */
static const char *fixed_text(const struct session *session)
{
	static char text[ADDRESS_TEXT + 8];
	char address[ADDRESS_TEXT];
	uint32_t fixed = session->record->fixed;

	snprintf(text, sizeof(text), "%s:%u",
		 address_format(fixture.controld.maps->pool_address[fixed >> 16].address_be, address),
		 fixed & 0xffff);
	return fixed ? text : "";
}

static bool bit_of(const char *public, uint32_t number)
{
	return record_of(public)->taken[number / 64] >> (number % 64) & 1;
}

/* What cgnat_take_fixed does. */
static struct bng_port_block *take_fixed(struct session *session, uint32_t nth)
{
	struct maps *maps = fixture.controld.maps;
	uint32_t first = session->record->fixed + nth * 512;
	const struct bng_pool_address *address = &maps->pool_address[first >> 16];
	struct bng_port_block *block = &maps->port_block[address->first_block + ((first & 0xffff) >> 9)];

	ck_assert_uint_eq(block->state, BNG_BLOCK_FREE);
	*block = (struct bng_port_block){
		.slot = session->slot,
		.generation = session->record->generation,
		.state = BNG_BLOCK_ALLOCATED,
		.flags = BNG_BLOCK_DETERMINISTIC,
		.first = first,
		.session_id = session->record->session_id,
	};
	session->record->block[nth] = first;
	return block;
}

static void ck_free_blocks(const char *public, uint32_t dynamic_from)
{
	const struct bng_pool_address *address = record_of(public);
	uint32_t free = 0;

	ck_assert_uint_eq(address->dynamic_from, dynamic_from);
	for (uint32_t number = 0; number < 128; number++) {
		ck_assert_int_eq(bit_of(public, number), number < 2 || number < dynamic_from);
		free += !bit_of(public, number);
	}
	ck_assert_uint_eq(address->free_blocks, free);
}

START_TEST(rfc7422_sessions_and_addresses_are_told_the_rule)
{
	struct session session, outside;

	configure(POOL(", \"subscribers_per_address\": 100"));
	session = open_session("10.9.0.101", 1);
	outside = open_session("10.8.0.1", 2);
	ck_assert_str_eq(fixed_text(&session), "203.0.113.1:1536");
	ck_assert_uint_eq(session.record->address_index, (uint32_t)index_of("203.0.113.1"));
	ck_assert_str_eq(fixed_text(&outside), "");
	ck_assert_uint_eq(outside.record->address_index, BNG_NO_ADDRESS_INDEX);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].fixed_blocks, 1);
	ck_free_blocks("203.0.113.0", 102);
	ck_free_blocks("203.0.113.1", 102);
	ck_free_blocks("203.0.113.2", 58);
	ck_free_blocks("203.0.113.3", 2);
	fixture_stop();
}
END_TEST

START_TEST(a_rule_comes_changes_and_goes_live)
{
	struct session session;

	configure(PLAIN);
	session = open_session("10.9.0.101", 1);
	ck_assert_str_eq(fixed_text(&session), "");
	configure(POOL(", \"subscribers_per_address\": 100, \"first_port\": 2000"));
	ck_assert_str_eq(fixed_text(&session), "203.0.113.1:2560");
	ck_free_blocks("203.0.113.0", 104);
	ck_free_blocks("203.0.113.3", 4);
	configure(POOL(", \"subscribers_per_address\": 120"));
	ck_assert_str_eq(fixed_text(&session), "203.0.113.0:52736");
	ck_free_blocks("203.0.113.0", 122);
	ck_free_blocks("203.0.113.2", 18);
	configure(PLAIN);
	ck_assert_str_eq(fixed_text(&session), "");
	ck_free_blocks("203.0.113.0", 0);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].fixed_blocks, 0);
	ck_assert_uint_eq(fixture.told_count, 0);
	fixture_stop();
}
END_TEST

/* Dynamic blocks in use stay; bng_sweep gives them back into the rule. */
START_TEST(blocks_in_use_stay_when_a_rule_comes)
{
	struct bng_pool_address *address;
	struct bng_port_block *block;
	struct session session;

	configure(PLAIN);
	session = open_session("10.9.0.101", 1);
	block = take_block("203.0.113.0", 50, &session);
	configure(POOL(", \"subscribers_per_address\": 100"));
	address = record_of("203.0.113.0");
	ck_assert_uint_eq(block->state, BNG_BLOCK_ALLOCATED);
	ck_assert(bit_of("203.0.113.0", 50));
	ck_assert_uint_eq(address->free_blocks, 126 - 100);
	ck_assert_uint_eq(fixture.told_count, 0); /* it is in the log as it is */
	block->state = BNG_BLOCK_FREE;
	configure(PLAIN);
	ck_free_blocks("203.0.113.0", 0);
	fixture_stop();
}
END_TEST

/* By the rule that goes nobody logged them: from now on they are told. */
START_TEST(rfc6888_req14_blocks_by_a_rule_that_is_gone_are_told_once)
{
	struct bng_port_block *kept, *stray;
	struct session session, other;

	configure(POOL(", \"subscribers_per_address\": 100"));
	session = open_session("10.9.0.101", 1);
	other = open_session("10.9.0.1", 2);
	stray = take_fixed(&session, 0);
	kept = take_fixed(&other, 0);
	configure(POOL(", \"subscribers_per_address\": 101"));
	ck_assert_str_eq(fixed_text(&session), "203.0.113.1:1024");
	ck_assert_uint_eq(session.record->block[0], stray->first);
	ck_assert_uint_eq(stray->state, BNG_BLOCK_ALLOCATED);
	ck_assert_uint_eq(stray->flags, 0);
	ck_assert_uint_eq(kept->flags, BNG_BLOCK_DETERMINISTIC);
	ck_assert_uint_eq(fixture.told_count, 1);
	ck_assert_uint_eq(fixture.told[0].type, BNG_EVENT_BLOCK_ALLOCATED);
	ck_assert_uint_eq(fixture.told[0].session_id, session.record->session_id);
	ck_assert_uint_eq(fixture.told[0].inner_be, session.record->address_be);
	ck_assert_uint_eq(fixture.told[0].public_be, record_of("203.0.113.1")->address_be);
	ck_assert_uint_eq(fixture.told[0].port_first, 1536);
	ck_assert_uint_eq(fixture.told[0].port_last, 2047);
	ck_assert_uint_eq(fixture.told[0].flags, 0);
	deterministic_tell_strays(&fixture.controld);
	ck_assert_uint_eq(fixture.told_count, 1);
	fixture_stop();
}
END_TEST

/* One that is being given back is told so by the data plane. */
START_TEST(a_block_that_drains_is_left_alone)
{
	struct bng_port_block *block;
	struct session session;

	configure(POOL(", \"subscribers_per_address\": 100"));
	session = open_session("10.9.0.101", 1);
	block = take_fixed(&session, 0);
	block->state = BNG_BLOCK_DRAINING;
	configure(PLAIN);
	ck_assert_uint_eq(block->flags, BNG_BLOCK_DETERMINISTIC);
	ck_assert_uint_eq(fixture.told_count, 0);
	ck_assert(bit_of("203.0.113.1", 3));
	fixture_stop();
}
END_TEST

START_TEST(a_restart_changes_nothing)
{
	struct sessions_adopted adopted;
	struct bng_port_block *block;
	struct session session;
	uint32_t fixed;

	configure(POOL(", \"subscribers_per_address\": 100, \"blocks\": 1"));
	session = open_session("10.9.0.101", 1);
	fixed = session.record->fixed;
	block = take_fixed(&session, 0);
	session.record->address_index = 2; /* the data plane has paired it anew */
	fixture_restart(&adopted);
	configure(POOL(", \"subscribers_per_address\": 100"));
	ck_assert_uint_eq(session.record->fixed, fixed);
	ck_assert_uint_eq(session.record->address_index, 2);
	ck_assert_uint_eq(block->flags, BNG_BLOCK_DETERMINISTIC);
	ck_assert_uint_eq(fixture.told_count, 0);
	ck_free_blocks("203.0.113.1", 102);
	fixture_restart(&adopted);
	configure(PLAIN);
	ck_assert_uint_eq(session.record->fixed, 0);
	ck_assert_uint_eq(fixture.told_count, 1);
	fixture_stop();
}
END_TEST

START_TEST(an_address_goes_when_no_block_of_the_rule_is_in_use)
{
	struct bng_port_block *block;
	struct session session;

	configure(POOL(", \"subscribers_per_address\": 100"));
	session = open_session("10.9.0.101", 1);
	block = take_fixed(&session, 0);
	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/32\"], \"block_size\": 512}");
	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/32\"], \"block_size\": 512}");
	ck_assert_int_ge(index_of("203.0.113.1"), 0);
	ck_assert_int_eq(index_of("203.0.113.2"), -1);
	block->state = BNG_BLOCK_FREE;
	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/32\"], \"block_size\": 512}");
	ck_assert_int_eq(index_of("203.0.113.1"), -1);
	fixture_stop();
}
END_TEST

/* As an older data plane's bng_sweep does. */
START_TEST(bits_that_were_cleared_are_set_again)
{
	configure(POOL(", \"subscribers_per_address\": 100"));
	give_block("203.0.113.1", 77);
	ck_assert(!bit_of("203.0.113.1", 77));
	deterministic_keep_blocks(fixture.controld.maps);
	ck_free_blocks("203.0.113.1", 102);
	fixture_stop();
}
END_TEST

static bool came_back(const char *address, uint32_t first_client, uint32_t then_client)
{
	struct session session = open_session(address, first_client);
	uint32_t slot = session.slot;
	bool returned;

	ck_assert_uint_eq(session.record->returned, 0);
	session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test");
	fixture_release(slot);
	sessions_reap(&fixture.controld);
	fixture.controld.sessions->rest_cursor = slot;
	session = open_session(address, then_client);
	ck_assert_uint_eq(session.slot, slot);
	returned = session.record->returned;
	session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test");
	fixture_release(slot);
	sessions_reap(&fixture.controld);
	return returned;
}

START_TEST(rfc6888_req8_a_client_that_returns_is_known)
{
	configure(POOL(""));
	ck_assert(came_back("10.9.0.1", 1, 1));
	ck_assert(!came_back("10.9.0.2", 2, 3));
	fixture_stop();
}
END_TEST

/* Any rule: what each session is told is what the rule says, and the way back leads to it. */
START_TEST(rfc7422_blocks_are_the_rules)
{
	char text[512];

	srandom(6888);
	for (int round = 0; round < 30; round++) {
		struct session session;
		uint32_t slot = 0;
		snprintf(text, sizeof(text), POOL(", \"subscribers_per_address\": %d, \"first_port\": %d"),
			 64 + (int)random() % 30, 1024 + (int)random() % 8000);
		configure(text);
		for (int i = 0; i < 20; i++) {
			struct session_spec spec;
			char address[ADDRESS_TEXT];

			snprintf(address, sizeof(address), "10.9.0.%d", (int)random() % 256);
			spec = fixture_spec(address, (uint32_t)(round * 20 + i + 1));
			session_open(&fixture.controld, &spec, &session);
		}
		while (session_next(&fixture.controld, &slot, &session)) {
			uint32_t fixed = session.record->fixed, owner;
			const struct bng_pool_address *address =
				&fixture.controld.maps->pool_address[fixed >> 16];

			ck_assert(deterministic_owner_of(fixed_rule(&fixture.controld, 0),
							 ntohl(address->address_be), (uint16_t)fixed,
							 &owner));
			ck_assert_uint_eq(owner, ntohl(session.record->address_be));
		}
	}
	fixture_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cgnat_deterministic");
	TCase *test = tcase_create("cgnat_deterministic");

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, rfc7422_sessions_and_addresses_are_told_the_rule);
	tcase_add_test(test, a_rule_comes_changes_and_goes_live);
	tcase_add_test(test, blocks_in_use_stay_when_a_rule_comes);
	tcase_add_test(test, rfc6888_req14_blocks_by_a_rule_that_is_gone_are_told_once);
	tcase_add_test(test, a_block_that_drains_is_left_alone);
	tcase_add_test(test, a_restart_changes_nothing);
	tcase_add_test(test, an_address_goes_when_no_block_of_the_rule_is_in_use);
	tcase_add_test(test, bits_that_were_cleared_are_set_again);
	tcase_add_test(test, rfc6888_req8_a_client_that_returns_is_known);
	tcase_add_test(test, rfc7422_blocks_are_the_rules);
	suite_add_tcase(suite, test);
	return run_suite(suite);
}
