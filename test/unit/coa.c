/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CoA: reading requests attribute by attribute, who is meant, what was answered before, and
 * whole requests at any time.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/coa/coa.h"
#include "controld/coa/match.h"
#include "controld/coa/replay.h"
#include "controld/coa/request.h"
#include "controld/radius/seal.h"
#include "controld/session/detail.h"
#include "run.h"
#include "test/unit/controld_fixture.h"

static const struct radius_secret secret = {"xyzzy5461", 9}, other = {"xyzzy5462", 9};
static const struct fixture_sizes sizes = {4096, 8, 1024};
static char error[512];

/* ---- Reading ------------------------------------------------------------------------------ */

static bool is_filter(void *context, const struct radius_attribute *attribute)
{
	(void)context;
	return !attribute->vendor && attribute->type == 11;
}

static enum coa_cause read_one(enum coa_code code, uint8_t type, const void *value, size_t length,
			       struct coa_request *request)
{
	static uint8_t packet[RADIUS_PACKET_MAX];
	struct radius_builder builder;

	radius_begin(&builder, packet, sizeof(packet), (enum radius_code)code);
	radius_add_text(&builder, 44, "0000000000000001");
	if (type)
		radius_add(&builder, type, value, length);
	return coa_read(packet, radius_end(&builder), "bng1", htonl(0xc0000201), is_filter, NULL, request);
}

static const struct {
	enum coa_code code;
	uint8_t type;
	const char *value;
	size_t length;
	enum coa_cause cause;
} attributes[] = {
	{COA_REQUEST, 0, "", 0, COA_CAUSE_NONE},
	{COA_REQUEST, 11, "walled", 6, COA_CAUSE_NONE},
	{COA_DISCONNECT_REQUEST, 11, "walled", 6, COA_CAUSE_UNSUPPORTED_ATTRIBUTE},
	{COA_REQUEST, 64, "\0\0\0\3", 4, COA_CAUSE_UNSUPPORTED_ATTRIBUTE},
	{COA_REQUEST, 32, "bng1", 4, COA_CAUSE_NONE},
	{COA_REQUEST, 32, "bng", 3, COA_CAUSE_NAS_MISMATCH},
	{COA_REQUEST, 32, "bng12", 5, COA_CAUSE_NAS_MISMATCH},
	{COA_REQUEST, 4, "\300\0\2\1", 4, COA_CAUSE_NONE},
	{COA_REQUEST, 4, "\300\0\2\2", 4, COA_CAUSE_NAS_MISMATCH},
	{COA_REQUEST, 4, "\300\0\2", 3, COA_CAUSE_INVALID_VALUE},
	{COA_REQUEST, 6, "\0\0\0\21", 4, COA_CAUSE_UNSUPPORTED_SERVICE},
	{COA_REQUEST, 8, "\12\0\0", 3, COA_CAUSE_INVALID_VALUE},
	{COA_REQUEST, 8, "\12\0\0\7", 4, COA_CAUSE_NONE},
	{COA_REQUEST, 44, "0000000000000002", 16, COA_CAUSE_INVALID_REQUEST},
	{COA_REQUEST, 55, "\0\0\1", 3, COA_CAUSE_INVALID_VALUE},
	{COA_REQUEST, 55, "\0\0\1\2", 4, COA_CAUSE_NONE},
	{COA_DISCONNECT_REQUEST, 33, "proxy", 5, COA_CAUSE_NONE},
	{COA_DISCONNECT_REQUEST, 49, "\0\0\0\6", 4, COA_CAUSE_NONE},
	{COA_DISCONNECT_REQUEST, 1, "anna", 4, COA_CAUSE_NONE},
	{COA_DISCONNECT_REQUEST, 1, "", 0, COA_CAUSE_INVALID_REQUEST},
};

START_TEST(rfc5176_s3_each_attribute_has_its_meaning)
{
	struct coa_request request;

	ck_assert_int_eq(read_one(attributes[_i].code, attributes[_i].type, attributes[_i].value,
				  attributes[_i].length, &request),
			 attributes[_i].cause);
	ck_assert_int_eq(request.code, attributes[_i].code);
}
END_TEST

START_TEST(what_was_read_is_told)
{
	struct coa_request request;

	ck_assert_int_eq(read_one(COA_REQUEST, 55, "\0\0\1\2", 4, &request), COA_CAUSE_NONE);
	ck_assert(request.has_time);
	ck_assert_uint_eq(request.time_s, 258);
	ck_assert_uint_eq(request.selection.session_id.length, 16);
	ck_assert_ptr_null(request.selection.user.data);
}
END_TEST

/* ---- Genuine ------------------------------------------------------------------------------ */

/* As who knows the secret makes it: by the seal of Accounting-Requests, which is the same. */
static size_t signed_request(uint8_t *packet)
{
	struct radius_builder builder;
	size_t length;

	radius_begin(&builder, packet, RADIUS_PACKET_MAX, RADIUS_ACCOUNTING_REQUEST);
	radius_add_text(&builder, 44, "0000000000000001");
	length = radius_end(&builder);
	ck_assert_int_eq(radius_seal(packet, length, 7, &secret), 0);
	return length;
}

START_TEST(rfc5176_s2_3_a_request_is_genuine_by_its_secret_only)
{
	uint8_t packet[RADIUS_PACKET_MAX];
	size_t length = signed_request(packet), told = length;

	ck_assert_int_eq(radius_verify_request(packet, &told, &secret, false), RADIUS_GENUINE);
	ck_assert_int_eq(radius_verify_request(packet, &told, &secret, true),
			 RADIUS_NO_MESSAGE_AUTHENTICATOR);
	ck_assert_int_eq(radius_verify_request(packet, &told, &other, false), RADIUS_BAD_AUTHENTICATOR);
	for (size_t i = 0; i < length; i++) {
		if (i == RADIUS_AT_LENGTH || i == RADIUS_AT_LENGTH + 1)
			continue;
		packet[i] ^= 1;
		told = length;
		ck_assert_int_ne(radius_verify_request(packet, &told, &secret, false), RADIUS_GENUINE);
		packet[i] ^= 1;
	}
}
END_TEST

START_TEST(rfc5176_s2_3_a_reply_belongs_to_its_request)
{
	uint8_t packet[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX];
	static const uint8_t empty[RADIUS_DIGEST];
	struct radius_builder builder;
	size_t length;

	signed_request(packet);
	radius_begin(&builder, reply, sizeof(reply), RADIUS_ACCOUNTING_RESPONSE);
	radius_add(&builder, RADIUS_MESSAGE_AUTHENTICATOR, empty, sizeof(empty));
	length = radius_end(&builder);
	ck_assert_int_eq(radius_seal_reply(reply, length, packet, &secret), 0);
	ck_assert_uint_eq(reply[RADIUS_AT_ID], 7);
	ck_assert_int_eq(radius_verify(reply, &length, packet, &secret, true), RADIUS_GENUINE);
	packet[RADIUS_AT_AUTHENTICATOR] ^= 1;
	ck_assert_int_eq(radius_verify(reply, &length, packet, &secret, true), RADIUS_BAD_AUTHENTICATOR);
}
END_TEST

/* ---- Who is meant ------------------------------------------------------------------------- */

static struct session anna, berta;

static struct session open_one(const char *address, uint32_t client, const char *user)
{
	struct session_spec spec = fixture_spec(address, client);
	struct session session;

	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	session_detail(&fixture.controld, &session)->user = strdup(user);
	return session;
}

static void setup_sessions(void)
{
	fixture_start(&sizes);
	ck_assert_int_eq(fixture_configure(fixture_text("", "", ""), error, sizeof(error)), 0);
	anna = open_one("10.0.0.20", 0x11, "anna");
	berta = open_one("10.0.0.21", 0x22, "berta");
}

static struct coa_value value(const char *text)
{
	return text ? (struct coa_value){(const uint8_t *)text, (uint8_t)strlen(text)}
		    : (struct coa_value){NULL, 0};
}

static enum coa_cause match(const char *user, const char *station, const char *port, struct session *found)
{
	struct coa_selection selection = {
		.user = value(user), .station = value(station), .port = value(port)};

	return coa_match(&fixture.controld, &selection, found);
}

START_TEST(a_session_is_found_by_each_of_its_names)
{
	struct coa_selection selection = {.address = {(const uint8_t *)"\12\0\0\25", 4}};
	char id[17];
	struct session found;

	ck_assert_int_eq(match("anna", NULL, NULL, &found), COA_CAUSE_NONE);
	ck_assert_uint_eq(found.slot, anna.slot);
	ck_assert_int_eq(match(NULL, "02-00-22-00-00-00", NULL, &found), COA_CAUSE_NONE);
	ck_assert_uint_eq(found.slot, berta.slot);
	ck_assert_int_eq(match(NULL, "0200.1100.0000", NULL, &found), COA_CAUSE_NONE);
	ck_assert_uint_eq(found.slot, anna.slot);
	ck_assert_int_eq(coa_match(&fixture.controld, &selection, &found), COA_CAUSE_NONE);
	ck_assert_uint_eq(found.slot, berta.slot);
	session_detail(&fixture.controld, &berta)->profile.user = strdup("b@granted");
	session_detail(&fixture.controld, &berta)->profile.given |= PROFILE_USER;
	ck_assert_int_eq(match("b@granted", NULL, NULL, &found), COA_CAUSE_NONE);
	ck_assert_uint_eq(found.slot, berta.slot);
	snprintf(id, sizeof(id), "%016llX", (unsigned long long)anna.record->session_id);
	selection = (struct coa_selection){.session_id = value(id)};
	ck_assert_int_eq(coa_match(&fixture.controld, &selection, &found), COA_CAUSE_NONE);
	ck_assert_uint_eq(found.slot, anna.slot);
}
END_TEST

START_TEST(what_is_not_true_of_one_session_finds_none)
{
	struct coa_selection selection = {.session_id = value("000000000000000z")};
	struct session found;

	ck_assert_int_eq(match("carla", NULL, NULL, &found), COA_CAUSE_SESSION_NOT_FOUND);
	ck_assert_int_eq(match("ann", NULL, NULL, &found), COA_CAUSE_SESSION_NOT_FOUND);
	ck_assert_int_eq(match("anna", "02-00-22-00-00-00", NULL, &found), COA_CAUSE_SESSION_NOT_FOUND);
	ck_assert_int_eq(match(NULL, "02-00-22-00-00", NULL, &found), COA_CAUSE_SESSION_NOT_FOUND);
	ck_assert_int_eq(match(NULL, "02-00-22-00-00-00-00", NULL, &found), COA_CAUSE_SESSION_NOT_FOUND);
	ck_assert_int_eq(match(NULL, NULL, "access0", &found), COA_CAUSE_SEVERAL_SESSIONS);
	ck_assert_int_eq(match("anna", NULL, "access0", &found), COA_CAUSE_NONE);
	ck_assert_int_eq(coa_match(&fixture.controld, &selection, &found), COA_CAUSE_SESSION_NOT_FOUND);
}
END_TEST

/* ---- What was answered -------------------------------------------------------------------- */

START_TEST(an_answer_is_remembered_for_its_time_and_by_its_client)
{
	struct coa_replay *replay = calloc(1, sizeof(*replay));
	struct coa_answered answered = {100, 1, 503, COA_NAK, 0, "sixteen bytes .."};

	ck_assert_ptr_null(coa_replay_find(replay, 1, answered.authenticator, 50));
	coa_replay_add(replay, &answered, 50);
	ck_assert_ptr_nonnull(coa_replay_find(replay, 1, answered.authenticator, 100));
	ck_assert_uint_eq(coa_replay_find(replay, 1, answered.authenticator, 50)->cause, 503);
	ck_assert_ptr_null(coa_replay_find(replay, 2, answered.authenticator, 50));
	ck_assert_ptr_null(coa_replay_find(replay, 1, answered.authenticator, 101));
	free(replay);
}
END_TEST

START_TEST(nothing_current_is_forgotten_to_make_room)
{
	struct coa_replay *replay = calloc(1, sizeof(*replay));
	struct coa_answered answered = {100, 1, 0, COA_ACK, 0, "one set ........"};

	for (int i = 0; i < COA_REPLAY_WAYS; i++) {
		ck_assert(coa_replay_has_room(replay, answered.authenticator, 50));
		answered.authenticator[15] = (uint8_t)i;
		coa_replay_add(replay, &answered, 50);
	}
	ck_assert(!coa_replay_has_room(replay, answered.authenticator, 100));
	answered.authenticator[15] = 99;
	coa_replay_add(replay, &answered, 50);
	ck_assert_ptr_null(coa_replay_find(replay, 1, answered.authenticator, 50));
	answered.authenticator[15] = 0;
	ck_assert_ptr_nonnull(coa_replay_find(replay, 1, answered.authenticator, 50));
	ck_assert(coa_replay_has_room(replay, answered.authenticator, 101));
	free(replay);
}
END_TEST

/* ---- Whole requests ----------------------------------------------------------------------- */

static struct coa_client clients[] = {{{0x0a000001, 0x0a000002, 31}, {"xyzzy5461", 9}, false}};
static struct coa coa;

static void setup_serve(void)
{
	setup_sessions();
	coa = (struct coa){.controld = &fixture.controld,
			   .clients = clients,
			   .client_count = 1,
			   .needs_timestamp = true,
			   .window_s = 60,
			   .replay = calloc(1, sizeof(struct coa_replay))};
	ck_assert_ptr_nonnull(coa.replay);
}

static void end_serve(void)
{
	free(coa.replay);
	fixture_stop();
}

/* A Disconnect-Request for anna of that time, served at another: what became of it, and the answer's code. */
static enum coa_drop disconnect(uint32_t from, uint32_t time_s, uint64_t now_s, uint8_t *code)
{
	static const uint8_t unsigned_request[RADIUS_HEADER];
	uint8_t packet[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX] = {0};
	struct radius_builder builder;
	size_t length;
	enum coa_drop drop;

	radius_begin(&builder, packet, sizeof(packet), (enum radius_code)COA_DISCONNECT_REQUEST);
	radius_add_text(&builder, 1, "anna");
	radius_add_integer(&builder, 55, time_s);
	length = radius_end(&builder);
	/* A request is sealed like a reply to nothing. */
	ck_assert_int_eq(radius_seal_reply(packet, length, unsigned_request, &secret), 0);
	drop = coa_serve(&coa, htonl(from), packet, length, now_s, reply, &length);
	*code = reply[RADIUS_AT_CODE];
	return drop;
}

START_TEST(a_request_of_the_future_has_one_effect_for_as_long_as_it_is_current)
{
	uint8_t code;

	ck_assert_int_eq(disconnect(0x0a000001, 1061, 1000, &code), COA_DROP_OLD);
	ck_assert_int_eq(disconnect(0x0a000001, 1060, 1000, &code), COA_ANSWERED);
	ck_assert_uint_eq(code, COA_DISCONNECT_ACK);
	ck_assert_int_eq(disconnect(0x0a000001, 1060, 1120, &code), COA_ANSWERED);
	ck_assert_uint_eq(code, COA_DISCONNECT_ACK);
	ck_assert_uint_eq(coa.counts.repeated, 1);
	ck_assert_int_eq(disconnect(0x0a000001, 1060, 1121, &code), COA_DROP_OLD);
	ck_assert_uint_eq(coa.counts.drop[COA_DROP_OLD], 2);
}
END_TEST

START_TEST(the_same_of_another_client_is_a_request_of_its_own)
{
	uint8_t code;

	ck_assert_int_eq(disconnect(0x0a000001, 1000, 1000, &code), COA_ANSWERED);
	ck_assert_int_eq(disconnect(0x0a000002, 1000, 1000, &code), COA_ANSWERED);
	ck_assert_uint_eq(code, COA_DISCONNECT_NAK);
	ck_assert_uint_eq(coa.counts.repeated, 0);
	ck_assert_uint_eq(coa.counts.nak[COA_CAUSE_SESSION_NOT_FOUND], 1);
	ck_assert_int_eq(disconnect(0x0a000003, 1000, 1000, &code), COA_DROP_UNKNOWN_CLIENT);
}
END_TEST

START_TEST(what_cannot_be_remembered_has_no_effect)
{
	struct session found;
	uint8_t code;

	for (size_t i = 0; i < COA_REPLAY_SETS; i++)
		for (size_t k = 0; k < COA_REPLAY_WAYS; k++)
			coa.replay->set[i][k].until_s = 1000;
	ck_assert_int_eq(disconnect(0x0a000001, 1000, 1000, &code), COA_DROP_TOO_MANY);
	ck_assert_uint_eq(coa.counts.drop[COA_DROP_TOO_MANY], 1);
	ck_assert_int_eq(match("anna", NULL, NULL, &found), COA_CAUSE_NONE);
	ck_assert_int_eq(disconnect(0x0a000001, 1000, 1001, &code), COA_ANSWERED);
	ck_assert_uint_eq(code, COA_DISCONNECT_ACK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("coa");
	TCase *read = tcase_create("read"), *find = tcase_create("match"), *replay = tcase_create("replay");
	TCase *serve = tcase_create("serve");

	tcase_add_loop_test(read, rfc5176_s3_each_attribute_has_its_meaning, 0,
			    sizeof(attributes) / sizeof(attributes[0]));
	tcase_add_test(read, what_was_read_is_told);
	tcase_add_test(read, rfc5176_s2_3_a_request_is_genuine_by_its_secret_only);
	tcase_add_test(read, rfc5176_s2_3_a_reply_belongs_to_its_request);
	suite_add_tcase(suite, read);
	tcase_add_checked_fixture(find, setup_sessions, fixture_stop);
	tcase_add_test(find, a_session_is_found_by_each_of_its_names);
	tcase_add_test(find, what_is_not_true_of_one_session_finds_none);
	suite_add_tcase(suite, find);
	tcase_add_test(replay, an_answer_is_remembered_for_its_time_and_by_its_client);
	tcase_add_test(replay, nothing_current_is_forgotten_to_make_room);
	suite_add_tcase(suite, replay);
	tcase_add_checked_fixture(serve, setup_serve, end_serve);
	tcase_add_test(serve, a_request_of_the_future_has_one_effect_for_as_long_as_it_is_current);
	tcase_add_test(serve, the_same_of_another_client_is_a_request_of_its_own);
	tcase_add_test(serve, what_cannot_be_remembered_has_no_effect);
	suite_add_tcase(suite, serve);
	return run_suite(suite);
}
