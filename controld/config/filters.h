/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The words that /filters is made of, for those who tell of filters that are in force.
 */
#ifndef BNG_CONTROLD_CONFIG_FILTERS_H
#define BNG_CONTROLD_CONFIG_FILTERS_H

#include <stdint.h>

/* Of enum bng_filter_flag: "permit", "deny"; "up", "down", "both". */
const char *filter_action_name(uint8_t flags);
const char *filter_direction_name(uint8_t flags);
/* Of a rule: "any", "tcp", ... */
const char *filter_protocol_name(uint8_t protocol);

#endif
