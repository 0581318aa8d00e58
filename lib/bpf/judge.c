/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The most that is expected of a kind is what the rest see, or what was seen before,
 * whichever is more; a side with too few packets says nothing.
 */
#include "lib/bpf/judge.h"

#include <stdio.h>
#include <string.h>

#include "lib/json.h"

#define FEW          16 /* packets that became of a kind: never a breach */
#define FEW_ERRORS   4
#define BYTES_FACTOR 10 /* bytes vary more between subscribers than verdicts do */
#define PACKETS_MAX  1000000000

struct share {
	bool known;
	double of_packets;
};

static struct share share_of(const struct judge_bounds *bounds, const tally_names names,
			     const struct tally *tally, size_t kind)
{
	uint64_t all = tally_sum(tally, names, "").packets;
	return (struct share){all >= bounds->packets,
			      all ? (double)tally->of[kind].packets / (double)all : 0};
}

static void share_text(const struct share *share, char text[16])
{
	snprintf(text, 16, share->known ? "%.2f %%" : "unknown", 100 * share->of_packets);
}

/* One kind of packets. */
static bool is_above(const struct judge_bounds *bounds, const tally_names names, const struct judge_case *one,
		     size_t kind, char *reason, size_t size)
{
	const struct share group = share_of(bounds, names, &one->group, kind);
	const struct share rest = share_of(bounds, names, &one->rest, kind);
	const struct share before = share_of(bounds, names, &one->before, kind);
	bool is_error = !strcmp(names[kind], "drop_internal"), is_drop = !strncmp(names[kind], "drop", 4);
	double bound = bounds->of[kind] >= 0 ? bounds->of[kind]
		       : is_error            ? bounds->errors
		       : is_drop             ? bounds->drops
					     : bounds->verdicts;
	double expected = 0;
	char texts[3][16];
	if (rest.known)
		expected = rest.of_packets;
	if (before.known && before.of_packets > expected)
		expected = before.of_packets;
	if (one->group.of[kind].packets <= (is_error ? FEW_ERRORS : FEW) ||
	    (!is_error && (!group.known || (!rest.known && !before.known))) ||
	    group.of_packets <= (is_drop ? 3 : 10) * expected + bound)
		return false;
	share_text(&(struct share){true, group.of_packets}, texts[0]);
	share_text(&rest, texts[1]);
	share_text(&before, texts[2]);
	snprintf(reason, size, "%s: %s of the canary's packets, %s of the rest's, %s before, bound %.2f %%",
		 names[kind], texts[0], texts[1], texts[2], 100 * bound);
	return true;
}

/* Bytes forwarded for all, `scale` of which are the group's; negative: too few to say. */
static double bytes_expected(const struct judge_bounds *bounds, const struct tally_count *forwarded,
			     double scale)
{
	bool known = (double)forwarded->packets * scale >= (double)(BYTES_FACTOR * bounds->packets);
	return known ? (double)forwarded->bytes * scale : -1;
}

static void bytes_text(double bytes, char text[32])
{
	snprintf(text, 32, bytes < 0 ? "unknown" : "%.0f", bytes);
}

/* The least that is expected is what as many of the rest get, or got before, whichever is
 * less: less traffic for everybody is no fault. */
static bool is_starved(const struct judge_bounds *bounds, const tally_names names,
		       const struct judge_case *one, char *reason, size_t size)
{
	struct tally_count group = tally_sum(&one->group, names, "forward");
	struct tally_count rest = tally_sum(&one->rest, names, "forward");
	struct tally_count usual = tally_sum(&one->before, names, "forward");
	double now = bytes_expected(bounds, &rest, one->share < 1 ? one->share / (1 - one->share) : 0);
	double before = bytes_expected(bounds, &usual, one->share * one->times);
	double least = now < 0 ? before : before < 0 || now < before ? now : before;
	char texts[2][32];
	if (least < 0 || (double)group.bytes >= (1 - bounds->bytes) * least)
		return false;
	bytes_text(now, texts[0]);
	bytes_text(before, texts[1]);
	snprintf(reason, size,
		 "bytes: %.0f forwarded for the canary's subscribers, %s for as many of the rest, "
		 "%s for as many before, bound %.0f %% less",
		 (double)group.bytes, texts[0], texts[1], 100 * bounds->bytes);
	return true;
}

bool judge_breach(const struct judge_bounds *bounds, const tally_names names, const struct judge_case *one,
		  char *reason, size_t size)
{
	for (size_t i = 0; i < TALLY_MAX; i++) {
		if (names[i][0] && is_above(bounds, names, one, i, reason, size))
			return true;
	}
	return is_starved(bounds, names, one, reason, size);
}

/* The bound of this name; NULL: there is none. */
static double *bound_named(struct judge_bounds *bounds, const tally_names names, const char *name)
{
	struct {
		const char *name;
		double *bound;
	} const general[] = {{"errors", &bounds->errors},
			     {"drops", &bounds->drops},
			     {"verdicts", &bounds->verdicts},
			     {"bytes", &bounds->bytes}};
	for (size_t i = 0; i < sizeof(general) / sizeof(*general); i++) {
		if (!strcmp(general[i].name, name))
			return general[i].bound;
	}
	for (size_t i = 0; i < TALLY_MAX; i++) {
		if (names[i][0] && !strcmp(names[i], name))
			return &bounds->of[i];
	}
	return NULL;
}

static void read_bound(struct json_reader *reader, const json_t *object, const char *name,
		       const tally_names names, struct judge_bounds *bounds)
{
	double *bound = bound_named(bounds, names, name);
	json_t *value = json_enter(reader, object, name);
	if (!bound)
		json_reader_fail(reader, value,
				 "is no bound: errors, drops, verdicts, bytes, packets, or "
				 "the name of a verdict");
	json_leave(reader);
	if (bound)
		*bound = json_read_number_or(reader, object, name, 0, 1, 0);
}

void judge_read_bounds(struct json_reader *reader, const json_t *object, const tally_names names,
		       struct judge_bounds *bounds)
{
	const char *name;
	json_t *value;
	*bounds = (struct judge_bounds){
		.errors = 0.0001, .drops = 0.005, .verdicts = 0.2, .bytes = 0.9, .packets = 1000};
	for (size_t i = 0; i < TALLY_MAX; i++)
		bounds->of[i] = -1;
	json_object_foreach((json_t *)object, name, value)
	{
		if (!strcmp(name, "packets"))
			bounds->packets = (uint64_t)json_read_integer(reader, object, name, 1, PACKETS_MAX);
		else
			read_bound(reader, object, name, names, bounds);
	}
}
