/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A thread that sleeps until the deadline, see the header.
 */
#include "controld/startup/watchdog.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct watchdog {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct timespec deadline; /* of CLOCK_MONOTONIC */
	bool is_armed;
	bool is_over;
	watchdog_expired *expired;
	void *context;
};

static bool is_late(const struct watchdog *watchdog)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > watchdog->deadline.tv_sec ||
	       (now.tv_sec == watchdog->deadline.tv_sec && now.tv_nsec >= watchdog->deadline.tv_nsec);
}

static void *watch(void *context)
{
	struct watchdog *watchdog = context;

	pthread_mutex_lock(&watchdog->lock);
	while (!watchdog->is_over) {
		struct timespec deadline = watchdog->deadline;

		if (!watchdog->is_armed) {
			pthread_cond_wait(&watchdog->changed, &watchdog->lock);
		} else if (is_late(watchdog)) {
			watchdog->is_armed = false;
			watchdog->expired(watchdog->context);
		} else {
			pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &deadline);
		}
	}
	pthread_mutex_unlock(&watchdog->lock);
	return NULL;
}

/* Signals are the main thread's. */
static int start_thread(struct watchdog *watchdog)
{
	sigset_t all, before;
	int failure;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failure = pthread_create(&watchdog->thread, NULL, watch, watchdog);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -failure;
}

int watchdog_new(watchdog_expired *expired, void *context, struct watchdog **watchdog)
{
	struct watchdog *new = calloc(1, sizeof(*new));
	pthread_condattr_t monotonic;
	int failure;

	if (!new)
		return -ENOMEM;
	new->expired = expired;
	new->context = context;
	pthread_mutex_init(&new->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&new->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	failure = start_thread(new);
	if (failure)
		free(new);
	else
		*watchdog = new;
	return failure;
}

void watchdog_arm(struct watchdog *watchdog, unsigned seconds)
{
	pthread_mutex_lock(&watchdog->lock);
	clock_gettime(CLOCK_MONOTONIC, &watchdog->deadline);
	watchdog->deadline.tv_sec += (time_t)seconds;
	watchdog->is_armed = true;
	pthread_cond_signal(&watchdog->changed);
	pthread_mutex_unlock(&watchdog->lock);
}

void watchdog_free(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	pthread_mutex_lock(&watchdog->lock);
	watchdog->is_over = true;
	pthread_cond_signal(&watchdog->changed);
	pthread_mutex_unlock(&watchdog->lock);
	pthread_join(watchdog->thread, NULL);
	pthread_cond_destroy(&watchdog->changed);
	pthread_mutex_destroy(&watchdog->lock);
	free(watchdog);
}
