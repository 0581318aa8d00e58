/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packets through both programs in turn, by a clock that we set, so that whatever limits a
 * rate or times out does so at the same packet in both.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/issu/verify.h"

static bool is_punted(unsigned verdict)
{
	return verdict < BNG_VERDICT_COUNT && !strncmp(maps_verdict_name(verdict), "punt", 4);
}

/* Two public ends of one session, which the programs have drawn by chance? */
static bool is_other_end_of_same(const struct pair *pair)
{
	uint32_t old_be, new_be;
	uint16_t old_port, new_port;
	uint64_t owner;

	if (!frame_source(&pair->old_result.out, &old_be, &old_port) ||
	    !frame_source(&pair->new_result.out, &new_be, &new_port) ||
	    (old_be == new_be && old_port == new_port))
		return false;
	owner = world_owner(&pair->old, old_be, old_port);
	return owner && owner == world_owner(&pair->new, new_be, new_port);
}

static void compare_bytes(struct pair *pair, const char *what)
{
	const struct frame *old = &pair->old_result.out, *new = &pair->new_result.out;
	const char *field = frame_differs(old, new, is_punted(pair->old_result.verdict));

	if (field && is_other_end_of_same(pair))
		field = frame_differs_beyond_source(old, new);
	if (field)
		difference_add(&pair->result->differences, DIFFERENCE_BYTES, field, 1, what);
}

const char *const action_names[] = {"xdp_aborted", "xdp_drop", "xdp_pass", "xdp_tx", "xdp_redirect", NULL};

static void compare_results(struct pair *pair, const char *what)
{
	const struct world_result *old = &pair->old_result, *new = &pair->new_result;
	char name[VERIFY_NAME];

	if (old->verdict != new->verdict)
		snprintf(name, sizeof(name), "%s>%s", maps_verdict_name(old->verdict),
			 maps_verdict_name(new->verdict));
	else if (old->action != new->action && old->action <= 4 && new->action <= 4)
		snprintf(name, sizeof(name), "%s>%s", action_names[old->action], action_names[new->action]);
	else {
		compare_bytes(pair, what);
		return;
	}
	difference_add(&pair->result->differences, DIFFERENCE_VERDICT, name, 1, what);
}

/* Each packet counts the same in the ratio, however long it takes. */
static void add_time(struct verify_result *result, uint32_t old_ns, uint32_t new_ns)
{
	result->old_ns += old_ns;
	result->new_ns += new_ns;
	result->log_ratio += log((double)(new_ns ? new_ns : 1) / (double)(old_ns ? old_ns : 1));
}

/* What a golden packet ended in the first time: false if there is nothing to compare, as the
 * new one has put right what the old one did. */
static bool is_comparable(struct pair *pair, const struct packet *packet)
{
	unsigned expected = packet->expected - 1u;

	if (!packet->expected || pair->new_result.verdict == pair->old_result.verdict) {
		pair->result->elsewhere += packet->expected && pair->new_result.verdict != expected;
		return true;
	}
	pair->result->mended += pair->new_result.verdict == expected;
	return pair->new_result.verdict != expected;
}

/* Both in turn, each as often first, so that what the one leaves in caches helps the other. */
static int run_both(struct pair *pair, const struct packet *packet, int round)
{
	int failure = 0;

	for (int i = 0; !failure && i < 2; i++)
		failure = (i ^ round) & 1 ? world_run(&pair->new, packet, pair->now_ns, &pair->new_result)
					  : world_run(&pair->old, packet, pair->now_ns, &pair->old_result);
	return failure;
}

static uint32_t less_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Of its times the least counts: whatever else the machine does only adds to them. */
int pair_run(struct pair *pair, const struct packet *packet, const char *what)
{
	uint32_t old_ns = UINT32_MAX, new_ns = UINT32_MAX;
	char text[96], example[192];
	bool comparable = true;

	frame_describe(&packet->frame, text, sizeof(text));
	snprintf(example, sizeof(example), "%s, %s", what, text);
	for (int round = 0; round < VERIFY_ROUNDS; round++) {
		int failure = run_both(pair, packet, round);

		if (failure) {
			snprintf(pair->error, sizeof(pair->error), "running %s: %s", what,
				 strerror(-failure));
			return failure;
		}
		pair->now_ns += VERIFY_STEP_NS;
		pair->result->runs++;
		old_ns = less_of(old_ns, pair->old_result.ns);
		new_ns = less_of(new_ns, pair->new_result.ns);
		if (!round)
			comparable = is_comparable(pair, packet);
		if (comparable)
			compare_results(pair, example);
	}
	add_time(pair->result, old_ns, new_ns);
	return 0;
}

int pair_seed(struct pair *pair, struct maps *live)
{
	int failure = maps_copy(pair->old.maps, live, live);

	maps_capture_ask(pair->old.maps, 0);
	if (!failure)
		failure = maps_copy(pair->new.maps, pair->old.maps, live);
	if (failure)
		snprintf(pair->error, sizeof(pair->error), "copying the live maps: %s", strerror(-failure));
	pair->now_ns = maps_now_ns(live);
	return failure;
}

void pair_compare_maps(struct pair *pair)
{
	for (enum map_id i = 0; i < MAP_COUNT; i++) {
		uint64_t old, new;
		char example[64];

		if (!maps_filled(pair->old.maps, i, &old) || !maps_filled(pair->new.maps, i, &new) ||
		    old == new)
			continue;
		snprintf(example, sizeof(example), "%llu entries, not %llu", (unsigned long long)new,
			 (unsigned long long)old);
		difference_add(&pair->result->differences, DIFFERENCE_MAP, maps_name(i),
			       new > old ? new - old : old - new, example);
	}
}
