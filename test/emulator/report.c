/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What has been measured, as JSON.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/emulator/command.h"

static const char *const failure_names[FAILURE_COUNT] = {
#define FAILURE_TEXT(name, text) [FAILURE_##name] = #text,
	FAILURES(FAILURE_TEXT)
#undef FAILURE_TEXT
};

static const char *const end_names[END_COUNT] = {
#define END_TEXT(name, text) [END_##name] = #text,
	ENDS(END_TEXT)
#undef END_TEXT
};

/* Only what happened. */
static json_t *named_counts(const uint64_t *counts, const char *const *names, size_t length)
{
	json_t *object = json_object();

	for (size_t i = 0; i < length; i++) {
		if (counts[i])
			json_object_set_new(object, names[i], json_integer((json_int_t)counts[i]));
	}
	return object;
}

static json_t *states(const struct emulator *emulator, uint32_t first, uint32_t count)
{
	uint64_t counts[STATE_COUNT] = {0};
	const char *names[STATE_COUNT];

	for (uint32_t i = first; i < first + count; i++)
		counts[emulator->subscriber[i].state]++;
	for (int i = 0; i < STATE_COUNT; i++)
		names[i] = state_name((enum state)i);
	return named_counts(counts, names, STATE_COUNT);
}

static json_t *faults(const struct faults *found)
{
	const char *names[FAULT_COUNT];

	for (int i = 0; i < FAULT_COUNT; i++)
		names[i] = fault_name((enum fault)i);
	return named_counts(found->count, names, FAULT_COUNT);
}

static json_t *first_fault(const struct faults *found)
{
	char text[2 * FAULT_FRAME_KEPT + 1] = "";

	if (found->first == FAULT_NONE)
		return json_null();
	for (size_t i = 0; i < found->first_length; i++)
		snprintf(text + 2 * i, 3, "%02x", found->first_frame[i]);
	return json_pack("{ssss}", "name", fault_name(found->first), "frame", text);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static json_t *milliseconds(uint32_t microseconds)
{
	return json_real(microseconds / 1000.0);
}

/* Of each subscriber's last setup that succeeded. */
static json_t *latency(const struct emulator *emulator, uint32_t first, uint32_t count)
{
	uint32_t *took = malloc((count + 1) * sizeof(*took));
	uint32_t length = 0;
	json_t *object = json_object();

	for (uint32_t i = first; took && i < first + count; i++) {
		if (emulator->subscriber[i].setup_us)
			took[length++] = emulator->subscriber[i].setup_us;
	}
	if (length) {
		qsort(took, length, sizeof(*took), compare);
		json_object_set_new(object, "p50", milliseconds(took[length / 2]));
		json_object_set_new(object, "p90", milliseconds(took[(uint64_t)length * 9 / 10]));
		json_object_set_new(object, "p99", milliseconds(took[(uint64_t)length * 99 / 100]));
		json_object_set_new(object, "max", milliseconds(took[length - 1]));
	}
	free(took);
	return object;
}

static json_t *setup(const struct emulator *emulator, uint32_t first, uint32_t count)
{
	const struct counts *counts = &emulator->counts;
	double seconds = counts->came_up ? (double)(counts->last_up_ns - counts->first_setup_ns) / 1e9 : 0;

	return json_pack("{sIsIsfsfso}", "begun", (json_int_t)counts->setups, "came_up",
			 (json_int_t)counts->came_up, "seconds", seconds, "rate",
			 seconds > 0 ? (double)counts->came_up / seconds : 0.0, "latency_ms",
			 latency(emulator, first, count));
}

static json_t *traffic(const struct emulator *emulator, uint32_t first, uint32_t count)
{
	uint64_t sent = 0, received = 0, losers = 0;

	for (uint32_t i = first; i < first + count; i++) {
		const struct flow *flow = &emulator->subscriber[i].flow;
		sent += flow->sent;
		received += flow->received;
		losers += flow->sent != flow->received;
	}
	return json_pack("{sIsIsIsIsIsf}", "sent", (json_int_t)sent, "received", (json_int_t)received,
			 "echoed", (json_int_t)emulator->traffic.echoed, "lost",
			 (json_int_t)(sent - received), "sessions_with_loss", (json_int_t)losers,
			 "longest_round_trip_ms", (double)emulator->traffic.late_ns / 1e6);
}

static json_t *echo(const struct emulator *emulator, uint32_t first, uint32_t count)
{
	const struct counts *counts = &emulator->counts;
	uint64_t longest = 0;

	for (uint32_t i = first; i < first + count; i++) {
		const struct subscriber *subscriber = &emulator->subscriber[i];
		const struct pppoe *pppoe = &subscriber->pppoe;
		uint64_t gap;
		if (subscriber->group->kind != KIND_PPPOE || subscriber->state != STATE_UP)
			continue;
		gap = pppoe->echo_open ? emulator->now_ns - pppoe->echo_reply_ns : 0;
		longest = gap > longest ? gap : longest;
		longest = pppoe->echo_gap_ns > longest ? pppoe->echo_gap_ns : longest;
	}
	return json_pack("{sIsIsIsfsI}", "requests", (json_int_t)counts->echo_requests, "replies",
			 (json_int_t)counts->echo_replies, "lost",
			 (json_int_t)(counts->echo_requests - counts->echo_replies), "longest_gap_ms",
			 (double)longest / 1e6, "asked", (json_int_t)counts->echo_asked);
}

static json_t *sockets(struct wire *wires)
{
	return json_pack("{sIsI}", "dropped", (json_int_t)(wire_dropped(&wires[0]) + wire_dropped(&wires[1])),
			 "refused", (json_int_t)(wires[0].refused + wires[1].refused));
}

json_t *report_json(struct emulator *emulator, struct wire *wires, uint32_t first, uint32_t count)
{
	const struct counts *counts = &emulator->counts;
	json_t *object = json_pack("{sIsIsIsIsIsI}", "subscribers", (json_int_t)emulator->count, "up",
				   (json_int_t)emulator->up, "under_way", (json_int_t)emulator->under_way,
				   "retransmitted", (json_int_t)counts->retransmitted, "renewals",
				   (json_int_t)counts->renewals, "renewed", (json_int_t)counts->renewed);

	json_object_set_new(object, "states", states(emulator, first, count));
	json_object_set_new(object, "failed", named_counts(counts->failed, failure_names, FAILURE_COUNT));
	json_object_set_new(object, "ended", named_counts(counts->ended, end_names, END_COUNT));
	json_object_set_new(object, "setup", setup(emulator, first, count));
	json_object_set_new(object, "traffic", traffic(emulator, first, count));
	json_object_set_new(object, "echo", echo(emulator, first, count));
	json_object_set_new(object, "faults", faults(&emulator->faults));
	json_object_set_new(object, "first_fault", first_fault(&emulator->faults));
	json_object_set_new(object, "socket", sockets(wires));
	return object;
}

static json_t *address_text(uint32_t address_be)
{
	char text[INET_ADDRSTRLEN];

	return json_string(inet_ntop(AF_INET, &address_be, text, sizeof(text)));
}

json_t *sessions_json(const struct emulator *emulator, uint32_t first, uint32_t count)
{
	json_t *list = json_array();

	for (uint32_t i = first; i < first + count; i++) {
		const struct subscriber *subscriber = &emulator->subscriber[i];
		const struct flow *flow = &subscriber->flow;
		bool pppoe = subscriber->group->kind == KIND_PPPOE;
		json_array_append_new(list, json_pack("{sisssosisisosi}", "number", (int)subscriber->number,
						      "state", state_name(subscriber->state), "address",
						      address_text(subscriber->address_be), "sent",
						      (int)flow->sent, "received", (int)flow->received,
						      "public", address_text(flow->public_be), "public_port",
						      flow->public_port));
		if (pppoe)
			json_object_set_new(json_array_get(list, json_array_size(list) - 1), "session",
					    json_integer(subscriber->pppoe.session));
	}
	return json_pack("{so}", "sessions", list);
}

void report_reset(struct emulator *emulator)
{
	emulator->counts = (struct counts){0};
	emulator->faults = (struct faults){0};
	emulator->traffic.late_ns = 0;
	for (uint32_t i = 0; i < emulator->count; i++) {
		struct subscriber *subscriber = &emulator->subscriber[i];
		subscriber->setup_us = 0;
		if (subscriber->group->kind == KIND_PPPOE)
			subscriber->pppoe.echo_gap_ns = 0;
	}
}
