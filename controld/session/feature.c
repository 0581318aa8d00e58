/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions by configuration and by RPC.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/names.h"
#include "controld/session/select.h"
#include "controld/session/sessions.h"
#include "controld/session/trace.h"
#include "lib/address.h"
#include "lib/log.h"

#define LIST_DEFAULT 1000
#define LIST_MAX     10000
#define ADD_MAX      1000000

static int check(struct controld *controld, const struct config *old, const struct config *next, char *error,
		 size_t size)
{
	struct bng_ranges ranges;

	(void)old;
	return slots_plan(controld->sessions, next, &ranges, error, size);
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct bng_ranges ranges = *maps_ranges(controld->maps);
	char error[CONFIG_ERROR_TEXT];
	int failure = slots_plan(controld->sessions, next, &ranges, error, sizeof(error));

	(void)old;
	if (failure) {
		log_error("%s", error);
		return failure;
	}
	maps_ranges_publish(controld->maps, &ranges);
	static_apply(controld, next);
	return 0;
}

static void handle_list(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"filter", "after", "limit", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct session_filter filter;
	json_t *params = ctl_params(request, &reader, members), *list, *result;
	uint32_t slot, limit;

	if (!params)
		return;
	slot = (uint32_t)json_read_integer_or(&reader, params, "after", 0, UINT32_MAX - 1, 0) + 1;
	limit = (uint32_t)json_read_integer_or(&reader, params, "limit", 1, LIST_MAX, LIST_DEFAULT);
	session_filter_read(controld, &reader, params, &filter);
	if (ctl_refused(request, &reader))
		return;
	list = json_array();
	for (; slot < controld->sessions->capacity && json_array_size(list) < limit; slot++) {
		const struct session session = {slot, &controld->maps->subscriber[slot]};

		if (session_filter_matches(controld, &filter, &session))
			json_array_append_new(list, session_json(controld, &session));
	}
	result = json_pack("{s:o}", "sessions", list);
	if (slot < controld->sessions->capacity)
		json_object_set_new(result, "next", json_integer(slot - 1));
	rpc_reply(request, result, NULL, 0);
}

static json_t *block_json(const struct controld *controld, uint32_t first, uint8_t shift)
{
	uint32_t index = first >> 16, port = first & 0xffff, used = 0;
	char text[ADDRESS_TEXT];

	if (index < maps_entries(controld->maps, MAP_pool_address)) {
		const struct bng_pool_address *address = &controld->maps->pool_address[index];
		uint32_t block = address->first_block + (port >> address->block_shift);

		if (block < maps_entries(controld->maps, MAP_port_block))
			used = controld->maps->port_block[block].used;
		address_format(address->address_be, text);
	} else {
		address_format(0, text);
	}
	return json_pack("{s:s, s:i, s:i, s:i}", "public", text, "first", (int)port, "last",
			 (int)(port + (1u << shift) - 1), "mappings", (int)used);
}

static void handle_show(struct rpc_request *request, void *context)
{
	struct controld *controld = context;
	struct session session;
	json_t *result, *blocks;

	if (!session_select(controld, request, &session))
		return;
	result = session_describe(controld, &session);
	blocks = json_array();
	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		uint32_t first = __atomic_load_n(&session.record->block[i], __ATOMIC_RELAXED);

		if (first)
			json_array_append_new(blocks,
					      block_json(controld, first, session.record->block_shift));
	}
	json_object_set_new(result, "blocks", blocks);
	rpc_reply(request, result, NULL, 0);
}

static void handle_disconnect(struct rpc_request *request, void *context)
{
	struct controld *controld = context;
	struct session session;
	char address[ADDRESS_TEXT];
	json_t *result;

	if (!session_select(controld, request, &session))
		return;
	result = json_pack("{s:I, s:s}", "id", (json_int_t)session.record->session_id, "address",
			   address_format(session.record->address_be, address));
	session_close(controld, &session, SESSION_END_ADMIN_RESET, "disconnected by RPC");
	log_info("session of %s disconnected by RPC", address);
	rpc_reply(request, result, NULL, 0);
}

static int add_spec(struct controld *controld, struct json_reader *reader, json_t *element,
		    struct session_spec *spec)
{
	static const char *const members[] = {"address",    "mac",          "interface",  "outer_vid",
					      "inner_vid",  "outer_tpid",   "inner_tpid", "pool",
					      "max_blocks", "max_mappings", "mss",        NULL};
	struct config_session wanted = {0};

	json_read_only(reader, element, members);
	config_read_session(reader, element, "pool", controld->config, &wanted);
	if (json_reader_ok(reader))
		config_check_session(reader, controld->config, &wanted);
	if (!json_reader_ok(reader) || static_spec(controld, &wanted, spec))
		return -EINVAL;
	spec->kind = BNG_SESSION_ADDED;
	return 0;
}

static const char *why_not(int failure)
{
	switch (failure) {
	case -EEXIST:
		return "its interface, VLANs and MAC have a session already";
	case -EADDRINUSE:
		return "its address has a session already, or its last one is still being released";
	case -ENOSPC:
		return "no subscriber slot is free (see bngcli maps)";
	default:
		return strerror(-failure);
	}
}

/* All are prepared, then all published; or none. */
static int prepare_all(struct controld *controld, struct json_reader *reader, json_t *array,
		       struct session *sessions, size_t *index)
{
	struct session_spec spec;
	int failure = 0;

	for (*index = 0; *index < json_array_size(array); ++*index) {
		json_t *element = json_enter_index(reader, array, *index);

		failure = add_spec(controld, reader, element, &spec);
		if (!failure)
			failure = session_prepare(controld, &spec, &sessions[*index]);
		json_leave(reader);
		if (failure)
			break;
	}
	for (size_t i = *index; failure && i-- > 0;)
		session_abandon(controld, &sessions[i]);
	return failure;
}

static void add_all(struct controld *controld, struct rpc_request *request, struct json_reader *reader,
		    json_t *array)
{
	size_t count = json_array_size(array), index = 0;
	struct session *sessions = calloc(count + 1, sizeof(*sessions));
	int failure = sessions ? 0 : -ENOMEM;
	json_t *ids;

	json_enter(reader, NULL, "sessions");
	if (!failure)
		failure = prepare_all(controld, reader, array, sessions, &index);
	if (failure) {
		free(sessions);
		if (!ctl_refused(request, reader))
			rpc_fail(request, ctl_code(failure), NULL,
				 "params /sessions/%zu: adding the session failed: %s; none was added", index,
				 why_not(failure));
		return;
	}
	ids = json_array();
	for (size_t i = 0; i < count; i++) {
		session_publish(controld, &sessions[i]);
		json_array_append_new(ids, json_integer((json_int_t)sessions[i].record->session_id));
	}
	free(sessions);
	rpc_reply(request, json_pack("{s:I, s:o}", "added", (json_int_t)count, "ids", ids), NULL, 0);
}

static void handle_add(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"sessions", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members), *array;

	if (!params)
		return;
	array = json_enter(&reader, params, "sessions");
	if (!json_is_array(array) || json_array_size(array) > ADD_MAX)
		json_reader_fail(&reader, array, "must be an array of at most %d sessions", ADD_MAX);
	json_leave(&reader);
	if (!ctl_refused(request, &reader))
		add_all(controld, request, &reader, array);
}

static const struct rpc_method methods[] = {
	{"session.list", 0, handle_list},   {"session.show", 0, handle_show},
	{"session.add", 0, handle_add},     {"session.disconnect", 0, handle_disconnect},
	{"session.trace", 0, trace_handle}, {0},
};

const struct bng_feature session_feature = {
	.name = "session",
	.check = check,
	.apply = apply,
	.methods = methods,
	.topic = &session_topic,
};
