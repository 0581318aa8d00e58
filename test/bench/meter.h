/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the loss meter's BPF programs and bng-meter share.
 *
 * A flow is one (subscriber, inner port): flow f belongs to subscriber
 * f % subscribers and uses inner port inner_port + f / subscribers. Upwards it
 * goes from the subscriber to remote f % remotes; downwards from that remote to
 * whatever public address and port the sink saw it come from.
 *
 * Every thread owns the flows f % threads == its number, and visits each of them
 * once in a round; the number of the round is the sequence number. So sequence
 * numbers cost the generator no memory access, and the order (a step that is
 * coprime to the count) gives a gateway's caches no help.
 */
#ifndef BNG_BENCH_METER_H
#define BNG_BENCH_METER_H

#include <linux/types.h>

#define METER_CPUS       64
#define METER_SIZES      12 /* frame sizes are taken in turn */
#define METER_MAGIC_UP   0x70755848u
#define METER_MAGIC_DOWN 0x6e645848u
#define METER_PAD        0xa5 /* fills the frame behind meter_payload */
#define METER_WINDOW     32   /* how far back a duplicate is told from a late packet */

enum meter_direction {
	METER_UP = 0,
	METER_DOWN = 1,
	METER_DIRECTIONS = 2,
};

/* Host byte order, except _be: both ends are this machine. */
struct meter_payload {
	__u32 magic;
	__u32 flow;
	__u32 sequence; /* from 1 */
	__u32 inner_be;
	__u16 inner_port_be;
} __attribute__((packed));

#define METER_HEADERS   (14 + 20 + 8)
#define METER_FRAME_MIN (METER_HEADERS + 18) /* untagged */
#define METER_TAGS_MAX  2

/* Read-only data of the object: set before it is loaded. */
struct meter_config {
	__u32 subscribers;
	__u32 remotes;
	__u32 threads; /* a power of two */
	__u32 thread_shift;
	__u32 max_flows;
	__u32 flows_per_thread;
	__u32 inner_address;  /* host order, of subscriber 0 */
	__u32 remote_address; /* host order, of remote 0 */
	__u16 inner_port;     /* host order */
	__u16 remote_port;    /* host order */
	__u16 subscriber_mac_high_be;
	__u16 size_count;
	__u32 subscriber_mac_low; /* host order, of subscriber 0 */
	__u8 gateway_access_mac[6];
	__u8 gateway_core_mac[6];
	__u8 core_mac[6];
	__u16 vid[METER_TAGS_MAX]; /* outer first */
	__u16 tpid_be[METER_TAGS_MAX];
	__u32 tags;                 /* on the access side */
	__u32 resize;               /* frame sizes differ: every run trims its frame */
	__u32 check_mac;            /* the sink on the access side verifies the subscriber's MAC */
	__u32 data_size;            /* of the frame that BPF_PROG_TEST_RUN hands out */
	__u16 size[METER_SIZES];    /* untagged */
	__u32 pad_sum[METER_SIZES]; /* ones' complement sum of the padding */
};

/* One for each CPU and direction, written by the generator on that CPU, except
 * the next_ fields, which take effect when a round is complete. */
struct meter_generator {
	__u32 thread;
	__u32 position; /* in 0 .. count - 1 */
	__u32 round;
	__u32 count;
	__u32 step;
	__u32 next_count;
	__u32 next_step;
	__u32 size_index;
	__u64 generated;
	__u64 skipped; /* nobody knows the flow's public port yet */
	__u64 bytes;
	__u64 reserved;
};

/* Written by user space. A test run costs some 24 ms to end, so there is one for
 * each phase, and the pace is kept by the program: it drops its own frames until
 * the next quantum is due. */
struct meter_control {
	__u32 directions; /* 1 << enum meter_direction */
	__u32 quantum;    /* frames; 0: full speed */
	__u64 quantum_ns;
	__u64 reserved[6];
};

/* One for each CPU. */
struct meter_turn {
	__u64 left;   /* frames still to be sent in this phase */
	__u64 due_ns; /* of the next quantum */
	__u32 tokens; /* left of this one */
	__u32 runs;
	__u64 reserved[5];
};

/* One for each CPU and direction. */
struct meter_sink {
	__u64 received; /* good and unique */
	__u64 bytes;
	__u64 reordered;
	__u64 duplicated;
	__u64 bad_ip_checksum;
	__u64 bad_udp_checksum;
	__u64 misdelivered; /* another destination than the flow's */
	__u64 remapped;     /* the flow's public address or port changed */
	__u64 other;        /* not ours: handed to the kernel */
	__u64 first_ns;
	__u64 last_ns;
	__u64 gap_ns;     /* longest */
	__u64 mapped;     /* flows seen for the first time */
	__u64 clock_mask; /* set from outside: the clock is read when (received & mask) == 0 */
	__u64 reserved[2];
};

struct meter_track {
	__u32 last;   /* highest sequence number seen, 0: none */
	__u32 window; /* bit n: last - n was seen */
};

struct meter_up_flow {
	__u32 public_be;
	__u16 public_port_be;
	__u16 known;
	struct meter_track track;
};

#endif
