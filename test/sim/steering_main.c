/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * make sim-steering: each policy over several seeds as a table, the properties that
 * `enforce` promises and whether it kept them, and the course of the first seed as
 * data for the plot (steering.gp). The exit status is 1 when a property does not hold.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steering_run.h"

#define SEEDS_MAX 1000

static struct run runs[SEEDS_MAX][RUN_POLICIES];

static unsigned number_of(const struct run *run, size_t offset)
{
	return *(const unsigned *)((const char *)run + offset);
}

struct property {
	const char *text;
	enum run_policy policy;
	size_t number;    /* offset in struct run */
	unsigned at_most; /* for every seed; or, if 0 < at_least, for every seed no less than it */
	unsigned at_least;
};

#define NUMBER(field) offsetof(struct run, field)

static const struct property properties[] = {
	{"enforce: intervals until no address is below the threshold", RUN_ENFORCE, NUMBER(longest),
	 RUN_BOUND, 0},
	{"enforce: intervals below it once the load has settled", RUN_ENFORCE, NUMBER(pressure_settled), 0,
	 0},
	{"enforce: subscribers moved twice within the hold-down", RUN_ENFORCE, NUMBER(moved_again), 0, 0},
	{"enforce: moves once the load has settled", RUN_ENFORCE, NUMBER(moves_settled), 0, 0},
	{"naive: moves once the load has settled", RUN_NAIVE, NUMBER(moves_settled), 0, 1},
	{"naive: subscribers moved twice within the hold-down", RUN_NAIVE, NUMBER(moved_again), 0, 1},
	{"off: intervals below the threshold", RUN_OFF, NUMBER(pressure), 0, 1},
};

static bool print_property(const struct property *property, unsigned seeds)
{
	unsigned low = UINT32_MAX, high = 0;
	bool holds;

	for (unsigned seed = 0; seed < seeds; seed++) {
		unsigned number = number_of(&runs[seed][property->policy], property->number);

		low = number < low ? number : low;
		high = number > high ? number : high;
	}
	holds = property->at_least ? low >= property->at_least : high <= property->at_most;
	printf("[%s] %-60s %5u .. %-5u (%s %u)\n", holds ? " ok " : "FAIL", property->text, low, high,
	       property->at_least ? "at least" : "at most",
	       property->at_least ? property->at_least : property->at_most);
	return holds;
}

static void print_table(unsigned seeds)
{
	printf("SEED POLICY   MOVES SETTLED  AGAIN BELOW LONGEST FAILURES\n");
	for (unsigned seed = 0; seed < seeds; seed++)
		for (int policy = 0; policy < RUN_POLICIES; policy++) {
			const struct run *run = &runs[seed][policy];

			printf("%4u %-8s %5u %7u %6u %5u %7u %8llu\n", seed + 1, run_policy_names[policy],
			       run->moves, run->moves_settled, run->moved_again, run->pressure, run->longest,
			       (unsigned long long)run->failures);
		}
}

/* What the default weights make of steady observations. */
static void print_judgements(void)
{
	static const float rates[][SCORE_SIGNALS] = {{0, 0, 0},    {0.1f, 0, 0},  {0, 1, 0},
						     {0.2f, 2, 0}, {3.4f, 18, 1}, {9.1f, 47, 8}};
	const struct score_policy *policy = &plan_policy_default.score;

	printf("FAIL/s LIMIT/s DROP/s SCORE STATUS\n");
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		double score = score_of_penalty(score_penalty(policy, rates[i]));

		printf("%6.1f %7.1f %6.1f %5.1f %s\n", (double)rates[i][SCORE_FAILURES],
		       (double)rates[i][SCORE_LIMIT_HITS], (double)rates[i][SCORE_DROPS], score,
		       score_status_name(score_status(policy, score)));
	}
	putchar('\n');
}

static void print_legend(double load, unsigned seeds)
{
	printf("%d addresses of %d blocks, %d subscribers, %.0f %% of all blocks wanted, %u seeds\n",
	       MODEL_ADDRESSES, MODEL_CAPACITY, MODEL_SUBSCRIBERS, 100 * load, seeds);
	printf("intervals of %.0f s; the load shifts every %d intervals, and stays the same from interval %d "
	       "to %d\n",
	       MODEL_INTERVAL_NS / 1e9, RUN_SHIFT, RUN_LAST, RUN_INTERVALS);
	printf("threshold %g, at most %g %% of the subscribers in an interval, hold-down %.0f intervals\n\n",
	       plan_policy_default.threshold, 100 * plan_policy_default.share,
	       (double)plan_policy_default.hold_down_ns / MODEL_INTERVAL_NS);
	printf("SETTLED: moves from interval %d on; AGAIN: moves within the hold-down of another; BELOW: "
	       "intervals "
	       "with an\naddress below the threshold; LONGEST: from a shift until none is; FAILURES: "
	       "allocation "
	       "failures\n\n",
	       RUN_SETTLED);
}

/* One block of lines for each policy: minute, lowest score, moves, what is wanted of each address. */
static int write_data(const char *path, const struct run of_policy[RUN_POLICIES])
{
	FILE *file = fopen(path, "w");

	if (!file)
		return -errno;
	for (int policy = 0; policy < RUN_POLICIES; policy++) {
		fprintf(file, "# %s\n", run_policy_names[policy]);
		for (int at = 0; at < RUN_INTERVALS; at++) {
			const struct run_interval *interval = &of_policy[policy].intervals[at];

			fprintf(file, "%.3f %.2f %u", at * (MODEL_INTERVAL_NS / 60e9), interval->worst_score,
				interval->moves);
			for (int k = 0; k < MODEL_ADDRESSES; k++)
				fprintf(file, " %.4f", interval->wanted[k]);
			fputc('\n', file);
		}
		fputs("\n\n", file);
	}
	return fclose(file) ? -errno : 0;
}

static int run_all(unsigned seeds, double load)
{
	int failure = 0;

	for (unsigned seed = 0; seed < seeds; seed++)
		for (int policy = 0; !failure && policy < RUN_POLICIES; policy++)
			failure = run_make(&runs[seed][policy], (enum run_policy)policy, seed + 1, load);
	return failure;
}

int main(int argc, char **argv)
{
	unsigned seeds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	double load = argc > 3 ? strtod(argv[3], NULL) / 100 : 0;
	bool all = true;
	int failure;

	if (argc != 4 || seeds < 1 || seeds > SEEDS_MAX || !(load > 0)) {
		fprintf(stderr, "usage: sim-steering DATA-FILE SEEDS(1..%d) LOAD(percent)\n", SEEDS_MAX);
		return 2;
	}
	failure = run_all(seeds, load);
	if (!failure)
		failure = write_data(argv[1], runs[0]);
	if (failure) {
		fprintf(stderr, "sim-steering: %s: %s\n", argv[1], strerror(-failure));
		return 2;
	}
	print_judgements();
	print_legend(load, seeds);
	print_table(seeds);
	putchar('\n');
	for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++)
		all &= print_property(&properties[i], seeds);
	return all ? 0 : 1;
}
