/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A commit on trial: whoever does not confirm it in time, perhaps because it cut
 * him off, gets the previous generation back. The journal remembers, so that no
 * restart of anybody makes a trial longer or ends it.
 */
#include "holder/holder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rpc.h"

bool trial_runs(const struct holder *holder)
{
	return holder->journal.trial && holder->journal.trial == holder->current;
}

/* Said before the commit: one that is undone leaves a trial of what is not current. */
void trial_begin(struct holder *holder, unsigned generation, unsigned seconds)
{
	if (!seconds && holder->journal.trial != generation)
		return;
	holder->journal.trial = seconds ? generation : 0;
	holder->journal.trial_end_ns = (json_int_t)(clock_boottime_ns() + seconds * 1000000000ULL);
}

int trial_confirm(struct holder *holder, struct problem *problem)
{
	unsigned generation = holder->journal.trial;
	if (!trial_runs(holder))
		return refuse(problem, RPC_CONFLICT, NULL, "nothing is on trial");
	holder->journal.trial = 0;
	step("confirm");
	int error = journal_write(holder, false);
	if (error) {
		holder->journal.trial = generation;
		return refuse_errno(problem, error, "writing the journal");
	}
	holder_event(holder, json_pack("{s:s, s:i}", "type", "confirmed", "generation", generation));
	return 0;
}

void trial_watch(struct holder *holder)
{
	struct problem problem = {0};
	unsigned generation = holder->current;
	json_t *result = NULL;
	const struct swap_order back = {.to = holder->previous, .is_rescue = true};
	if (!trial_runs(holder) || (json_int_t)clock_boottime_ns() < holder->journal.trial_end_ns)
		return;
	log_warning("generation %u was not confirmed in time: back to %u", generation, holder->previous);
	int error = swap_commit(holder, &back, &result, &problem);
	if (error)
		log_error("going back to generation %u: %s", holder->previous, problem.text);
	else
		holder_event(holder, json_pack("{s:s, s:i, s:i}", "type", "not_confirmed", "from", generation,
					       "to", holder->current));
	json_decref(problem.data);
	json_decref(result);
}

json_t *trial_status(const struct holder *holder)
{
	json_int_t left_ns = holder->journal.trial_end_ns - (json_int_t)clock_boottime_ns();
	if (!trial_runs(holder))
		return json_null();
	return json_pack("{s:i, s:i, s:I}", "generation", holder->current, "back", holder->previous,
			 "left_ms", left_ns > 0 ? left_ns / 1000000 : (json_int_t)0);
}
