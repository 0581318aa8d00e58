/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A reuseport group whose sockets belong to generations of a server. All of it is in pins
 * below one folder, so that it goes on while nobody is there; what is here is opened, used
 * and closed again.
 *
 * Whoever calls is the only one to do so.
 */
#ifndef BNG_LIB_GROUP_H
#define BNG_LIB_GROUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/bpf/group_layout.h"
#include "lib/problem.h"

struct group {
	int select_fd, sockets_fd, counts_fd, flows_fd;
	struct group_state *state; /* as the program sees it */
};

struct group_options {
	enum group_mode mode;
	unsigned timeout_s;
	unsigned flows; /* room for so many */
	unsigned cookie_offset;
};
#define GROUP_OPTIONS                                                                                        \
	{                                                                                                    \
		.mode = GROUP_FLOW, .timeout_s = 300, .flows = 65536                                         \
	}

/* What is given (or NULL) over what is in *options. */
int group_options_parse(const json_t *given, struct group_options *options, struct problem *problem);
const char *group_mode_name(enum group_mode mode);
int group_mode_parse(const char *name, enum group_mode *mode); /* 0 or -EINVAL */

/* Every function: 0 or -errno; with a problem, that is set too. */
int group_create(const char *folder, const struct group_options *options, struct problem *problem);
int group_open(const char *folder, struct group *group);
void group_close(struct group *group);
void group_options_read(const struct group *group, struct group_options *options);
/* What is said of a group that is there must be so already. */
int group_options_check(const struct group *group, const json_t *given, struct problem *problem);
/* group_sweep.c: flows that are over are forgotten, and generations whose sockets are all closed. */
int group_sweep(const char *folder);

struct group_generation *group_find(const struct group *group, json_int_t number); /* or NULL */
/* The same sockets again change nothing; new ones make a new generation, which is the
 * working one if there was none. */
int group_add(struct group *group, json_int_t number, const int *sockets, size_t count,
	      struct problem *problem);
/* When it returns, no flow begins anywhere else. */
void group_work(struct group *group, struct group_generation *generation);
/* When it returns, nothing more arrives at its sockets. */
void group_remove(struct group *group, struct group_generation *generation);
int group_open_pin(const char *folder, const char *name);
/* Where a socket is in the map `sockets`. */
__u32 group_target(const struct group *group, const struct group_generation *generation, size_t index);
void group_count_read(const struct group *group, const struct group_generation *generation,
		      struct group_count *sum);

/* The byte that names a socket. */
unsigned group_cookie(const struct group *group, const struct group_generation *generation, size_t index);
/* A row of its generations, and all of it: {mode, address, timeout_s, room, ..., generations: [..]}
 * (schemas/holder.openrpc.json). */
json_t *group_report_of(const struct group *group, const struct group_generation *generation);
json_t *group_report(const struct group *group);

/* group_endpoint.c: how a UDP socket with SO_REUSEPORT is bound. */
int group_endpoint_read(int socket, struct group_endpoint *endpoint, struct problem *problem);
#define GROUP_ENDPOINT_TEXT 64
const char *group_endpoint_format(const struct group_endpoint *endpoint,
				  char text[static GROUP_ENDPOINT_TEXT]);
/* How many bytes wait in a socket, and how many datagrams found it full. */
int group_socket_waiting(int socket, json_int_t *bytes, json_int_t *dropped);

#endif
