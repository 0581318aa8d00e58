/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Targets of a plan in their order, see the header.
 */
#include "controld/steering/targets.h"

#include <stddef.h>

#include "controld/steering/score.h"

void targets_init(struct targets *targets, struct target *room_for_all, double penalty_max)
{
	targets->target = room_for_all;
	targets->penalty_max = penalty_max;
	for (int band = 0; band < TARGETS_BANDS; band++)
		targets->root[band] = TARGETS_NONE;
}

static bool is_before(const struct targets *targets, uint32_t a, uint32_t b)
{
	double room_a = targets->target[a].room, room_b = targets->target[b].room;

	return room_a > room_b || (room_a == room_b && a < b);
}

static uint32_t rank_of(const struct targets *targets, uint32_t index)
{
	return index == TARGETS_NONE ? 0 : targets->target[index].rank;
}

/* Recursion goes down the right spines only, which are no longer than log2 of the heap. */
static uint32_t merge(struct targets *targets, uint32_t a, uint32_t b)
{
	uint32_t top, other, swapped;
	struct target *target;

	if (a == TARGETS_NONE || b == TARGETS_NONE)
		return a == TARGETS_NONE ? b : a;
	top = is_before(targets, a, b) ? a : b;
	other = top == a ? b : a;
	target = &targets->target[top];
	target->right = merge(targets, target->right, other);
	if (rank_of(targets, target->left) < rank_of(targets, target->right)) {
		swapped = target->left;
		target->left = target->right;
		target->right = swapped;
	}
	target->rank = rank_of(targets, target->right) + 1;
	return top;
}

static uint32_t *root_of(struct targets *targets, uint32_t index)
{
	return &targets->root[(int)(score_of_penalty(targets->target[index].penalty) + 0.5)];
}

void targets_add(struct targets *targets, uint32_t index)
{
	struct target *target = &targets->target[index];
	uint32_t *root;

	if (!(target->penalty <= targets->penalty_max))
		return;
	target->left = target->right = TARGETS_NONE;
	target->rank = 1;
	root = root_of(targets, index);
	*root = merge(targets, *root, index);
}

uint32_t targets_find(const struct targets *targets, double load, double penalty)
{
	for (int band = TARGETS_BANDS - 1; band >= 0; band--) {
		uint32_t index = targets->root[band];

		if (index != TARGETS_NONE && targets->target[index].room >= load &&
		    targets->target[index].penalty + penalty <= targets->penalty_max)
			return index;
	}
	return TARGETS_NONE;
}

void targets_give(struct targets *targets, uint32_t index, double load, double penalty)
{
	struct target *target = &targets->target[index];
	uint32_t *root = root_of(targets, index);

	*root = merge(targets, target->left, target->right);
	target->room -= load;
	target->penalty += penalty;
	targets_add(targets, index);
}
