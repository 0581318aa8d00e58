/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * For each topic two indexes over the same records: a hash by key, and an array
 * by revision, to which every change appends.
 */
#include "bngsync/topics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc.h"

#define BUCKETS_FIRST 256
#define ENTRIES_FIRST 256
#define HOLES_MIN     1024

#define TOPIC_NAME(name) #name,
const char *const topic_names[] = {TOPICS(TOPIC_NAME) NULL};

static void topic_init(struct topic *topic, unsigned number)
{
	*topic = (struct topic){.name = topic_names[number], .number = number};
	TAILQ_INIT(&topic->oldest);
}

void topics_init(struct topics *topics, size_t tombstones_max)
{
	*topics = (struct topics){.tombstones_max = tombstones_max};
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		topic_init(&topics->list[i], i);
}

static void topic_done(struct topic *topic)
{
	for (size_t i = 0; i < topic->entry_count; i++)
		free(topic->entries[i].record);
	free(topic->entries);
	free(topic->buckets);
	topic_init(topic, topic->number);
}

void topics_done(struct topics *topics)
{
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		topic_done(&topics->list[i]);
	store_close(topics->store);
	topics->store = NULL;
}

struct topic *topic_find(struct topics *topics, struct json_slice name)
{
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		if (json_slice_is(name, topics->list[i].name))
			return &topics->list[i];
	return NULL;
}

/* ---- By key ------------------------------------------------------------------ */

static size_t hash_of(struct json_slice key)
{
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < key.length; i++)
		hash = (hash ^ (uint8_t)key.text[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

/* Where the pointer to the record is, or would be. */
static struct record **place_of(const struct topic *topic, struct json_slice key)
{
	struct record **at = &topic->buckets[hash_of(key) & (topic->bucket_count - 1)];
	while (*at && ((*at)->key.length != key.length || memcmp((*at)->key.text, key.text, key.length) != 0))
		at = &(*at)->chain;
	return at;
}

static int grow_buckets(struct topic *topic)
{
	size_t count = topic->bucket_count ? topic->bucket_count * 2 : BUCKETS_FIRST;
	if (topic->bucket_count > topic->records + topic->tombstones)
		return 0;
	struct record **buckets = calloc(count, sizeof(struct record *));
	if (!buckets)
		return topic->buckets ? 0 : -ENOMEM;
	for (size_t i = 0; i < topic->bucket_count; i++) {
		for (struct record *record = topic->buckets[i], *next; record; record = next) {
			struct record **at = &buckets[hash_of(record->key) & (count - 1)];
			next = record->chain;
			record->chain = *at;
			*at = record;
		}
	}
	free(topic->buckets);
	topic->buckets = buckets;
	topic->bucket_count = count;
	return 0;
}

const struct record *topic_get(const struct topic *topic, struct json_slice key)
{
	const struct record *record = topic->buckets ? *place_of(topic, key) : NULL;
	return record && record->value.text ? record : NULL;
}

/* ---- By revision ---------------------------------------------------------------- */

/* The index of the first entry with a higher revision. */
static size_t entry_after(const struct topic *topic, int64_t rev)
{
	size_t low = 0, high = topic->entry_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (topic->entries[middle].rev <= rev)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct record *topic_after(const struct topic *topic, int64_t rev)
{
	size_t i = entry_after(topic, rev);
	while (i < topic->entry_count && !topic->entries[i].record)
		i++;
	return i < topic->entry_count ? topic->entries[i].record : NULL;
}

static void close_holes(struct topic *topic)
{
	size_t kept = 0;
	if (topic->holes < HOLES_MIN || topic->holes < topic->entry_count / 2)
		return;
	for (size_t i = 0; i < topic->entry_count; i++)
		if (topic->entries[i].record)
			topic->entries[kept++] = topic->entries[i];
	topic->entry_count = kept;
	topic->holes = 0;
}

static int grow_entries(struct topic *topic)
{
	close_holes(topic);
	if (topic->entry_count < topic->entry_capacity)
		return 0;
	size_t capacity = topic->entry_capacity ? topic->entry_capacity * 2 : ENTRIES_FIRST;
	struct topic_entry *entries = realloc(topic->entries, capacity * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	topic->entries = entries;
	topic->entry_capacity = capacity;
	return 0;
}

/* ---- Changes -------------------------------------------------------------------- */

static struct record *record_new(const struct store_row *row)
{
	size_t key = row->key.length, value = row->value.text ? row->value.length : 0;
	struct record *record = malloc(sizeof(*record) + key + value);
	if (!record)
		return NULL;
	*record = (struct record){.rev = row->rev, .place = row->place};
	memcpy(record->text, row->key.text, key);
	record->key = (struct json_slice){record->text, key};
	if (row->value.text) {
		memcpy(record->text + key, row->value.text, value);
		record->value = (struct json_slice){record->text + key, value};
	}
	return record;
}

static void count(struct topic *topic, struct record *record, int sign)
{
	size_t *counter = record->value.text ? &topic->records : &topic->tombstones;
	*counter += (size_t)sign;
	topic->bytes += (size_t)sign * (record->key.length + record->value.length);
}

/* Takes it out of everything but the chain of its key. */
static void remove_record(struct topics *topics, struct topic *topic, struct record *record)
{
	count(topic, record, -1);
	if (!record->value.text)
		TAILQ_REMOVE(&topic->oldest, record, tombstone);
	topic->entries[entry_after(topic, record->rev - 1)].record = NULL;
	topic->holes++;
	if (topics->store)
		store_release(topics->store, record->place);
	free(record);
}

static void forget(struct topics *topics, struct topic *topic, struct record *record)
{
	struct record **at = place_of(topic, record->key);
	*at = record->chain;
	if (record->rev > topic->floor)
		topic->floor = record->rev;
	remove_record(topics, topic, record);
}

static int apply(struct topics *topics, const struct store_row *row)
{
	struct topic *topic = &topics->list[row->topic];
	struct record *record = record_new(row);
	if (!record || grow_buckets(topic) || grow_entries(topic)) {
		free(record);
		return -ENOMEM;
	}
	struct record **at = place_of(topic, record->key), *old = *at;
	record->chain = old ? old->chain : NULL;
	*at = record;
	if (old)
		remove_record(topics, topic, old);
	count(topic, record, 1);
	topic->entries[topic->entry_count++] = (struct topic_entry){record->rev, record};
	topic->revision = record->rev;
	if (!record->value.text)
		TAILQ_INSERT_TAIL(&topic->oldest, record, tombstone);
	return 0;
}

/* Half of them at once, so that it is seldom. */
static void forget_oldest(struct topics *topics, struct topic *topic)
{
	if (topic->tombstones <= topics->tombstones_max)
		return;
	while (topic->tombstones > topics->tombstones_max / 2)
		forget(topics, topic, TAILQ_FIRST(&topic->oldest));
	store_set_floor(topics->store, topic->number, topic->floor);
}

int topics_apply(struct topics *topics, const struct store_row *rows, size_t row_count)
{
	for (size_t i = 0; i < row_count; i++)
		if (apply(topics, &rows[i]))
			return -ENOMEM;
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		forget_oldest(topics, &topics->list[i]);
	return 0;
}

/* ---- Loading -------------------------------------------------------------------- */

struct loading {
	struct topics *topics;
	int error;
};

static void on_row(struct store *store, const struct store_row *row, void *context)
{
	struct loading *loading = context;
	loading->topics->store = store;
	if (!loading->error)
		loading->error = apply(loading->topics, row);
}

/* What was forgotten before the last stop, and still lies in the store. */
static void forget_to_floor(struct topics *topics, struct topic *topic)
{
	struct record *first;
	topic->floor = store_floor(topics->store, topic->number);
	while ((first = TAILQ_FIRST(&topic->oldest)) && first->rev <= topic->floor)
		forget(topics, topic, first);
	if (topic->revision < topic->floor)
		topic->revision = topic->floor;
}

int topics_load(struct topics *topics, const struct store_options *options, struct problem *problem)
{
	struct loading loading = {.topics = topics};
	struct store *store = NULL;
	int error = store_open(options, on_row, &loading, &store, problem);
	topics->store = store;
	if (!error && loading.error)
		error = refuse(problem, RPC_INTERNAL, NULL, "%s: not enough memory for its records",
			       options->file);
	for (unsigned i = 0; !error && i < TOPIC_COUNT; i++) {
		forget_to_floor(topics, &topics->list[i]);
		forget_oldest(topics, &topics->list[i]);
	}
	if (error)
		topics_done(topics);
	return error;
}
