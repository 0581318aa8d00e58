/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Watching the forwarded packets while the main thread waits for the holder.
 *
 * The longest gap is the longest time over which readings saw the same count,
 * between two that saw more: a lower bound, so that a reader who was not
 * scheduled does not look like a network that stood still.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "controld/issu/issu.h"
#include "lib/clock.h"

#define PAUSE_NS 20000

struct sampler {
	struct maps *maps;
	pthread_t thread;
	bool stop;
	struct sample sample;
};

static uint64_t forwarded(struct maps *maps)
{
	static const enum bng_verdict verdicts[] = {BNG_FORWARD_UP, BNG_FORWARD_UP_EXEMPT, BNG_FORWARD_DOWN,
						    BNG_FORWARD_DOWN_EXEMPT};
	struct bng_count count = {0};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		if (!maps_count(maps, verdicts[i], &count))
			sum += count.packets;
	return sum;
}

static void *run(void *context)
{
	struct sampler *sampler = context;
	uint64_t first = forwarded(sampler->maps), last = first, since = 0, still = 0;
	struct timespec pause = {.tv_nsec = PAUSE_NS};

	while (!__atomic_load_n(&sampler->stop, __ATOMIC_ACQUIRE)) {
		uint64_t now = clock_boottime_ns(), count = forwarded(sampler->maps);

		if (count != last) {
			/* The first gap has no packet before it that we saw. */
			if (since && still - since > sampler->sample.longest_gap_ns)
				sampler->sample.longest_gap_ns = still - since;
			since = now;
			last = count;
		}
		still = now;
		sampler->sample.readings++;
		nanosleep(&pause, NULL);
	}
	sampler->sample.packets = forwarded(sampler->maps) - first;
	return NULL;
}

struct sampler *sampler_start(struct maps *maps)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));

	if (!sampler)
		return NULL;
	sampler->maps = maps;
	if (pthread_create(&sampler->thread, NULL, run, sampler)) {
		free(sampler);
		return NULL;
	}
	return sampler;
}

void sampler_stop(struct sampler *sampler, struct sample *sample)
{
	*sample = (struct sample){0};
	if (!sampler)
		return;
	__atomic_store_n(&sampler->stop, true, __ATOMIC_RELEASE);
	pthread_join(sampler->thread, NULL);
	*sample = sampler->sample;
	free(sampler);
}
