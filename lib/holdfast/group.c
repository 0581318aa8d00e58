/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A line of JSON to the holder, a line back; nothing but libc and lib/json_scan.c.
 */
#include "lib/holdfast/group.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/json_scan.h"

#define TIMEOUT_S  10
#define LINE_MAX   65536
#define NAME_BYTES 31

struct answer {
	char line[LINE_MAX];
	struct json_slice result;
	int fd; /* that came with it, or -1 */
};

static int fail(struct holdfast *holder, int error, const char *what)
{
	snprintf(holder->error, sizeof(holder->error), "%s: %s", what, strerror(error));
	return -error;
}

int holdfast_open(struct holdfast *holder, const char *path)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*holder = (struct holdfast){.fd = -1};
	path = path ? path : HOLDFAST_SOCKET;
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(holder, ENAMETOOLONG, path);
	strcpy(address.sun_path, path);
	holder->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (holder->fd < 0)
		return fail(holder, errno, "socket");
	if (connect(holder->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(holder->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) ||
	    setsockopt(holder->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout))) {
		int error = errno;

		holdfast_close(holder);
		return fail(holder, error, path);
	}
	return 0;
}

void holdfast_close(struct holdfast *holder)
{
	if (holder->fd >= 0)
		close(holder->fd);
	holder->fd = -1;
}

int holdfast_udp_socket(const struct sockaddr *address, socklen_t length)
{
	int one = 1, fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) && !bind(fd, address, length))
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* ---- A call --------------------------------------------------------------------------------- */

static int send_line(struct holdfast *holder, const char *line, size_t length, const int *fds, size_t count)
{
	union {
		char bytes[CMSG_SPACE(HOLDFAST_GROUP_SOCKETS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {.iov_base = (char *)line, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)),
							    .cmsg_level = SOL_SOCKET,
							    .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, count * sizeof(int));
	}
	ssize_t sent = sendmsg(holder->fd, &message, MSG_NOSIGNAL);

	if (sent == (ssize_t)length)
		return 0;
	return fail(holder, sent < 0 ? errno : EPIPE, "asking the holder");
}

/* One descriptor is expected at most; more are closed. */
static void take_fds(struct msghdr *message, struct answer *answer)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t count = c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (answer->fd < 0)
				answer->fd = fd;
			else
				close(fd);
		}
	}
}

static int receive_line(struct holdfast *holder, struct answer *answer, size_t *length)
{
	for (size_t at = 0; at < sizeof(answer->line);) {
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control;
		struct iovec part = {.iov_base = answer->line + at, .iov_len = sizeof(answer->line) - at};
		struct msghdr message = {.msg_iov = &part,
					 .msg_iovlen = 1,
					 .msg_control = control.bytes,
					 .msg_controllen = sizeof(control.bytes)};
		ssize_t got = recvmsg(holder->fd, &message, MSG_CMSG_CLOEXEC);

		if (got <= 0)
			return fail(holder, got < 0 ? errno : EPIPE, "hearing the holder");
		take_fds(&message, answer);
		at += (size_t)got;
		if (answer->line[at - 1] != '\n')
			continue;
		*length = at;
		return 0;
	}
	return fail(holder, EMSGSIZE, "hearing the holder");
}

/* The member of an object, or text NULL. */
static struct json_slice member(struct json_slice object, const char *wanted)
{
	struct json_scan scan = {object.text, object.text + object.length};
	struct json_slice name, value;

	if (!object.text || !json_scan_open(&scan, '{'))
		return (struct json_slice){0};
	for (size_t i = 0; json_scan_member(&scan, i, &name) == 1 && json_scan_value(&scan, &value); i++)
		if (json_slice_is(name, wanted))
			return value;
	return (struct json_slice){0};
}

static uint64_t number(struct json_slice object, const char *name)
{
	struct json_slice value = member(object, name);
	char text[24];

	snprintf(text, sizeof(text), "%.*s", (int)value.length, value.text ? value.text : "0");
	return strtoull(text, NULL, 10);
}

/* What the codes of lib/rpc.h mean. */
static int refusal(struct holdfast *holder, struct json_slice error)
{
	static const struct {
		const char *code;
		int error;
	} codes[] = {{"-32602", EINVAL},
		     {"-32001", EPERM},
		     {"-32002", ENOENT},
		     {"-32003", EBUSY},
		     {"-32005", ENOSPC}};
	struct json_slice message = member(error, "message"), code = member(error, "code"), text = {0};

	if (message.text && !json_slice_text(message, &text))
		text = message;
	snprintf(holder->error, sizeof(holder->error), "%.*s", (int)text.length, text.text ? text.text : "");
	for (size_t i = 0; code.text && i < sizeof(codes) / sizeof(*codes); i++)
		if (json_slice_is(code, codes[i].code))
			return -codes[i].error;
	return -EIO;
}

static int call(struct holdfast *holder, const char *method, const char *params, const int *fds, size_t count,
		struct answer *answer)
{
	char line[1024];
	struct json_slice whole = {answer->line, 0};
	int length = snprintf(line, sizeof(line),
			      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":{%s}}\n", method,
			      params);
	int error;

	answer->fd = -1;
	if (length >= (int)sizeof(line))
		return fail(holder, EMSGSIZE, method);
	error = send_line(holder, line, (size_t)length, fds, count);
	if (!error)
		error = receive_line(holder, answer, &whole.length);
	if (!error) {
		answer->result = member(whole, "result");
		error = answer->result.text ? 0 : refusal(holder, member(whole, "error"));
	}
	if (error && answer->fd >= 0)
		close(answer->fd);
	return error;
}

/* ---- Groups --------------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	return length && length <= NAME_BYTES &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

static int name_params(struct holdfast *holder, const char *group, int64_t generation, char *params,
		       size_t size)
{
	int length;

	if (!is_name(group))
		return fail(holder, EINVAL, "a group's name has 1-31 letters, digits, '.', '_' or '-'");
	length = snprintf(params, size, "\"name\":\"%s\"", group);
	if (generation >= 0)
		snprintf(params + length, size - (size_t)length, ",\"generation\":%lld",
			 (long long)generation);
	return 0;
}

static int append_options(struct holdfast *holder, const struct holdfast_group_options *options, char *params,
			  size_t size)
{
	const struct {
		const char *name;
		unsigned value;
	} numbers[] = {{"timeout_s", options->timeout_s},
		       {"flows", options->flows},
		       {"cookie_offset", options->cookie_offset}};
	const char *mode = options->mode ? options->mode : "flow";
	size_t at = strlen(params);

	if (!is_name(mode))
		return fail(holder, EINVAL, "the mode is flow, stateless or cookie");
	at += (size_t)snprintf(params + at, size - at, ",\"options\":{\"mode\":\"%s\"", mode);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i].value)
			at += (size_t)snprintf(params + at, size - at, ",\"%s\":%u", numbers[i].name,
					       numbers[i].value);
	snprintf(params + at, size - at, "}");
	return 0;
}

static void read_cookies(struct json_slice list, uint8_t *cookies, size_t count)
{
	struct json_scan scan = {list.text, list.text + list.length};
	struct json_slice value;

	if (!list.text || !json_scan_open(&scan, '['))
		return;
	for (size_t i = 0; i < count && json_scan_element(&scan, i) == 1 && json_scan_value(&scan, &value);
	     i++)
		cookies[i] = (uint8_t)strtoul(value.text, NULL, 10);
}

int holdfast_group_register(struct holdfast *holder, const char *group, int64_t generation,
			    const struct holdfast_group_options *options, const int *sockets, size_t count,
			    uint8_t *cookies)
{
	struct answer answer;
	char params[512];
	int error = generation < 0 || !count || count > HOLDFAST_GROUP_SOCKETS
			    ? fail(holder, EINVAL, "a generation has a number and 1-16 sockets")
			    : name_params(holder, group, generation, params, sizeof(params));

	if (!error && options)
		error = append_options(holder, options, params, sizeof(params));
	if (!error)
		error = call(holder, "group.register", params, sockets, count, &answer);
	if (!error && cookies)
		read_cookies(member(answer.result, "cookies"), cookies, count);
	return error;
}

static int simple_call(struct holdfast *holder, const char *method, const char *group, int64_t generation)
{
	struct answer answer;
	char params[128];
	int error = name_params(holder, group, generation, params, sizeof(params));

	return error ? error : call(holder, method, params, NULL, 0, &answer);
}

int holdfast_group_set_working(struct holdfast *holder, const char *group, int64_t generation)
{
	return simple_call(holder, "group.set_working", group, generation);
}

int holdfast_group_drop(struct holdfast *holder, const char *group, int64_t generation)
{
	return simple_call(holder, "group.drop", group, generation);
}

/* The row of a list whose "generation" it is. */
static struct json_slice row_of(struct json_slice list, int64_t generation)
{
	struct json_scan scan = {list.text, list.text + list.length};
	struct json_slice row;

	if (!list.text || !json_scan_open(&scan, '['))
		return (struct json_slice){0};
	for (size_t i = 0; json_scan_element(&scan, i) == 1 && json_scan_value(&scan, &row); i++)
		if (number(row, "generation") == (uint64_t)generation)
			return row;
	return (struct json_slice){0};
}

static struct json_slice first_of(struct json_slice list)
{
	struct json_scan scan = {list.text, list.text + list.length};
	struct json_slice row = {0};

	if (!list.text || !json_scan_open(&scan, '[') || json_scan_element(&scan, 0) != 1 ||
	    !json_scan_value(&scan, &row))
		return (struct json_slice){0};
	return row;
}

int holdfast_group_status(struct holdfast *holder, const char *group, int64_t generation,
			  struct holdfast_group_status *status)
{
	struct answer answer;
	struct json_slice row, state;
	char params[128];
	int error = name_params(holder, group, -1, params, sizeof(params));

	if (!error)
		error = call(holder, "group.status", params, NULL, 0, &answer);
	if (error)
		return error;
	row = row_of(member(first_of(member(answer.result, "groups")), "generations"), generation);
	if (!row.text)
		return fail(holder, ENOENT, group);
	*status = (struct holdfast_group_status){
		.sockets = (unsigned)number(row, "sockets"),
		.kept = (unsigned)number(row, "kept"),
		.flows = number(row, "flows"),
		.datagrams = number(row, "datagrams"),
		.waiting_bytes = number(row, "waiting_bytes"),
		.overflowed = number(row, "overflowed"),
	};
	if (json_slice_text(member(row, "state"), &state))
		snprintf(status->state, sizeof(status->state), "%.*s", (int)state.length, state.text);
	return 0;
}

int holdfast_group_take(struct holdfast *holder, const char *group, int64_t generation, unsigned index)
{
	struct answer answer;
	char params[128];
	int error = is_name(group) ? 0 : fail(holder, EINVAL, "a group's name");

	snprintf(params, sizeof(params), "\"name\":\"group.%.31s.%lld.%u\"", group, (long long)generation,
		 index);
	if (!error)
		error = call(holder, "fd.take", params, NULL, 0, &answer);
	if (error)
		return error;
	return answer.fd >= 0 ? answer.fd : fail(holder, EPROTO, "the socket did not come");
}
