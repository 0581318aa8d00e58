/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Bridges, as far as a controld that runs has to do with them.
 */
#ifndef BNG_CONTROLD_ISSU_MIGRATE_H
#define BNG_CONTROLD_ISSU_MIGRATE_H

#include <jansson.h>

struct controld;
struct rpc_request;
struct upgrade;

/* Reads the sizes that a bridge is to have into upgrade->next: 0, or it is refused. */
int migrate_prepare(struct upgrade *upgrade);
/* Whether it would make anything different, once it is staged: 0, or it is refused. */
int migrate_changes(struct upgrade *upgrade);
void handle_migrate_cancel(struct rpc_request *request, void *context);
/* The generation that the next start goes over to, or null. */
json_t *migrate_asked_json(const struct controld *controld);

#endif
