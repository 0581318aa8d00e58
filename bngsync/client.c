/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Connecting, asking, asking again. Any end of a connection, and any answer that
 * says "later", puts what was in flight back and waits for a pause of the backoff.
 */
#include "bngsync/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bngsync/changes.h"
#include "bngsync/client_state.h"
#include "lib/clock.h"
#include "lib/rpc_call.h"

#define QUEUE_MAX_DEFAULT 131072
#define BASE_MS_DEFAULT   50
#define CAP_MS_DEFAULT    5000
#define QUIET_MS_DEFAULT  30000
#define BATCHES_MAX       3 /* of a topic, in flight */

static void start_timer(struct event *timer, uint32_t ms)
{
	struct timeval pause = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	event_add(timer, &pause);
}

void client_state(struct sync_client *client, bool up, const char *reason)
{
	struct sync_client_status *status = &client->status;
	if (status->up == up && strncmp(status->reason, reason, sizeof(status->reason) - 1) == 0)
		return;
	status->up = up;
	snprintf(status->reason, sizeof(status->reason), "%s", reason);
	if (client->options.on_state)
		client->options.on_state(client->options.context, up, status->reason);
}

/* ---- Asking ------------------------------------------------------------------- */

static int ask_subscription(struct sync_client *client, struct subscription *subscription)
{
	char *line = NULL, since[128] = "";
	subscription->asked = ++client->last_id;
	if (subscription->revision >= 0)
		snprintf(since, sizeof(since), ",\"since\":%" PRId64 ",\"store\":\"%s\"",
			 subscription->revision, subscription->store);
	int length = asprintf(&line,
			      "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"sync.subscribe\","
			      "\"params\":{\"topic\":\"%s\"%s}}\n",
			      subscription->asked, subscription->topic, since);
	return length < 0 ? -ENOMEM : link_send(&client->link, line, (size_t)length);
}

static int send_batches(struct sync_client *client, struct queue *queue)
{
	size_t length;
	int error = 0;
	while (!error && queue->first_waiting && queue->batch_count < BATCHES_MAX) {
		char *line = queue_take(queue, client->last_id + 1, &length);
		client->last_id++;
		error = link_send(&client->link, line, length);
	}
	return error;
}

static void lose_connection(struct sync_client *client, int error);

static void on_send(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct sync_client *client = context;
	struct subscription *subscription;
	struct topic_queue *queue;
	int error = 0;
	if (!client->status.connected || client->holding)
		return;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	if (!error && !subscription->subscribed && !subscription->asked)
		error = ask_subscription(client, subscription);
	LIST_FOREACH(queue, &client->queues, next)
	error = error ? error : send_batches(client, &queue->queue);
	if (error)
		lose_connection(client, error);
}

void client_worked(struct sync_client *client)
{
	backoff_reset(&client->backoff);
	client_state(client, true, "");
	event_active(client->send, 0, 0);
}

/* ---- Connecting ------------------------------------------------------------------ */

static void forget_asked(struct sync_client *client, bool connection_lost)
{
	struct subscription *subscription;
	struct topic_queue *queue;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	{
		subscription->asked = 0;
		if (connection_lost)
			subscription->subscribed = subscription->walking = false;
	}
	LIST_FOREACH(queue, &client->queues, next)
	queue_rewind(&queue->queue);
}

void client_hold(struct sync_client *client, const char *reason)
{
	struct topic_queue *queue;
	client->status.retried++;
	LIST_FOREACH(queue, &client->queues, next)
	queue_rewind(&queue->queue);
	client_state(client, false, reason);
	if (client->holding)
		return;
	client->holding = true;
	start_timer(client->again, backoff_next(&client->backoff));
}

static void lose_connection(struct sync_client *client, int error)
{
	char reason[256];
	link_close(&client->link);
	client->status.connected = false;
	client->holding = false;
	event_del(client->quiet);
	forget_asked(client, true);
	snprintf(reason, sizeof(reason), "%s: %s", client->path, strerror(-error));
	client_state(client, false, reason);
	uint32_t wait_ms = backoff_next(&client->backoff);
	client->due_ns = clock_boottime_ns() + wait_ms * 1000000ULL;
	start_timer(client->again, wait_ms);
}

static void on_link_ended(void *context, int error)
{
	lose_connection(context, error);
}

static void connect_now(struct sync_client *client)
{
	struct sync_client_status *status = &client->status;
	status->due_ns[status->attempts++ % SYNC_ATTEMPTS_KEPT] = client->due_ns;
	int error = link_open(&client->link, client->base, client->path);
	if (error) {
		lose_connection(client, error);
		return;
	}
	status->connected = true;
	client->heard = true;
	start_timer(client->quiet, client->options.quiet_ms);
	event_active(client->send, 0, 0);
}

static void on_again(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct sync_client *client = context;
	client->holding = false;
	if (client->status.connected)
		event_active(client->send, 0, 0);
	else
		connect_now(client);
}

static bool expects_answer(const struct sync_client *client)
{
	const struct subscription *subscription;
	const struct topic_queue *queue;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	if (subscription->asked)
		return true;
	LIST_FOREACH(queue, &client->queues, next)
	if (queue->queue.batch_count)
		return true;
	return false;
}

static void on_quiet(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct sync_client *client = context;
	bool dead = !client->heard && expects_answer(client) && !client->link.paused;
	client->heard = false;
	if (dead)
		lose_connection(client, -ETIMEDOUT);
	else
		start_timer(client->quiet, client->options.quiet_ms);
}

/* ---- For the program ---------------------------------------------------------------- */

static void fill_options(struct sync_client_options *options)
{
	options->queue_max = options->queue_max ? options->queue_max : QUEUE_MAX_DEFAULT;
	options->base_ms = options->base_ms ? options->base_ms : BASE_MS_DEFAULT;
	options->cap_ms = options->cap_ms ? options->cap_ms : CAP_MS_DEFAULT;
	options->quiet_ms = options->quiet_ms ? options->quiet_ms : QUIET_MS_DEFAULT;
}

struct sync_client *sync_client_new(struct event_base *base, const struct sync_client_options *options)
{
	struct sync_client *client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	client->base = base;
	client->options = *options;
	fill_options(&client->options);
	client->path = strdup(options->path);
	client->link =
		(struct link){.fd = -1, .on_line = client_line, .on_ended = on_link_ended, .context = client};
	client->backoff =
		(struct backoff){.base_ms = client->options.base_ms, .cap_ms = client->options.cap_ms};
	LIST_INIT(&client->subscriptions);
	LIST_INIT(&client->queues);
	snprintf(client->status.reason, sizeof(client->status.reason), "not connected yet");
	client->again = event_new(base, -1, 0, on_again, client);
	client->send = event_new(base, -1, 0, on_send, client);
	client->quiet = event_new(base, -1, 0, on_quiet, client);
	if (!client->path || !client->again || !client->send || !client->quiet) {
		sync_client_free(client);
		return NULL;
	}
	start_timer(client->again, 0);
	return client;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void sync_client_free(struct sync_client *client)
{
	struct subscription *subscription;
	struct topic_queue *queue;
	if (!client)
		return;
	link_close(&client->link);
	free_event(client->again);
	free_event(client->send);
	free_event(client->quiet);
	while ((queue = LIST_FIRST(&client->queues))) {
		LIST_REMOVE(queue, next);
		queue_done(&queue->queue);
		free(queue);
	}
	while ((subscription = LIST_FIRST(&client->subscriptions))) {
		LIST_REMOVE(subscription, next);
		free(subscription);
	}
	free(client->path);
	free(client);
}

void sync_client_pause(struct sync_client *client, bool paused)
{
	link_pause(&client->link, paused);
}

static struct queue *queue_of(struct sync_client *client, const char *topic)
{
	struct topic_queue *queue;
	LIST_FOREACH(queue, &client->queues, next)
	if (!strcmp(queue->queue.topic, topic))
		return &queue->queue;
	queue = malloc(sizeof(*queue));
	if (!queue)
		return NULL;
	queue_init(&queue->queue, topic, client->options.queue_max);
	LIST_INSERT_HEAD(&client->queues, queue, next);
	return &queue->queue;
}

/* What the server would refuse is refused here, where it is known whose it is. */
static bool is_record(struct json_slice key, struct json_slice value)
{
	struct json_scan scan = {value.text, value.text + value.length};
	struct json_slice whole;
	if (!rpc_key_ok(key.text, key.length))
		return false;
	return !value.text || (value.length <= CHANGES_VALUE_MAX && value.length && value.text[0] == '{' &&
			       json_scan_value(&scan, &whole) && json_scan_ended(&scan) &&
			       !memchr(value.text, '\n', value.length));
}

int sync_publish(struct sync_client *client, const char *topic, const char *key, struct json_slice value,
		 sync_acknowledged *done, void *context)
{
	struct json_slice slice = {key, strlen(key)};
	if (!rpc_name_ok(topic) || !is_record(slice, value))
		return -EINVAL;
	struct queue *queue = queue_of(client, topic);
	int error = queue ? queue_put(queue, slice, value, done, context) : -ENOMEM;
	if (!error && client->status.connected && !client->holding && queue->batch_count < BATCHES_MAX)
		event_active(client->send, 0, 0);
	return error;
}

int sync_subscribe(struct sync_client *client, const char *topic, const struct sync_subscriber *subscriber,
		   const char *store, int64_t since)
{
	struct subscription *subscription;
	if (!rpc_name_ok(topic) || (store && (!rpc_name_ok(store) || since < 0)))
		return -EINVAL;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	if (!strcmp(subscription->topic, topic))
		return -EEXIST;
	subscription = calloc(1, sizeof(*subscription));
	if (!subscription)
		return -ENOMEM;
	subscription->subscriber = *subscriber;
	subscription->revision = store ? since : -1;
	snprintf(subscription->topic, sizeof(subscription->topic), "%s", topic);
	snprintf(subscription->store, sizeof(subscription->store), "%s", store ? store : "");
	LIST_INSERT_HEAD(&client->subscriptions, subscription, next);
	event_active(client->send, 0, 0);
	return 0;
}

const struct sync_client_status *sync_client_status(struct sync_client *client)
{
	const struct topic_queue *queue;
	client->status.queued = 0;
	LIST_FOREACH(queue, &client->queues, next)
	client->status.queued += queue->queue.count;
	return &client->status;
}

int64_t sync_client_revision(const struct sync_client *client, const char *topic, const char **store)
{
	const struct subscription *subscription;
	LIST_FOREACH(subscription, &client->subscriptions, next)
	{
		if (strcmp(subscription->topic, topic) != 0)
			continue;
		if (store)
			*store = subscription->store;
		return subscription->revision;
	}
	return -1;
}
