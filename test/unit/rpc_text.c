/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/rpc: methods that get their parameters as text, and telling a peer no more
 * than it reads.
 */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/rpc.h"
#include "run.h"

#define HIGH 300000
#define LOW  1000
#define LINE 10000

static struct event_base *base;
static struct rpc_server *server;
static char path[64];
static int peer_fd;
static int drained;
static char heard[256]; /* parameters of the last text call */
static struct rpc_peer *flooded;

static void on_text(struct rpc_request *request, const char *params, size_t length, void *context)
{
	ck_assert_ptr_eq(context, heard);
	snprintf(heard, sizeof(heard), "%.*s", (int)length, params);
	rpc_reply(request, json_string("heard"), NULL, 0);
}

static void on_plain(struct rpc_request *request, void *context)
{
	(void)context;
	flooded = rpc_request_peer(request);
	rpc_reply(request, json_string("plain"), NULL, 0);
}

static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	(void)peer;
	(void)context;
	return !permission;
}

static void on_drained(struct rpc_peer *peer, void *context)
{
	ck_assert_ptr_eq(peer, flooded);
	ck_assert_ptr_eq(context, &drained);
	ck_assert_uint_le(rpc_peer_unsent(peer), LOW);
	drained++;
}

static void setup(void)
{
	static const struct rpc_method methods[] = {{"plain", 0, on_plain}, {NULL, 0, NULL}};
	static const struct rpc_text_method texts[] = {
		{"text", 0, on_text}, {"secret", 1, on_text}, {NULL, 0, NULL}};
	struct rpc_server_options options = {methods, NULL, permit, NULL, 4, 1 << 20};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 10};
	snprintf(path, sizeof(path), "/tmp/check-rpc-text-%d", getpid());
	base = event_base_new();
	server = rpc_server_new(base, rpc_listen(path, (gid_t)-1), &options);
	rpc_server_add_text(server, texts, heard);
	rpc_server_on_drained(server, LOW, on_drained, &drained);
	strcpy(address.sun_path, path);
	peer_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(peer_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(peer_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	drained = 0;
	heard[0] = '\0';
}

static void teardown(void)
{
	close(peer_fd);
	rpc_server_free(server);
	event_base_free(base);
	unlink(path);
}

static void turn(int times)
{
	for (int i = 0; i < times; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void exchange(const char *line, const char *expected)
{
	char answer[1024];
	ck_assert_int_eq(send(peer_fd, line, strlen(line), 0), (ssize_t)strlen(line));
	turn(5);
	ssize_t got = recv(peer_fd, answer, sizeof(answer) - 1, expected[0] ? 0 : MSG_DONTWAIT);
	answer[got > 0 ? got : 0] = '\0';
	ck_assert_str_eq(answer, expected);
}

#define CALL(rest)   "{\"jsonrpc\":\"2.0\",\"id\":1," rest "}\n"
#define RESULT(text) "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"" text "\"}\n"

static const struct {
	const char *line, *answer, *heard;
} calls[] = {
	{CALL("\"method\":\"text\",\"params\":{ \"a\" : 1 }"), RESULT("heard"), "{ \"a\" : 1 }"},
	{CALL("\"method\":\"text\""), RESULT("heard"), "{}"},
	/* What is not in the usual form goes the long way and is heard as well. */
	{CALL("\"more\":0,\"method\":\"text\",\"params\":{ \"a\" : 1 }"), RESULT("heard"), "{\"a\":1}"},
	{CALL("\"method\":\"text\",\"params\":[1]"), RESULT("heard"), "[1]"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"text\",\"params\":{}}\n", "", "{}"},
	{CALL("\"method\":\"plain\",\"params\":{}"), RESULT("plain"), ""},
	{CALL("\"method\":\"none\""),
	 "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"none: there is no such "
	 "method\"}}\n",
	 ""},
};

START_TEST(parameters_as_text)
{
	exchange(calls[_i].line, calls[_i].answer);
	ck_assert_str_eq(heard, calls[_i].heard);
}
END_TEST

START_TEST(permission_is_asked)
{
	static const char *const lines[] = {CALL("\"method\":\"secret\",\"params\":{}"),
					    CALL("\"method\":\"secret\",\"params\":[]")};
	char answer[1024] = "";
	for (int i = 0; i < 2; i++) {
		ck_assert_int_gt(send(peer_fd, lines[i], strlen(lines[i]), 0), 0);
		turn(5);
		ck_assert_int_gt(recv(peer_fd, answer, sizeof(answer) - 1, 0), 0);
		ck_assert_ptr_nonnull(strstr(answer, "-32001"));
		ck_assert_str_eq(heard, "");
	}
}
END_TEST

static void notify(void)
{
	char *line = malloc(LINE);
	memset(line, 'x', LINE);
	line[LINE - 1] = '\n';
	rpc_notify_line(flooded, line, LINE);
}

/* Reads so many bytes of lines; the loop turns meanwhile. */
static void read_bytes(size_t bytes)
{
	static char data[LINE];
	while (bytes) {
		ssize_t got = recv(peer_fd, data, bytes < LINE ? bytes : LINE, MSG_DONTWAIT);
		bytes -= got > 0 ? (size_t)got : 0;
		turn(1);
	}
}

START_TEST(a_peer_is_told_what_it_reads)
{
	exchange(CALL("\"method\":\"plain\",\"params\":{}"), RESULT("plain"));
	size_t sent = 0;
	for (int round = 1; round <= 3; round++) {
		while (rpc_peer_unsent(flooded) <= HIGH) {
			notify();
			sent += LINE;
		}
		turn(5);
		ck_assert_int_eq(drained, round - 1);
		size_t unsent = rpc_peer_unsent(flooded);
		/* It is due once, when the low mark is reached, not before. */
		read_bytes(LINE);
		ck_assert_int_eq(drained, round - 1);
		read_bytes(sent - LINE);
		sent = 0;
		ck_assert_int_eq(drained, round);
		ck_assert_uint_gt(unsent, LOW);
		ck_assert_uint_eq(rpc_peer_unsent(flooded), 0);
	}
	exchange(CALL("\"method\":\"plain\",\"params\":{}"), RESULT("plain"));
	ck_assert_int_eq(drained, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rpc_text");
	TCase *tests = tcase_create("rpc_text");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, parameters_as_text, 0, sizeof(calls) / sizeof(calls[0]));
	tcase_add_test(tests, permission_is_asked);
	tcase_add_test(tests, a_peer_is_told_what_it_reads);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
