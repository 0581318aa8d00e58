/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The prefixes of the configuration in the map first_packet_prefix.
 */
#ifndef BNG_FIRST_PACKET_PREFIXES_H
#define BNG_FIRST_PACKET_PREFIXES_H

struct config;
struct controld;

/* Makes the map say what `config` says: new entries first, then what is stale goes. 0 or
 * -errno, logged. */
int prefixes_apply(struct controld *controld, const struct config *config);

#endif
