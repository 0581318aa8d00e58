/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Facts about the whole gateway: map `meta`, one entry.
 *
 * Time in the data plane is CLOCK_BOOTTIME in nanoseconds; where 4 bytes must
 * do it is a tick of 2^28 ns (0.27 s), compared modulo 2^32. The packet path
 * reads the cheap coarse monotonic clock and adds clock_offset_ns, which
 * bng_sweep keeps equal to boottime - monotonic. A test injects time by
 * setting clock_injected_ns, which is added to every reading.
 */
#ifndef BNG_ABI_META_H
#define BNG_ABI_META_H

#include <linux/types.h>

#define BNG_TICK_SHIFT 28
/* Rounded up, so that a timer never ends early. */
#define BNG_TICKS_OF_SECONDS(s)                                                                              \
	((__u32)(((__u64)(s)*1000000000ULL + (1ULL << BNG_TICK_SHIFT) - 1) >> BNG_TICK_SHIFT))

/* What is done about public addresses in trouble (docs/steering.md). */
enum bng_steering_mode {
	BNG_STEERING_OFF = 0,
	BNG_STEERING_OBSERVE = 1,
	BNG_STEERING_ENFORCE = 2,
};

/* A field that may become zero at any time and loses nothing by it: an object that does not
 * know it may follow one that does, whatever it holds (lib/bpf/vacant.h). */
#ifdef __bpf__
#define BNG_TRANSIENT __attribute__((btf_decl_tag("transient")))
#else
#define BNG_TRANSIENT
#endif

struct bng_meta {
	__u32 abi_version;
	__u32 range_active; /* which entry of map `range` packets use: 0 or 1 */
	__s64 clock_offset_ns;
	__s64 clock_injected_ns;
	__u32 hold_down_ticks;  /* a freed port block stays unused this long */
	__u32 hold_down_blocks; /* ... but of one public address so many at most; 0: no limit */
	__u32 exempt_count;     /* entries in map `exempt`, and BNG_EXEMPT_PORTS; 0 skips every lookup */
	__u32 block_high;       /* 1 + highest index in use in map `port_block` */
	__u32 sweep_budget;     /* port blocks looked at in one run; 0: the default */
	__u32 sweep_cursor;     /* next port block; written by bng_sweep only */
	__u64 sweep_runs;
	__u64 sweep_expired;     /* mappings reclaimed */
	__u64 sweep_released;    /* port blocks freed */
	__u64 events_lost;       /* events that found the ring full */
	__u32 pool_count;        /* entries in use in map `pool` */
	__u32 icmp_error_rate;   /* ICMP errors per second the gateway sends to either side; 0: the default */
	__u64 icmp_error_due_ns; /* written by the data plane */
	__u32 flow_mask;         /* buckets in map `flow`, a power of two, less one */
	__u32 exempt_epoch;      /* raised after entries were added to map `exempt` or `exempt_port` */
	__u64 icmp_error_core_due_ns; /* the same for those that go to the core */
	__u32 steered_tick;       /* when scores were taken last; this and what follows is controld's alone */
	__u8 steering_mode;       /* enum bng_steering_mode */
	__u8 steering_configured; /* the mode that the configuration had when it was set last */
	__u16 capture_left BNG_TRANSIENT; /* packets still to be shown, abi/capture.h */
	__u32 pcp_high;                   /* 1 + highest index that was in use in map `pcp` */
	__u32 filters_unknown; /* grants and changes refused: they named a filter that is not configured */
};

_Static_assert(sizeof(struct bng_meta) == 128, "two cache lines");

#endif
