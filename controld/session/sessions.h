/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the files of this folder share: the indexes over session records.
 *
 * A slot is in `by_id` and `by_client` while its session is ACTIVE; in
 * `by_address` while its address lies outside all ranges and the map
 * slot_of_address names it; in `closing` from session_close until bng_sweep has
 * made it FREE.
 */
#ifndef BNG_CONTROLD_SESSIONS_H
#define BNG_CONTROLD_SESSIONS_H

#include <jansson.h>

#include "controld/config/config.h"
#include "controld/maps/maps.h"
#include "controld/session/authorise.h"
#include "controld/session/session.h"
#include "controld/session/table.h"

struct event;

struct sessions {
	struct maps *maps;
	uint32_t capacity; /* slots, slot 0 included */
	struct slot_table by_id;
	struct slot_table by_client;
	struct slot_table by_address;
	uint64_t *rest_used;  /* bitmap: slots that slot_of_address names */
	uint32_t rest_cursor; /* where the search for a slot outside ranges goes on, downwards */
	uint64_t next_id;
	uint32_t active;
	uint32_t active_of_interface[BNG_INTERFACES];
	uint32_t *closing;
	uint64_t *closing_listed; /* bitmap: slots in `closing` */
	uint32_t closing_count;
	struct config_session *waiting; /* static sessions that could not be opened yet */
	size_t waiting_count;
	struct event *timer;
	authorise_handler *authorise_handlers[AUTHORISE_OWNERS];
	authorise_backend *authorise_backend;
};

/* open.c */
int sessions_new(struct controld *controld, uint64_t epoch_seconds);
void sessions_free(struct controld *controld);
/* The slot an address has or would have; 0: outside all ranges and not known. */
uint32_t sessions_slot_of(const struct sessions *sessions, uint32_t address_be);
/* Opening in two steps, so that many can be opened all or none. */
int session_prepare(struct controld *controld, const struct session_spec *spec, struct session *session);
void session_publish(struct controld *controld, const struct session *session);
void session_abandon(struct controld *controld, const struct session *session);
/* What bng_sweep has released is forgotten. */
void sessions_reap(struct controld *controld);
/* The state is CLOSING: bng_sweep is told, and looked after. */
void sessions_closing_add(struct sessions *sessions, uint32_t slot);
uint32_t sessions_closing(const struct sessions *sessions);

/* slots.c */
bool slots_in_range(const struct bng_ranges *ranges, uint32_t slot);
uint32_t slots_rest_free(const struct sessions *sessions);
uint32_t slots_rest_take(struct sessions *sessions);
void slots_rest_give(struct sessions *sessions, uint32_t slot);
static inline bool slots_rest_used(const struct sessions *sessions, uint32_t slot)
{
	return sessions->rest_used[slot / 64] >> (slot % 64) & 1;
}
/* The inner ranges that `config` wants, with every live slot where it is. */
int slots_plan(const struct sessions *sessions, const struct config *config, struct bng_ranges *ranges,
	       char *error, size_t error_size);

/* adopt.c */
struct sessions_adopted {
	uint32_t active;
	uint32_t closing;
};
int sessions_adopt(struct controld *controld, struct sessions_adopted *adopted);

/* static.c */
void static_apply(struct controld *controld, const struct config *next);
void static_retry(struct controld *controld);
int static_spec(const struct controld *controld, const struct config_session *wanted,
		struct session_spec *spec);

/* json.c */
json_t *session_json(const struct controld *controld, uint32_t slot, const struct bng_subscriber *record);

extern const struct bng_feature session_feature;

#endif
