/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The model of a pool, see the header.
 */
#include "steering_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOWN_SKEW       0.6 /* exponents of Zipf's law */
#define SUBSCRIBER_SKEW 0.7
#define BEGIN_SKEW      0.4                         /* how unequal the towns are in subscribers */
#define LIMIT           8                           /* BNG_BLOCKS_PER_SUBSCRIBER */
#define ENDING          (MODEL_INTERVAL_NS / 300e9) /* chance that a block that is not needed ends: UDP's timer */
#define RETRY_REFUSED   0.3    /* events a second: for each block refused for want of one */
#define RETRY_LIMIT     0.05   /* for each block beyond the subscriber's limit */
#define LATE_USED       0.0002 /* packets without a mapping: for each block in use */
#define LATE_REFUSED    0.02   /* for each refused */
#define SECONDS         (MODEL_INTERVAL_NS / 1e9)

/* splitmix64: 0 <= x < 1. */
static double draw(uint64_t *random)
{
	uint64_t z = *random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static uint32_t draw_below(uint64_t *random, uint32_t bound)
{
	return (uint32_t)(draw(random) * bound);
}

/* Knuth's way for few; for many, sums of it. */
static uint64_t draw_poisson(uint64_t *random, double mean)
{
	uint64_t count = 0;

	while (mean > 30) {
		count += draw_poisson(random, 30);
		mean -= 30;
	}
	for (double product = draw(random); product > exp(-mean); product *= draw(random))
		count++;
	return count;
}

static void shuffle(uint64_t *random, uint32_t *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		list[i] = i;
	for (uint32_t i = count; i > 1; i--) {
		uint32_t other = draw_below(random, i), kept = list[i - 1];

		list[i - 1] = list[other];
		list[other] = kept;
	}
}

static double zipf(uint32_t rank, double skew)
{
	return pow(rank + 1, -skew);
}

uint32_t model_held(const struct model_subscriber *subscriber)
{
	uint32_t sum = 0;

	for (int k = 0; k < MODEL_ADDRESSES; k++)
		sum += subscriber->held[k];
	return sum;
}

uint32_t model_allowed(const struct model_subscriber *subscriber)
{
	return subscriber->wanted < LIMIT ? subscriber->wanted : LIMIT;
}

void model_shift(struct model *model)
{
	double weight[MODEL_SUBSCRIBERS], sum = 0, extra;
	uint32_t towns[MODEL_ADDRESSES], ranks[MODEL_SUBSCRIBERS];

	shuffle(&model->load_random, towns, MODEL_ADDRESSES);
	shuffle(&model->load_random, ranks, MODEL_SUBSCRIBERS);
	for (uint32_t i = 0; i < MODEL_SUBSCRIBERS; i++) {
		uint32_t town = model->subscribers[i].town;

		weight[i] = zipf(towns[town], TOWN_SKEW) * zipf(ranks[i], SUBSCRIBER_SKEW);
		sum += weight[i];
	}
	extra = fmax(0, model->load * MODEL_CAPACITY * MODEL_ADDRESSES - MODEL_SUBSCRIBERS);
	for (uint32_t i = 0; i < MODEL_SUBSCRIBERS; i++)
		model->subscribers[i].wanted =
			1 + (uint32_t)(extra * weight[i] / sum + draw(&model->load_random));
}

void model_init(struct model *model, uint64_t seed, double load)
{
	double sum = 0, share[MODEL_ADDRESSES];
	uint32_t order[MODEL_ADDRESSES];

	*model = (struct model){.load = load, .load_random = seed, .event_random = ~seed};
	shuffle(&model->load_random, order, MODEL_ADDRESSES);
	for (int k = 0; k < MODEL_ADDRESSES; k++)
		sum += share[k] = zipf(order[k], BEGIN_SKEW);
	for (int i = 0; i < MODEL_SUBSCRIBERS; i++) {
		double at = draw(&model->load_random) * sum;
		uint32_t town = 0;

		while (town < MODEL_ADDRESSES - 1 && (at -= share[town]) > 0)
			town++;
		model->subscribers[i].town = model->subscribers[i].address = town;
	}
	model_shift(model);
}

/* What was held back long enough is free again. */
static void step_cooling(struct model *model)
{
	for (int k = 0; k < MODEL_ADDRESSES; k++) {
		struct model_address *address = &model->addresses[k];
		uint32_t *due = &address->cooling[model->interval % MODEL_COOLING];

		address->used -= *due;
		*due = 0;
	}
}

/* Blocks left behind by a move, and surplus ones, end when their mappings do. */
static void step_ending(struct model *model, struct model_subscriber *subscriber)
{
	uint32_t held = model_held(subscriber);

	for (uint32_t k = 0; k < MODEL_ADDRESSES; k++)
		for (uint32_t block = subscriber->held[k]; block; block--) {
			if (k == subscriber->address && held <= subscriber->wanted)
				continue;
			if (draw(&model->event_random) >= ENDING)
				continue;
			subscriber->held[k]--;
			held--;
			model->addresses[k].cooling[model->interval % MODEL_COOLING]++;
		}
}

static bool take(struct model *model, struct model_subscriber *subscriber, uint32_t address)
{
	if (model->addresses[address].used >= MODEL_CAPACITY)
		return false;
	model->addresses[address].used++;
	subscriber->held[address]++;
	subscriber->address = address;
	return true;
}

/* Paired pooling: only who has no block looks elsewhere. */
static bool take_anywhere(struct model *model, struct model_subscriber *subscriber, uint32_t held)
{
	uint32_t begin;

	if (take(model, subscriber, subscriber->address))
		return true;
	if (held)
		return false;
	begin = draw_below(&model->event_random, MODEL_ADDRESSES);
	for (uint32_t k = 0; k < MODEL_ADDRESSES; k++)
		if (take(model, subscriber, (begin + k) % MODEL_ADDRESSES))
			return true;
	return false;
}

/* Takes what is wanted; adds to the events a second of its address. Who was moved
 * needs a block at the new address for its next flow, whatever it still has. */
static void step_taking(struct model *model, struct model_subscriber *subscriber,
			double events[MODEL_ADDRESSES][SCORE_SIGNALS])
{
	uint32_t wanted = model_allowed(subscriber);
	uint32_t held = model_held(subscriber), missing = wanted > held ? wanted - held : 0;
	double *of_address;

	if (!missing && !subscriber->held[subscriber->address])
		missing = 1;
	while (missing && take_anywhere(model, subscriber, held)) {
		missing--;
		held++;
	}
	of_address = events[subscriber->address];
	of_address[SCORE_FAILURES] += missing * RETRY_REFUSED;
	of_address[SCORE_DROPS] += missing * LATE_REFUSED;
	of_address[SCORE_LIMIT_HITS] += (subscriber->wanted - wanted) * RETRY_LIMIT;
}

void model_step(struct model *model)
{
	double events[MODEL_ADDRESSES][SCORE_SIGNALS] = {0};
	uint32_t order[MODEL_SUBSCRIBERS];

	step_cooling(model);
	for (int i = 0; i < MODEL_SUBSCRIBERS; i++)
		step_ending(model, &model->subscribers[i]);
	shuffle(&model->event_random, order, MODEL_SUBSCRIBERS);
	for (int i = 0; i < MODEL_SUBSCRIBERS; i++)
		step_taking(model, &model->subscribers[order[i]], events);
	for (int k = 0; k < MODEL_ADDRESSES; k++) {
		struct model_address *address = &model->addresses[k];

		events[k][SCORE_DROPS] += address->used * LATE_USED;
		for (int i = 0; i < SCORE_SIGNALS; i++)
			address->counters[i] += draw_poisson(&model->event_random, events[k][i] * SECONDS);
	}
	model->interval++;
}

void model_move(struct model *model, uint32_t subscriber, uint32_t to)
{
	model->subscribers[subscriber].address = to;
}
