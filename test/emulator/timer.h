/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A wheel of timers: setting, moving and stopping one costs the same for one
 * subscriber as for a hundred thousand. A timer is part of what it belongs to.
 */
#ifndef BNG_EMULATOR_TIMER_H
#define BNG_EMULATOR_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_TICK_MS 4
#define TIMER_SLOTS   4096

struct timer {
	struct timer *next; /* NULL: not set */
	struct timer *previous;
	uint64_t due; /* tick */
};

struct timers {
	struct timer slot[TIMER_SLOTS]; /* heads of rings */
	uint64_t tick;
};

void timers_init(struct timers *timers, uint64_t now_ms);
void timer_set(struct timers *timers, struct timer *timer, uint32_t delay_ms);
void timer_stop(struct timer *timer);
/* Goes on to this time, and hands out what is due on the way, one by one; NULL: no more.
 * Who is handed out is not set any more. */
struct timer *timers_next_due(struct timers *timers, uint64_t now_ms);

#endif
