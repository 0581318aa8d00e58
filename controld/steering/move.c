/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moves and their traces in the subscribers' records, see the header.
 */
#include "controld/steering/move.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static uint8_t as_byte(double value)
{
	return (uint8_t)fmin(fmax(value + 0.5, 0), UINT8_MAX);
}

static void remember_why(struct bng_subscriber *record, const struct plan_move *move, uint32_t from_be)
{
	record->moved_from_be = from_be;
	record->moved_why = (uint8_t)move->why;
	record->moved_from_score = as_byte(move->from_score);
	record->moved_to_score = as_byte(move->to_score);
	record->moved_score_after = as_byte(move->to_score_after);
	record->moved_fill_after = as_byte(100 * move->to_fill_after);
	record->moved_load = as_byte(move->load);
}

/* What was remembered of an earlier move. */
static void put_back(struct bng_subscriber *record, const struct bng_subscriber *before)
{
	record->moved_from_be = before->moved_from_be;
	record->moved_why = before->moved_why;
	record->moved_from_score = before->moved_from_score;
	record->moved_to_score = before->moved_to_score;
	record->moved_score_after = before->moved_score_after;
	record->moved_fill_after = before->moved_fill_after;
	record->moved_load = before->moved_load;
	__atomic_store_n(&record->moved_ns, before->moved_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&record->moved_to_be, before->moved_to_be, __ATOMIC_SEQ_CST);
}

bool steering_move(struct maps *maps, const struct steering_pool *pool, const struct plan_move *move,
		   uint64_t now_ns)
{
	struct bng_subscriber *record = &maps->subscriber[move->slot], before = *record;
	uint32_t from = pool->indexes[move->from], to = pool->indexes[move->to], found = from;

	__atomic_store_n(&record->moved_to_be, 0, __ATOMIC_SEQ_CST);
	remember_why(record, move, maps->pool_address[from].address_be);
	__atomic_store_n(&record->moved_ns, now_ns, __ATOMIC_SEQ_CST);
	if (!__atomic_compare_exchange_n(&record->address_index, &found, to, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST)) {
		put_back(record, &before);
		return false;
	}
	__atomic_store_n(&record->moved_to_be, maps->pool_address[to].address_be, __ATOMIC_SEQ_CST);
	return true;
}

unsigned steering_finish_moves(struct maps *maps)
{
	unsigned finished = 0;

	for (uint32_t slot = 1; slot < maps_entries(maps, MAP_subscriber); slot++) {
		struct bng_subscriber *record = &maps->subscriber[slot];
		uint32_t index = record->address_index, now_be;

		if (record->state != BNG_SUBSCRIBER_ACTIVE || !record->moved_ns || record->moved_to_be ||
		    index >= maps_entries(maps, MAP_pool_address))
			continue;
		now_be = maps->pool_address[index].address_be;
		if (now_be == record->moved_from_be)
			continue;
		__atomic_store_n(&record->moved_to_be, now_be, __ATOMIC_RELEASE);
		finished++;
	}
	return finished;
}

static struct steering_moved moved_of(const struct bng_subscriber *record, uint32_t slot)
{
	return (struct steering_moved){
		.move =
			{
				.slot = slot,
				.why = (enum plan_why)record->moved_why,
				.load = record->moved_load,
				.from_score = record->moved_from_score,
				.to_score = record->moved_to_score,
				.to_score_after = record->moved_score_after,
				.to_fill_after = record->moved_fill_after / 100.0,
			},
		.from_be = record->moved_from_be,
		.to_be = record->moved_to_be,
		.at_ns = record->moved_ns,
	};
}

static int newest_first(const void *a, const void *b)
{
	const struct steering_moved *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns > y->at_ns ? -1 : 1;
	return x->move.slot < y->move.slot ? -1 : x->move.slot > y->move.slot;
}

int steering_recent_moves(const struct maps *maps, struct steering_moved **moves, size_t *count)
{
	size_t room = 0;

	*moves = NULL;
	*count = 0;
	for (uint32_t slot = 1; slot < maps_entries(maps, MAP_subscriber); slot++) {
		const struct bng_subscriber *record = &maps->subscriber[slot];

		if (record->state != BNG_SUBSCRIBER_ACTIVE || !record->moved_ns || !record->moved_to_be)
			continue;
		if (*count == room) {
			struct steering_moved *more;

			room = room ? 2 * room : 256;
			more = realloc(*moves, room * sizeof(*more));
			if (!more) {
				free(*moves);
				return -ENOMEM;
			}
			*moves = more;
		}
		(*moves)[(*count)++] = moved_of(record, slot);
	}
	if (*count)
		qsort(*moves, *count, sizeof(**moves), newest_first);
	return 0;
}
