/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * DIR/control/bngsync.sock: one row for each method. Root and the group may call
 * all of them. sync.publish and sync.delete are answered by the writer, when what
 * they say is durable.
 */
#include <errno.h>
#include <string.h>

#include "bngsync/sync.h"
#include "lib/rpc_call.h"

#define MAX_PEERS        256
#define MAX_PEER_BACKLOG (16u << 20)

static struct json_slice slice_of(const char *text)
{
	return (struct json_slice){text, strlen(text)};
}

/* The topic of a call, once the store is open. NULL and a problem otherwise. */
static struct topic *topic_of(struct sync *sync, struct json_slice name, struct problem *problem)
{
	if (sync->failure.code) {
		refuse(problem, sync->failure.code, json_incref(sync->failure.data), "%s",
		       sync->failure.text);
		return NULL;
	}
	struct topic *topic = topic_find(&sync->topics, name);
	if (!topic)
		refuse(problem, RPC_NOT_FOUND, NULL, "params/topic: \"%.*s\": must be a topic of sync.status",
		       name.length > 64 ? 64 : (int)name.length, name.text);
	return topic;
}

/* ---- Changes ------------------------------------------------------------------- */

static void fail(struct rpc_request *request, const char *method, const struct problem *problem)
{
	rpc_fail(request, problem->code ? problem->code : RPC_INTERNAL, json_incref(problem->data), "%s: %s",
		 method, problem->text);
}

static void on_durable(void *context, const struct problem *problem, int64_t revision)
{
	struct rpc_request *request = context;
	if (problem)
		fail(request, "not stored", problem);
	else
		rpc_reply(request, json_pack("{s:I}", "revision", (json_int_t)revision), NULL, 0);
}

typedef int changes_parse(const char *text, size_t length, struct changes *changes, struct problem *problem);

static void change(struct sync *sync, struct rpc_request *request, const char *method, changes_parse *parse,
		   const char *text, size_t length)
{
	struct problem problem = {0};
	struct changes changes;
	int error = parse(text, length, &changes, &problem);
	struct topic *topic = error ? NULL : topic_of(sync, changes.topic, &problem);
	if (topic && !writer_add(&sync->writer, topic, &changes, on_durable, request))
		return;
	if (topic)
		refuse(&problem, RPC_INTERNAL, NULL, "out of memory");
	changes_done(&changes);
	fail(request, method, &problem);
	json_decref(problem.data);
}

static void publish(struct rpc_request *request, const char *params, size_t length, void *context)
{
	change(context, request, "sync.publish", changes_parse_records, params, length);
}

static void delete (struct rpc_request *request, const char *params, size_t length, void *context)
{
	change(context, request, "sync.delete", changes_parse_keys, params, length);
}

/* ---- Reading -------------------------------------------------------------------- */

static int get(struct rpc_call *call, void *context)
{
	struct sync *sync = context;
	const char *key = call->argument[1].text;
	const struct topic *topic = topic_of(sync, slice_of(call->argument[0].text), &call->problem);
	if (!topic)
		return -EINVAL;
	const struct record *record = topic_get(topic, slice_of(key));
	if (!record)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s has no record %s", topic->name, key);
	call->result = json_pack("{s:s, s:I, s:o}", "key", key, "rev", (json_int_t)record->rev, "value",
				 json_loadb(record->value.text, record->value.length, 0, NULL));
	return 0;
}

static int start_subscription(struct rpc_call *call, void *context)
{
	struct sync *sync = context;
	json_int_t since = call->argument[1].number;
	const char *store = call->argument[2].text;
	struct topic *topic = topic_of(sync, slice_of(call->argument[0].text), &call->problem);
	if (!topic)
		return -EINVAL;
	if (since >= 0 && !store)
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "params/store: nothing: must come with since: a revision counts in its own "
			      "store only");
	const struct store_facts *facts = store_facts(sync->topics.store);
	bool known = store && !strcmp(store, facts->id);
	const struct subscriber *subscriber = subscribe(&sync->subscribers, rpc_request_peer(call->request),
							topic, known ? (int64_t)since : -1);
	if (!subscriber)
		return refuse(&call->problem, RPC_INTERNAL, NULL, "out of memory");
	call->result = json_pack("{s:s, s:s, s:I, s:s, s:I, s:I}", "topic", topic->name, "store", facts->id,
				 "revision", (json_int_t)topic->revision, "mode",
				 subscriber_state(subscriber), "max_bytes", (json_int_t)facts->max_bytes,
				 "disk_bytes", (json_int_t)facts->disk_bytes);
	return 0;
}

static int status(struct rpc_call *call, void *context)
{
	call->result = sync_status(context);
	return 0;
}

/* function, name, parameters (lib/rpc_call.h) */
#define METHODS(X)                                                                                           \
	X(get, "sync.get", "topic:n key:k")                                                                  \
	X(start_subscription, "sync.subscribe", "topic:n since?:u store?:n")                                 \
	X(status, "sync.status", "")

#define METHOD_CALL(function, name, parameters)                                                              \
	static void on_##function(struct rpc_request *request, void *context)                                \
	{                                                                                                    \
		rpc_call_run(request, context, &(struct rpc_call_row){name, function, 0, parameters});       \
	}
METHODS(METHOD_CALL)

#define METHOD_ROW(function, name, ...) {name, 0, on_##function},
static const struct rpc_method methods[] = {METHODS(METHOD_ROW){NULL, 0, NULL}};

static const struct rpc_text_method text_methods[] = {
	{"sync.publish", 0, publish}, {"sync.delete", 0, delete}, {NULL, 0, NULL}};

static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	const struct sync *sync = context;
	(void)permission;
	bool member = peer->uid == 0 || peer->gid == sync->options.group;
	for (size_t i = 0; i < peer->group_count; i++)
		member = member || peer->groups[i] == sync->options.group;
	return member;
}

static void on_close(struct rpc_peer *peer, void *context)
{
	unsubscribe(&((struct sync *)context)->subscribers, peer);
}

static void on_drained(struct rpc_peer *peer, void *context)
{
	subscribers_drained(&((struct sync *)context)->subscribers, peer);
}

int sync_listen(struct sync *sync)
{
	struct rpc_server_options options = {methods, sync, permit, on_close, MAX_PEERS, MAX_PEER_BACKLOG};
	int fd = rpc_listen(sync->options.socket, sync->options.group);
	if (fd < 0)
		return fd;
	sync->server = rpc_server_new(sync->base, fd, &options);
	if (!sync->server)
		return -ENOMEM;
	rpc_server_add_text(sync->server, text_methods, sync);
	rpc_server_on_drained(sync->server, SUBSCRIBER_LOW, on_drained, sync);
	return 0;
}
