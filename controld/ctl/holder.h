/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The connection to bpfholder: blocking calls, and coming back when the holder
 * was restarted.
 *
 * Nothing in controld's maps depends on this connection. While it is down, calls
 * fail with -ENOTCONN and a timer tries again; when the holder is back it is
 * greeted, given the kept descriptors again, and told that we are ready.
 */
#ifndef BNG_CONTROLD_HOLDER_H
#define BNG_CONTROLD_HOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc.h"

struct controld;
struct holder;

struct holder_hello {
	uint64_t generation;     /* 0: nothing is loaded */
	uint64_t previous_epoch; /* 0: no controller was here before */
	uint64_t left_ns;        /* boottime when the last controller's connection ended; 0: never */
};

/* Connects; 0 or -errno. Until `holder_ready` a call waits for as long as it takes: a holder that
 * loads an object answers nobody for seconds, and a start has deadlines of its own. */
int holder_open(struct controld *controld, const char *path);
void holder_close(struct controld *controld);

/* One call. 0 and result->value, or -errno and result->message (and data); -ENOTCONN: it was not
 * answered, and what came of it is not known. Always rpc_result_done. Steals params. */
int holder_call(struct holder *holder, const char *method, json_t *params, const int *fds, size_t fd_count,
		struct rpc_result *result);

/* Told each event of the holder (docs/protocol.md, holder.event). One at a time. */
typedef void holder_alarm(struct controld *controld, const json_t *event);
void holder_on_alarm(struct holder *holder, holder_alarm *alarm);

int holder_hello(struct holder *holder, struct holder_hello *hello, char *error, size_t error_size);
/* From now on a returning holder is told that we are ready. */
int holder_ready(struct holder *holder, char *error, size_t error_size);

/* The descriptor stored under `name`: 0 and *fd, -ENOENT when there is none. */
int holder_take(struct holder *holder, const char *name, int *fd);
/* Stores it, again after each return of the holder, in place of an older one of
 * that name. `fd` stays the caller's. */
int holder_keep(struct holder *holder, const char *name, int fd);

/* Neither of us keeps it any more. */
void holder_drop(struct holder *holder, const char *name);

/* The method whose answer is waited for now; NULL: none. For another thread to ask. */
const char *holder_asking(const struct holder *holder);
/* A starting controller begins a phase, which may take so long. */
void holder_tell_phase(struct holder *holder, const char *phase, unsigned deadline_s);
/* Its start fails. On a connection of its own, with little patience: from any thread. */
void holder_tell_failure(const struct controld *controld, const char *path, const char *reason);
/* Called when the holder has come back, with the kept descriptors in its store; NULL: no more
 * for this context. 0 or -ENOSPC. */
typedef void holder_returned(void *context);
int holder_on_return(struct holder *holder, holder_returned *returned, void *context);
/* Called for each of its events, and when it is back; not to call the holder from. */
typedef void holder_told(struct controld *controld);
void holder_on_event(struct holder *holder, holder_told *told);

/* Of its socket, for a connection of one's own. */
const char *holder_socket(const struct holder *holder);
bool holder_connected(const struct holder *holder);
pid_t holder_pid(const struct holder *holder); /* 0: not connected */

#endif
