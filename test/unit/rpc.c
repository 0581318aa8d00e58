/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/rpc: both ends against each other.
 */
#include "run.h"
#include "test/unit/rpc_fixture.h"

START_TEST(call_and_answer)
{
	struct rpc_client *client = open_client();
	for (int i = 0; i < 1000; i++)
		call_echo(client, i);
	rpc_client_close(client);
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
}
END_TEST

START_TEST(errors_arrive)
{
	struct rpc_client *client = open_client();
	struct rpc_result result;
	ck_assert_int_eq(rpc_call(client, "nonsense", NULL, NULL, 0, &result), 0);
	ck_assert_int_eq(result.code, RPC_NO_METHOD);
	ck_assert_str_eq(result.message, "nonsense: there is no such method");
	rpc_result_done(&result);
	ck_assert_int_eq(rpc_call(client, "root", NULL, NULL, 0, &result), 0);
	ck_assert_int_eq(result.code, RPC_NOT_PERMITTED);
	rpc_result_done(&result);
	ck_assert_int_eq(rpc_call(client, "fail", NULL, NULL, 0, &result), 0);
	ck_assert_int_eq(result.code, RPC_CONFLICT);
	ck_assert_str_eq(result.message, "bytes ?? are no text");
	ck_assert_str_eq(json_string_value(json_object_get(result.data, "found")), "this");
	rpc_result_done(&result);
	call_echo(client, 1);
	rpc_client_close(client);
}
END_TEST

START_TEST(credentials)
{
	struct rpc_client *client = open_client();
	struct rpc_result result;
	gid_t groups[3] = {1, 2, 3};
	bool changed = geteuid() == 0 && !setgroups(3, groups);
	rpc_client_close(client);
	client = open_client();
	ck_assert_int_eq(rpc_call(client, "whoami", NULL, NULL, 0, &result), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(result.value, "pid")), getpid());
	ck_assert_int_eq(json_integer_value(json_object_get(result.value, "uid")), geteuid());
	if (changed)
		ck_assert_int_eq(json_integer_value(json_object_get(result.value, "groups")), 3);
	rpc_result_done(&result);
	rpc_client_close(client);
}
END_TEST

START_TEST(descriptors_travel)
{
	struct rpc_client *client = open_client();
	call_echo(client, 1);
	int before = open_files();
	for (size_t count = 0; count <= RPC_FDS_MAX; count += 8) {
		int fds[RPC_FDS_MAX];
		for (size_t i = 0; i < count; i++) {
			fds[i] = memfd_create("test", MFD_CLOEXEC);
			dprintf(fds[i], "descriptor %zu", i);
		}
		struct rpc_result result;
		ck_assert_int_eq(rpc_call(client, "fds", NULL, fds, count, &result), 0);
		ck_assert_uint_eq((size_t)json_integer_value(result.value), count);
		ck_assert_uint_eq(result.fd_count, count);
		for (size_t i = 0; i < count; i++) {
			char text[32] = "", expected[32];
			snprintf(expected, sizeof(expected), "descriptor %zu", i);
			ck_assert_int_gt(pread(result.fds[i], text, sizeof(text) - 1, 0), 0);
			ck_assert_str_eq(text, expected);
			ck_assert(fcntl(result.fds[i], F_GETFD) & FD_CLOEXEC);
			close(fds[i]);
		}
		rpc_result_done(&result);
	}
	expect_open_files(before);
	rpc_client_close(client);
}
END_TEST

/* The kernel glues lines together: each must still get its own descriptors. */

START_TEST(descriptors_stay_with_their_line)
{
	int pair[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	static const size_t counts[] = {0, 0, 3, 0, 1, 2, 0};
	char line[32];
	for (size_t i = 0; i < 7; i++) {
		int fds[3] = {pair[0], pair[0], pair[0]};
		int length = snprintf(line, sizeof(line), "line %zu\n", i);
		if (i == 4) { /* in two pieces: the descriptors come with the first */
			rpc_wire_send(pair[0], line, 2, fds, counts[i]);
			rpc_wire_send(pair[0], line + 2, (size_t)length - 2, NULL, 0);
			continue;
		}
		ck_assert_int_eq(rpc_wire_send(pair[0], line, (size_t)length, fds, counts[i]), length);
	}
	struct rpc_reader reader = {0};
	const char *got;
	size_t length, seen = 0;
	struct rpc_fds fds;
	while (seen < 7 && rpc_reader_fill(&reader, pair[1]) == 1) {
		while (rpc_reader_next(&reader, &got, &length, &fds)) {
			ck_assert_uint_eq(length, 6);
			ck_assert_int_eq(got[5], '0' + (int)seen);
			ck_assert_uint_eq(fds.count, counts[seen]);
			rpc_fds_close(&fds);
			seen++;
		}
	}
	ck_assert_uint_eq(seen, 7);
	rpc_reader_done(&reader);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(notifications_between_answers)
{
	struct rpc_client *client = open_client();
	struct rpc_result result;
	json_t *notification;
	ck_assert_int_eq(rpc_call(client, "follow", NULL, NULL, 0, &result), 0);
	rpc_result_done(&result);
	ck_assert_int_eq(rpc_client_next(client, 20, &notification), 0);
	for (int i = 1; i <= 3; i++) {
		ck_assert_int_eq(rpc_call(client, "shout", json_pack("{s:i}", "bytes", i), NULL, 0, &result),
				 0);
		rpc_result_done(&result);
	}
	for (size_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(rpc_client_next(client, 10000, &notification), 1);
		ck_assert_str_eq(json_string_value(json_object_get(notification, "method")), "shout");
		json_t *params = json_object_get(notification, "params");
		ck_assert_uint_eq(json_string_length(json_object_get(params, "text")), i);
		json_decref(notification);
	}
	ck_assert_int_eq(rpc_client_next(client, 0, &notification), 0);
	rpc_client_close(client);
}
END_TEST

/* More requests than may wait, a caller that hangs up while they do, and the
 * server's end while some still do (teardown). */

START_TEST(answers_that_come_later)
{
	int raw = open_raw();
	char call[80], line[256];
	for (int i = 0; i < 200; i++) {
		snprintf(call, sizeof(call), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"later\"}\n", i);
		send_text(raw, call);
	}
	struct rpc_client *client = open_client();
	int released = 0;
	for (int i = 0; i < 10000 && released < 200; i++) {
		struct rpc_result result;
		ck_assert_int_eq(rpc_call(client, "release", NULL, NULL, 0, &result), 0);
		ck_assert_int_le(json_integer_value(result.value), 128);
		released += (int)json_integer_value(result.value);
		rpc_result_done(&result);
		usleep(1000);
	}
	ck_assert_int_eq(released, 200);
	for (int i = 0; i < 200; i++)
		ck_assert(read_line(raw, line, sizeof(line)));
	snprintf(call, sizeof(call), "{\"jsonrpc\":\"2.0\",\"id\":199,\"result\":\"late\"}");
	ck_assert_str_eq(line, call);
	send_text(raw, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n"
		       "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"later\"}\n");
	usleep(20000);
	close(raw);
	released = 0;
	for (int i = 0; i < 10000 && released < 2; i++) {
		struct rpc_result result;
		ck_assert_int_eq(rpc_call(client, "release", NULL, NULL, 0, &result), 0);
		released += (int)json_integer_value(result.value);
		rpc_result_done(&result);
		usleep(1000);
	}
	ck_assert_int_eq(released, 2);
	for (int i = 0; i < 10000 && !test_server_closed(server); i++)
		usleep(1000);
	ck_assert_int_eq(test_server_closed(server), 1);
	rpc_client_close(client);
	raw = open_raw();
	send_text(raw, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
	usleep(20000);
	close(raw);
}
END_TEST

START_TEST(nobody_listens)
{
	struct rpc_client *client;
	ck_assert_int_eq(rpc_client_open("/nowhere/at/all", 100, &client), -ENOENT);
	char longer[200];
	memset(longer, 'p', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(rpc_client_open(longer, 100, &client), -ENAMETOOLONG);
	ck_assert_int_eq(rpc_listen(longer, (gid_t)-1), -ENAMETOOLONG);
	ck_assert_int_eq(rpc_listen("/nowhere/at/all", (gid_t)-1), -ENOENT);
}
END_TEST

START_TEST(server_that_does_not_answer)
{
	struct rpc_client *client;
	struct rpc_result result;
	ck_assert_int_eq(rpc_client_open(path, 50, &client), 0);
	ck_assert_int_eq(rpc_call(client, "later", NULL, NULL, 0, &result), -ETIMEDOUT);
	ck_assert_int_eq(result.code, RPC_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(result.message, "no answer"));
	rpc_result_done(&result);
	ck_assert_int_eq(rpc_call(client, "release", NULL, NULL, 0, &result), 0);
	ck_assert_int_eq(json_integer_value(result.value), 1);
	rpc_result_done(&result);
	call_echo(client, 5); /* the late answer to `later` is not taken for this one's */
	rpc_client_close(client);
}
END_TEST

START_TEST(server_that_ends)
{
	char other[80];
	snprintf(other, sizeof(other), "%s/other", folder);
	struct test_server *second = test_server_start(other, PEERS, BACKLOG);
	struct rpc_client *client;
	struct rpc_result result;
	ck_assert_int_eq(rpc_client_open(other, 1000, &client), 0);
	call_echo(client, 1);
	test_server_stop(second);
	unlink(other);
	ck_assert_int_eq(rpc_call(client, "echo", NULL, NULL, 0, &result), -ECONNRESET);
	ck_assert_int_eq(result.code, RPC_UNAVAILABLE);
	rpc_result_done(&result);
	ck_assert_int_lt(rpc_call(client, "echo", NULL, NULL, 0, &result), 0);
	rpc_result_done(&result);
	json_t *notification;
	ck_assert_int_lt(rpc_client_next(client, 100, &notification), 0);
	rpc_client_close(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rpc");
	TCase *tests = tcase_create("rpc");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, call_and_answer);
	tcase_add_test(tests, errors_arrive);
	tcase_add_test(tests, credentials);
	tcase_add_test(tests, descriptors_travel);
	tcase_add_test(tests, descriptors_stay_with_their_line);
	tcase_add_test(tests, notifications_between_answers);
	tcase_add_test(tests, answers_that_come_later);
	tcase_add_test(tests, nobody_listens);
	tcase_add_test(tests, server_that_does_not_answer);
	tcase_add_test(tests, server_that_ends);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
