/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the server says. Records are read in place, in the one order the server
 * writes them (topic, then records, then revision); everything else is small and
 * becomes a tree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bngsync/client_state.h"
#include "lib/json_take.h"
#include "lib/rpc.h"

static struct subscription *find(struct sync_client *client, struct json_slice topic)
{
	struct subscription *subscription;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	if (json_slice_is(topic, subscription->topic))
		return subscription;
	return NULL;
}

/* ---- Records --------------------------------------------------------------------- */

/* The next member, which must have this name: its value. */
static bool take_member(struct json_scan *scan, size_t index, const char *name, struct json_slice *value)
{
	struct json_slice found;
	return json_scan_member(scan, index, &found) == 1 && json_slice_is(found, name) &&
	       json_scan_value(scan, value);
}

static bool take_record(struct sync_client *client, struct subscription *subscription, struct json_scan *scan)
{
	struct json_slice key, rev, value, end;
	int64_t number;
	if (!json_scan_open(scan, '{') || !take_member(scan, 0, "key", &key) ||
	    !take_member(scan, 1, "rev", &rev) || !take_member(scan, 2, "value", &value) ||
	    json_scan_member(scan, 3, &end) || !json_slice_text(key, &key) ||
	    !json_take_integer(rev, 0, INT64_MAX, &number))
		return false;
	if (value.text[0] == 'n')
		value = (struct json_slice){NULL, 0};
	client->status.records++;
	subscription->subscriber.on_record(subscription->subscriber.context, key, number, value);
	return true;
}

/* At the value of params. */
static int on_records(struct sync_client *client, struct json_scan *scan)
{
	struct json_slice topic, name, revision;
	int more;
	if (!json_scan_open(scan, '{') || !take_member(scan, 0, "topic", &topic) ||
	    !json_slice_text(topic, &topic) || json_scan_member(scan, 1, &name) != 1 ||
	    !json_slice_is(name, "records") || !json_scan_open(scan, '['))
		return -EPROTO;
	struct subscription *subscription = find(client, topic);
	if (!subscription || !subscription->subscribed)
		return -EPROTO;
	for (size_t i = 0; (more = json_scan_element(scan, i)) > 0; i++)
		if (!take_record(client, subscription, scan))
			return -EPROTO;
	int64_t number;
	if (more || !take_member(scan, 2, "revision", &revision) ||
	    !json_take_integer(revision, 0, INT64_MAX, &number) || json_scan_member(scan, 3, &name))
		return -EPROTO;
	/* Half a snapshot is nothing to go on from. */
	if (!subscription->snapshot)
		subscription->revision = number;
	return 0;
}

/* ---- Where a walk begins and ends --------------------------------------------------- */

static void begin(struct sync_client *client, struct subscription *subscription, bool snapshot,
		  const char *store)
{
	bool other = subscription->store[0] && strcmp(subscription->store, store) != 0;
	snprintf(subscription->store, sizeof(subscription->store), "%s", store);
	subscription->walking = true;
	subscription->snapshot = snapshot;
	if (snapshot) {
		subscription->revision = -1;
		client->status.snapshots++;
	}
	subscription->subscriber.on_begin(subscription->subscriber.context, snapshot, other);
}

static int on_notification(struct sync_client *client, const char *method, const json_t *params)
{
	const char *topic = json_string_value(json_object_get(params, "topic"));
	const char *store = json_string_value(json_object_get(params, "store"));
	int64_t revision = json_integer_value(json_object_get(params, "revision"));
	struct subscription *subscription =
		topic && store ? find(client, (struct json_slice){topic, strlen(topic)}) : NULL;
	if (!subscription || !subscription->subscribed || strlen(store) >= SYNC_STORE_TEXT)
		return -EPROTO;
	if (!strcmp(method, "sync.snapshot")) {
		begin(client, subscription, true, store);
	} else if (!strcmp(method, "sync.snapshot_done") && subscription->walking) {
		subscription->walking = subscription->snapshot = false;
		subscription->revision = revision;
		subscription->subscriber.on_done(subscription->subscriber.context, revision,
						 json_integer_value(json_object_get(params, "damaged")));
	} else {
		return -EPROTO;
	}
	return 0;
}

/* ---- Answers ---------------------------------------------------------------------- */

/* What another attempt may mend: space, a store that opens again. */
static bool is_for_now(int code)
{
	return code == RPC_LIMIT || code == RPC_SYSTEM || code == RPC_UNAVAILABLE || code == RPC_INTERNAL;
}

static uint64_t count_of(const json_t *result, const char *member)
{
	json_int_t count = json_integer_value(json_object_get(result, member));

	return count > 0 ? (uint64_t)count : 0;
}

static int on_subscribed(struct sync_client *client, struct subscription *subscription, const json_t *result)
{
	const char *mode = json_string_value(json_object_get(result, "mode"));
	const char *store = json_string_value(json_object_get(result, "store"));
	if (!mode || !store || strlen(store) >= SYNC_STORE_TEXT)
		return -EPROTO;
	subscription->subscribed = true;
	client->status.disk_bytes = count_of(result, "disk_bytes");
	client->status.max_bytes = count_of(result, "max_bytes");
	client_worked(client);
	begin(client, subscription, !strcmp(mode, "snapshot"), store);
	return 0;
}

static struct subscription *asked(struct sync_client *client, int64_t id)
{
	struct subscription *subscription;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	if (subscription->asked == id)
		return subscription;
	return NULL;
}

static struct queue *sent(struct sync_client *client, int64_t id)
{
	struct topic_queue *queue;
	LIST_FOREACH(queue, &client->queues, next)
	if (queue_sent(&queue->queue, id))
		return &queue->queue;
	return NULL;
}

/* An answer to nothing that is known was to something taken back: it comes again. */
static int on_answer(struct sync_client *client, int64_t id, const json_t *result, const json_t *error)
{
	int code = (int)json_integer_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "message"));
	struct subscription *subscription = asked(client, id);
	struct queue *queue = subscription ? NULL : sent(client, id);
	if (!subscription && !queue)
		return 0;
	if (subscription)
		subscription->asked = 0;
	if (error && (subscription || is_for_now(code))) {
		client_hold(client, text ? text : "refused");
		return 0;
	}
	if (subscription)
		return on_subscribed(client, subscription, result);
	if (!error) {
		client->status.acknowledged++;
		client_worked(client);
	}
	queue_answered(queue, id, error ? -EINVAL : 0, text ? text : "");
	return 0;
}

static int on_tree(struct sync_client *client, const char *line, size_t length)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	const json_t *id = json_object_get(object, "id"), *error = json_object_get(object, "error");
	const char *method = json_string_value(json_object_get(object, "method"));
	int status = -EPROTO;
	if (method)
		status = on_notification(client, method, json_object_get(object, "params"));
	else if (json_is_integer(id))
		status = on_answer(client, json_integer_value(id), json_object_get(object, "result"), error);
	else if (json_integer_value(json_object_get(error, "code")) == RPC_LIMIT)
		status = -EUSERS;
	json_decref(object);
	return status;
}

int client_line(void *context, const char *line, size_t length)
{
	struct sync_client *client = context;
	struct json_scan scan = {line, line + length};
	struct json_slice name, version, method;
	client->heard = true;
	bool records = json_scan_open(&scan, '{') && take_member(&scan, 0, "jsonrpc", &version) &&
		       take_member(&scan, 1, "method", &method) &&
		       json_slice_is(method, "\"sync.records\"") && json_scan_member(&scan, 2, &name) == 1 &&
		       json_slice_is(name, "params");
	return records ? on_records(client, &scan) : on_tree(client, line, length);
}
