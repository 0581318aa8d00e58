/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A group as JSON, for whoever asks.
 */
#include "lib/bpf/group.h"

static json_t *counts_json(const struct group_count *count)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "datagrams", (json_int_t)count->datagrams, "flows",
			 (json_int_t)(count->begun - count->ended), "begun", (json_int_t)count->begun,
			 "expired", (json_int_t)count->ended, "full", (json_int_t)count->full, "stray",
			 (json_int_t)count->stray);
}

static const char *state_of(const struct group *group, const struct group_generation *generation)
{
	if (generation->tag == group->state->working)
		return "working";
	return generation->worked ? "draining" : "ready";
}

json_t *group_report_of(const struct group *group, const struct group_generation *generation)
{
	struct group_count count;
	json_t *row, *cookies = json_array();

	group_count_read(group, generation, &count);
	row = counts_json(&count);
	for (size_t i = 0; i < generation->sockets; i++)
		json_array_append_new(cookies, json_integer(group_cookie(group, generation, i)));
	json_object_set_new(row, "generation", json_integer((json_int_t)generation->number));
	json_object_set_new(row, "state", json_string(state_of(group, generation)));
	json_object_set_new(row, "sockets", json_integer(generation->sockets));
	json_object_set_new(row, "cookies", cookies);
	return row;
}

json_t *group_report(const struct group *group)
{
	char address[GROUP_ENDPOINT_TEXT];
	const struct group_state *state = group->state;
	struct group_options options;
	json_t *list = json_array();

	group_options_read(group, &options);
	for (__u32 i = 0; i < GROUP_PLACES; i++)
		if (state->generation[i].tag)
			json_array_append_new(list, group_report_of(group, &state->generation[i]));
	return json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:o, s:o}", "mode",
			 group_mode_name((enum group_mode)state->mode), "address",
			 group_endpoint_format(&state->endpoint, address), "timeout_s",
			 (json_int_t)options.timeout_s, "room", (json_int_t)options.flows, "cookie_offset",
			 (int)options.cookie_offset, "unrouted", (json_int_t)state->unrouted, "generations",
			 list, "gone", counts_json(&state->gone));
}
