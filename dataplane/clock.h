/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The data plane's clock (abi/meta.h).
 */
#ifndef BNG_DATAPLANE_CLOCK_H
#define BNG_DATAPLANE_CLOCK_H

#include "maps.h"

static __always_inline __u64 clock_now(const struct bng_meta *facts)
{
	return bpf_ktime_get_coarse_ns() + facts->clock_offset_ns + facts->clock_injected_ns;
}

static __always_inline __u32 clock_tick(__u64 now_ns)
{
	return now_ns >> BNG_TICK_SHIFT;
}

/* A token bucket that needs one word: `due` is when the next token is there.
 * True if one may be taken now. A lost race lets one packet too many through. */
static __always_inline int rate_allow(__u64 *due, __u64 now, __u64 interval_ns, __u64 burst_ns)
{
	__u64 next = *due;

	if (next > now + burst_ns)
		return 0;
	if (next < now)
		next = now;
	*due = next + interval_ns;
	return 1;
}

#endif
