/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Methods of a daemon that keeps reuseport groups (group.h) for others while they restart:
 * group.register, group.set_working, group.status, group.drop (docs/protocol.md). Their context
 * is the struct group_keeper.
 */
#ifndef BNG_LIB_GROUP_KEEPER_H
#define BNG_LIB_GROUP_KEEPER_H

#include "lib/fdstore.h"
#include "lib/rpc.h"

struct group_keeper {
	const char *folder; /* of a bpffs, for the groups */
	struct fdstore *store;
	void (*changed)(void *context, const char *name, json_int_t generation, const char *state);
	void *context;
	void (*step)(const char *name); /* where a test may have the daemon die */
};

extern const struct rpc_method group_keeper_methods[];

/* At a start, with the store filled: what a death in the middle left is brought to its end. */
void group_keeper_adopt(struct group_keeper *keeper);
/* Once a second. */
void group_keeper_watch(const struct group_keeper *keeper);

#endif
