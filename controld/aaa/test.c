/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * radius.test: does a user get in, and with what? It asks as a subscriber would be asked
 * about, without a line, and shows the reply and the profile that it means.
 *
 * A test's caller waits in a list; its ticket has a number of this start, so that the
 * answer to a test of an earlier one, whose caller is gone, is known as such.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "controld/aaa/aaa.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/radius/dictionary.h"
#include "controld/radius/mschap.h"
#include "controld/radius/profile.h"
#include "controld/radius/requests.h"
#include "controld/radius/seal.h"

#define TESTS_MAX  16384
#define ANSWER_MAX RADIUS_PASSWORD_MAX

struct test {
	TAILQ_ENTRY(test) next;
	uint64_t number;
	struct rpc_request *request;
	char proof[MSCHAP_PROOF]; /* what a server that knows the password says; "": not asked for */
};

struct test_context {
	uint64_t epoch;
	uint64_t number;
};

static const char *const methods[AAA_METHODS + 1] = {[CREDENTIAL_LINE] = "line",
						     [CREDENTIAL_PAP] = "pap",
						     [CREDENTIAL_CHAP] = "chap",
						     [CREDENTIAL_MSCHAP2] = "mschap2"};

/* ---- The answer ----------------------------------------------------------------------- */

static json_t *attributes_json(const struct controld *controld, const struct radius_answer *answer)
{
	json_t *list = json_array();
	struct radius_attribute attribute;
	struct radius_cursor cursor;

	if (!answer->packet)
		return list;
	cursor = radius_attributes(answer->packet, answer->length);
	while (radius_next(&cursor, &attribute))
		if (attribute.vendor || attribute.type != RADIUS_MESSAGE_AUTHENTICATOR)
			json_array_append_new(
				list, dictionary_describe(radius_dictionary(controld->radius), &attribute));
	return list;
}

/* Ident, then "S=...". */
static bool is_proven(const struct test *test, const struct radius_answer *answer)
{
	struct radius_cursor cursor = radius_attributes(answer->packet, answer->length);
	struct radius_attribute attribute;

	while (radius_next(&cursor, &attribute))
		if (attribute.vendor == MSCHAP_VENDOR && attribute.type == MSCHAP2_SUCCESS &&
		    attribute.length >= MSCHAP_PROOF &&
		    !memcmp(attribute.value + 1, test->proof, MSCHAP_PROOF - 1))
			return true;
	return false;
}

static void add_profile(const struct controld *controld, const struct test *test,
			const struct radius_answer *answer, json_t *result)
{
	json_t *troubles = json_array();
	struct profile_reading reading;

	if (!profile_read(radius_attribute_map(controld->radius), controld->config, answer->packet,
			  answer->length, &reading)) {
		json_object_set_new(result, "profile", profile_json(&reading.profile));
		json_object_set_new(result, "denied", json_boolean(!aaa_passes(controld->config, &reading)));
		if (reading.wrong)
			json_array_append_new(troubles, json_string(reading.trouble));
	}
	profile_done(&reading.profile);
	if (test->proof[0] && !is_proven(test, answer))
		json_array_append_new(
			troubles, json_string("MS-CHAP2-Success is missing or wrong: a subscriber would not "
					      "believe this server"));
	json_object_set_new(result, "troubles", troubles);
}

static struct test *find_test(struct aaa *aaa, uint64_t number)
{
	struct test *test;

	TAILQ_FOREACH(test, &aaa->tests, next)
	if (test->number == number)
		return test;
	return NULL;
}

static void end_test(struct aaa *aaa, struct test *test)
{
	TAILQ_REMOVE(&aaa->tests, test, next);
	aaa->test_count--;
	OPENSSL_cleanse(test, sizeof(*test));
	free(test);
}

void on_test_answer(struct controld *controld, const struct radius_answer *answer,
		    const struct radius_ticket *ticket)
{
	static const char *const outcomes[] = {
		[RADIUS_ACCEPTED] = "accept",       [RADIUS_REJECTED] = "reject",
		[RADIUS_CHALLENGED] = "challenge",  [RADIUS_ACCOUNTED] = "accounted",
		[RADIUS_UNANSWERED] = "unanswered", [RADIUS_NO_SERVER] = "no_server"};
	struct aaa *aaa = controld->aaa;
	struct test_context context;
	struct test *test = NULL;
	json_t *result;

	memcpy(&context, ticket->context, sizeof(context));
	if (context.epoch == controld->epoch)
		test = find_test(aaa, context.number);
	if (!test) {
		radius_count_orphan(controld->radius);
		return;
	}
	result = json_pack("{s:s, s:s?, s:f, s:i, s:o}", "outcome", outcomes[answer->outcome], "server",
			   answer->server, "ms", (double)answer->took_ns / 1e6, "tries", (int)answer->tries,
			   "attributes", attributes_json(controld, answer));
	if (answer->outcome == RADIUS_ACCEPTED)
		add_profile(controld, test, answer, result);
	rpc_reply(test->request, result, NULL, 0);
	end_test(aaa, test);
}

void tests_end(struct aaa *aaa)
{
	struct test *test;

	while ((test = TAILQ_FIRST(&aaa->tests))) {
		rpc_fail(test->request, RPC_UNAVAILABLE, NULL, "bng-controld is ending");
		end_test(aaa, test);
	}
}

/* ---- The question -------------------------------------------------------------------------- */

/* What a subscriber who knows the password would answer. */
struct claim {
	uint8_t challenge[MSCHAP_CHALLENGE];
	uint8_t answer[ANSWER_MAX];
	char proof[MSCHAP_PROOF];
};

static int claim_pap(struct claim *claim, const char *user, const char *password,
		     struct credentials *credentials)
{
	(void)user;
	credentials->response_length = strlen(password);
	memcpy(claim->answer, password, credentials->response_length);
	return 0;
}

static int claim_chap(struct claim *claim, const char *user, const char *password,
		      struct credentials *credentials)
{
	(void)user;
	credentials->response_length = RADIUS_DIGEST;
	return radius_chap(credentials->id, claim->challenge, sizeof(claim->challenge), password,
			   strlen(password), claim->answer);
}

static int claim_mschap2(struct claim *claim, const char *user, const char *password,
			 struct credentials *credentials)
{
	uint8_t *response = claim->answer + MSCHAP_CHALLENGE + 8;
	int failure = RAND_bytes(claim->answer, MSCHAP_CHALLENGE) == 1 ? 0 : -EIO;

	credentials->response_length = MSCHAP_ANSWER;
	if (!failure)
		failure = mschap_respond(user, password, claim->challenge, claim->answer, response);
	if (!failure)
		failure =
			mschap_prove(user, password, claim->challenge, claim->answer, response, claim->proof);
	return failure;
}

static int claim_line(struct claim *claim, const char *user, const char *password,
		      struct credentials *credentials)
{
	(void)claim;
	(void)user;
	(void)password;
	(void)credentials;
	return 0;
}

/* The Access-Request: 0 and its length, or -errno. */
static int build(const struct controld *controld, enum credential kind, const char *user,
		 const char *password, struct claim *claim, uint8_t *packet, size_t *length)
{
	static int (*const claims[AAA_METHODS])(struct claim * claim, const char *user, const char *password,
						struct credentials *credentials) = {
		[CREDENTIAL_LINE] = claim_line,
		[CREDENTIAL_PAP] = claim_pap,
		[CREDENTIAL_CHAP] = claim_chap,
		[CREDENTIAL_MSCHAP2] = claim_mschap2,
	};
	struct authorise_question question = {
		.kind = kind == CREDENTIAL_LINE ? BNG_SESSION_DHCP : BNG_SESSION_PPPOE,
		.user = user,
		.credentials = {.kind = kind,
				.challenge = claim->challenge,
				.challenge_length = sizeof(claim->challenge),
				.response = claim->answer},
	};
	const char *why;
	int failure = RAND_bytes(claim->challenge, sizeof(claim->challenge)) == 1 ? 0 : -EIO;

	question.credentials.id = claim->challenge[0];
	if (!failure)
		failure = claims[kind](claim, user, password, &question.credentials);
	if (failure)
		return failure;
	*length = question_build(controld, &question, user, packet, RADIUS_REQUEST_MAX, &why);
	return *length ? 0 : -EMSGSIZE;
}

static int start(struct controld *controld, struct rpc_request *request, const struct claim *claim,
		 const uint8_t *packet, size_t length)
{
	struct aaa *aaa = controld->aaa;
	struct radius_ticket ticket = {.owner = RADIUS_OWNER_TEST};
	struct test_context context = {controld->epoch, aaa->next_test++};
	struct test *test = aaa->test_count < TESTS_MAX ? calloc(1, sizeof(*test)) : NULL;
	int failure;

	if (!test)
		return -ENOBUFS;
	*test = (struct test){.number = context.number, .request = request};
	memcpy(test->proof, claim->proof, sizeof(test->proof));
	memcpy(ticket.context, &context, sizeof(context));
	failure = radius_submit(controld->radius, packet, length, &ticket);
	if (failure) {
		free(test);
		return failure;
	}
	TAILQ_INSERT_TAIL(&aaa->tests, test, next);
	aaa->test_count++;
	return 0;
}

static void refuse(struct rpc_request *request, int failure)
{
	static const struct {
		int failure, code;
		const char *text;
	} rows[] = {
		{-ENOTSUP, RPC_UNAVAILABLE, "no RADIUS server is configured: /radius/servers"},
		{-EHOSTUNREACH, RPC_UNAVAILABLE, "no RADIUS server is alive: bngcli radius servers"},
		{-ENOBUFS, RPC_LIMIT, "as many requests wait as may: /radius/queue"},
		{-EMSGSIZE, RPC_INVALID_PARAMS, "user and password do not fit into a request"},
		{-EINVAL, RPC_INVALID_PARAMS, "MS-CHAPv2 takes passwords of at most 256 characters"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].failure == failure) {
			rpc_fail(request, rows[i].code, NULL, "%s", rows[i].text);
			return;
		}
	rpc_fail(request, RPC_INTERNAL, NULL, "asking failed: %s", strerror(-failure));
}

/* What is found is its length: a password is shown to nobody. */
static void check_length(struct json_reader *reader, const json_t *params, const char *member, size_t least,
			 size_t most)
{
	const char *text = json_string_value(json_object_get(params, member));
	json_t *length = json_integer(text ? (json_int_t)strlen(text) : 0);

	if (json_reader_ok(reader) && text && (strlen(text) < least || strlen(text) > most))
		json_reader_fail(reader, length, "bytes in %s, must be %zu-%zu", member, least, most);
	json_decref(length);
}

static enum credential read_params(struct json_reader *reader, json_t *params, const char **user,
				   const char **password)
{
	const char *method = json_read_string_or(reader, params, "method", "pap");
	enum credential kind = 0;

	*user = json_read_string(reader, params, "user");
	while (kind < AAA_METHODS && strcmp(methods[kind], method))
		kind++;
	*password = kind == CREDENTIAL_LINE ? json_read_string_or(reader, params, "password", "")
					    : json_read_string(reader, params, "password");
	check_length(reader, params, "user", 1, RADIUS_VALUE_MAX);
	check_length(reader, params, "password", 0, RADIUS_PASSWORD_MAX);
	if (json_reader_ok(reader) && kind == AAA_METHODS)
		json_reader_fail(reader, json_object_get(params, "method"),
				 "method must be \"pap\", \"chap\", \"mschap2\" or \"line\"");
	return kind;
}

void handle_test(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"user", "password", "method", NULL};
	struct controld *controld = context;
	uint8_t packet[RADIUS_REQUEST_MAX];
	struct claim claim = {.proof = ""};
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);
	const char *user, *password;
	enum credential kind;
	size_t length;
	int failure;

	if (!params)
		return;
	kind = read_params(&reader, params, &user, &password);
	if (ctl_refused(request, &reader))
		return;
	failure = build(controld, kind, user, password, &claim, packet, &length);
	if (!failure)
		failure = start(controld, request, &claim, packet, length);
	radius_forget(packet, sizeof(packet));
	OPENSSL_cleanse(&claim, sizeof(claim));
	if (failure)
		refuse(request, failure);
}
