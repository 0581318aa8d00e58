/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Nothing is believed to be empty, or to have shrunk, where there was state: it would be an
 * outage. What is found is compared with what was counted last.
 */
#ifndef BNG_CONTROLD_STARTUP_GUARD_H
#define BNG_CONTROLD_STARTUP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;

/* What is compared: name; what is to be there yet of what was counted, in percent (0: one at
 * least) by the count in memory, and by the one on the bus, which is older; what it is. */
#define GUARD_COUNTS(X)                                                                                      \
	X(sessions, 100, 50, "sessions in the map subscriber")                                               \
	X(records, 90, 50, "session records on the bus")                                                     \
	X(interfaces, 0, 0, "interfaces in the configuration, /interfaces")                                  \
	X(address_pools, 0, 0, "address pools in the configuration, /dhcp4/pools and /pppoe/pools")          \
	X(nat_pools, 0, 0, "NAT pools in the configuration, /cgnat/pools")

enum guard_count {
#define GUARD_COUNT_ID(name, percent, of_bus, text) GUARD_##name,
	GUARD_COUNTS(GUARD_COUNT_ID)
#undef GUARD_COUNT_ID
		GUARD_COUNT
};

#define GUARD_UNKNOWN UINT64_MAX /* not counted: not compared */

struct guard_counts {
	uint64_t of[GUARD_COUNT];
};

const char *guard_name(enum guard_count count);
/* All not counted. */
void guard_clear(struct guard_counts *counts);
/* Those of a configuration; the others stay. */
void guard_count_config(const struct config *config, struct guard_counts *counts);
/* 0, or -ESTALE and what was found, and what was expected. */
int guard_compare(const struct guard_counts *found, const struct guard_counts *expected, bool is_of_bus,
		  char *error, size_t error_size);
/* 0, or -ESTALE: `next` takes away all of something that `running` (NULL: nothing runs) has. */
int guard_config(const struct config *running, const struct config *next, char *error, size_t error_size);

#endif
