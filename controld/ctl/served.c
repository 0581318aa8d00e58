/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Registered at once, set to work when the loop runs; until then datagrams wait with the
 * start before. When nothing can come to its sockets any more they are read empty, dropped,
 * and read once more.
 */
#include "controld/ctl/served.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/hand.h"
#include "controld/ctl/holder.h"
#include "lib/address.h"
#include "lib/log.h"

#define BATCH     64 /* datagrams in one turn of the loop */
#define NAME_TEXT 32
#define KEPT_NAME 64
#define SOCKETS   16    /* of a generation, at most */
#define READ_MAX  16384 /* more than waits in a socket; so that a flood ends, too */

struct served {
	struct controld *controld;
	char stem[NAME_TEXT], group[NAME_TEXT];
	uint32_t address_be;
	uint16_t port;
	served_one *one;
	void *context;
	int fd;
	bool grouped; /* the holder knows groups */
	bool begun;   /* ours is the working generation, or was until a successor came */
	struct hand hand;
	struct event *readable;
	struct event *begin;
};

static void serve_left(struct served *served, struct hand *hand)
{
	struct hand_datagram datagram;

	if (!hand_left(hand, &datagram))
		return;
	served->one(served->fd, &datagram, served->context);
	hand_done(hand);
}

static bool serve_next(struct served *served, int fd)
{
	struct hand_datagram datagram;

	serve_left(served, &served->hand);
	if (!hand_receive(&served->hand, fd, &datagram))
		return false;
	served->one(served->fd, &datagram, served->context);
	hand_done(&served->hand);
	return true;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	for (int i = 0; i < BATCH && serve_next(context, fd); i++)
		;
}

static void read_empty(struct served *served, int fd)
{
	for (int i = 0; i < READ_MAX && serve_next(served, fd); i++)
		;
}

static const char *kept_name(const struct served *served, char name[static KEPT_NAME])
{
	snprintf(name, KEPT_NAME, "controld.%s", served->stem);
	return name;
}

/* Of a start; with one socket for all of them, of all. */
static const char *hand_name(const struct served *served, json_int_t generation, char name[static KEPT_NAME])
{
	if (served->grouped)
		snprintf(name, KEPT_NAME, "controld.%s.hand.%" JSON_INTEGER_FORMAT, served->stem, generation);
	else
		snprintf(name, KEPT_NAME, "controld.%s.hand", served->stem);
	return name;
}

/* ---- The group ---------------------------------------------------------------------------- */

static int ask(const struct served *served, const char *method, json_t *params, const int *fds,
	       size_t fd_count, struct rpc_result *result)
{
	int failure = holder_call(served->controld->holder, method, params, fds, fd_count, result);

	if (failure && result->code != RPC_NO_METHOD)
		log_warning("port %u: %s", served->port, result->message);
	return failure;
}

/* 0, or -errno; -ENOSYS: the holder knows no groups. */
static int enlist(const struct served *served)
{
	struct rpc_result result;
	json_t *params = json_pack("{s:s, s:I, s:{s:s}}", "name", served->group, "generation",
				   (json_int_t)served->controld->epoch, "options", "mode", "stateless");
	int failure = ask(served, "group.register", params, &served->fd, 1, &result);

	if (failure && result.code == RPC_NO_METHOD)
		failure = -ENOSYS;
	rpc_result_done(&result);
	return failure;
}

static json_t *name_generation(const struct served *served, json_int_t generation)
{
	return json_pack("{s:s, s:I}", "name", served->group, "generation", generation);
}

static void drop(const struct served *served, json_int_t generation)
{
	struct rpc_result result;

	ask(served, "group.drop", name_generation(served, generation), NULL, 0, &result);
	rpc_result_done(&result);
}

/* An earlier start's: nothing comes there any more, what came is served. */
static void finish(struct served *served, json_int_t generation)
{
	char hand_text[KEPT_NAME];
	int fds[SOCKETS], count = 0;
	struct hand hand;

	if (hand_take(served->controld, hand_name(served, generation, hand_text), &hand)) {
		serve_left(served, &hand);
		hand_close(&hand);
	}

	for (; count < SOCKETS; count++) {
		char name[KEPT_NAME];

		snprintf(name, sizeof(name), "group.%s.%" JSON_INTEGER_FORMAT ".%d", served->group,
			 generation, count);
		if (holder_take(served->controld->holder, name, &fds[count]))
			break;
		read_empty(served, fds[count]);
	}
	drop(served, generation);
	while (count-- > 0) {
		read_empty(served, fds[count]);
		close(fds[count]);
	}
}

/* Of other starts: all, or those that never worked. */
static void finish_others(struct served *served, bool only_ready)
{
	struct rpc_result result;
	json_t *row;
	size_t i;

	if (!ask(served, "group.status", json_pack("{s:s}", "name", served->group), NULL, 0, &result)) {
		const json_t *group = json_array_get(json_object_get(result.value, "groups"), 0);

		json_array_foreach(json_object_get(group, "generations"), i, row)
		{
			json_int_t generation = json_integer_value(json_object_get(row, "generation"));
			const char *state = json_string_value(json_object_get(row, "state"));

			if (generation != (json_int_t)served->controld->epoch &&
			    (!only_ready || (state && !strcmp(state, "ready"))))
				finish(served, generation);
		}
	}
	rpc_result_done(&result);
}

/* What a version without groups left in the store: since ours is bound, nothing comes there. */
static void finish_kept(struct served *served)
{
	char name[KEPT_NAME];
	int fd;

	if (holder_take(served->controld->holder, kept_name(served, name), &fd))
		return;
	holder_drop(served->controld->holder, name);
	read_empty(served, fd);
	close(fd);
}

/* Everything of ours is ready. */
static void begin(struct served *served)
{
	struct rpc_result result;
	int failure = ask(served, "group.set_working",
			  name_generation(served, (json_int_t)served->controld->epoch), NULL, 0, &result);

	rpc_result_done(&result);
	if (failure)
		return;
	served->begun = true;
	finish_others(served, false);
	finish_kept(served);
}

static void on_begin(evutil_socket_t fd, short what, void *context)
{
	struct served *served = context;

	(void)fd;
	(void)what;
	serve_left(served, &served->hand);
	if (served->grouped)
		begin(served);
}

/* The holder is back, and may have lost its copies. What works is not asked about again: it
 * may be a successor of ours. */
static void on_return(void *context)
{
	struct served *served = context;

	if (!enlist(served) && !served->begun)
		begin(served);
}

/* ---- Opening and closing -------------------------------------------------------------------- */

static bool is_bound_to(int fd, uint32_t address_be, uint16_t port)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address);

	return !getsockname(fd, (struct sockaddr *)&address, &size) && address.sin_family == AF_INET &&
	       address.sin_addr.s_addr == address_be && address.sin_port == htons(port);
}

static int make_socket(uint32_t address_be, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address_be};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, failure;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)); /* the address may come later */
	/* Beside one of a version without groups, and one on another address. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	failure = -errno;
	close(fd);
	return failure;
}

/* The holder is older than we are: as it was before there were groups. */
static int share_one(struct served *served)
{
	struct holder *holder = served->controld->holder;
	char name[KEPT_NAME];
	int fd;

	if (!holder_take(holder, kept_name(served, name), &fd)) {
		if (is_bound_to(fd, served->address_be, served->port)) {
			close(served->fd);
			served->fd = fd;
		} else {
			close(fd);
		}
	}
	return holder_keep(holder, name, served->fd);
}

static int open_hand(struct served *served)
{
	char name[KEPT_NAME];

	return hand_open(served->controld, hand_name(served, (json_int_t)served->controld->epoch, name),
			 &served->hand);
}

/* 0, and the socket may be one of the holder's now, or -errno. */
static int with_the_holder(struct served *served)
{
	int kept = served->controld->holder ? enlist(served) : 0, failure;

	served->grouped = served->controld->holder && kept != -ENOSYS;
	failure = open_hand(served);
	if (failure)
		return failure;
	if (kept == -ENOSPC) {
		finish_others(served, true);
		kept = enlist(served);
	}
	if (kept == -ENOSYS)
		kept = share_one(served);
	if (kept)
		log_warning("port %u: bpfholder does not keep the socket (%s): requests that come during a "
			    "restart are lost",
			    served->port, strerror(-kept));
	return 0;
}

/* The address is part of the name: the sockets of a group are bound alike. */
static int take_names(struct served *served, const char *stem)
{
	char address[ADDRESS_TEXT];
	int length;

	snprintf(served->stem, sizeof(served->stem), "%s", stem);
	length = snprintf(served->group, sizeof(served->group), "%s.%s.%u", stem,
			  address_format(served->address_be, address), served->port);
	return length < (int)sizeof(served->group) ? 0 : -ENAMETOOLONG;
}

static int watch(struct served *served)
{
	static const struct timeval at_once = {0};

	served->readable =
		event_new(served->controld->base, served->fd, EV_READ | EV_PERSIST, on_readable, served);
	served->begin = event_new(served->controld->base, -1, 0, on_begin, served);
	if (!served->readable || !served->begin || event_add(served->readable, NULL))
		return -ENOMEM;
	if (!served->grouped)
		return 0;
	return event_add(served->begin, &at_once)
		       ? -ENOMEM
		       : holder_on_return(served->controld->holder, on_return, served);
}

int served_open(struct controld *controld, const char *stem, uint32_t address_be, uint16_t port,
		served_one *one, void *context, struct served **served)
{
	struct served *made = calloc(1, sizeof(*made));
	int failure;

	if (!made)
		return -ENOMEM;
	*made = (struct served){.controld = controld,
				.address_be = address_be,
				.port = port,
				.one = one,
				.context = context,
				.fd = make_socket(address_be, port),
				.hand.kept.fd = -1};
	failure = made->fd < 0 ? made->fd : take_names(made, stem);
	if (!failure)
		failure = with_the_holder(made);
	if (!failure)
		failure = watch(made);
	if (failure)
		served_leave(made);
	else
		*served = made;
	return failure;
}

bool served_is_at(const struct served *served, uint32_t address_be, uint16_t port)
{
	return served->address_be == address_be && served->port == port;
}

void served_end(struct served *served)
{
	struct rpc_result result;
	char name[KEPT_NAME];

	if (!served)
		return;
	read_empty(served, served->fd);
	if (served->grouped) {
		ask(served, "group.drop", json_pack("{s:s}", "name", served->group), NULL, 0, &result);
		rpc_result_done(&result);
	} else if (served->controld->holder) {
		holder_drop(served->controld->holder, kept_name(served, name));
	}
	if (served->controld->holder)
		holder_drop(served->controld->holder,
			    hand_name(served, (json_int_t)served->controld->epoch, name));
	served_leave(served);
}

void served_leave(struct served *served)
{
	if (!served)
		return;
	if (served->controld->holder)
		holder_on_return(served->controld->holder, NULL, served);
	if (served->readable)
		event_free(served->readable);
	if (served->begin)
		event_free(served->begin);
	if (served->fd >= 0)
		close(served->fd);
	hand_close(&served->hand);
	free(served);
}
