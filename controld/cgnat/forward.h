/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Port forwardings. The mapping table is where they are: an entry that
 * PIN_CONFIG or PIN_RPC keeps is one, made by the data plane (abi/punt.h) for the
 * configuration or for the RPC. Nothing else remembers them, so a restart
 * has nothing to restore; they end with their session.
 */
#ifndef BNG_CONTROLD_CGNAT_FORWARD_H
#define BNG_CONTROLD_CGNAT_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/config/config.h"
#include "controld/maps/maps.h"
#include "controld/session/session.h"

/* The mapping of an inner port as it is now. */
struct forward_found {
	uint32_t port; /* public address index << 16 | port */
	uint8_t flags; /* enum bng_mapping_flag */
};

/* What a subscriber has asked for by PCP is none. */
static inline bool forward_is_configured(const struct forward_found *found)
{
	return (found->flags & BNG_MAPPING_PINNED) == BNG_MAPPING_PIN_CONFIG;
}

static inline bool forward_is(const struct forward_found *found)
{
	return found->flags & BNG_MAPPING_PIN_RPC;
}

typedef void forward_each(const struct session *session, const struct config_forward *forward,
			  const struct forward_found *found, void *context);

/* Whether the session has a live mapping for the inner port. */
bool forward_find(const struct maps *maps, const struct session *session, const struct config_forward *wanted,
		  struct forward_found *found);
/* Every port forwarding of a session. */
void forward_walk(const struct maps *maps, const struct session *session, forward_each *each, void *context);

/* Asks the data plane. `flags`: 0 or BNG_MAPPING_PIN_CONFIG. 0 or -errno. */
int forward_set(struct controld *controld, const struct session *session, const struct config_forward *wanted,
		uint8_t flags);
int forward_clear(struct controld *controld, const struct session *session,
		  const struct config_forward *wanted);

/* What the configuration names and is not there is asked for. */
void forward_set_missing(struct controld *controld, const struct config *config);
/* The same, and what it no longer names ends. */
void forward_compare(struct controld *controld, const struct config *config);

extern const struct bng_feature forward_feature;

#endif
