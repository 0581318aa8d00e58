/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The one moment at which all CPUs go from an old program to a new one, so that nobody works
 * on the old program's maps any more when somebody begins to work on the new one's.
 *
 * Both programs' entries look at the gate. OLD: the old program serves every packet. CLOSED: a
 * packet marks its CPU, which shows that the old program does not run there, and waits. Who
 * finds every CPU marked makes it NEW. A packet that waited too long makes it OLD again and
 * goes by the old program; then it is tried once more.
 */
#ifndef BNG_LIB_BARRIER_H
#define BNG_LIB_BARRIER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct problem;

#define BARRIER_ATTEMPTS 100

/* Closed: and the number of the attempt, from BARRIER_SHIFT on. */
enum barrier_state { BARRIER_OLD = 0, BARRIER_CLOSED = 1, BARRIER_NEW = 2 };
#define BARRIER_STATES 0xff
#define BARRIER_SHIFT  8

/* How the value of map `bridge` begins; programs and the holder change it atomically. */
struct barrier_gate {
	__u32 state;   /* enum barrier_state; by compare-and-swap */
	__u32 cpus;    /* so many marks count */
	__u64 entries; /* to move in all; both are the programs' */
	__u64 moved;
};

/* A value of map `bridge_cpu`. */
struct barrier_mark {
	__u32 seen; /* the closed state it was marked for: that of an earlier attempt shows nothing */
	__u8 reserved[60];
};

struct barrier {
	struct barrier_gate *gate;
	struct barrier_mark *marks;
	size_t gate_bytes, marks_bytes; /* if they are mapped */
};

struct barrier_report {
	unsigned attempts;
	bool late;           /* a thread did not get to run, and may still look: leave it mapped */
	uint64_t opening_ns; /* that packets waited, at most, in whichever attempt */
};

/* The maps that are pinned in a folder. 0, -ENOENT, -EINVAL: they are not what they should be. */
int barrier_map(const char *folder, struct barrier *barrier);
void barrier_unmap(struct barrier *barrier);
/* Before programs look at it. 0, or not and a problem, as where it was open before. */
int barrier_reset(const struct barrier *barrier, struct problem *problem);
/* From OLD to NEW. 0, or not and a problem: given up, it is OLD. */
int barrier_open(const struct barrier *barrier, struct barrier_report *report, struct problem *problem);
/* What somebody left: CLOSED becomes OLD. True: it is NEW. */
bool barrier_settle(const struct barrier *barrier);

#endif
