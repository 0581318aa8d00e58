/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Drops around a swap. A gateway always drops something: what counts is a reason
 * that concerns subscribers' packets and is seen far more often than before.
 */
#include <string.h>

#include "controld/issu/issu.h"
#include "lib/clock.h"

#define TIMES_EXPECTED 3
#define ALWAYS_ALLOWED 16

/* What strangers and misconfigured hosts cause, at any moment and in bursts. */
static bool is_noise(enum bng_verdict verdict)
{
	switch (verdict) {
	case BNG_DROP_ETHERTYPE:
	case BNG_DROP_IPV6:
	case BNG_DROP_PPPOE:
	case BNG_DROP_ARP:
	case BNG_DROP_VLAN:
	case BNG_DROP_ADDRESS:
	case BNG_DROP_NOT_SUBSCRIBER:
	case BNG_DROP_CGNAT_NO_MAPPING:
	case BNG_DROP_HOLD_FULL:
	case BNG_DROP_GATEWAY:
		return true;
	default:
		return strncmp(maps_verdict_name(verdict), "drop", 4) != 0;
	}
}

int drops_read(struct maps *maps, struct drops_window *window)
{
	window->time_ns = clock_boottime_ns();
	return maps_counts(maps, window->counts);
}

uint64_t drops_between(const struct drops_window *from, const struct drops_window *to)
{
	return maps_count_kind(to->counts, "drop") - maps_count_kind(from->counts, "drop");
}

uint64_t drops_unexpected(const struct drops_window *start, const struct drops_window *swap,
			  const struct drops_window *end, const char **reason)
{
	double before_s = (double)(swap->time_ns - start->time_ns) / 1e9;
	double after_s = (double)(end->time_ns - swap->time_ns) / 1e9;
	uint64_t sum = 0, worst = 0;

	*reason = "";
	for (int i = 0; i < BNG_VERDICT_COUNT; i++) {
		uint64_t before = swap->counts[i].packets - start->counts[i].packets;
		uint64_t after = end->counts[i].packets - swap->counts[i].packets;
		double expected = before_s > 0 ? (double)before / before_s * after_s : 0;
		uint64_t allowed = (uint64_t)(expected * TIMES_EXPECTED) + ALWAYS_ALLOWED;

		if (is_noise((enum bng_verdict)i) || after <= allowed)
			continue;
		sum += after - allowed;
		if (after - allowed > worst) {
			worst = after - allowed;
			*reason = maps_verdict_name(i);
		}
	}
	return sum;
}
