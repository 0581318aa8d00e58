/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Arbitrary bytes as a line for bngsync and as one from it. What lib/json_scan calls
 * JSON, jansson must call JSON: values are passed on as text, and a reader must
 * never choke on what another was allowed to publish.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bngsync/changes.h"
#include "bngsync/client_state.h"
#include "lib/rpc.h"
#include "lib/rpc_call.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_jansson(const char *text, size_t length)
{
	json_t *tree = json_loadb(text, length, JSON_DECODE_ANY, NULL);
	if (!tree)
		abort();
	json_decref(tree);
}

static void scan(const char *text, size_t length)
{
	struct json_scan at = {text, text + length};
	struct json_slice value;
	struct rpc_parts parts;
	if (json_scan_value(&at, &value)) {
		if (value.text < text || value.text + value.length > text + length)
			abort();
		require_jansson(value.text, value.length);
	}
	if (rpc_line_parts(text, length, &parts))
		require_jansson(text, length);
}

static void check(const struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (!rpc_key_ok(changes->list[i].key.text, changes->list[i].key.length))
			abort();
		if (changes->list[i].value.text)
			require_jansson(changes->list[i].value.text, changes->list[i].value.length);
	}
}

static void parse(const char *text, size_t length)
{
	struct changes changes;
	struct problem problem = {0};
	if (!changes_parse_records(text, length, &changes, &problem)) {
		check(&changes);
		changes_done(&changes);
	} else if (!problem.code || !problem.text[0]) {
		abort();
	}
	if (!changes_parse_keys(text, length, &changes, &problem)) {
		check(&changes);
		changes_done(&changes);
	}
	json_decref(problem.data);
}

static void on_begin(void *context, bool snapshot, bool other_store)
{
	(void)context;
	(void)snapshot;
	(void)other_store;
}

static void on_record(void *context, struct json_slice key, int64_t rev, struct json_slice value)
{
	(void)context;
	(void)rev;
	if (value.text)
		require_jansson(value.text, value.length);
	if (!key.text)
		abort();
}

static void on_done(void *context, int64_t revision, int64_t damaged)
{
	(void)context;
	(void)revision;
	(void)damaged;
}

/* A client that has subscribed (request 1 waits for its answer on another topic) and
 * sent batch 2, and reads the line. */
static void read_line(const char *text, size_t length)
{
	struct sync_subscriber subscriber = {on_begin, on_record, on_done, NULL};
	struct event_base *base = event_base_new();
	struct sync_client *client =
		sync_client_new(base, &(struct sync_client_options){.path = "/nowhere", .queue_max = 10});
	size_t line_length;
	if (sync_subscribe(client, "session", &subscriber, NULL, -1) ||
	    sync_subscribe(client, "lease", &subscriber, NULL, -1) ||
	    sync_publish(client, "session", "a", (struct json_slice){"{}", 2}, NULL, NULL))
		abort();
	LIST_FIRST(&client->subscriptions)->asked = 1;
	LIST_NEXT(LIST_FIRST(&client->subscriptions), next)->subscribed = true;
	free(queue_take(&LIST_FIRST(&client->queues)->queue, 2, &line_length));
	client_line(client, text, length);
	sync_client_free(client);
	event_base_free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1); /* of its exact size, so that no byte behind it is read */
	if (!text)
		return 0;
	memcpy(text, data, size);
	scan(text, size);
	parse(text, size);
	if (size && !memchr(text, '\n', size))
		read_line(text, size);
	free(text);
	return 0;
}
