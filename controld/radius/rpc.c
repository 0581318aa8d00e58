/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an operator asks: how the servers are, and whether a user gets in. A test's
 * caller waits in a list; its ticket has a number of this start, so that the answer to
 * a test of an earlier one, whose caller is gone, is known as such.
 */
#include <errno.h>
#include <netinet/in.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/radius/client.h"
#include "controld/radius/dictionary.h"
#include "lib/address.h"
#include "lib/clock.h"

#define TESTS_MAX        16384
#define SERVICE_TYPE     6
#define FRAMED_USER      2
#define CHALLENGE_LENGTH 16

struct test {
	TAILQ_ENTRY(test) next;
	uint64_t number;
	struct rpc_request *request;
};

struct test_context {
	uint64_t epoch;
	uint64_t number;
};

/* ---- radius.servers ------------------------------------------------------------ */

static const char *state_text(const struct server *server)
{
	if (server->is_retired)
		return "leaving";
	if (!server->secret.length)
		return "no secret";
	if (!server->state->dead_until_ns)
		return "alive";
	return server->probe ? "probing" : "dead";
}

static void add_count(json_t *object, const char *name, uint64_t count)
{
	json_object_set_new(object, name, json_integer((json_int_t)count));
}

static json_t *server_json(const struct server *server, uint64_t now_ns)
{
	const struct server_state *state = server->state;
	char address[ADDRESS_TEXT];
	uint64_t dead_ns = state->dead_until_ns > now_ns ? state->dead_until_ns - now_ns : 0;
	json_t *object =
		json_pack("{s:s, s:s, s:i, s:i, s:s, s:b, s:o, s:f}", "name", server->config.name, "address",
			  address_format(server->config.address_be, address), "port", server->config.port,
			  "acct_port", server->config.acct_port, "state", state_text(server),
			  "message_authenticator", server->config.needs_message_authenticator, "rtt_ms",
			  state->rtt_ns ? json_real((double)state->rtt_ns / 1e6) : json_null(), "dead_s",
			  (double)dead_ns / 1e9);

	add_count(object, "outstanding", server->outstanding);
	add_count(object, "requests", state->requests);
	add_count(object, "retransmissions", state->retransmissions);
	add_count(object, "timeouts", state->timeouts);
	add_count(object, "accepts", state->accepts);
	add_count(object, "rejects", state->rejects);
	add_count(object, "challenges", state->challenges);
	add_count(object, "accounted", state->accounted);
	add_count(object, "bad_authenticator", state->bad_authenticator);
	add_count(object, "no_message_authenticator", state->no_message_authenticator);
	add_count(object, "malformed", state->malformed);
	add_count(object, "unexpected", state->unexpected);
	return object;
}

static void handle_servers(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	static const struct requests_header nothing;
	struct controld *controld = context;
	struct radius *radius = controld->radius;
	const struct requests_header *header = radius->requests ? radius->requests->header : &nothing;
	struct json_reader reader;
	const struct server *server;
	json_t *servers, *result;

	if (!ctl_params(request, &reader, members))
		return;
	servers = json_array();
	TAILQ_FOREACH(server, &radius->servers, next)
	json_array_append_new(servers, server_json(server, clock_boottime_ns()));
	result = json_pack("{s:o}", "servers", servers);
	add_count(result, "ports", radius->open_ports);
	add_count(result, "queue", radius->config.queue);
	add_count(result, "rate", radius->config.rate);
	add_count(result, "waiting", client_waiting(radius));
	add_count(result, "refused", header->refused);
	add_count(result, "no_server", header->no_server);
	add_count(result, "unanswered", header->unanswered);
	add_count(result, "adopted", header->adopted);
	add_count(result, "lost", header->lost);
	add_count(result, "orphaned", header->orphaned);
	add_count(result, "unexpected", header->unexpected);
	rpc_reply(request, result, NULL, 0);
}

/* ---- radius.test --------------------------------------------------------------- */

static json_t *attributes_json(const struct radius *radius, const struct radius_answer *answer)
{
	json_t *list = json_array();
	struct radius_attribute attribute;
	struct radius_cursor cursor;

	if (!answer->packet)
		return list;
	cursor = radius_attributes(answer->packet, answer->length);
	while (radius_next(&cursor, &attribute))
		if (attribute.vendor || attribute.type != RADIUS_MESSAGE_AUTHENTICATOR)
			json_array_append_new(list, dictionary_describe(radius->dictionary, &attribute));
	return list;
}

static struct test *find_test(struct radius *radius, uint64_t number)
{
	struct test *test;

	TAILQ_FOREACH(test, &radius->tests, next)
	if (test->number == number)
		return test;
	return NULL;
}

void on_test_answer(struct controld *controld, const struct radius_answer *answer,
		    const struct radius_ticket *ticket)
{
	static const char *const outcomes[] = {
		[RADIUS_ACCEPTED] = "accept",       [RADIUS_REJECTED] = "reject",
		[RADIUS_CHALLENGED] = "challenge",  [RADIUS_ACCOUNTED] = "accounted",
		[RADIUS_UNANSWERED] = "unanswered", [RADIUS_NO_SERVER] = "no_server"};
	struct radius *radius = controld->radius;
	struct test_context context;
	struct test *test = NULL;

	memcpy(&context, ticket->context, sizeof(context));
	if (context.epoch == controld->epoch)
		test = find_test(radius, context.number);
	if (!test) {
		radius->requests->header->orphaned++;
		return;
	}
	rpc_reply(test->request,
		  json_pack("{s:s, s:s?, s:f, s:i, s:o}", "outcome", outcomes[answer->outcome], "server",
			    answer->server, "ms", (double)answer->took_ns / 1e6, "tries", (int)answer->tries,
			    "attributes", attributes_json(radius, answer)),
		  NULL, 0);
	TAILQ_REMOVE(&radius->tests, test, next);
	radius->test_count--;
	free(test);
}

static size_t build_test(const struct controld *controld, const char *user, const char *password, bool chap,
			 uint8_t *packet, size_t size)
{
	struct radius_builder builder;
	uint8_t challenge[CHALLENGE_LENGTH];

	radius_begin(&builder, packet, size, RADIUS_ACCESS_REQUEST);
	radius_add_text(&builder, RADIUS_USER_NAME, user);
	if (!chap)
		radius_add_password(&builder, password, strlen(password));
	else if (RAND_bytes(challenge, sizeof(challenge)) != 1 ||
		 radius_add_chap(&builder, challenge[0], challenge, sizeof(challenge), password,
				 strlen(password)))
		return 0;
	radius_add_integer(&builder, SERVICE_TYPE, FRAMED_USER);
	radius_add_nas(controld, &builder);
	return radius_end(&builder);
}

static int start_test(struct controld *controld, struct rpc_request *request, const uint8_t *packet,
		      size_t length)
{
	struct radius *radius = controld->radius;
	struct radius_ticket ticket = {.owner = RADIUS_OWNER_TEST};
	struct test_context context = {controld->epoch, radius->next_test++};
	struct test *test = radius->test_count < TESTS_MAX ? calloc(1, sizeof(*test)) : NULL;
	int failure;

	if (!test)
		return -ENOBUFS;
	*test = (struct test){.number = context.number, .request = request};
	memcpy(ticket.context, &context, sizeof(context));
	failure = radius_submit(radius, packet, length, &ticket);
	if (failure) {
		free(test);
		return failure;
	}
	TAILQ_INSERT_TAIL(&radius->tests, test, next);
	radius->test_count++;
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
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].failure == failure) {
			rpc_fail(request, rows[i].code, NULL, "%s", rows[i].text);
			return;
		}
	rpc_fail(request, RPC_INTERNAL, NULL, "asking failed: %s", strerror(-failure));
}

static void handle_test(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"user", "password", "method", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	uint8_t packet[RADIUS_REQUEST_MAX];
	json_t *params = ctl_params(request, &reader, members);
	const char *user, *password, *method;
	int failure;

	if (!params)
		return;
	user = json_read_string(&reader, params, "user");
	password = json_read_string(&reader, params, "password");
	method = json_read_string_or(&reader, params, "method", "pap");
	if (json_reader_ok(&reader) && (!user[0] || strlen(user) > RADIUS_VALUE_MAX))
		json_reader_fail(&reader, NULL, "user must be a text of 1-%d bytes", RADIUS_VALUE_MAX);
	if (json_reader_ok(&reader) && strlen(password) > RADIUS_PASSWORD_MAX)
		json_reader_fail(&reader, NULL, "password must be a text of at most %d bytes",
				 RADIUS_PASSWORD_MAX);
	if (json_reader_ok(&reader) && strcmp(method, "pap") && strcmp(method, "chap"))
		json_reader_fail(&reader, NULL, "method must be \"pap\" or \"chap\"");
	if (ctl_refused(request, &reader))
		return;
	size_t length = build_test(controld, user, password, !strcmp(method, "chap"), packet, sizeof(packet));
	failure = start_test(controld, request, packet, length);
	radius_forget(packet, sizeof(packet));
	if (failure)
		refuse(request, failure);
}

void tests_done(struct radius *radius)
{
	struct test *test;

	while ((test = TAILQ_FIRST(&radius->tests))) {
		TAILQ_REMOVE(&radius->tests, test, next);
		rpc_fail(test->request, RPC_UNAVAILABLE, NULL, "bng-controld is ending");
		free(test);
	}
}

const struct rpc_method radius_methods[] = {
	{"radius.servers", 0, handle_servers},
	{"radius.test", 0, handle_test},
	{0},
};
