/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Exempt destinations, see the header.
 */
#include "controld/cgnat/exempt.h"

#include <arpa/inet.h>
#include <errno.h>
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

struct entry {
	struct bng_exempt_key key;
	uint32_t found; /* its value in the map; 0: not there */
};

struct list {
	struct entry *entries; /* sorted, none twice */
	size_t count;
};

/* What map `exempt` has. */
struct present {
	struct bng_exempt_key *keys;
	uint32_t *values;
	uint32_t count;
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
	return memcmp(a, b, sizeof(struct bng_exempt_key));
}

static void list_fill(struct list *list, const struct config_prefix *prefixes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		list->entries[list->count++].key = (struct bng_exempt_key){
			.prefix_length = prefixes[i].length, .address_be = htonl(prefixes[i].first)};
}

/* The configuration's list and the file's in one. */
static int list_make(const struct config *config, struct list *list, char *error, size_t size)
{
	struct config_prefix *more = NULL;
	size_t count = 0, kept = 0;
	int failure = config->exempt_file ? exempt_load(config->exempt_file, &more, &count, error, size) : 0;

	*list = (struct list){0};
	if (failure)
		return failure;
	list->entries = calloc(config->exempt_count + count + 1, sizeof(*list->entries));
	if (!list->entries) {
		free(more);
		snprintf(error, size, "/cgnat/exempt: out of memory for %zu prefixes",
			 config->exempt_count + count);
		return -ENOMEM;
	}
	list_fill(list, config->exempt, config->exempt_count);
	list_fill(list, more, count);
	free(more);
	qsort(list->entries, list->count, sizeof(*list->entries), key_compare);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || key_compare(&list->entries[kept - 1], &list->entries[i]))
			list->entries[kept++] = list->entries[i];
	list->count = kept;
	return 0;
}

static struct entry *list_find(const struct list *list, const struct bng_exempt_key *key)
{
	return bsearch(key, list->entries, list->count, sizeof(*list->entries), key_compare);
}

static int present_read(const struct controld *controld, struct present *present)
{
	*present = (struct present){0};
	return maps_snapshot(controld->maps, MAP_exempt, (void **)&present->keys, (void **)&present->values,
			     &present->count);
}

static void present_done(struct present *present)
{
	free(present->keys);
	free(present->values);
}

/* Marks what is there already. The old and the new list must fit side by side. */
static int list_compare(const struct controld *controld, struct list *list, const struct present *present,
			char *error, size_t size)
{
	uint32_t room = maps_entries(controld->maps, MAP_exempt);
	size_t missing = list->count;

	for (uint32_t i = 0; i < present->count; i++) {
		struct entry *hit = list_find(list, &present->keys[i]);

		if (!hit)
			continue;
		hit->found = present->values[i];
		missing--;
	}
	if (present->count + missing <= room)
		return 0;
	snprintf(error, size,
		 "/cgnat/exempt: %zu prefixes, %zu of them new beside %u in use, and there is room for %u: "
		 "the "
		 "list stays as it was; change it in steps, or raise /sizes/exempt for the next start of the "
		 "gateway from nothing",
		 list->count, missing, present->count, room);
	return -ENOSPC;
}

int exempt_check(const struct controld *controld, const struct config *next, char *error, size_t error_size)
{
	struct present present;
	struct list list;
	int failure = list_make(next, &list, error, error_size);

	if (failure)
		return failure;
	failure = present_read(controld, &present);
	if (failure)
		snprintf(error, error_size, "/cgnat/exempt: reading the list in use failed: %s",
			 strerror(-failure));
	else
		failure = list_compare(controld, &list, &present, error, error_size);
	present_done(&present);
	free(list.entries);
	return failure;
}

/* Packets look at the list while it holds anything. */
static void set_count(struct maps *maps, uint32_t count)
{
	__atomic_store_n(&maps->meta->exempt_count, count, __ATOMIC_RELEASE);
}

static int write_new(struct controld *controld, struct exempt *exempt, const struct list *list,
		     uint32_t *count)
{
	struct maps *maps = controld->maps;
	uint32_t epoch = maps->meta->exempt_epoch + 1, added = 0;
	int failure = 0;

	for (size_t i = 0; !failure && i < list->count; i++) {
		const struct entry *entry = &list->entries[i];
		uint32_t value = entry->found ? entry->found | BNG_EXEMPT_PERMANENT
					      : epoch << BNG_EXEMPT_EPOCH_SHIFT | BNG_EXEMPT_PERMANENT;

		if (entry->found == value)
			continue;
		failure = maps_set(maps, MAP_exempt, &entry->key, &value);
		if (failure || entry->found)
			continue;
		added++;
		set_count(maps, ++*count);
	}
	/* Mappings made from here on are not older than what was added. */
	if (added) {
		__atomic_store_n(&maps->meta->exempt_epoch, epoch, __ATOMIC_RELEASE);
		exempt->unsettled = true;
	}
	return failure;
}

/* What is no longer named goes, or stays as a dynamic entry. */
static void remove_stale(struct maps *maps, const struct list *list, const struct present *present,
			 uint32_t *count)
{
	for (uint32_t i = 0; i < present->count; i++) {
		uint32_t value = present->values[i] & ~(uint32_t)BNG_EXEMPT_PERMANENT;

		if (!(present->values[i] & BNG_EXEMPT_PERMANENT) || list_find(list, &present->keys[i]))
			continue;
		if (value & BNG_EXEMPT_FLAGS)
			maps_set(maps, MAP_exempt, &present->keys[i], &value);
		else if (!maps_delete(maps, MAP_exempt, &present->keys[i]))
			--*count;
	}
	set_count(maps, *count);
}

/* A controld that died before it announced its last epoch is caught up with. */
static void adopt_epochs(struct maps *maps, struct exempt *exempt, const struct present *present)
{
	uint32_t last = maps->meta->exempt_epoch;

	for (uint32_t i = 0; i < present->count; i++) {
		uint32_t epoch = present->values[i] >> BNG_EXEMPT_EPOCH_SHIFT;

		exempt->unsettled |= epoch != 0;
		if (epoch > last)
			last = epoch;
	}
	if (last != maps->meta->exempt_epoch)
		__atomic_store_n(&maps->meta->exempt_epoch, last, __ATOMIC_RELEASE);
}

static int write_list(struct controld *controld, struct exempt *exempt, struct list *list, char *error,
		      size_t size)
{
	struct present present;
	int failure = present_read(controld, &present);
	uint32_t count = present.count;

	if (failure) {
		snprintf(error, size, "/cgnat/exempt: reading the list in use failed: %s",
			 strerror(-failure));
		return failure;
	}
	adopt_epochs(controld->maps, exempt, &present);
	failure = list_compare(controld, list, &present, error, size);
	if (!failure) {
		failure = write_new(controld, exempt, list, &count);
		if (failure)
			snprintf(error, size, "/cgnat/exempt: writing %zu prefixes failed: %s", list->count,
				 strerror(-failure));
	}
	if (!failure)
		remove_stale(controld->maps, list, &present, &count);
	present_done(&present);
	return failure;
}

static int make_and_write(struct controld *controld, struct exempt *exempt, const struct config *config,
			  char *error, size_t size)
{
	struct list list;
	int failure = list_make(config, &list, error, size);

	if (!failure)
		failure = write_list(controld, exempt, &list, error, size);
	free(list.entries);
	return failure;
}

static void on_written(void *context)
{
	struct exempt *exempt = context;
	char error[CONFIG_ERROR_TEXT];

	if (make_and_write(exempt->controld, exempt, exempt->controld->config, error, sizeof(error)))
		log_error("exempt destinations not changed, the old list stays: %s", error);
	else
		log_notice("exempt destinations read from %s: %u in use", exempt->watched,
			   exempt->controld->maps->meta->exempt_count);
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

void exempt_settle(struct controld *controld, struct exempt *exempt)
{
	struct oldest oldest = {.epoch = controld->maps->meta->exempt_epoch};
	const struct cgnat_filter all = {0};
	struct present present;

	if (!exempt->unsettled || present_read(controld, &present))
		return;
	cgnat_walk(controld->maps, &all, look_at, &oldest);
	exempt->unsettled = false;
	for (uint32_t i = 0; i < present.count; i++) {
		uint32_t epoch = present.values[i] >> BNG_EXEMPT_EPOCH_SHIFT;
		uint32_t value = present.values[i] & BNG_EXEMPT_FLAGS;

		if (!epoch)
			continue;
		if (oldest.age > oldest.epoch - epoch)
			exempt->unsettled = true;
		else
			maps_set(controld->maps, MAP_exempt, &present.keys[i], &value);
	}
	present_done(&present);
}
