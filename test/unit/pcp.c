/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The PCP server (RFC 6887): each result code and what leads to it, leases given,
 * prolonged, taken back and found again, messages cut at every byte.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/abi/mapping_word.h"
#include "pcp_double.h"
#include "run.h"

#define HOUR           3600
#define PREFER_FAILURE "02000000"

static struct pcp_answer answer;

static void setup(void)
{
	pcp_world_init();
}

static void teardown(void)
{
	pcp_world_free();
}

static enum pcp_result ask(struct pcp_wanted wanted)
{
	return pcp_ask(1, &wanted, &answer);
}
#define ASK(...) ask((struct pcp_wanted){__VA_ARGS__})
/* A port of alice's block that nothing is at. */
#define FREE (PCP_BLOCK + 40)

static uint32_t left_of(uint16_t inner_port)
{
	uint32_t index = lease_find(pcp_world.leases, 1, BNG_PROTOCOL_UDP, inner_port);

	if (!index)
		return 0;
	return lease_seconds(lease_left(bng_pcp_deadline(lease_life(&pcp_world.pcp[index])), pcp_world.tick));
}

static unsigned live(void)
{
	return lease_count_live(pcp_world.leases, 1, pcp_world.tick);
}

/* ---- every result code --------------------------------------------------- */

static const struct row {
	const char *what;
	enum pcp_result result;
	uint32_t seconds; /* that the error holds */
	struct pcp_wanted wanted;
} rows[] = {
	{"MAP", PCP_SUCCESS, HOUR, {.lifetime = HOUR, .inner_port = 5000}},
	{"PEER", PCP_SUCCESS, HOUR, {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000}},
	{"ANNOUNCE", PCP_SUCCESS, 0, {.announce = true}},
	{"TCP", PCP_SUCCESS, HOUR, {.lifetime = HOUR, .inner_port = 5000, .protocol = 6}},
	{"too short a lifetime", PCP_SUCCESS, 120, {.lifetime = 1, .inner_port = 5000}},
	{"too long a lifetime", PCP_SUCCESS, 86400, {.lifetime = ~0u, .inner_port = 5000}},
	{"delete of nothing", PCP_SUCCESS, 0, {.inner_port = 5000}},
	{"delete of a port that may not be asked for", PCP_SUCCESS, 0, {.inner_port = 80}},
	{"delete of all of a protocol", PCP_SUCCESS, 0, {.inner_port = 0}},
	{"delete of all", PCP_SUCCESS, 0, {.inner_port = 0, .protocol = 255}},
	{"PEER without lifetime", PCP_SUCCESS, 0, {.opcode = PCP_PEER, .inner_port = 5000}},
	{"optional option",
	 PCP_SUCCESS,
	 HOUR,
	 {.lifetime = HOUR, .inner_port = 5000, .options = "8000000401020304"}},
	{"version 0", PCP_UNSUPP_VERSION, 1800, {.version = 255, .lifetime = HOUR, .inner_port = 5000}},
	{"version 1", PCP_UNSUPP_VERSION, 1800, {.version = 1, .lifetime = HOUR, .inner_port = 5000}},
	{"port below the lowest", PCP_NOT_AUTHORIZED, 1800, {.lifetime = HOUR, .inner_port = 1023}},
	{"the server's port", PCP_NOT_AUTHORIZED, 1800, {.lifetime = HOUR, .inner_port = 5351}},
	{"the clients' port", PCP_NOT_AUTHORIZED, 1800, {.lifetime = HOUR, .inner_port = 5350}},
	{"TCP has no such ports", PCP_SUCCESS, HOUR, {.lifetime = HOUR, .inner_port = 5351, .protocol = 6}},
	{"PEER below the lowest",
	 PCP_NOT_AUTHORIZED,
	 1800,
	 {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 80}},
	{"port of all protocols",
	 PCP_MALFORMED_REQUEST,
	 1800,
	 {.lifetime = HOUR, .inner_port = 5000, .protocol = 255}},
	{"PEER of all protocols",
	 PCP_MALFORMED_REQUEST,
	 1800,
	 {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000, .protocol = 255}},
	{"PEER without port", PCP_MALFORMED_REQUEST, 1800, {.opcode = PCP_PEER, .lifetime = HOUR}},
	{"PEER with nobody",
	 PCP_MALFORMED_REQUEST,
	 1800,
	 {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000, .peer = "0.0.0.0"}},
	{"PEER with no port there",
	 PCP_MALFORMED_REQUEST,
	 1800,
	 {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000, .peer_port = 65535}},
	{"opcode 3", PCP_UNSUPP_OPCODE, 1800, {.opcode = 3, .lifetime = HOUR, .inner_port = 5000}},
	{"opcode 127", PCP_UNSUPP_OPCODE, 1800, {.opcode = 127, .lifetime = HOUR, .inner_port = 5000}},
	{"THIRD_PARTY",
	 PCP_UNSUPP_OPTION,
	 1800,
	 {.lifetime = HOUR,
	  .inner_port = 5000,
	  .options = "01000010"
		     "00000000000000000000ffff0a00000b"}},
	{"FILTER",
	 PCP_UNSUPP_OPTION,
	 1800,
	 {.lifetime = HOUR,
	  .inner_port = 5000,
	  .options = "03000014"
		     "0000000000000000000000000000000000000000"}},
	{"option nobody knows",
	 PCP_UNSUPP_OPTION,
	 1800,
	 {.lifetime = HOUR, .inner_port = 5000, .options = "7f000000"}},
	{"the same for ANNOUNCE", PCP_UNSUPP_OPTION, 1800, {.announce = true, .options = "7f000000"}},
	{"option longer than the message",
	 PCP_MALFORMED_OPTION,
	 1800,
	 {.lifetime = HOUR, .inner_port = 5000, .options = "80000001"}},
	{"PREFER_FAILURE with data",
	 PCP_MALFORMED_OPTION,
	 1800,
	 {.lifetime = HOUR, .inner_port = 5000, .options = "0200000400000000"}},
	{"PREFER_FAILURE twice",
	 PCP_MALFORMED_OPTION,
	 1800,
	 {.lifetime = HOUR, .inner_port = 5000, .options = PREFER_FAILURE PREFER_FAILURE}},
	{"PREFER_FAILURE in a PEER",
	 PCP_MALFORMED_OPTION,
	 1800,
	 {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000, .options = PREFER_FAILURE}},
	{"PREFER_FAILURE in a delete",
	 PCP_MALFORMED_OPTION,
	 1800,
	 {.inner_port = 5000, .options = PREFER_FAILURE}},
	{"all ports", PCP_UNSUPP_PROTOCOL, 1800, {.lifetime = HOUR}},
	{"all protocols", PCP_UNSUPP_PROTOCOL, 1800, {.lifetime = HOUR, .protocol = 255}},
	{"SCTP", PCP_UNSUPP_PROTOCOL, 1800, {.lifetime = HOUR, .inner_port = 5000, .protocol = 132}},
	{"SCTP PEER",
	 PCP_UNSUPP_PROTOCOL,
	 1800,
	 {.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000, .protocol = 132}},
	{"PREFER_FAILURE without a port",
	 PCP_CANNOT_PROVIDE_EXTERNAL,
	 30,
	 {.lifetime = HOUR, .inner_port = 5000, .options = PREFER_FAILURE}},
	{"PREFER_FAILURE, another's port",
	 PCP_CANNOT_PROVIDE_EXTERNAL,
	 30,
	 {.lifetime = HOUR, .inner_port = 5000, .public_port = PCP_BLOCK + 64, .options = PREFER_FAILURE}},
	{"PREFER_FAILURE, another address",
	 PCP_CANNOT_PROVIDE_EXTERNAL,
	 30,
	 {.lifetime = HOUR,
	  .inner_port = 5000,
	  .public_port = FREE,
	  .address = "203.0.113.2",
	  .options = PREFER_FAILURE}},
	{"another client's address",
	 PCP_ADDRESS_MISMATCH,
	 1800,
	 {.lifetime = HOUR, .inner_port = 5000, .client = "10.0.0.11"}},
};

START_TEST(each_result_has_its_reason)
{
	const struct row *row = &rows[_i];
	struct pcp_wanted wanted = row->wanted;
	enum pcp_result result;
	uint8_t message[2048], response[2048];
	size_t length;

	if (wanted.version == 255) { /* NAT-PMP: asks for the address */
		length = pcp_ask_raw(1, (const uint8_t *)"\0\0", 2, response, &result);
		ck_assert_uint_eq(length, 24);
		ck_assert_int_eq(result, PCP_UNSUPP_VERSION);
		ck_assert(!memcmp(response, "\x02\x80\0\x01\0\0\x07\x08\0\0\0\x07", 12));
		return;
	}
	result = pcp_ask(1, &wanted, &answer);
	ck_assert_msg(result == row->result, "%s: %s", row->what, pcp_result_name(result));
	ck_assert_msg(answer.lifetime == row->seconds, "%s: %u s", row->what, answer.lifetime);
	ck_assert_uint_eq(live(), result == PCP_SUCCESS && row->seconds ? 1 : 0);
	ck_assert_uint_eq(pcp_world.opened, live());
	/* The response says the same, and a second request hears the same. */
	if (!wanted.client)
		wanted.client = "10.0.0.10";
	length = pcp_ask_raw(1, message, pcp_message(&wanted, message), response, &result);
	ck_assert_int_eq(result, row->result);
	ck_assert_uint_eq(length % 4, 0);
	ck_assert(length >= 24 && length <= PCP_MESSAGE_MAX);
	ck_assert_uint_eq(response[0], 2);
	ck_assert_uint_eq(response[1], message[1] | 0x80);
	ck_assert_uint_eq(response[3], row->result);
	ck_assert_uint_eq((uint32_t)(response[4] << 24 | response[5] << 16 | response[6] << 8 | response[7]),
			  row->seconds);
}
END_TEST

START_TEST(a_full_block_and_limits_are_told)
{
	static const struct {
		uint32_t verdict;
		enum pcp_result result;
	} verdicts[] = {
		{BNG_DROP_CGNAT_NO_BLOCK, PCP_NO_RESOURCES},
		{BNG_DROP_CGNAT_BUSY, PCP_NO_RESOURCES},
		{BNG_DROP_CGNAT_BLOCK_LIMIT, PCP_USER_EX_QUOTA},
		{BNG_DROP_CGNAT_MAPPING_LIMIT, PCP_USER_EX_QUOTA},
		{BNG_DROP_CGNAT_RATE_LIMIT, PCP_USER_EX_QUOTA},
		{BNG_DROP_CGNAT_NO_POOL, PCP_NETWORK_FAILURE},
	};

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		pcp_world.verdict = verdicts[i].verdict;
		pcp_world.refusals = 1;
		ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), verdicts[i].result);
		ck_assert_uint_eq(answer.lifetime, 30);
	}
	ck_assert_uint_eq(pcp_world.leases->free_count, PCP_RECORDS - 1);
	ck_assert_uint_eq(pcp_world.opened, 0);
	/* Taken for a suggestion: then any. */
	pcp_world.verdict = BNG_DROP_CGNAT_PORT_TAKEN;
	pcp_world.refusals = 1;
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .public_port = FREE), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, PCP_BLOCK);
}
END_TEST

START_TEST(quota_and_records_are_bounded)
{
	for (uint16_t port = 5000; port < 5004; port++)
		ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = port), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5004), PCP_USER_EX_QUOTA);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5004), PCP_SUCCESS);
	for (uint16_t port = 5000; port < 5003; port++) {
		struct pcp_wanted wanted = {.lifetime = HOUR, .inner_port = port};

		/* The record of what was deleted goes with the next sweep. */
		ck_assert_int_eq(pcp_ask(2, &wanted, &answer), port < 5002 ? PCP_SUCCESS : PCP_NO_RESOURCES);
	}
	pcp_world_sweep();
	ck_assert_int_eq(pcp_ask(2, &(struct pcp_wanted){.lifetime = HOUR, .inner_port = 5002}, &answer),
			 PCP_SUCCESS);
}
END_TEST

START_TEST(a_pool_that_filters_gives_no_peer)
{
	pcp_world.pool[0].flags = BNG_POOL_FILTER_PORT;
	ck_assert_int_eq(ASK(.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000), PCP_NOT_AUTHORIZED);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
}
END_TEST

/* ---- leases ---------------------------------------------------------------- */

START_TEST(what_is_suggested_is_given_or_not)
{
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .public_port = FREE), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, FREE);
	ck_assert_uint_eq(answer.public_be, inet_addr("203.0.113.1"));
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5001, .public_port = FREE), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, PCP_BLOCK);
	ck_assert_int_eq(
		ASK(.lifetime = HOUR, .inner_port = 5002, .public_port = FREE + 1, .address = "203.0.113.2"),
		PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, PCP_BLOCK + 1);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5003, .public_port = FREE + 2,
			     .address = "203.0.113.1", .options = PREFER_FAILURE),
			 PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, FREE + 2);
	/* What is there keeps its port, whatever is suggested now. */
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5003, .public_port = 4000), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, FREE + 2);
	ck_assert_int_eq(
		ASK(.lifetime = HOUR, .inner_port = 5003, .public_port = 4000, .options = PREFER_FAILURE),
		PCP_CANNOT_PROVIDE_EXTERNAL);
	ck_assert_uint_eq(pcp_world.asked, 5);
}
END_TEST

START_TEST(an_unpaired_session_that_gets_another_address_gets_nothing)
{
	pcp_world.subscriber[1].address_index = BNG_NO_ADDRESS_INDEX;
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .public_port = FREE,
			     .address = "203.0.113.9", .options = PREFER_FAILURE),
			 PCP_CANNOT_PROVIDE_EXTERNAL);
	ck_assert_uint_eq(live(), 0);
	ck_assert_uint_eq(pcp_word(1 << 16 | FREE), 0);
	pcp_world_sweep();
	ck_assert_uint_eq(pcp_world.leases->free_count, PCP_RECORDS - 1);
}
END_TEST

START_TEST(a_lease_is_prolonged_shortened_and_ends)
{
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
	pcp_world_seconds(3000);
	ck_assert_uint_le(left_of(5000), 600);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_uint_eq(left_of(5000), HOUR);
	ck_assert_int_eq(ASK(.lifetime = 120, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_uint_eq(left_of(5000), 120);
	pcp_world_sweep();
	ck_assert_uint_eq(live(), 1);
	pcp_world_seconds(121);
	pcp_world_sweep();
	ck_assert_uint_eq(live(), 0);
	ck_assert_uint_eq(pcp_word(1 << 16 | PCP_BLOCK), 0);
	ck_assert_uint_eq(pcp_world.opened, 1);
	ck_assert_uint_eq(pcp_world.closed, 1);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 9), PCP_SUCCESS);
}
END_TEST

START_TEST(only_the_nonce_of_a_lease_changes_it)
{
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 1), PCP_SUCCESS);
	pcp_world_seconds(600);
	for (uint32_t lifetime = 0; lifetime <= HOUR; lifetime += HOUR) {
		ck_assert_int_eq(ASK(.lifetime = lifetime, .inner_port = 5000, .nonce = 2),
				 PCP_NOT_AUTHORIZED);
		ck_assert_uint_ge(answer.lifetime, 3000);
		ck_assert_uint_le(answer.lifetime, 3001);
	}
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 0, .nonce = 2), PCP_SUCCESS);
	ck_assert_uint_eq(live(), 1);
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5000, .nonce = 1), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, PCP_BLOCK);
	ck_assert_uint_eq(live(), 0);
	ck_assert_uint_eq(pcp_word(1 << 16 | PCP_BLOCK), 0);
	/* Deleted, not swept yet: anybody's again, and deleted again with success. */
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5000, .nonce = 2), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 2), PCP_SUCCESS);
	ck_assert_uint_ne(pcp_word(1 << 16 | PCP_BLOCK), 0);
	ck_assert_uint_eq(live(), 1);
}
END_TEST

START_TEST(all_of_a_client_end_at_once)
{
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 1), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5001, .nonce = 1, .protocol = 6), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5002, .nonce = 2), PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = 0, .nonce = 1, .protocol = 6), PCP_SUCCESS);
	ck_assert_uint_eq(live(), 2);
	ck_assert_int_eq(ASK(.lifetime = 0, .nonce = 1, .protocol = 255), PCP_SUCCESS);
	ck_assert_uint_eq(live(), 1);
	ck_assert_uint_gt(left_of(5002), 0);
}
END_TEST

START_TEST(map_and_peer_share_a_mapping)
{
	ck_assert_int_eq(ASK(.opcode = PCP_PEER, .lifetime = 1000, .inner_port = 5000, .nonce = 1),
			 PCP_SUCCESS);
	ck_assert_int_eq(ASK(.lifetime = 500, .inner_port = 5000, .nonce = 2), PCP_SUCCESS);
	ck_assert_uint_eq(left_of(5000), 1000);
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5000, .nonce = 2), PCP_SUCCESS);
	ck_assert_uint_eq(left_of(5000), 1000);
	ck_assert_uint_ne(pcp_word(1 << 16 | PCP_BLOCK), 0);
	/* A PEER for the same remote end needs its nonce, for another one any. */
	ck_assert_int_eq(ASK(.opcode = PCP_PEER, .lifetime = 900, .inner_port = 5000, .nonce = 3),
			 PCP_NOT_AUTHORIZED);
	ck_assert_int_eq(
		ASK(.opcode = PCP_PEER, .lifetime = 2000, .inner_port = 5000, .nonce = 3, .peer_port = 54),
		PCP_SUCCESS);
	ck_assert_uint_eq(left_of(5000), 2000);
	ck_assert_int_eq(ASK(.opcode = PCP_PEER, .inner_port = 5000, .nonce = 3, .peer_port = 54),
			 PCP_SUCCESS);
	ck_assert_uint_eq(live(), 0);
	ck_assert_uint_eq(pcp_world.opened, 1);
}
END_TEST

START_TEST(what_the_operator_forwards_is_told_and_stays)
{
	uint64_t word = bng_mapping_word(bng_mapping_key(BNG_PROTOCOL_UDP, htons(5000)), BNG_MAPPING_UDP,
					 BNG_MAPPING_PIN_CONFIG, pcp_world.tick);

	pcp_set_word(1 << 16 | FREE, word);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, FREE);
	ck_assert_uint_eq(answer.lifetime, HOUR);
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5000), PCP_NOT_AUTHORIZED);
	ck_assert_uint_eq(pcp_word(1 << 16 | FREE), word);
	ck_assert_uint_eq(live(), 0);
	ck_assert_uint_eq(pcp_world.opened, 0);
}
END_TEST

START_TEST(a_data_plane_that_does_not_answer_is_asked_again)
{
	pcp_world.is_silent = true;
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_DROP);
	ck_assert_uint_eq(pcp_world.leases->count, 1); /* the mapping may come yet */
	pcp_world.is_silent = false;
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_uint_eq(pcp_world.leases->count, 1);
	pcp_world.is_deaf = true;
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5001), PCP_DROP);
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5001), PCP_SUCCESS);
	pcp_world_sweep();
	ck_assert_uint_eq(pcp_world.leases->count, 1);
	/* A delete that does not get through is carried out by the sweep. */
	ck_assert_int_eq(ASK(.lifetime = 0, .inner_port = 5000), PCP_SUCCESS);
	ck_assert_uint_ne(pcp_word(1 << 16 | PCP_BLOCK), 0);
	pcp_world_sweep();
	ck_assert_uint_eq(pcp_word(1 << 16 | PCP_BLOCK), 0);
}
END_TEST

START_TEST(what_the_sweep_holds_waits_and_what_it_ended_is_new)
{
	struct bng_pcp *record = &pcp_world.pcp[1];

	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_SUCCESS);
	record->life = bng_pcp_life(BNG_PCP_EXPIRING, bng_pcp_deadline(record->life));
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000), PCP_DROP);
	record->life = bng_pcp_life(BNG_PCP_EXPIRED, bng_pcp_deadline(record->life));
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 7), PCP_SUCCESS);
	ck_assert_uint_eq(pcp_world.closed, 1);
	ck_assert_uint_eq(pcp_world.opened, 2);
}
END_TEST

START_TEST(a_restart_finds_what_was_there)
{
	uint16_t port;

	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 1), PCP_SUCCESS);
	port = answer.public_port;
	ck_assert_int_eq(pcp_ask(2, &(struct pcp_wanted){.lifetime = HOUR, .inner_port = 5000}, &answer),
			 PCP_SUCCESS);
	pcp_world_seconds(1000);
	pcp_world.subscriber[2].session_id++; /* another session meanwhile */
	pcp_world_restart();
	ck_assert_uint_eq(pcp_world.leases->count, 1);
	ck_assert_uint_eq(left_of(5000), 2600);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 2), PCP_NOT_AUTHORIZED);
	ck_assert_int_eq(ASK(.lifetime = HOUR, .inner_port = 5000, .nonce = 1), PCP_SUCCESS);
	ck_assert_uint_eq(answer.public_port, port);
	ck_assert_uint_eq(pcp_world.opened, 2);
	ck_assert_int_eq(lease_find(pcp_world.leases, 2, BNG_PROTOCOL_UDP, 5000), 0);
}
END_TEST

/* ---- messages ---------------------------------------------------------------- */

START_TEST(a_message_cut_anywhere_is_dropped_or_refused)
{
	const struct pcp_wanted wanted = {
		.opcode = PCP_PEER, .lifetime = HOUR, .inner_port = 5000, .options = "80000000"};
	uint8_t message[2048], response[PCP_MESSAGE_MAX];
	size_t whole = pcp_message(&wanted, message);
	enum pcp_result result;

	for (size_t length = 0; length < whole; length++) {
		uint8_t *copy = malloc(length ? length : 1);
		size_t built;

		memcpy(copy, message, length);
		built = pcp_ask_raw(1, copy, length, response, &result);
		free(copy);
		if (length < 24)
			ck_assert_int_eq(result, PCP_DROP);
		else if (length != 80)
			ck_assert_int_eq(result, PCP_MALFORMED_REQUEST);
		else
			ck_assert_int_eq(result, PCP_SUCCESS);
		ck_assert_uint_eq(built, result == PCP_DROP ? 0 : (length + 3) & ~3ul);
	}
}
END_TEST

START_TEST(a_message_too_long_comes_back_cut)
{
	static uint8_t message[2048], response[PCP_MESSAGE_MAX];
	enum pcp_result result;

	pcp_message(&(struct pcp_wanted){.announce = true}, message);
	ck_assert_uint_eq(pcp_ask_raw(1, message, 1400, response, &result), PCP_MESSAGE_MAX);
	ck_assert_int_eq(result, PCP_MALFORMED_REQUEST);
	ck_assert_uint_eq(pcp_ask_raw(1, message, PCP_MESSAGE_MAX, response, &result), PCP_MESSAGE_MAX);
	ck_assert_int_eq(result, PCP_UNSUPP_OPTION);
}
END_TEST

START_TEST(a_response_is_no_request)
{
	static const uint8_t response[24] = {2, 0x80};
	uint8_t out[PCP_MESSAGE_MAX];
	enum pcp_result result;

	ck_assert_uint_eq(pcp_ask_raw(1, response, sizeof(response), out, &result), 0);
	ck_assert_int_eq(result, PCP_DROP);
}
END_TEST

START_TEST(an_announcement_is_a_response)
{
	uint8_t out[PCP_MESSAGE_MAX];

	ck_assert_uint_eq(pcp_build_announce(0x01020304, out), 24);
	ck_assert(!memcmp(out, "\x02\x80\0\0\0\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\0\0\0\0\0", 24));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pcp");
	TCase *tcase = tcase_create("pcp");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_result_has_its_reason, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_test(tcase, a_full_block_and_limits_are_told);
	tcase_add_test(tcase, quota_and_records_are_bounded);
	tcase_add_test(tcase, a_pool_that_filters_gives_no_peer);
	tcase_add_test(tcase, what_is_suggested_is_given_or_not);
	tcase_add_test(tcase, an_unpaired_session_that_gets_another_address_gets_nothing);
	tcase_add_test(tcase, a_lease_is_prolonged_shortened_and_ends);
	tcase_add_test(tcase, only_the_nonce_of_a_lease_changes_it);
	tcase_add_test(tcase, all_of_a_client_end_at_once);
	tcase_add_test(tcase, map_and_peer_share_a_mapping);
	tcase_add_test(tcase, what_the_operator_forwards_is_told_and_stays);
	tcase_add_test(tcase, a_data_plane_that_does_not_answer_is_asked_again);
	tcase_add_test(tcase, what_the_sweep_holds_waits_and_what_it_ended_is_new);
	tcase_add_test(tcase, a_restart_finds_what_was_there);
	tcase_add_test(tcase, a_message_cut_anywhere_is_dropped_or_refused);
	tcase_add_test(tcase, a_message_too_long_comes_back_cut);
	tcase_add_test(tcase, a_response_is_no_request);
	tcase_add_test(tcase, an_announcement_is_a_response);
	return run_suite(suite);
}
