/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The daemon's parts, as features see them. Each part is owned by its folder;
 * this header only names them.
 */
#ifndef BNG_CONTROLD_H
#define BNG_CONTROLD_H

#include <stdint.h>

struct event_base;
struct config;
struct holder;
struct maps;
struct names;
struct sessions;
struct punt;
struct ctl;
struct reload;
struct startup;
struct seen;
struct interfaces;
struct cgnat;
struct forwards;
struct events;
struct issu;
struct history;
struct dhcp4;
struct blocklog;
struct refusals;
struct exhaustion;
struct hold;
struct pcp;
struct steering;
struct alg;
struct radius;
struct aaa;
struct pppoe;
struct coa;
struct first_packet;
struct hooks;
struct qos;
struct routes;
struct sync;
struct accounting;

struct controld {
	struct event_base *base;
	struct holder *holder;         /* blocking calls to the holder, controld/ctl/holder.h */
	struct maps *maps;             /* controld/maps */
	struct names *names;           /* of interfaces and NAT pools, controld/maps/names.h */
	struct config *config;         /* the running one, controld/config */
	struct sessions *sessions;     /* controld/session */
	struct punt *punt;             /* controld/punt */
	struct ctl *ctl;               /* controld/ctl: server, event subscribers */
	struct reload *reload;         /* controld/ctl/reload.h: the file and who watches it */
	struct startup *startup;       /* phases and times of this start */
	struct seen *seen;             /* controld/startup/seen.h */
	struct interfaces *interfaces; /* controld/interfaces */
	struct cgnat *cgnat;           /* controld/cgnat */
	struct forwards *forwards;     /* controld/cgnat/forward.c */
	struct events *events;         /* controld/events */
	struct issu *issu;             /* controld/issu */
	struct history *history;       /* controld/issu/history.h */
	struct dhcp4 *dhcp4;           /* controld/dhcp4 */
	struct blocklog *blocklog;     /* controld/blocklog */
	struct refusals *refusals;     /* controld/refusals */
	struct exhaustion *exhaustion; /* controld/drops/exhaustion.h */
	struct hold *hold;             /* controld/hold */
	struct pcp *pcp;               /* controld/pcp */
	struct steering *steering;     /* controld/steering */
	struct alg *alg;               /* controld/alg */
	struct radius *radius;         /* controld/radius */
	struct aaa *aaa;               /* controld/aaa */
	struct pppoe *pppoe;           /* controld/pppoe */
	struct coa *coa;               /* controld/coa */
	struct hooks *hooks;           /* controld/hooks */
	struct sync *sync;             /* controld/sync */
	struct qos *qos;               /* controld/qos */
	struct routes *routes;         /* controld/routes */
	struct accounting *accounting; /* controld/accounting */
	uint64_t epoch;                /* of this start, unique on this machine */
	uint64_t started_ns;           /* boottime */

	struct first_packet *first_packet; /* controld/first_packet */
};

#endif
