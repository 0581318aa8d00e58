/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The names of what the maps know by number: interfaces (interface index) and
 * NAT pools (pool index). The numbers stay the same for as long as something in
 * a map refers to them; the features `interfaces` and `cgnat` give them out.
 */
#ifndef BNG_CONTROLD_NAMES_H
#define BNG_CONTROLD_NAMES_H

#include <net/if.h>
#include <stdint.h>

#include "controld/config/config.h"
#include "dataplane/abi/interface.h"

struct controld;

#define NAMES_NO_POOL 0xff /* bng_subscriber.pool of a session that is exempt */

struct names {
	char interface[BNG_INTERFACES][IF_NAMESIZE]; /* "": not in use */
	char pool[BNG_POOLS][CONFIG_NAME_MAX];
	struct deterministic *rule[BNG_POOLS]; /* of deterministic pools, fixed.h */
	uint64_t rules_ns;                     /* boottime: since when no session goes by rules of before */
};

/* The interface's index, or 0 when there is none of that name. */
uint16_t names_interface_index(const struct controld *controld, const char *name);
/* Its name, or "" when the index is not in use. */
const char *names_interface(const struct controld *controld, uint16_t index);
/* The pool's index, or -ENOENT. */
int names_pool_index(const struct controld *controld, const char *name);
const char *names_pool(const struct controld *controld, uint8_t index);

void names_set_interface(struct controld *controld, uint16_t index, const char *name);
void names_set_pool(struct controld *controld, uint8_t index, const char *name);

#endif
