/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From the attributes of a packet to a profile: of an Access-Accept, or of a CoA-Request.
 *
 * A value that makes no sense (not of its kind, out of range, a pool that is not
 * configured) is left out, counted, and the first one is told; what that means for the
 * session is the caller's matter.
 */
#ifndef BNG_CONTROLD_RADIUS_PROFILE_H
#define BNG_CONTROLD_RADIUS_PROFILE_H

#include "controld/radius/attributes.h"
#include "controld/radius/packet.h"
#include "controld/session/profile.h"

#define PROFILE_TROUBLE_TEXT 224

struct profile_reading {
	struct session_profile profile;
	uint32_t wrong;                     /* values that make no sense */
	uint32_t unknown_filters;           /* of them: names of filters that are not configured */
	char trouble[PROFILE_TROUBLE_TEXT]; /* the first: "Framed-Pool: \"x\": must be ..."; "" */
};

/* Over a packet whose length radius_length gave. 0 or -ENOMEM; profile_done in any case. */
int profile_read(const struct attribute_map *map, const struct config *config, const uint8_t *packet,
		 size_t length, struct profile_reading *reading);

/* All Reply-Message attributes, one after the other; what cannot be printed is '?'. */
void profile_message(const uint8_t *packet, size_t length, char *text, size_t size);

#endif
