/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A server in a thread and peers of it, with what the tests of lib/rpc ask of them.
 */
#ifndef BNG_TEST_RPC_FIXTURE_H
#define BNG_TEST_RPC_FIXTURE_H

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

#define FDS_CALL(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"fds\"}\n"

static char folder[] = "/tmp/check-rpc-XXXXXX";
static char path[64];
static struct test_server *server;

static inline void setup(void)
{
	strcpy(folder, "/tmp/check-rpc-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	server = test_server_start(path, PEERS, BACKLOG);
}

static inline void teardown(void)
{
	test_server_stop(server);
	unlink(path);
	ck_assert_int_eq(rmdir(folder), 0);
}

static inline struct rpc_client *open_client(void)
{
	struct rpc_client *client = NULL;
	ck_assert_int_eq(rpc_client_open(path, 10000, &client), 0);
	return client;
}

static inline int open_raw(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	struct timeval limit = {.tv_sec = 10};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static inline void send_text(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads one line, byte by byte; false at the end of the stream. */
static inline bool read_line(int fd, char *line, size_t size)
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

static inline void expect_line(int fd, const char *expected)
{
	char line[4096];
	ck_assert(read_line(fd, line, sizeof(line)));
	ck_assert_str_eq(line, expected);
}

static inline void expect_code(int fd, int code)
{
	char line[4096];
	ck_assert(read_line(fd, line, sizeof(line)));
	json_t *reply = json_loads(line, 0, NULL);
	ck_assert(json_is_null(json_object_get(reply, "id")));
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(reply, "error"), "code")), code);
	json_decref(reply);
}

static inline void expect_end(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);
	ck_assert(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}

static inline void call_echo(struct rpc_client *client, int value)
{
	struct rpc_result result;
	ck_assert_int_eq(rpc_call(client, "echo", json_pack("{s:i}", "value", value), NULL, 0, &result), 0);
	ck_assert_int_eq(result.code, 0);
	ck_assert_int_eq(json_integer_value(json_object_get(result.value, "value")), value);
	rpc_result_done(&result);
}

static inline void expect_alive(void)
{
	struct rpc_client *client = open_client();
	call_echo(client, 42);
	rpc_client_close(client);
}

static inline int open_files(void)
{
	int count = 0;
	for (int fd = 0; fd < 512; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* The server's thread closes a moment after the peer: wait for it. */
static inline void expect_open_files(int expected)
{
	for (int i = 0; i < 1000 && open_files() != expected; i++)
		usleep(5000);
	ck_assert_int_eq(open_files(), expected);
}

#endif
