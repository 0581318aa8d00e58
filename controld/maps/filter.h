/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The table of packet filters (abi/filter.h). A filter's number is its name's for as long
 * as the name is there; controld/filter gives numbers out and takes them back.
 */
#ifndef BNG_CONTROLD_MAPS_FILTER_H
#define BNG_CONTROLD_MAPS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/maps/maps.h"

/* Its number, 0: there is none of that name. */
uint8_t filter_find(const struct maps *maps, const char *name);
/* "" when the number is not in use. */
const char *filter_name(const struct maps *maps, uint8_t number);
/* What packets go by. */
const struct bng_filter_half *filter_rules(const struct maps *maps, uint8_t number);

/* Puts other rules in force, all at once, and counts from 0. Between two times for one
 * number there must be a maps_grace_period(). */
void filter_publish(struct maps *maps, uint8_t number, const struct bng_filter_half *rules);
/* A number for a new name, 0: there is none left. Its rules come first, so that the name never
 * stands for others. */
uint8_t filter_add(struct maps *maps, const char *name, const struct bng_filter_half *rules);
/* Who has it still, gets and sends nothing. */
void filter_remove(struct maps *maps, uint8_t number);

/* What the rules in force have decided. 0 or -errno. */
int filter_hits(const struct maps *maps, uint8_t number, struct bng_filter_hits *hits);

/* A grant or a change was refused for the name of a filter that is not configured. */
void filter_count_unknown(struct maps *maps);

/* Live; 0: none. True if it was different. */
bool filter_set(struct bng_subscriber *record, uint8_t number);

#endif
