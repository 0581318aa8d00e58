/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Exempt destinations, see the header.
 */
#include "controld/cgnat/exempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/exempt.h"
#include "controld/controld.h"
#include "controld/maps/mappings.h"
#include "lib/log.h"
#include "lib/watch.h"

struct exempt {
	struct controld *controld;
	struct watch *watch;
	char *watched;  /* the file's path */
	bool unsettled; /* some entry still has its epoch */
};

/* Whole addresses, and ports of addresses. */
enum trie { TRIE_ADDRESS, TRIE_PORT, TRIES };

static const struct {
	enum map_id map;
	size_t key_size;
	const char *what;
} tries[TRIES] = {
	[TRIE_ADDRESS] = {MAP_exempt, sizeof(struct bng_exempt_key), "prefixes"},
	[TRIE_PORT] = {MAP_exempt_port, sizeof(struct bng_exempt_port_key), "ports"},
};

/* What is behind the smaller key is 0. */
union key {
	struct bng_exempt_key address;
	struct bng_exempt_port_key port;
};

struct entry {
	union key key;
	uint32_t found; /* its value in the map; 0: not there */
};

/* What is to be in one map. */
struct list {
	struct entry *entries; /* sorted, none twice */
	size_t count;
};

/* What one map has. */
struct present {
	uint8_t *keys;
	uint32_t *values;
	uint32_t before; /* entries when it was read, which are in the arrays */
	uint32_t count;  /* ... and now */
};

int exempt_new(struct exempt **exempt)
{
	*exempt = calloc(1, sizeof(**exempt));
	return *exempt ? 0 : -ENOMEM;
}

void exempt_free(struct exempt *exempt)
{
	if (!exempt)
		return;
	watch_free(exempt->watch);
	free(exempt->watched);
	free(exempt);
}

static int key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(union key));
}

static union key key_at(enum trie trie, const struct present *present, uint32_t index)
{
	union key key = {0};

	memcpy(&key, present->keys + index * tries[trie].key_size, tries[trie].key_size);
	return key;
}

static void lists_done(struct list lists[static TRIES])
{
	for (enum trie trie = 0; trie < TRIES; trie++)
		free(lists[trie].entries);
}

static union key key_of(const struct config_exempt *exempt)
{
	union key key = {0};

	if (exempt->protocol)
		key.port = (struct bng_exempt_port_key){
			.prefix_length = BNG_EXEMPT_SERVICE_BITS + exempt->prefix.length,
			.port_be = htons(exempt->port),
			.protocol = exempt->protocol,
			.address_be = htonl(exempt->prefix.first),
		};
	else
		key.address = (struct bng_exempt_key){
			.prefix_length = exempt->prefix.length,
			.address_be = htonl(exempt->prefix.first),
		};
	return key;
}

static void lists_fill(struct list lists[static TRIES], const struct config_exempt *exempt, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct list *list = &lists[exempt[i].protocol ? TRIE_PORT : TRIE_ADDRESS];

		list->entries[list->count++].key = key_of(&exempt[i]);
	}
}

static void list_sort(struct list *list)
{
	size_t kept = 0;

	qsort(list->entries, list->count, sizeof(*list->entries), key_compare);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || key_compare(&list->entries[kept - 1], &list->entries[i]))
			list->entries[kept++] = list->entries[i];
	list->count = kept;
}

/* The configuration's list and the file's in one, for each map. */
static int lists_make(const struct config *config, struct list lists[static TRIES], char *error, size_t size)
{
	struct config_exempt *more = NULL;
	size_t count = 0;
	int failure = config->exempt_file ? exempt_load(config->exempt_file, &more, &count, error, size) : 0;

	memset(lists, 0, TRIES * sizeof(*lists));
	if (failure)
		return failure;
	for (enum trie trie = 0; trie < TRIES; trie++) {
		lists[trie].entries = calloc(config->exempt_count + count + 1, sizeof(struct entry));
		if (!lists[trie].entries)
			failure = -ENOMEM;
	}
	if (failure) {
		snprintf(error, size, "/cgnat/exempt: out of memory for %zu destinations",
			 config->exempt_count + count);
	} else {
		lists_fill(lists, config->exempt, config->exempt_count);
		lists_fill(lists, more, count);
		list_sort(&lists[TRIE_ADDRESS]);
		list_sort(&lists[TRIE_PORT]);
	}
	free(more);
	return failure;
}

static struct entry *list_find(const struct list *list, const union key *key)
{
	return bsearch(key, list->entries, list->count, sizeof(*list->entries), key_compare);
}

static void present_done(struct present present[static TRIES])
{
	for (enum trie trie = 0; trie < TRIES; trie++) {
		free(present[trie].keys);
		free(present[trie].values);
	}
}

static int present_read(const struct controld *controld, struct present present[static TRIES], char *error,
			size_t size)
{
	int failure = 0;

	for (enum trie trie = 0; !failure && trie < TRIES; trie++) {
		failure = maps_snapshot(controld->maps, tries[trie].map, (void **)&present[trie].keys,
					(void **)&present[trie].values, &present[trie].before);
		present[trie].count = present[trie].before;
	}
	if (failure)
		snprintf(error, size, "/cgnat/exempt: reading the list in use failed: %s",
			 strerror(-failure));
	return failure;
}

/* Marks what is there already. The old and the new list must fit side by side. */
static int list_compare(const struct controld *controld, enum trie trie, struct list *list,
			const struct present *present, char *error, size_t size)
{
	uint32_t room = maps_entries(controld->maps, tries[trie].map);
	size_t missing = list->count;

	for (uint32_t i = 0; i < present->before; i++) {
		union key key = key_at(trie, present, i);
		struct entry *hit = list_find(list, &key);

		if (!hit)
			continue;
		hit->found = present->values[i];
		missing--;
	}
	if (present->before + missing <= room)
		return 0;
	snprintf(error, size,
		 "/cgnat/exempt: %zu %s, %zu of them new beside %u in use, and there is room for %u: "
		 "the "
		 "list stays as it was; change it in steps, or raise /sizes/exempt for the next start of the "
		 "gateway from nothing",
		 list->count, tries[trie].what, missing, present->before, room);
	return -ENOSPC;
}

static int lists_compare(const struct controld *controld, struct list lists[static TRIES],
			 const struct present present[static TRIES], char *error, size_t size)
{
	int failure = 0;

	for (enum trie trie = 0; !failure && trie < TRIES; trie++)
		failure = list_compare(controld, trie, &lists[trie], &present[trie], error, size);
	return failure;
}

int exempt_check(const struct controld *controld, const struct config *next, char *error, size_t error_size)
{
	struct present present[TRIES] = {0};
	struct list lists[TRIES];
	int failure = lists_make(next, lists, error, error_size);

	if (!failure)
		failure = present_read(controld, present, error, error_size);
	if (!failure)
		failure = lists_compare(controld, lists, present, error, error_size);
	present_done(present);
	lists_done(lists);
	return failure;
}

/* Packets look at a list while it holds anything. */
static void set_counts(struct maps *maps, const struct present present[static TRIES])
{
	uint32_t ports = present[TRIE_PORT].count ? BNG_EXEMPT_PORTS : 0;

	__atomic_store_n(&maps->meta->exempt_count, present[TRIE_ADDRESS].count | ports, __ATOMIC_RELEASE);
}

/* That of a wider entry, under which it was exempt already; or `fresh`, which is new. */
static uint32_t epoch_of(struct maps *maps, enum map_id map, const union key *key, uint32_t fresh)
{
	uint32_t wider;

	return maps_get(maps, map, key, &wider) ? fresh : wider >> BNG_EXEMPT_EPOCH_SHIFT;
}

/* *added: something has the new epoch. */
static int write_new(struct maps *maps, enum trie trie, const struct list *list,
		     struct present present[static TRIES], uint32_t epoch, bool *added)
{
	int failure = 0;

	for (size_t i = 0; !failure && i < list->count; i++) {
		const struct entry *entry = &list->entries[i];
		uint32_t value = entry->found;

		if (!value)
			value = epoch_of(maps, tries[trie].map, &entry->key, epoch) << BNG_EXEMPT_EPOCH_SHIFT;
		value |= BNG_EXEMPT_PERMANENT;
		if (entry->found == value)
			continue;
		failure = maps_set(maps, tries[trie].map, &entry->key, &value);
		if (failure || entry->found)
			continue;
		*added |= value >> BNG_EXEMPT_EPOCH_SHIFT == epoch;
		present[trie].count++;
		set_counts(maps, present);
	}
	return failure;
}

/* What is no longer named goes, or stays as a dynamic entry. */
static void remove_stale(struct maps *maps, enum trie trie, const struct list *list, struct present *present)
{
	for (uint32_t i = 0; i < present->before; i++) {
		uint32_t value = present->values[i] & ~(uint32_t)BNG_EXEMPT_PERMANENT;
		union key key = key_at(trie, present, i);

		if (!(present->values[i] & BNG_EXEMPT_PERMANENT) || list_find(list, &key))
			continue;
		if (value & BNG_EXEMPT_FLAGS)
			maps_set(maps, tries[trie].map, &key, &value);
		else if (!maps_delete(maps, tries[trie].map, &key))
			present->count--;
	}
}

/* A controld that died before it announced its last epoch is caught up with. */
static void adopt_epochs(struct maps *maps, struct exempt *exempt, const struct present *present)
{
	uint32_t last = maps->meta->exempt_epoch;

	for (uint32_t i = 0; i < present->before; i++) {
		uint32_t epoch = present->values[i] >> BNG_EXEMPT_EPOCH_SHIFT;

		exempt->unsettled |= epoch != 0;
		if (epoch > last)
			last = epoch;
	}
	if (last != maps->meta->exempt_epoch)
		__atomic_store_n(&maps->meta->exempt_epoch, last, __ATOMIC_RELEASE);
}

/* All that is new, then its epoch, then what goes. */
static int lists_write(struct maps *maps, struct exempt *exempt, const struct list lists[static TRIES],
		       struct present present[static TRIES], char *error, size_t size)
{
	uint32_t epoch = maps->meta->exempt_epoch + 1;
	bool added = false;
	int failure = 0;

	for (enum trie trie = 0; !failure && trie < TRIES; trie++) {
		failure = write_new(maps, trie, &lists[trie], present, epoch, &added);
		if (failure)
			snprintf(error, size, "/cgnat/exempt: writing %zu %s failed: %s", lists[trie].count,
				 tries[trie].what, strerror(-failure));
	}
	/* Mappings made from here on are not older than what was added. */
	if (added) {
		__atomic_store_n(&maps->meta->exempt_epoch, epoch, __ATOMIC_RELEASE);
		exempt->unsettled = true;
	}
	for (enum trie trie = 0; !failure && trie < TRIES; trie++)
		remove_stale(maps, trie, &lists[trie], &present[trie]);
	set_counts(maps, present);
	return failure;
}

static int make_and_write(struct controld *controld, struct exempt *exempt, const struct config *config,
			  char *error, size_t size)
{
	struct present present[TRIES] = {0};
	struct list lists[TRIES];
	int failure = lists_make(config, lists, error, size);

	if (!failure)
		failure = present_read(controld, present, error, size);
	for (enum trie trie = 0; !failure && trie < TRIES; trie++)
		adopt_epochs(controld->maps, exempt, &present[trie]);
	if (!failure)
		failure = lists_compare(controld, lists, present, error, size);
	if (!failure)
		failure = lists_write(controld->maps, exempt, lists, present, error, size);
	present_done(present);
	lists_done(lists);
	return failure;
}

static void on_written(void *context)
{
	struct exempt *exempt = context;
	struct maps *maps = exempt->controld->maps;
	char error[CONFIG_ERROR_TEXT];
	uint64_t prefixes = 0, ports = 0;

	if (make_and_write(exempt->controld, exempt, exempt->controld->config, error, sizeof(error))) {
		log_error("exempt destinations not changed, the old list stays: %s", error);
		return;
	}
	maps_used(maps, MAP_exempt, &prefixes);
	maps_used(maps, MAP_exempt_port, &ports);
	log_notice("exempt destinations read from %s: %" PRIu64 " prefixes and %" PRIu64 " ports in use",
		   exempt->watched, prefixes, ports);
}

static int watch_file(struct controld *controld, struct exempt *exempt, const char *file)
{
	int failure;

	exempt->controld = controld;
	if (file && exempt->watched && !strcmp(file, exempt->watched))
		return 0;
	watch_free(exempt->watch);
	free(exempt->watched);
	exempt->watch = NULL;
	exempt->watched = file ? strdup(file) : NULL;
	if (!file || !controld->base)
		return 0; /* unit tests have no loop */
	failure = exempt->watched ? watch_new(controld->base, file, on_written, exempt, &exempt->watch)
				  : -ENOMEM;
	if (failure)
		log_warning("watching the folder of %s failed: %s: bngcli config reload reads it again", file,
			    strerror(-failure));
	return 0;
}

int exempt_apply(struct controld *controld, struct exempt *exempt, const struct config *old,
		 const struct config *next)
{
	char error[CONFIG_ERROR_TEXT];
	int failure = make_and_write(controld, exempt, next, error, sizeof(error));

	if (failure)
		log_error("%s%s", error, old ? "" : "; the list in the map stays");
	if (failure && old)
		return failure;
	return watch_file(controld, exempt, next->exempt_file);
}

struct oldest {
	uint32_t epoch;
	uint32_t age; /* of the oldest mapping, in epochs */
};

static void look_at(const struct cgnat_mapping *mapping, void *context)
{
	struct oldest *oldest = context;
	uint32_t age = (oldest->epoch - (mapping->flags >> BNG_MAPPING_EPOCH_SHIFT)) % BNG_MAPPING_EPOCHS;

	/* A port forwarding never ends: it would keep every entry unsettled. */
	if (!(mapping->flags & BNG_MAPPING_PINNED) && age > oldest->age)
		oldest->age = age;
}

/* True while an entry of the map has its epoch. */
static bool settle(struct maps *maps, enum trie trie, const struct present *present,
		   const struct oldest *oldest)
{
	bool unsettled = false;

	for (uint32_t i = 0; i < present->before; i++) {
		uint32_t epoch = present->values[i] >> BNG_EXEMPT_EPOCH_SHIFT;
		uint32_t value = present->values[i] & BNG_EXEMPT_FLAGS;
		union key key = key_at(trie, present, i);

		if (!epoch)
			continue;
		if (oldest->age > oldest->epoch - epoch)
			unsettled = true;
		else
			maps_set(maps, tries[trie].map, &key, &value);
	}
	return unsettled;
}

void exempt_settle(struct controld *controld, struct exempt *exempt)
{
	struct oldest oldest = {.epoch = controld->maps->meta->exempt_epoch};
	const struct cgnat_filter all = {0};
	struct present present[TRIES] = {0};
	char error[CONFIG_ERROR_TEXT];

	if (exempt->unsettled && !present_read(controld, present, error, sizeof(error))) {
		cgnat_walk(controld->maps, &all, look_at, &oldest);
		exempt->unsettled = false;
		for (enum trie trie = 0; trie < TRIES; trie++)
			exempt->unsettled |= settle(controld->maps, trie, &present[trie], &oldest);
	}
	present_done(present);
}
