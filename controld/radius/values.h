/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Texts that servers put into attributes. Each takes the whole text, or it is -EINVAL and
 * nothing was written.
 */
#ifndef BNG_CONTROLD_RADIUS_VALUES_H
#define BNG_CONTROLD_RADIUS_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/session/profile.h"

/* Decimal, the whole text. */
int value_number(const char *text, uint64_t max, uint64_t *value);
/* bit/s: "512000", "512k", "10M", "1G"; the letters are thousands. */
int value_rate(const char *text, uint64_t *bits_s);

/* "rx[/tx] [rx-burst[/tx-burst] [threshold[/..] [time[/..] [priority [..]]]]]" as Mikrotik
 * has it; rx comes from the subscriber. A burst becomes the bytes that a bucket needs for
 * it; without a burst they are 0. */
int value_rate_limit(const char *text, struct profile_rate *up, struct profile_rate *down);

/* RFC 2865 section 5.22: "10.1.0.0/24 10.0.0.7 1", where the gateway may be missing (0) and
 * a prefix without length has the one of its class. */
int value_route(const char *text, struct profile_route *route, uint32_t *gateway_be);

/* No control characters; and UTF-8, so that it can be told in an error. */
bool value_is_printable(const char *text);
bool value_is_tellable(const char *text);

#endif
