/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Bytes and descriptors of lib/rpc.h, shared by server and client: a reader that
 * cuts a stream into lines and gives each the descriptors that came with it.
 *
 * Invariants of a reader:
 *  1. data[start, end) is what was received and not yet handed out;
 *  2. data[start, scanned) holds no newline;
 *  3. at most two sets of descriptors wait: one for the line at `start`, one for
 *     the last line begun (a caller takes every line before it fills again).
 */
#ifndef BNG_LIB_RPC_WIRE_H
#define BNG_LIB_RPC_WIRE_H

#include "lib/rpc.h"

struct rpc_fds {
	size_t offset; /* in the reader's data, of the line they belong to */
	size_t count;
	int fd[RPC_FDS_MAX];
};

struct rpc_reader {
	char *data;
	size_t size;
	size_t start;
	size_t end;
	size_t scanned;
	struct rpc_fds fds[2];
};

/* One non-blocking recvmsg. 1: got bytes; 0: end of stream; -EAGAIN; -EMSGSIZE: a
 * line longer than RPC_LINE_MAX; -E2BIG: more than RPC_FDS_MAX descriptors; -EMFILE:
 * no room for its descriptors here; another -errno. */
int rpc_reader_fill(struct rpc_reader *reader, int fd);
/* The next whole line (without newline, valid until the next fill) and its
 * descriptors, which are the caller's to close. */
bool rpc_reader_next(struct rpc_reader *reader, const char **line, size_t *length, struct rpc_fds *fds);
void rpc_reader_done(struct rpc_reader *reader);
void rpc_fds_close(struct rpc_fds *fds);

/* One non-blocking sendmsg: bytes sent (more than 0) or -errno. */
ssize_t rpc_wire_send(int fd, const char *data, size_t length, const int *fds, size_t fd_count);
/* `object` as one line with its newline; NULL when it cannot be written. */
char *rpc_wire_line(const json_t *object, size_t *length);
#endif
