/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Restarting a UDP server without losing a datagram: its sockets belong to numbered
 * generations of a group, which bpfholder keeps (docs/groups.md has an example).
 *
 *   start:  holdfast_udp_socket(), holdfast_group_register() with a new number,
 *           holdfast_group_set_working() when ready: new flows come here;
 *   before: the older generation goes on with its flows, until holdfast_group_status()
 *           says it has none left; then holdfast_group_drop(), read what is left in its
 *           sockets, close them;
 *   if it died: holdfast_group_take() its sockets, and serve or drain them.
 *
 * Needs libc and a holder. Every function returns 0 (or what is said) or a negative errno;
 * `error` of the connection has a sentence about it. When the holder was restarted
 * (-EPIPE, -ECONNRESET, ...), close, open, and register again: the same sockets again
 * change nothing. The caller must be root or of the holder's group.
 */
#ifndef HOLDFAST_GROUP_H
#define HOLDFAST_GROUP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HOLDFAST_SOCKET        "/run/bng/holder.sock"
#define HOLDFAST_GROUP_SOCKETS 16 /* of one generation */

struct holdfast {
	int fd; /* -1: not connected */
	char error[256];
};

/* 0 and NULL mean what the holder takes by itself. */
struct holdfast_group_options {
	const char *mode;       /* "flow", "stateless", "cookie" */
	unsigned timeout_s;     /* a flow ends when nothing came for so long */
	unsigned flows;         /* so many are remembered at a time */
	unsigned cookie_offset; /* in the payload: where the byte is that names a socket */
};

struct holdfast_group_status {
	char state[16];   /* "ready", "working", "draining" */
	unsigned sockets; /* registered */
	unsigned kept;    /* of these, the holder has */
	uint64_t flows;   /* that are its own now */
	uint64_t datagrams;
	uint64_t waiting_bytes; /* in its sockets, unread */
	uint64_t overflowed;    /* datagrams that found them full */
};

int holdfast_open(struct holdfast *holder, const char *path); /* NULL: HOLDFAST_SOCKET */
void holdfast_close(struct holdfast *holder);

/* A UDP socket with SO_REUSEPORT, bound there: its descriptor. */
int holdfast_udp_socket(const struct sockaddr *address, socklen_t length);

/* `options` and `cookies` (a byte for each socket) may be NULL. */
int holdfast_group_register(struct holdfast *holder, const char *group, int64_t generation,
			    const struct holdfast_group_options *options, const int *sockets, size_t count,
			    uint8_t *cookies);
int holdfast_group_set_working(struct holdfast *holder, const char *group, int64_t generation);
/* -ENOENT: there is no such generation. */
int holdfast_group_status(struct holdfast *holder, const char *group, int64_t generation,
			  struct holdfast_group_status *status);
/* When it returns 0, nothing more arrives at its sockets. Generation -1: the whole group. */
int holdfast_group_drop(struct holdfast *holder, const char *group, int64_t generation);
/* A duplicate of one of its sockets, as the holder keeps it. */
int holdfast_group_take(struct holdfast *holder, const char *group, int64_t generation, unsigned index);

#ifdef __cplusplus
}
#endif

#endif
