/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Invariants:
 * 1. Every entry is in `order` and in both its chains, or only in `unused`.
 * 2. `order` is sorted by until_ns: one lifetime for all, and time does not go
 *    back, so a new entry always belongs at the end; only restored ones look for
 *    their place.
 */
#include "reservation.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

TAILQ_HEAD(reservation_queue, reservation);
LIST_HEAD(reservation_chain, reservation);

struct reservations {
	uint32_t capacity;
	uint32_t live;
	uint64_t lifetime_ns;
	uint64_t displaced;
	struct reservation_watch watch;
	uint64_t seed; /* clients choose their MACs: the chains must not follow */
	struct reservation_queue order;
	struct reservation_queue unused;
	struct reservation_chain *by_client;
	struct reservation_chain *by_address;
	struct reservation *entries;
};

static uint32_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= 0xd6e8feb86659fd93ULL;
	value ^= value >> 32;
	value *= 0xd6e8feb86659fd93ULL;
	return (uint32_t)(value ^ value >> 32);
}

static struct reservation_chain *client_chain(const struct reservations *table,
					      const struct session_client *client)
{
	uint64_t words[2] = {0};

	_Static_assert(sizeof(*client) == 14, "no padding, fits two words");
	memcpy(words, client, sizeof(*client));
	uint64_t half = mix(words[0] ^ table->seed);
	return &table->by_client[mix(words[1] ^ half << 32 ^ table->seed) & (table->capacity - 1)];
}

static struct reservation_chain *address_chain(const struct reservations *table, uint32_t address_be)
{
	return &table->by_address[mix(address_be ^ table->seed) & (table->capacity - 1)];
}

struct reservations *reservations_new(uint32_t capacity, uint64_t lifetime_ns)
{
	struct reservations *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->capacity = capacity;
	table->lifetime_ns = lifetime_ns;
	table->entries = calloc(capacity, sizeof(*table->entries));
	table->by_client = calloc(capacity, sizeof(*table->by_client));
	table->by_address = calloc(capacity, sizeof(*table->by_address));
	if (!table->entries || !table->by_client || !table->by_address ||
	    getrandom(&table->seed, sizeof(table->seed), 0) != sizeof(table->seed)) {
		reservations_free(table);
		return NULL;
	}
	TAILQ_INIT(&table->order);
	TAILQ_INIT(&table->unused);
	for (uint32_t i = 0; i < capacity; i++)
		TAILQ_INSERT_TAIL(&table->unused, &table->entries[i], order);
	return table;
}

void reservations_free(struct reservations *table)
{
	if (!table)
		return;
	free(table->entries);
	free(table->by_client);
	free(table->by_address);
	free(table);
}

static struct reservation *find_client(const struct reservations *table, const struct session_client *client)
{
	struct reservation *entry;

	LIST_FOREACH(entry, client_chain(table, client), by_client)
	{
		if (memcmp(&entry->client, client, sizeof(*client)) == 0)
			break;
	}
	return entry;
}

static struct reservation *find_address(const struct reservations *table, uint32_t address_be)
{
	struct reservation *entry;

	LIST_FOREACH(entry, address_chain(table, address_be), by_address)
	{
		if (entry->address_be == address_be)
			break;
	}
	return entry;
}

const struct reservation *reservation_of_client(const struct reservations *table,
						const struct session_client *client, uint64_t now_ns)
{
	const struct reservation *entry = find_client(table, client);

	return entry && entry->until_ns > now_ns ? entry : NULL;
}

const struct reservation *reservation_of_address(const struct reservations *table, uint32_t address_be,
						 uint64_t now_ns)
{
	const struct reservation *entry = find_address(table, address_be);

	return entry && entry->until_ns > now_ns ? entry : NULL;
}

static void entry_remove(struct reservations *table, struct reservation *entry)
{
	if (!entry)
		return;
	TAILQ_REMOVE(&table->order, entry, order);
	LIST_REMOVE(entry, by_client);
	LIST_REMOVE(entry, by_address);
	TAILQ_INSERT_HEAD(&table->unused, entry, order);
	table->live--;
}

static void entry_forget(struct reservations *table, struct reservation *entry)
{
	if (entry && table->watch.forgotten)
		table->watch.forgotten(table->watch.context, entry);
	entry_remove(table, entry);
}

static void forget_ended(struct reservations *table, uint64_t now_ns)
{
	struct reservation *oldest;

	while ((oldest = TAILQ_FIRST(&table->order)) && oldest->until_ns <= now_ns)
		entry_forget(table, oldest);
}

/* An unused entry, in both chains and not yet in `order`. */
static struct reservation *entry_fill(struct reservations *table, const struct session_client *client,
				      uint32_t address_be, uint64_t until_ns)
{
	struct reservation *entry = TAILQ_FIRST(&table->unused);

	TAILQ_REMOVE(&table->unused, entry, order);
	entry->client = *client;
	entry->address_be = address_be;
	entry->until_ns = until_ns;
	LIST_INSERT_HEAD(client_chain(table, client), entry, by_client);
	LIST_INSERT_HEAD(address_chain(table, address_be), entry, by_address);
	table->live++;
	return entry;
}

void reservation_add(struct reservations *table, const struct session_client *client, uint32_t address_be,
		     uint64_t now_ns)
{
	struct reservation *entry;

	forget_ended(table, now_ns);
	entry_remove(table, find_client(table, client));
	entry_forget(table, find_address(table, address_be));
	if (TAILQ_EMPTY(&table->unused)) {
		entry_forget(table, TAILQ_FIRST(&table->order));
		table->displaced++;
	}
	entry = entry_fill(table, client, address_be, now_ns + table->lifetime_ns);
	TAILQ_INSERT_TAIL(&table->order, entry, order);
	if (table->watch.kept)
		table->watch.kept(table->watch.context, entry);
}

bool reservation_restore(struct reservations *table, const struct session_client *client, uint32_t address_be,
			 uint64_t until_ns, uint64_t now_ns)
{
	struct reservation *entry, *before;

	if (until_ns <= now_ns || find_client(table, client) || find_address(table, address_be) ||
	    TAILQ_EMPTY(&table->unused))
		return false;
	if (until_ns > now_ns + table->lifetime_ns)
		until_ns = now_ns + table->lifetime_ns;
	entry = entry_fill(table, client, address_be, until_ns);
	before = TAILQ_LAST(&table->order, reservation_queue);
	while (before && before->until_ns > until_ns)
		before = TAILQ_PREV(before, reservation_queue, order);
	if (before)
		TAILQ_INSERT_AFTER(&table->order, before, entry, order);
	else
		TAILQ_INSERT_HEAD(&table->order, entry, order);
	return true;
}

void reservations_watch(struct reservations *table, const struct reservation_watch *watch)
{
	table->watch = *watch;
}

void reservations_each(struct reservations *table, uint64_t now_ns,
		       void (*each)(void *context, const struct reservation *entry), void *context)
{
	const struct reservation *entry;

	TAILQ_FOREACH(entry, &table->order, order)
	{
		if (entry->until_ns > now_ns)
			each(context, entry);
	}
}

void reservation_remove_client(struct reservations *table, const struct session_client *client)
{
	entry_remove(table, find_client(table, client));
}

uint32_t reservations_count(struct reservations *table, uint64_t now_ns)
{
	forget_ended(table, now_ns);
	return table->live;
}

uint64_t reservations_displaced(const struct reservations *table)
{
	return table->displaced;
}
