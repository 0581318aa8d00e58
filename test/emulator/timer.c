/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Slots are rings; a timer of a later turn of the wheel stays where it is.
 */
#include "test/emulator/timer.h"

#include <stddef.h>

void timers_init(struct timers *timers, uint64_t now_ms)
{
	for (int i = 0; i < TIMER_SLOTS; i++)
		timers->slot[i].next = timers->slot[i].previous = &timers->slot[i];
	timers->tick = now_ms / TIMER_TICK_MS;
}

void timer_stop(struct timer *timer)
{
	if (!timer->next)
		return;
	timer->next->previous = timer->previous;
	timer->previous->next = timer->next;
	timer->next = timer->previous = NULL;
}

void timer_set(struct timers *timers, struct timer *timer, uint32_t delay_ms)
{
	struct timer *head;

	timer_stop(timer);
	timer->due = timers->tick + 1 + delay_ms / TIMER_TICK_MS;
	head = &timers->slot[timer->due % TIMER_SLOTS];
	timer->next = head;
	timer->previous = head->previous;
	head->previous->next = timer;
	head->previous = timer;
}

static struct timer *due_in_slot(struct timers *timers)
{
	struct timer *head = &timers->slot[timers->tick % TIMER_SLOTS];

	for (struct timer *timer = head->next; timer != head; timer = timer->next) {
		if (timer->due <= timers->tick)
			return timer;
	}
	return NULL;
}

struct timer *timers_next_due(struct timers *timers, uint64_t now_ms)
{
	uint64_t now = now_ms / TIMER_TICK_MS;

	for (;;) {
		struct timer *timer = due_in_slot(timers);
		if (timer) {
			timer_stop(timer);
			return timer;
		}
		if (timers->tick >= now)
			return NULL;
		timers->tick++;
	}
}
