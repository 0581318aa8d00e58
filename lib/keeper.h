/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Methods of a daemon that keeps things for others while they restart: fd.store,
 * fd.take, fd.list, fd.drop, socket.packet, socket.udp, veth.ensure (docs/protocol.md). Their
 * context is the struct fdstore.
 */
#ifndef BNG_LIB_KEEPER_H
#define BNG_LIB_KEEPER_H

#include "lib/fdstore.h"
#include "lib/rpc.h"

#define KEEPER_PERMISSION 1 /* of all of them */

extern const struct rpc_method keeper_methods[];

json_t *keeper_names(const struct fdstore *store);

#endif
