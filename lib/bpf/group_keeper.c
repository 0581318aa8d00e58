/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Groups are folders among pins, their sockets lie in the store as
 * group.NAME.GENERATION.INDEX; nothing is remembered here.
 */
#include "lib/bpf/group_keeper.h"

#include <stdio.h>
#include <string.h>

#include "lib/bpf/group_folder.h"
#include "lib/keeper.h"
#include "lib/rpc_call.h"

#define PREFIX "group."

static const char *stored(char text[static FDSTORE_NAME], const char *name, json_int_t generation,
			  size_t index)
{
	snprintf(text, FDSTORE_NAME, PREFIX "%.*s.%lld.%zu", GROUP_NAME_TEXT - 1, name, generation, index);
	return text;
}

/* ---- The store ------------------------------------------------------------------------------ */

static void forget(struct group_keeper *keeper, const char *name, json_int_t generation)
{
	char text[FDSTORE_NAME];
	for (size_t i = 0; i < GROUP_SOCKETS; i++)
		fdstore_drop(keeper->store, stored(text, name, generation, i));
}

static int keep(struct group_keeper *keeper, struct rpc_call *call)
{
	char text[FDSTORE_NAME];
	bool replaced;
	for (size_t i = 0; i < rpc_fd_count(call->request); i++) {
		stored(text, call->argument[0].text, call->argument[1].number, i);
		int error = fdstore_put(keeper->store, text, rpc_fd(call->request, i), &replaced);
		if (error)
			return refuse_errno(&call->problem, error, "storing %s", text);
	}
	return 0;
}

/* What only the store knows of a generation: whether its sockets are kept, what waits in them. */
static void add_kept(const struct group_keeper *keeper, const char *name, json_t *row)
{
	json_int_t number = json_integer_value(json_object_get(row, "generation"));
	json_int_t kept = 0, waiting = 0, overflowed = 0;
	for (size_t i = 0; i < GROUP_SOCKETS; i++) {
		char text[FDSTORE_NAME];
		json_int_t bytes, dropped;
		int fd = fdstore_get(keeper->store, stored(text, name, number, i));
		if (fd < 0 || group_socket_waiting(fd, &bytes, &dropped))
			continue;
		kept++;
		waiting += bytes;
		overflowed += dropped;
	}
	json_object_set_new(row, "kept", json_integer(kept));
	json_object_set_new(row, "waiting_bytes", json_integer(waiting));
	json_object_set_new(row, "overflowed", json_integer(overflowed));
}

/* ---- Methods -------------------------------------------------------------------------------- */

static int add(struct rpc_call *call, struct group_keeper *keeper, struct group *group)
{
	const char *name = call->argument[0].text;
	json_int_t number = call->argument[1].number;
	bool is_new = !group_find(group, number);
	int sockets[GROUP_SOCKETS];
	size_t count = rpc_fd_count(call->request);
	for (size_t i = 0; i < count; i++)
		sockets[i] = rpc_fd(call->request, i);
	int error = group_add(group, number, sockets, count, &call->problem);
	if (error)
		return error;
	/* Who is not answered because we die here says it again, and nothing is missing. */
	keeper->step("group_keep");
	error = keep(keeper, call);
	if (!error && is_new)
		keeper->changed(keeper->context, name, number, "registered");
	if (error && is_new) {
		group_remove(group, group_find(group, number));
		forget(keeper, name, number);
	}
	return error;
}

/* A group that its first generation did not get into. */
static void unmake(const struct group_keeper *keeper, const char *name)
{
	struct problem ignored = {0};
	group_folder_remove(keeper->folder, name, &ignored);
	json_decref(ignored.data);
}

static int enlist(struct rpc_call *call, void *context)
{
	struct group_keeper *keeper = context;
	const char *name = call->argument[0].text;
	struct group group;
	if (strlen(name) >= GROUP_NAME_TEXT)
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "params/name: \"%s\": must be 1-%d characters", name, GROUP_NAME_TEXT - 1);
	if (rpc_fd_count(call->request) > GROUP_SOCKETS)
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "%zu descriptors came with the line, expected 1-%d",
			      rpc_fd_count(call->request), GROUP_SOCKETS);
	bool made;
	int error = group_folder_need(keeper->folder, name, call->argument[2].value, &group, &made,
				      &call->problem);
	if (error)
		return error;
	error = add(call, keeper, &group);
	if (!error) {
		call->result = group_report_of(&group, group_find(&group, call->argument[1].number));
		add_kept(keeper, name, call->result);
	}
	group_close(&group);
	if (error && made)
		unmake(keeper, name);
	return error;
}

/* The group and the generation that a request names. */
static int find(struct rpc_call *call, const struct group_keeper *keeper, struct group *group,
		struct group_generation **generation)
{
	const char *name = call->argument[0].text;
	json_int_t number = call->argument[1].number;
	int error = group_folder_open(keeper->folder, name, group, &call->problem);
	if (error)
		return error;
	*generation = group_find(group, number);
	if (*generation)
		return 0;
	group_close(group);
	return refuse(&call->problem, RPC_NOT_FOUND, NULL, "group %s has no generation %lld", name, number);
}

static int set_working(struct rpc_call *call, void *context)
{
	const struct group_keeper *keeper = context;
	struct group_generation *generation;
	struct group group;
	int error = find(call, keeper, &group, &generation);
	if (error)
		return error;
	group_work(&group, generation);
	group_close(&group);
	keeper->step("group_worked");
	keeper->changed(keeper->context, call->argument[0].text, call->argument[1].number, "working");
	return 0;
}

static int status(struct rpc_call *call, void *context)
{
	const struct group_keeper *keeper = context;
	const char *wanted = call->argument[0].text;
	json_t *groups = group_folder_report(keeper->folder, wanted), *group, *row;
	size_t i, k;
	json_array_foreach(groups, i, group)
	{
		const char *name = json_string_value(json_object_get(group, "name"));
		json_array_foreach(json_object_get(group, "generations"), k, row) add_kept(keeper, name, row);
	}
	call->result = json_pack("{s:o}", "groups", groups);
	return !wanted || json_array_size(groups)
		       ? 0
		       : refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no group %s", wanted);
}

static int drop_generation(struct rpc_call *call, struct group_keeper *keeper)
{
	struct group_generation *generation;
	struct group group;
	int error = find(call, keeper, &group, &generation);
	if (error)
		return error;
	if (generation->tag == group.state->working)
		error = refuse(
			&call->problem, RPC_CONFLICT, NULL,
			"generation %lld is the working one: set another one to work, or drop the group",
			call->argument[1].number);
	else
		group_remove(&group, generation);
	group_close(&group);
	if (error)
		return error;
	keeper->step("group_forget");
	forget(keeper, call->argument[0].text, call->argument[1].number);
	keeper->changed(keeper->context, call->argument[0].text, call->argument[1].number, "dropped");
	return 0;
}

/* Whoever still has its sockets gets datagrams as the kernel chooses. */
static int drop_group(struct rpc_call *call, struct group_keeper *keeper)
{
	const char *name = call->argument[0].text;
	struct group group;
	int error = group_folder_open(keeper->folder, name, &group, &call->problem);
	if (error)
		return error;
	for (struct group_generation *generation = group.state->generation;
	     generation < group.state->generation + GROUP_PLACES; generation++) {
		json_int_t number = (json_int_t)generation->number;
		if (!generation->sockets)
			continue;
		group_remove(&group, generation);
		forget(keeper, name, number);
		keeper->changed(keeper->context, name, number, "dropped");
	}
	group_close(&group);
	keeper->step("group_remove");
	return group_folder_remove(keeper->folder, name, &call->problem);
}

static int drop(struct rpc_call *call, void *context)
{
	return call->argument[1].number < 0 ? drop_group(call, context) : drop_generation(call, context);
}

#define METHODS(X)                                                                                           \
	X(enlist, "group.register", KEEPER_PERMISSION, RPC_CALL_FDS, "name:n generation:u options?:o")       \
	X(set_working, "group.set_working", KEEPER_PERMISSION, 0, "name:n generation:u")                     \
	X(status, "group.status", KEEPER_PERMISSION, 0, "name?:n")                                           \
	X(drop, "group.drop", KEEPER_PERMISSION, 0, "name:n generation?:u")

METHODS(RPC_CALL_METHOD)

const struct rpc_method group_keeper_methods[] = {METHODS(RPC_CALL_ROW){NULL, 0, NULL}};

/* ---- Without being asked -------------------------------------------------------------------- */

void group_keeper_watch(const struct group_keeper *keeper)
{
	group_folder_sweep(keeper->folder);
}

/* What a death in the middle left is brought to its end. */
void group_keeper_adopt(struct group_keeper *keeper)
{
	group_folder_tidy(keeper->folder);
	for (size_t i = 0; i < FDSTORE_MAX; i++) {
		const char *name = keeper->store->places[i].name;
		if (!strncmp(name, PREFIX, strlen(PREFIX)) &&
		    !group_folder_owns(keeper->folder, name + strlen(PREFIX)))
			fdstore_drop(keeper->store, name);
	}
}
