/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Opening, finding and closing sessions.
 *
 * The record is written while its state is FREE, where packets do not look at
 * it, and published by storing ACTIVE with release order. Closing stores CLOSING
 * and leaves the rest to bng_sweep; indexes forget the session at once, only its
 * slot stays taken until the sweep has stored FREE.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/maps/fixed.h"
#include "controld/maps/names.h"
#include "controld/session/sessions.h"
#include "controld/session/trace.h"
#include "lib/clock.h"

#define REAP_INTERVAL_US 250000

static uint64_t hash_id(const struct bng_subscriber *record)
{
	return slot_mix(record->session_id);
}

static bool match_id(const struct bng_subscriber *record, const void *key)
{
	return record->session_id == *(const uint64_t *)key;
}

static uint64_t client_hash(const struct session_client *client)
{
	uint64_t place =
		(uint64_t)client->interface << 32 | (uint64_t)client->outer_vid << 16 | client->inner_vid;
	uint64_t host = client->pppoe_session;

	memcpy((uint8_t *)&host + 2, client->mac, 6);
	return slot_mix(slot_mix(place) + host);
}

struct session_client session_client_of(const struct bng_subscriber *record)
{
	struct session_client client = {
		.interface = record->interface,
		.outer_vid = record->outer_vid,
		.inner_vid = record->inner_vid,
		.pppoe_session = record->pppoe_session,
	};

	memcpy(client.mac, record->mac, sizeof(client.mac));
	return client;
}

static uint64_t hash_client(const struct bng_subscriber *record)
{
	struct session_client client = session_client_of(record);

	return client_hash(&client);
}

static bool match_client(const struct bng_subscriber *record, const void *key)
{
	const struct session_client *client = key;

	return record->interface == client->interface && record->outer_vid == client->outer_vid &&
	       record->inner_vid == client->inner_vid && record->pppoe_session == client->pppoe_session &&
	       !memcmp(record->mac, client->mac, 6);
}

static uint64_t hash_address(const struct bng_subscriber *record)
{
	return slot_mix(record->address_be);
}

static bool match_address(const struct bng_subscriber *record, const void *key)
{
	return record->address_be == *(const uint32_t *)key;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;

	(void)fd;
	(void)what;
	sessions_reap(controld);
	static_retry(controld);
	sessions_run(controld);
	sessions_expire(controld, clock_boottime_ns());
}

static void on_run(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	sessions_run(context);
}

static int start_timer(struct controld *controld)
{
	struct timeval interval = {.tv_usec = REAP_INTERVAL_US};
	struct sessions *sessions = controld->sessions;

	if (!controld->base)
		return 0; /* unit tests reap by hand */
	sessions->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	sessions->run = event_new(controld->base, -1, 0, on_run, controld);
	return sessions->timer && sessions->run && !event_add(sessions->timer, &interval) ? 0 : -ENOMEM;
}

/* A million ids for each second since 1970, so that this start begins behind all that an
 * earlier one gave out, also to sessions that have not come up yet: no map has those. */
static uint64_t first_id(uint64_t epoch_us)
{
	uint64_t seconds = epoch_us / 1000000, rest_us = epoch_us % 1000000;

	return (seconds << 20) + (rest_us << 20) / 1000000;
}

int sessions_new(struct controld *controld, uint64_t epoch_us)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));
	const struct bng_subscriber *records = controld->maps->subscriber;
	uint32_t capacity = maps_entries(controld->maps, MAP_subscriber);

	controld->sessions = sessions;
	if (!sessions)
		return -ENOMEM;
	sessions->maps = controld->maps;
	sessions->capacity = capacity;
	sessions->rest_cursor = capacity - 1;
	sessions->next_id = first_id(epoch_us);
	TAILQ_INIT(&sessions->openings);
	TAILQ_INIT(&sessions->gone);
	sessions->details = calloc(capacity, sizeof(struct session_detail *));
	sessions->rest_used = calloc(capacity / 64 + 1, sizeof(uint64_t));
	sessions->closing_listed = calloc(capacity / 64 + 1, sizeof(uint64_t));
	sessions->closing = calloc(capacity, sizeof(uint32_t));
	if (!sessions->details || !sessions->rest_used || !sessions->closing || !sessions->closing_listed ||
	    slot_table_init(&sessions->by_id, records, capacity, hash_id, match_id) ||
	    slot_table_init(&sessions->by_client, records, capacity, hash_client, match_client) ||
	    slot_table_init(&sessions->by_address, records, capacity, hash_address, match_address) ||
	    trace_new(controld) || start_timer(controld)) {
		sessions_free(controld);
		return -ENOMEM;
	}
	return 0;
}

static void free_details(struct sessions *sessions)
{
	struct session_detail *left;

	for (uint32_t i = 0; sessions->details && i < sessions->capacity; i++)
		session_detail_free(sessions->details[i]);
	free(sessions->details);
	while ((left = sessions->left)) {
		sessions->left = left->next;
		session_detail_free(left);
	}
}

void sessions_free(struct controld *controld)
{
	struct sessions *sessions = controld->sessions;

	if (!sessions)
		return;
	if (sessions->timer)
		event_free(sessions->timer);
	if (sessions->run)
		event_free(sessions->run);
	free_details(sessions);
	trace_free(controld);
	sessions_openings_free(sessions);
	sessions_gone_free(sessions);
	slot_table_done(&sessions->by_id);
	slot_table_done(&sessions->by_client);
	slot_table_done(&sessions->by_address);
	free(sessions->rest_used);
	free(sessions->closing);
	free(sessions->closing_listed);
	free(sessions->waiting);
	free(sessions);
	controld->sessions = NULL;
}

uint32_t sessions_slot_of(const struct sessions *sessions, uint32_t address_be)
{
	const struct bng_ranges *ranges = maps_ranges(sessions->maps);
	uint32_t address = ntohl(address_be), slot;

	for (uint32_t i = 0; i < ranges->inner_count && i < BNG_INNER_RANGES; i++) {
		const struct bng_range *range = &ranges->inner[i];

		if (range->base && address >= range->first && address <= range->last) {
			slot = range->base + (address - range->first);
			return slot < sessions->capacity ? slot : 0;
		}
	}
	return slot_table_find(&sessions->by_address, slot_mix(address_be), &address_be);
}

/* A slot for an address outside all ranges: named by slot_of_address. */
static int take_single_slot(struct sessions *sessions, uint32_t address_be, uint32_t *slot)
{
	uint32_t taken = slots_rest_take(sessions);
	int failure;

	if (!taken)
		return -ENOSPC;
	failure = maps_add(sessions->maps, MAP_slot_of_address, &address_be, &taken);
	if (failure) {
		slots_rest_give(sessions, taken);
		/* There is one: it is routed to another session. */
		return failure == -E2BIG ? -ENOSPC : failure == -EEXIST ? -EADDRINUSE : failure;
	}
	sessions->maps->subscriber[taken].address_be = address_be;
	slot_table_insert(&sessions->by_address, taken);
	*slot = taken;
	return 0;
}

static void give_single_slot(struct sessions *sessions, uint32_t slot)
{
	uint32_t address_be = sessions->maps->subscriber[slot].address_be;

	if (!slots_rest_used(sessions, slot))
		return;
	if (slot_table_find(&sessions->by_address, slot_mix(address_be), &address_be) == slot) {
		maps_delete(sessions->maps, MAP_slot_of_address, &address_be);
		slot_table_remove(&sessions->by_address, slot);
	}
	slots_rest_give(sessions, slot);
}

/* Keys that subscribers cannot guess, fetched many at a time. */
static uint32_t random_key(void)
{
	static uint32_t keys[1024];
	static size_t left;

	if (!left) {
		size_t got = 0;

		while (got < sizeof(keys)) {
			ssize_t chunk = getrandom((uint8_t *)keys + got, sizeof(keys) - got, 0);
			got += chunk > 0 ? (size_t)chunk : 0;
		}
		left = sizeof(keys) / sizeof(keys[0]);
	}
	return keys[--left];
}

/* Whose the record was before: a client that comes back does not wait for its blocks. */
static bool is_same_client(const struct bng_subscriber *record, const struct session_client *client)
{
	return record->session_id && match_client(record, client);
}

uint64_t session_new_id(struct controld *controld)
{
	return controld->sessions->next_id++;
}

static void fill_record(struct controld *controld, const struct session_spec *spec,
			struct bng_subscriber *record)
{
	struct sessions *sessions = controld->sessions;
	const struct bng_pool *pool = spec->pool < BNG_POOLS ? &sessions->maps->pool[spec->pool] : NULL;
	uint64_t now = clock_boottime_ns();
	struct bng_subscriber new = {
		.address_be = spec->address_be,
		.interface = spec->client.interface,
		.pppoe_session = spec->client.pppoe_session,
		.outer_vid = spec->client.outer_vid,
		.inner_vid = spec->client.inner_vid,
		.flags = spec->flags,
		.generation = (uint16_t)(record->generation + 1),
		.pool = spec->pool,
		.port_key = random_key(),
		.block_shift = pool ? pool->block_shift : 0,
		.address_index = BNG_NO_ADDRESS_INDEX,
		.max_mappings = spec->max_mappings ? spec->max_mappings
				: pool             ? pool->max_mappings
						   : 0,
		.max_blocks = spec->max_blocks ? spec->max_blocks
			      : pool           ? pool->max_blocks
					       : 0,
		.last_up_tick = maps_tick(sessions->maps),
		.session_id = spec->session_id ? spec->session_id : session_new_id(controld),
		.opened_ns = now,
		.lease_expires_ns = spec->lease_seconds ? now + spec->lease_seconds * 1000000000ULL : 0,
		.lease_seconds = spec->lease_seconds,
		.kind = spec->kind,
		.mss = spec->mss,
		.mtu = spec->mtu,
		.ppp_magic = spec->ppp_magic,
		.ppp_alive = bng_ppp_alive(maps_tick(sessions->maps)),
		.returned = is_same_client(record, &spec->client),
	};

	fixed_move(&new, fixed_of_record(controld, &new));
	memcpy(new.mac, spec->client.mac, 6);
	if (new.max_blocks > BNG_BLOCKS_PER_SUBSCRIBER)
		new.max_blocks = BNG_BLOCKS_PER_SUBSCRIBER;
	memcpy(record, &new, sizeof(new));
}

int session_prepare(struct controld *controld, const struct session_spec *spec, struct session *session)
{
	struct sessions *sessions = controld->sessions;
	const struct session_client *client = &spec->client;
	uint32_t slot;
	int failure = 0;

	if (client->interface == 0 || client->interface >= BNG_INTERFACES)
		return -EINVAL;
	if (slot_table_find(&sessions->by_client, client_hash(client), client))
		return -EEXIST;
	slot = sessions_slot_of(sessions, spec->address_be);
	if (slot && sessions->maps->subscriber[slot].state != BNG_SUBSCRIBER_FREE)
		return -EADDRINUSE;
	if (slot && slot_table_find(&sessions->by_id, slot_mix(sessions->maps->subscriber[slot].session_id),
				    &sessions->maps->subscriber[slot].session_id) == slot)
		return -EADDRINUSE; /* prepared, not published */
	if (!slot)
		failure = take_single_slot(sessions, spec->address_be, &slot);
	if (failure)
		return failure;
	fill_record(controld, spec, &sessions->maps->subscriber[slot]);
	failure = pppoe_index_add(sessions, slot);
	if (failure) {
		give_single_slot(sessions, slot);
		return failure;
	}
	slot_table_insert(&sessions->by_id, slot);
	slot_table_insert(&sessions->by_client, slot);
	*session = (struct session){slot, &sessions->maps->subscriber[slot]};
	return 0;
}

void session_publish(struct controld *controld, const struct session *session)
{
	struct session_client client = session_client_of(session->record);
	bool is_known = session_detail(controld, session);
	struct sessions *sessions = controld->sessions;

	if (!is_known)
		sessions_detail_set(sessions, session, session_detail_new(session->record->session_id));
	session_set_filter(controld, session);
	__atomic_store_n(&session->record->state, BNG_SUBSCRIBER_ACTIVE, __ATOMIC_RELEASE);
	sessions->active++;
	sessions->active_of_interface[session->record->interface]++;
	session_event(controld, session->record->session_id, &client, "up");
	if (!is_known)
		session_detail_save(controld, session);
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->hooks && bng_features[i]->hooks->up)
			bng_features[i]->hooks->up(controld, session);
}

void session_abandon(struct controld *controld, const struct session *session)
{
	struct sessions *sessions = controld->sessions;

	slot_table_remove(&sessions->by_id, session->slot);
	slot_table_remove(&sessions->by_client, session->slot);
	pppoe_index_remove(sessions, session->slot);
	give_single_slot(sessions, session->slot);
}

int session_open(struct controld *controld, const struct session_spec *spec, struct session *session)
{
	int failure = session_prepare(controld, spec, session);

	if (!failure)
		session_publish(controld, session);
	return failure;
}

void sessions_tell_change(struct controld *controld, const struct session *session)
{
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->hooks && bng_features[i]->hooks->change)
			bng_features[i]->hooks->change(controld, session);
}

void session_renew(struct controld *controld, const struct session *session, uint32_t lease_seconds)
{
	uint64_t expires = lease_seconds ? clock_boottime_ns() + lease_seconds * 1000000000ULL : 0;

	__atomic_store_n(&session->record->lease_seconds, lease_seconds, __ATOMIC_RELAXED);
	__atomic_store_n(&session->record->lease_expires_ns, expires, __ATOMIC_RELAXED);
	sessions_tell_change(controld, session);
}

void session_set_mss(const struct session *session, uint16_t mss)
{
	if (session->record->mss != mss)
		__atomic_store_n(&session->record->mss, mss, __ATOMIC_RELAXED);
}

const char *session_end_name(enum session_end end)
{
	switch (end) {
#define SESSION_END_NAME(name, text, cause)                                                                  \
	case SESSION_END_##name:                                                                             \
		return #text;
		SESSION_ENDS(SESSION_END_NAME)
#undef SESSION_END_NAME
	}
	return "unknown";
}

int session_close(struct controld *controld, const struct session *session, enum session_end end,
		  const char *why)
{
	struct sessions *sessions = controld->sessions;
	struct bng_subscriber *record = session->record;
	struct session_client client = session_client_of(record);
	uint64_t session_id = record->session_id;
	/* A bus that is away may know who it was: the record ends as one that is left over. */
	bool is_left = !session_detail(controld, session) && !sync_topic_is_synced(controld, SESSION_TOPIC);

	if (record->state != BNG_SUBSCRIBER_ACTIVE)
		return -ENOENT;
	session_event(controld, session_id, &client, "down: %s", why);
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->hooks && bng_features[i]->hooks->down)
			bng_features[i]->hooks->down(controld, session, end, why);
	__atomic_store_n(&record->state, BNG_SUBSCRIBER_CLOSING, __ATOMIC_RELEASE);
	slot_table_remove(&sessions->by_id, session->slot);
	slot_table_remove(&sessions->by_client, session->slot);
	pppoe_index_remove(sessions, session->slot);
	sessions->active--;
	sessions->active_of_interface[record->interface]--;
	sessions_closing_add(sessions, session->slot);
	sessions_detail_set(sessions, session, NULL);
	if (!is_left)
		sessions_record_delete(controld, session_id);
	return 0;
}

void sessions_reap(struct controld *controld)
{
	struct sessions *sessions = controld->sessions;
	uint32_t left = 0;

	for (uint32_t i = 0; i < sessions->closing_count; i++) {
		uint32_t slot = sessions->closing[i];
		uint8_t state = __atomic_load_n(&sessions->maps->subscriber[slot].state, __ATOMIC_ACQUIRE);

		if (state == BNG_SUBSCRIBER_FREE)
			give_single_slot(sessions, slot);
		if (state != BNG_SUBSCRIBER_CLOSING) {
			sessions->closing_listed[slot / 64] &= ~(1ULL << (slot % 64));
			continue;
		}
		sessions->closing[left++] = slot;
	}
	sessions->closing_count = left;
}

void sessions_closing_add(struct sessions *sessions, uint32_t slot)
{
	uint64_t bit = 1ULL << (slot % 64);

	maps_closing_set(sessions->maps, slot);
	if (sessions->closing_listed[slot / 64] & bit)
		return;
	sessions->closing_listed[slot / 64] |= bit;
	sessions->closing[sessions->closing_count++] = slot;
}

static bool found_slot(struct controld *controld, uint32_t slot, struct session *session)
{
	struct bng_subscriber *record = &controld->maps->subscriber[slot];

	if (!slot || record->state != BNG_SUBSCRIBER_ACTIVE)
		return false;
	*session = (struct session){slot, record};
	return true;
}

bool session_by_address(struct controld *controld, uint32_t address_be, struct session *session)
{
	return found_slot(controld, sessions_slot_of(controld->sessions, address_be), session) &&
	       session->record->address_be == address_be;
}

uint32_t sessions_slot_of_id(const struct sessions *sessions, uint64_t session_id)
{
	return slot_table_find(&sessions->by_id, slot_mix(session_id), &session_id);
}

bool session_by_id(struct controld *controld, uint64_t id, struct session *session)
{
	return found_slot(controld, sessions_slot_of_id(controld->sessions, id), session);
}

bool session_by_client(struct controld *controld, const struct session_client *client,
		       struct session *session)
{
	return found_slot(controld,
			  slot_table_find(&controld->sessions->by_client, client_hash(client), client),
			  session);
}

bool session_address_free(struct controld *controld, uint32_t address_be)
{
	uint32_t slot = sessions_slot_of(controld->sessions, address_be);

	return !slot || controld->maps->subscriber[slot].state == BNG_SUBSCRIBER_FREE;
}

uint32_t session_count(const struct controld *controld)
{
	return controld->sessions->active;
}

uint32_t session_count_interface(const struct controld *controld, uint16_t interface)
{
	return interface < BNG_INTERFACES ? controld->sessions->active_of_interface[interface] : 0;
}

uint32_t sessions_closing(const struct sessions *sessions)
{
	return sessions->closing_count;
}

bool session_next(struct controld *controld, uint32_t *slot, struct session *session)
{
	uint32_t capacity = controld->sessions->capacity;

	for (uint32_t at = *slot ? *slot : 1; at < capacity; at++) {
		if (controld->maps->subscriber[at].state != BNG_SUBSCRIBER_ACTIVE)
			continue;
		*session = (struct session){at, &controld->maps->subscriber[at]};
		*slot = at + 1;
		return true;
	}
	*slot = capacity;
	return false;
}
