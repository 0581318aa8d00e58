/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/rpc: the server against peers that do not behave: garbage, half lines,
 * endless lines, too many descriptors, readers that do not read, callers that
 * hang up.
 */
#include "run.h"
#include "test/unit/rpc_fixture.h"

START_TEST(too_many_descriptors)
{
	int before = open_files();
	int raw = open_raw(), fds[RPC_FDS_MAX + 1];
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = {0};
	for (size_t i = 0; i <= RPC_FDS_MAX; i++)
		fds[i] = raw;
	struct iovec iov = {.iov_base = FDS_CALL(1), .iov_len = strlen(FDS_CALL(1))};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	*c = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	ck_assert_int_gt(sendmsg(raw, &message, 0), 0);
	expect_code(raw, RPC_LIMIT);
	expect_end(raw);
	expect_open_files(before);
	expect_alive();
}
END_TEST

START_TEST(descriptors_of_unread_and_refused_lines_are_closed)
{
	int before = open_files();
	int raw = open_raw();
	int fds[2] = {STDIN_FILENO, STDERR_FILENO};
	rpc_wire_send(raw, "garbage\n", 8, fds, 2);
	expect_code(raw, RPC_PARSE);
	rpc_wire_send(raw, "{\"jsonrpc\":\"2.0\",\"half", 21, fds, 2);
	close(raw);
	expect_open_files(before);
	expect_alive();
}
END_TEST

START_TEST(garbage)
{
	int raw = open_raw();
	send_text(raw, "\x01\x02{}\n");
	expect_code(raw, RPC_PARSE);
	send_text(raw, "{}\n[]\n\n5\n{\"jsonrpc\":\"2.0\",\"id\":1}\n{\"jsonrpc\":\"2.0\",\"id\":{},"
		       "\"method\":\"echo\"}\n"
		       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":3}\n");
	static const int codes[] = {RPC_INVALID_REQUEST, RPC_INVALID_REQUEST, RPC_PARSE,          RPC_PARSE,
				    RPC_INVALID_REQUEST, RPC_INVALID_REQUEST, RPC_INVALID_REQUEST};
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		expect_code(raw, codes[i]);
	send_text(raw, "{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n{\"jsonrpc\":\"2.0\",\"id\":\"x\","
		       "\"method\":\"echo\"}\n");
	expect_line(raw, "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":null}");
	close(raw);
}
END_TEST

START_TEST(partial_lines)
{
	static const char call[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"echo\",\"params\":[1]}\n";
	int raw = open_raw();
	for (size_t i = 0; call[i]; i++) {
		ck_assert_int_eq(send(raw, &call[i], 1, 0), 1);
		if (i % 16 == 0)
			usleep(1000);
	}
	expect_line(raw, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[1]}");
	send_text(raw, call);
	send_text(raw, "{\"jsonrpc\":\"2.0\",");
	shutdown(raw, SHUT_WR);
	expect_line(raw, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[1]}");
	expect_end(raw);
}
END_TEST

START_TEST(endless_line)
{
	int raw = open_raw();
	char *chunk = malloc(1u << 20);
	memset(chunk, ' ', 1u << 20);
	size_t sent = 0;
	while (sent <= RPC_LINE_MAX + (1u << 20)) {
		ssize_t count = send(raw, chunk, 1u << 20, MSG_NOSIGNAL);
		if (count <= 0)
			break;
		sent += (size_t)count;
	}
	ck_assert_uint_gt(sent, RPC_LINE_MAX);
	free(chunk);
	expect_code(raw, RPC_LIMIT);
	expect_end(raw);
	expect_alive();
}
END_TEST

START_TEST(longest_line)
{
	struct rpc_client *client = open_client();
	struct rpc_result result;
	size_t overhead = strlen("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\",\"params\":[\"\"]}");
	size_t length = RPC_LINE_MAX - overhead;
	char *text = malloc(length + 2);
	memset(text, 'x', length + 1);
	text[length] = '\0';
	ck_assert_int_eq(rpc_call(client, "echo", json_pack("[s]", text), NULL, 0, &result), 0);
	ck_assert_int_eq(result.code, 0);
	ck_assert_uint_eq(json_string_length(json_array_get(result.value, 0)), length);
	rpc_result_done(&result);
	text[length] = 'x';
	text[length + 1] = '\0';
	ck_assert_int_eq(rpc_call(client, "echo", json_pack("[s]", text), NULL, 0, &result), -EMSGSIZE);
	rpc_result_done(&result);
	ck_assert_int_eq(rpc_call(client, "big", json_pack("{s:i}", "bytes", RPC_LINE_MAX), NULL, 0, &result),
			 0);
	ck_assert_int_eq(result.code, RPC_LIMIT);
	rpc_result_done(&result);
	call_echo(client, 3);
	free(text);
	rpc_client_close(client);
}
END_TEST

/* A caller that does not read its answers is not read from; nothing is lost. */

START_TEST(caller_that_reads_late)
{
	int raw = open_raw();
	static const char call[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"big\",\"params\":{\"bytes\":100000}}\n";
	for (int i = 0; i < 200; i++)
		send_text(raw, call);
	expect_alive();
	char *line = malloc(200000);
	for (int i = 0; i < 200; i++) {
		size_t length = 0;
		while (length < 100000 || line[length - 1] != '\n') {
			ssize_t got = recv(raw, line + length, 1, MSG_WAITALL);
			ck_assert_int_eq(got, 1);
			length++;
			if (length < 100000) {
				got = recv(raw, line + length, 100000 - length, MSG_WAITALL);
				ck_assert_int_gt(got, 0);
				length += (size_t)got;
			}
		}
		ck_assert_uint_eq(length,
				  100000 + strlen("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\"}\n"));
	}
	free(line);
	close(raw);
}
END_TEST

START_TEST(follower_that_does_not_read)
{
	int raw = open_raw();
	send_text(raw, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"follow\"}\n");
	expect_line(raw, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	struct rpc_client *client = open_client();
	struct rpc_result result;
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(
			rpc_call(client, "shout", json_pack("{s:i}", "bytes", 100000), NULL, 0, &result), 0);
		ck_assert_int_eq(result.code, 0);
		rpc_result_done(&result);
	}
	ck_assert_int_eq(test_server_closed(server), 1);
	size_t received = 0;
	char buffer[65536];
	ssize_t got;
	while ((got = recv(raw, buffer, sizeof(buffer), 0)) > 0)
		received += (size_t)got;
	ck_assert_uint_lt(received, 2 * BACKLOG + 1000000);
	close(raw);
	call_echo(client, 9);
	rpc_client_close(client);
}
END_TEST

START_TEST(too_many_connections)
{
	int raw[PEERS];
	for (int i = 0; i < PEERS; i++) {
		raw[i] = open_raw();
		send_text(raw[i], "x\n");
		expect_code(raw[i], RPC_PARSE);
	}
	int refused = open_raw();
	expect_code(refused, RPC_LIMIT);
	expect_end(refused);
	close(raw[0]);
	for (int i = 0; i < 10000 && !test_server_closed(server); i++)
		usleep(1000);
	expect_alive();
	for (int i = 1; i < PEERS; i++)
		close(raw[i]);
}
END_TEST

START_TEST(no_descriptor_left)
{
	int waiting = open_raw();
	send_text(waiting, "x\n");
	expect_code(waiting, RPC_PARSE);
	struct rlimit limit, low;
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	int raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	low.rlim_cur = (rlim_t)raw + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	ck_assert_int_eq(connect(raw, (struct sockaddr *)&address, sizeof(address)), 0);
	expect_code(raw, RPC_LIMIT);
	expect_end(raw);
	rpc_wire_send(waiting, FDS_CALL(1), strlen(FDS_CALL(1)), (int[]){waiting, waiting, waiting}, 3);
	setrlimit(RLIMIT_NOFILE, &limit);
	close(waiting);
	expect_alive();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rpc_hostile");
	TCase *tests = tcase_create("rpc_hostile");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, too_many_descriptors);
	tcase_add_test(tests, descriptors_of_unread_and_refused_lines_are_closed);
	tcase_add_test(tests, garbage);
	tcase_add_test(tests, partial_lines);
	tcase_add_test(tests, endless_line);
	tcase_add_test(tests, longest_line);
	tcase_add_test(tests, caller_that_reads_late);
	tcase_add_test(tests, follower_that_does_not_read);
	tcase_add_test(tests, too_many_connections);
	tcase_add_test(tests, no_descriptor_left);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
