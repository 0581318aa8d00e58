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
#include <sys/queue.h>

#include "controld/config/config.h"
#include "controld/maps/maps.h"
#include "controld/session/authorise.h"
#include "controld/session/detail.h"
#include "controld/session/session.h"
#include "controld/session/table.h"
#include "controld/sync/sync.h"

#define SESSION_TOPIC "session"
#define SESSION_KEY   17 /* 16 hexadecimal digits */

struct event;
struct session_opening;
struct session_gone;
struct trace;

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
	struct event *run;               /* sessions_run as soon as the loop turns */
	struct session_detail **details; /* by slot */
	struct session_detail *left;     /* records without a session, at a start */
	TAILQ_HEAD(, session_opening) openings;
	TAILQ_HEAD(, session_gone) gone; /* to be told */
	struct trace *trace;             /* trace.h */
	uint64_t looked_ns;              /* when timeouts were looked at last */
	authorise_handler *authorise_handlers[AUTHORISE_OWNERS];
	authorise_backend *authorise_backend;
};

/* open.c */
/* `epoch_us`: when controld started, in microseconds since 1970. */
int sessions_new(struct controld *controld, uint64_t epoch_us);
void sessions_free(struct controld *controld);
/* The slot an address has or would have; 0: outside all ranges and not known. */
uint32_t sessions_slot_of(const struct sessions *sessions, uint32_t address_be);
/* Opening in two steps, so that many can be opened all or none. */
int session_prepare(struct controld *controld, const struct session_spec *spec, struct session *session);
void session_publish(struct controld *controld, const struct session *session);
void session_abandon(struct controld *controld, const struct session *session);
/* What bng_sweep has released is forgotten. */
void sessions_reap(struct controld *controld);
void sessions_tell_change(struct controld *controld, const struct session *session);
/* The state is CLOSING: bng_sweep is told, and looked after. */
void sessions_closing_add(struct sessions *sessions, uint32_t slot);
uint32_t sessions_closing(const struct sessions *sessions);

/* The slot of a session that is up or prepared; 0: none. */
uint32_t sessions_slot_of_id(const struct sessions *sessions, uint64_t session_id);

/* detail.c */
void session_key(uint64_t session_id, char key[static SESSION_KEY]);
/* Of a prepared or ACTIVE session; takes it, frees the one before. NULL: none. */
void sessions_detail_set(struct sessions *sessions, const struct session *session,
			 struct session_detail *detail);
int sessions_detail_put(struct controld *controld, const struct session_detail *detail,
			sync_acknowledged *done, void *context);

/* durable.c */
extern const struct sync_topic session_topic;
/* The session has ended; the hooks are told when its record has gone. */
void sessions_record_delete(struct controld *controld, uint64_t session_id);
/* What waits for no bus. */
void sessions_run(struct controld *controld);
void sessions_run_soon(struct sessions *sessions);
/* The adopted sessions and those that are left over are told to the hooks, once, as soon as
 * there are a configuration and what the bus kept. */
void sessions_resume(struct controld *controld);
void sessions_openings_free(struct sessions *sessions);
void sessions_gone_free(struct sessions *sessions);

/* change.c */
/* As granted, before its first packet. A filter that is not there lets nothing through. */
void session_set_filter(struct controld *controld, const struct session *session);
/* 0: the pool's default. Live. */
void session_set_nat(const struct controld *controld, const struct session *session, uint8_t pool_index,
		     uint8_t max_blocks, uint32_t max_mappings);

/* expire.c: ends sessions whose time is over; once a second. */
void sessions_expire(struct controld *controld, uint64_t now_ns);

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

/* pppoe_index.c; for a session without PPPoE nothing is done */
int pppoe_index_add(struct sessions *sessions, uint32_t slot);
void pppoe_index_remove(struct sessions *sessions, uint32_t slot);
int pppoe_index_adopt(struct sessions *sessions);

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
json_t *session_json(struct controld *controld, const struct session *session);

extern const struct bng_feature session_feature;

#endif
