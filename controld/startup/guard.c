/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Comparing what is found with what there was, see the header.
 */
#include "controld/startup/guard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "controld/config/config.h"

static const struct {
	const char *name, *text;
	unsigned percent, percent_of_bus;
} rows[GUARD_COUNT] = {
#define ROW(name, percent, of_bus, text) {#name, text, percent, of_bus},
	GUARD_COUNTS(ROW)
#undef ROW
};

const char *guard_name(enum guard_count count)
{
	return rows[count].name;
}

void guard_clear(struct guard_counts *counts)
{
	for (int i = 0; i < GUARD_COUNT; i++)
		counts->of[i] = GUARD_UNKNOWN;
}

void guard_count_config(const struct config *config, struct guard_counts *counts)
{
	counts->of[GUARD_interfaces] = config->interface_count;
	counts->of[GUARD_address_pools] = config->dhcp4_pool_count + config->pppoe.pool_count;
	counts->of[GUARD_nat_pools] = config->nat_pool_count;
}

/* How many are enough. */
static uint64_t least(uint64_t expected, unsigned percent)
{
	if (!percent)
		return expected ? 1 : 0;
	return expected / 100 * percent + (expected % 100 * percent + 99) / 100;
}

int guard_compare(const struct guard_counts *found, const struct guard_counts *expected, bool is_of_bus,
		  char *error, size_t error_size)
{
	for (int i = 0; i < GUARD_COUNT; i++) {
		unsigned percent = is_of_bus ? rows[i].percent_of_bus : rows[i].percent;

		if (found->of[i] == GUARD_UNKNOWN || expected->of[i] == GUARD_UNKNOWN ||
		    found->of[i] >= least(expected->of[i], percent))
			continue;
		snprintf(error, error_size, "%s: %" PRIu64 " found, %" PRIu64 " expected", rows[i].text,
			 found->of[i], expected->of[i]);
		return -ESTALE;
	}
	return 0;
}

int guard_config(const struct config *running, const struct config *next, char *error, size_t error_size)
{
	struct guard_counts found, expected;

	if (!running)
		return 0;
	guard_clear(&found);
	guard_clear(&expected);
	guard_count_config(next, &found);
	guard_count_config(running, &expected);
	return guard_compare(&found, &expected, false, error, error_size);
}
