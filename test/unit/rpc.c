/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/rpc: both ends against each other, and the server against peers that do
 * not behave: garbage, half lines, endless lines, too many descriptors, readers
 * that do not read, callers that hang up.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/rpc.h"
#include "lib/rpc_wire.h"
#include "test/unit/rpc_server.h"

#define BACKLOG (1u << 20)
#define PEERS   8

static char folder[] = "/tmp/check-rpc-XXXXXX";
static char path[64];
static struct test_server *server;

static void setup(void)
{
	strcpy(folder, "/tmp/check-rpc-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	server = test_server_start(path, PEERS, BACKLOG);
}

static void teardown(void)
{
	test_server_stop(server);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static struct rpc_client *open_client(void)
{
	struct rpc_client *client = NULL;
	ck_assert_int_eq(rpc_client_open(path, 10000, &client), 0);
	return client;
}

static int open_raw(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	struct timeval limit = {.tv_sec = 10};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void send_text(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads one line, byte by byte; false at the end of the stream. */
static bool read_line(int fd, char *line, size_t size)
{
	size_t length = 0;
	while (length + 1 < size && recv(fd, line + length, 1, 0) == 1) {
		if (line[length] == '\n') {
			line[length] = '\0';
			return true;
		}
		length++;
	}
	line[length] = '\0';
	return false;
}

static void expect_line(int fd, const char *expected)
{
	char line[4096];
	ck_assert(read_line(fd, line, sizeof(line)));
	ck_assert_str_eq(line, expected);
}

static void expect_code(int fd, int code)
{
	char line[4096];
	ck_assert(read_line(fd, line, sizeof(line)));
	json_t *reply = json_loads(line, 0, NULL);
	ck_assert(json_is_null(json_object_get(reply, "id")));
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(reply, "error"), "code")), code);
	json_decref(reply);
}

static void expect_end(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);
	ck_assert(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}

static void call_echo(struct rpc_client *client, int value)
{
	struct rpc_result result;
	ck_assert_int_eq(rpc_call(client, "echo", json_pack("{s:i}", "value", value), NULL, 0, &result), 0);
	ck_assert_int_eq(result.code, 0);
	ck_assert_int_eq(json_integer_value(json_object_get(result.value, "value")), value);
	rpc_result_done(&result);
}

static void expect_alive(void)
{
	struct rpc_client *client = open_client();
	call_echo(client, 42);
	rpc_client_close(client);
}

static int open_files(void)
{
	int count = 0;
	for (int fd = 0; fd < 512; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* The server's thread closes a moment after the peer: wait for it. */
static void expect_open_files(int expected)
{
	for (int i = 0; i < 1000 && open_files() != expected; i++)
		usleep(5000);
	ck_assert_int_eq(open_files(), expected);
}

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

#define FDS_CALL(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"fds\"}\n"

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
	for (int i = 0; i < 1000 && released < 200; i++) {
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
	struct rpc_result result;
	ck_assert_int_eq(rpc_call(client, "release", NULL, NULL, 0, &result), 0);
	ck_assert_int_eq(json_integer_value(result.value), 2);
	rpc_result_done(&result);
	for (int i = 0; i < 1000 && !test_server_closed(server); i++)
		usleep(1000);
	ck_assert_int_eq(test_server_closed(server), 1);
	rpc_client_close(client);
	raw = open_raw();
	send_text(raw, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"later\"}\n");
	usleep(20000);
	close(raw);
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
	for (int i = 0; i < 1000 && !test_server_closed(server); i++)
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
	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, call_and_answer);
	tcase_add_test(tests, errors_arrive);
	tcase_add_test(tests, credentials);
	tcase_add_test(tests, descriptors_travel);
	tcase_add_test(tests, descriptors_stay_with_their_line);
	tcase_add_test(tests, too_many_descriptors);
	tcase_add_test(tests, descriptors_of_unread_and_refused_lines_are_closed);
	tcase_add_test(tests, garbage);
	tcase_add_test(tests, partial_lines);
	tcase_add_test(tests, endless_line);
	tcase_add_test(tests, longest_line);
	tcase_add_test(tests, caller_that_reads_late);
	tcase_add_test(tests, follower_that_does_not_read);
	tcase_add_test(tests, notifications_between_answers);
	tcase_add_test(tests, answers_that_come_later);
	tcase_add_test(tests, too_many_connections);
	tcase_add_test(tests, no_descriptor_left);
	tcase_add_test(tests, nobody_listens);
	tcase_add_test(tests, server_that_does_not_answer);
	tcase_add_test(tests, server_that_ends);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
