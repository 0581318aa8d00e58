/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The daemon's parts, as features see them. Each part is owned by its folder;
 * this header only names them.
 */
#ifndef BNG_CONTROLD_H
#define BNG_CONTROLD_H

#include <stdint.h>

struct event_base;
struct rpc_server;
struct rpc_client;
struct config;
struct maps;
struct sessions;
struct punt;
struct ctl;
struct startup;
struct dhcp4;

struct controld {
	struct event_base *base;
	struct rpc_client *holder; /* blocking calls to the holder */
	struct maps *maps;         /* controld/maps */
	struct config *config;     /* the running one, controld/config */
	struct sessions *sessions; /* controld/session */
	struct punt *punt;         /* controld/punt */
	struct ctl *ctl;           /* controld/ctl: server, event subscribers */
	struct startup *startup;   /* phases and times of this start */
	struct dhcp4 *dhcp4;       /* controld/dhcp4 */
	uint64_t epoch;            /* of this start, unique on this machine */
	uint64_t started_ns;       /* boottime */
};

#endif
