/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Filters in the map, see the header.
 */
#include "controld/maps/filter.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

_Static_assert(BNG_FILTERS <= UINT8_MAX + 1, "bng_subscriber.filter");

const char *filter_name(const struct maps *maps, uint8_t number)
{
	return number < BNG_FILTERS ? (const char *)maps->filter[number].name : "";
}

uint8_t filter_find(const struct maps *maps, const char *name)
{
	for (uint8_t i = 1; name[0] && i < BNG_FILTER_CLOSED; i++)
		if (!strncmp(filter_name(maps, i), name, BNG_FILTER_NAME))
			return i;
	return 0;
}

static uint32_t active_half(const struct maps *maps, uint8_t number)
{
	return maps->filter[number].active & 1;
}

const struct bng_filter_half *filter_rules(const struct maps *maps, uint8_t number)
{
	return &maps->filter[number].half[active_half(maps, number)];
}

static uint32_t hits_key(uint8_t number, uint32_t half)
{
	return 2u * number + half;
}

static void clear_hits(struct maps *maps, uint32_t key)
{
	struct bng_filter_hits zero[maps->cpus];

	memset(zero, 0, sizeof(zero));
	bpf_map_update_elem(maps->map[MAP_filter_hit].fd, &key, zero, BPF_ANY);
}

void filter_publish(struct maps *maps, uint8_t number, const struct bng_filter_half *rules)
{
	struct bng_filter *entry = &maps->filter[number];
	uint32_t spare = !active_half(maps, number);

	entry->half[spare] = *rules;
	clear_hits(maps, hits_key(number, spare));
	__atomic_store_n(&entry->active, spare, __ATOMIC_RELEASE);
}

/* Its first letter last: a name is there as a whole, or not at all. */
static void write_name(struct bng_filter *entry, const char *name)
{
	char whole[BNG_FILTER_NAME] = "";

	snprintf(whole, sizeof(whole), "%s", name);
	memcpy(entry->name + 1, whole + 1, sizeof(whole) - 1);
	__atomic_store_n(&entry->name[0], (uint8_t)whole[0], __ATOMIC_RELEASE);
}

uint8_t filter_add(struct maps *maps, const char *name, const struct bng_filter_half *rules)
{
	for (uint8_t i = 1; i < BNG_FILTER_CLOSED; i++)
		if (!maps->filter[i].name[0]) {
			filter_publish(maps, i, rules);
			write_name(&maps->filter[i], name);
			return i;
		}
	return 0;
}

void filter_remove(struct maps *maps, uint8_t number)
{
	static const struct bng_filter_half nothing;

	__atomic_store_n(&maps->filter[number].name[0], '\0', __ATOMIC_RELEASE);
	filter_publish(maps, number, &nothing);
}

int filter_hits(const struct maps *maps, uint8_t number, struct bng_filter_hits *hits)
{
	struct bng_filter_hits of_cpu[maps->cpus];
	uint32_t key = hits_key(number, active_half(maps, number));

	*hits = (struct bng_filter_hits){{0}};
	if (bpf_map_lookup_elem(maps->map[MAP_filter_hit].fd, &key, of_cpu))
		return -errno;
	for (unsigned cpu = 0; cpu < maps->cpus; cpu++)
		for (int i = 0; i <= BNG_FILTER_RULES; i++)
			hits->packets[i] += of_cpu[cpu].packets[i];
	return 0;
}

void filter_count_unknown(struct maps *maps)
{
	maps->meta->filters_unknown++;
}

/* The number is there before the flag, and goes after it. */
bool filter_set(struct bng_subscriber *record, uint8_t number)
{
	bool has_flag = record->flags & BNG_SUBSCRIBER_FILTER;

	if (record->filter == number && has_flag == (number != 0))
		return false;
	if (!number)
		__atomic_fetch_and(&record->flags, (__u8)~BNG_SUBSCRIBER_FILTER, __ATOMIC_RELEASE);
	__atomic_store_n(&record->filter, number, __ATOMIC_RELEASE);
	if (number)
		__atomic_fetch_or(&record->flags, BNG_SUBSCRIBER_FILTER, __ATOMIC_RELEASE);
	return true;
}
