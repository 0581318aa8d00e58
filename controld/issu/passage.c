/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What came in went out, or was dropped by name: the kernel's counters of our
 * interfaces against the verdicts.
 *
 * Two counters cannot be read at the same instant, and packets are always under way
 * between them. But what is lost stays missing: so each difference is taken several
 * times, and the reading that was disturbed least is the one that counts. A loss
 * smaller than what may be under way is not told from none.
 */
#include <errno.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/issu/issu.h"
#include "controld/maps/names.h"
#include "lib/netdev.h"

#define LOOKS             16
#define RECEIVE_UNDER_WAY 64   /* of one interface: a NAPI run counts what it received at its end */
#define SEND_UNDER_WAY    1024 /* of one interface: waits in its ring */

static uint64_t forwarded(const struct passage *passage)
{
	return maps_count_kind(passage->counts, "forward");
}

static uint64_t judged(const struct passage *passage)
{
	uint64_t sum = 0;

	for (int i = 0; i < BNG_VERDICT_COUNT; i++)
		sum += passage->counts[i].packets;
	return sum;
}

static void read_interfaces(struct controld *controld, struct passage *passage)
{
	struct netdev_traffic traffic;

	passage->received = passage->sent = passage->interfaces = 0;
	passage->receive_dropped = passage->transmit_dropped = 0;
	for (uint16_t i = 1; i < BNG_INTERFACES; i++) {
		const char *name = names_interface(controld, i);

		if (!name[0] || !netdev_traffic_read(name, &traffic))
			continue;
		passage->interfaces++;
		passage->received += traffic.rx_packets;
		passage->sent += traffic.tx_packets;
		passage->receive_dropped += traffic.rx_dropped + traffic.rx_errors;
		passage->transmit_dropped += traffic.tx_dropped + traffic.tx_errors;
	}
}

/* What is judged after it was received, and sent after it was judged, makes a
 * difference smaller when the looks at its two sides lie apart: the largest is best. */
static int look(struct controld *controld, struct passage *passage, struct passage *best)
{
	uint64_t sent, received;
	int failure;

	read_interfaces(controld, passage);
	received = passage->received;
	failure = maps_counts(controld->maps, passage->counts);
	passage->unjudged = (int64_t)(received - judged(passage));
	read_interfaces(controld, passage);
	sent = passage->sent;
	passage->unsent = (int64_t)(forwarded(passage) - sent);
	if (passage->unjudged > best->unjudged)
		best->unjudged = passage->unjudged;
	if (passage->unsent > best->unsent)
		best->unsent = passage->unsent;
	if (passage->received - received < best->window)
		best->window = passage->received - received;
	return failure;
}

int passage_read(struct controld *controld, struct passage *passage)
{
	struct passage best = {.unjudged = INT64_MIN, .unsent = INT64_MIN, .window = UINT64_MAX};
	int failure = 0;

	for (int i = 0; !failure && i < LOOKS; i++)
		failure = look(controld, passage, &best);
	passage->unjudged = best.unjudged;
	passage->unsent = best.unsent;
	passage->window = best.window;
	return failure;
}

/* Not every driver counts what XDP sends. */
static bool counts_sent(const struct passage *passage)
{
	return passage->sent >= forwarded(passage) / 2;
}

static uint64_t beyond(int64_t difference, uint64_t uncertain)
{
	return difference > 0 && (uint64_t)difference > uncertain ? (uint64_t)difference : 0;
}

bool passage_lost(const struct passage *from, const struct passage *to, uint64_t *lost, uint64_t *uncertain)
{
	uint64_t window = from->window > to->window ? from->window : to->window;
	uint64_t receiving = from->interfaces * RECEIVE_UNDER_WAY + window,
		 sending = from->interfaces * SEND_UNDER_WAY + window;

	*lost = *uncertain = 0;
	if (from->interfaces != to->interfaces || to->received < from->received || to->sent < from->sent)
		return false;
	*lost = beyond(to->unjudged - from->unjudged, receiving);
	*uncertain = receiving;
	if (counts_sent(from)) {
		*lost += beyond(to->unsent - from->unsent, sending);
		*uncertain += sending;
	}
	return true;
}

static json_t *reasons_json(const struct passage *from, const struct passage *to)
{
	json_t *reasons = json_object();

	for (int i = 0; i < BNG_VERDICT_COUNT; i++) {
		uint64_t packets = to->counts[i].packets - from->counts[i].packets;

		if (packets && !strncmp(maps_verdict_name((unsigned)i), "drop", 4))
			json_object_set_new(reasons, maps_verdict_name((unsigned)i),
					    json_integer((json_int_t)packets));
	}
	return reasons;
}

json_t *passage_json(const struct passage *from, const struct passage *to)
{
	uint64_t lost, uncertain;
	bool known = passage_lost(from, to, &lost, &uncertain);

	return json_pack(
		"{s:I, s:I, s:I, s:o, s:I, s:I, s:o}", "received",
		known ? (json_int_t)(to->received - from->received) : (json_int_t)0, "forwarded",
		(json_int_t)(forwarded(to) - forwarded(from)), "dropped",
		(json_int_t)(maps_count_kind(to->counts, "drop") - maps_count_kind(from->counts, "drop")),
		"lost", known ? json_integer((json_int_t)lost) : json_null(), "uncertain",
		(json_int_t)uncertain, "overrun",
		(json_int_t)(to->receive_dropped - from->receive_dropped + to->transmit_dropped -
			     from->transmit_dropped),
		"reasons", reasons_json(from, to));
}
