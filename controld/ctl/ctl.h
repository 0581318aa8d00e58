/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The control socket: an RPC server on a listener that the holder keeps, so that
 * a client that connects while controld restarts is served after it.
 */
#ifndef BNG_CONTROLD_CTL_H
#define BNG_CONTROLD_CTL_H

#include <stdbool.h>

#include "lib/json.h"
#include "lib/rpc.h"

struct controld;
struct ctl;

#define CTL_LISTENER "controld.listener"

enum ctl_topic {
	CTL_TOPIC_EVENTS = 1 << 0,
};

int ctl_new(struct controld *controld);
/* Takes the listener from the holder, or makes it at `path` and has it kept.
 * *created says which. */
int ctl_listen(struct controld *controld, const char *path, int *fd, bool *created);
/* Serves the methods of every feature and of the core on `fd`, which it adopts. */
int ctl_serve(struct controld *controld, int fd);
void ctl_free(struct controld *controld);

/* To everyone who follows events. False when nobody does. */
bool ctl_followed(const struct controld *controld);
void ctl_follow(struct controld *controld, struct rpc_peer *peer);
void ctl_event(struct controld *controld, json_t *params);

/* What the holder tells, if an operator must hear of it. */
void ctl_holder_event(struct controld *controld, const json_t *event);

/* Called when a connection ends. At most 4. */
typedef void ctl_closed(struct controld *controld, struct rpc_peer *peer);
int ctl_on_close(struct controld *controld, ctl_closed *closed);

/* The request's params as an object with no other members than `members`; NULL
 * after it was refused. Read on with `reader`, then ask ctl_refused. */
json_t *ctl_params(struct rpc_request *request, struct json_reader *reader, const char *const *members);
bool ctl_refused(struct rpc_request *request, const struct json_reader *reader);

/* The RPC error that says what -errno means. */
int ctl_code(int failure);

extern const struct rpc_method ctl_config_methods[]; /* reload.c */

#endif
