/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * FTP commands with an address in them (dataplane/alg.h): the data plane hands one over,
 * is asked to open the port, and gets the command back with the public address, or as it
 * was where that cannot be. All that must outlive this process is in map `alg`; a command
 * that is lost with it is sent again by its client.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "controld/alg/rewrite.h"
#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/maps/mappings.h"
#include "controld/punt/punt.h"
#include "controld/session/session.h"
#include "dataplane/abi/mapping_word.h"
#include "lib/log.h"

#define RATE          500 /* commands a second */
#define BURST         200
#define WAITING_MAX   64
#define LOOK_US       1000 /* at the mappings, while commands wait for theirs */
#define LOOKS_MAX     200
#define SWEEP_SECONDS 60

/* A command whose port is being opened. */
struct waiting {
	TAILQ_ENTRY(waiting) next;
	struct bng_punt header;
	unsigned looks;
	size_t length;
	uint8_t frame[];
};

struct alg {
	struct controld *controld;
	struct event *look;
	struct event *sweep;
	unsigned count;
	TAILQ_HEAD(, waiting) waiting;
};

/* A connection and what is known of it. */
struct work {
	struct segment segment;
	struct session session;
	struct bng_alg_key key;
	struct bng_alg entry;
};

/* The frame leaves as it came. */
static void send_plain(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
		       size_t length)
{
	struct bng_punt plain = *header;

	plain.flags |= BNG_PUNT_REFUSED;
	if (punt_back(controld, &plain, frame, length))
		log_debug("FTP: a command could not be handed back; its client sends it again");
}

static bool port_of(const struct controld *controld, const struct session *session, uint16_t inner_port_be,
		    uint32_t *port)
{
	return cgnat_port_of(controld->maps, session->record,
			     bng_mapping_key(BNG_PROTOCOL_TCP, inner_port_be), port);
}

/* The connection, its public end and its entry, which the data plane has made. */
static bool work_find(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
		      size_t length, struct work *work)
{
	uint32_t port;

	if (segment_parse(frame, length, &work->segment) ||
	    !session_by_address(controld, work->segment.source_be, &work->session) ||
	    work->session.slot != header->slot ||
	    !port_of(controld, &work->session, work->segment.source_port_be, &port))
		return false;
	work->key = (struct bng_alg_key){
		.public_be = controld->maps->pool_address[port >> 16].address_be,
		.remote_be = work->segment.destination_be,
		.public_port_be = htons((uint16_t)port),
	};
	return !maps_get(controld->maps, MAP_alg, &work->key, &work->entry) &&
	       work->entry.session_id == work->session.record->session_id;
}

static void work_give_up(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
			 size_t length, struct work *work)
{
	if (command_give_up(&work->segment, &work->entry))
		maps_replace(controld->maps, MAP_alg, &work->key, &work->entry);
	send_plain(controld, header, frame, length);
}

/* The port is there. The entry first: what follows the command is corrected by it. */
static void work_finish(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
			size_t length, struct work *work, const struct command *command, uint32_t port)
{
	uint32_t public_be = controld->maps->pool_address[port >> 16].address_be;
	uint8_t out[SEGMENT_FRAME_MAX];
	size_t written = command_rewrite(command, frame, public_be, (uint16_t)port, &work->entry, out);

	if (!written)
		work_give_up(controld, header, frame, length, work);
	else if (!maps_replace(controld->maps, MAP_alg, &work->key, &work->entry) &&
		 punt_back(controld, header, out, written))
		log_debug("FTP: a command could not be handed back; its client sends it again");
}

static void wait_more(struct alg *alg)
{
	static const struct timeval look = {.tv_usec = LOOK_US};

	if (alg->count && !evtimer_pending(alg->look, NULL))
		evtimer_add(alg->look, &look);
}

static bool is_waiting(const struct alg *alg, const uint8_t *frame, size_t length)
{
	const struct waiting *waiting;

	TAILQ_FOREACH(waiting, &alg->waiting, next)
	if (waiting->length == length && !memcmp(waiting->frame, frame, length))
		return true;
	return false;
}

static bool wait_for_port(struct alg *alg, const struct bng_punt *header, const uint8_t *frame, size_t length)
{
	struct waiting *waiting = alg->count < WAITING_MAX ? malloc(sizeof(*waiting) + length) : NULL;

	if (!waiting)
		return false;
	waiting->header = *header;
	waiting->looks = 0;
	waiting->length = length;
	memcpy(waiting->frame, frame, length);
	TAILQ_INSERT_TAIL(&alg->waiting, waiting, next);
	alg->count++;
	wait_more(alg);
	return true;
}

static void on_command(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
		       size_t length, void *context)
{
	struct alg *alg = context;
	struct command command;
	struct work work = {0};
	uint32_t port;

	if (is_waiting(alg, frame, length))
		return; /* sent again: one is enough */
	if (!work_find(controld, header, frame, length, &work)) {
		send_plain(controld, header, frame, length);
		return;
	}
	struct bng_expect expect = {.session_id = work.entry.session_id,
				    .remote_be = work.segment.destination_be};

	if (command_parse(frame, &work.segment, &command)) {
		work_give_up(controld, header, frame, length, &work);
		return;
	}
	expect.inner_port_be = htons(command.ftp.port);
	if (punt_expect(controld, work.session.slot, &expect))
		work_give_up(controld, header, frame, length, &work);
	else if (port_of(controld, &work.session, expect.inner_port_be, &port))
		work_finish(controld, header, frame, length, &work, &command, port);
	else if (!wait_for_port(alg, header, frame, length))
		work_give_up(controld, header, frame, length, &work);
}

/* True when it is done with, one way or the other. */
static bool waiting_look(struct controld *controld, struct waiting *waiting)
{
	struct command command;
	struct work work = {0};
	uint32_t port;

	if (!work_find(controld, &waiting->header, waiting->frame, waiting->length, &work) ||
	    command_parse(waiting->frame, &work.segment, &command)) {
		send_plain(controld, &waiting->header, waiting->frame, waiting->length);
		return true;
	}
	if (port_of(controld, &work.session, htons(command.ftp.port), &port)) {
		work_finish(controld, &waiting->header, waiting->frame, waiting->length, &work, &command,
			    port);
		return true;
	}
	if (++waiting->looks < LOOKS_MAX)
		return false;
	work_give_up(controld, &waiting->header, waiting->frame, waiting->length, &work);
	return true;
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	struct alg *alg = context;
	struct waiting *waiting = TAILQ_FIRST(&alg->waiting), *next;

	(void)fd;
	(void)what;
	for (; waiting; waiting = next) {
		next = TAILQ_NEXT(waiting, next);
		if (!waiting_look(alg->controld, waiting))
			continue;
		TAILQ_REMOVE(&alg->waiting, waiting, next);
		alg->count--;
		free(waiting);
	}
	wait_more(alg);
}

/* Does the entry's mapping live? */
static bool is_live(struct controld *controld, const struct bng_alg_key *key, const struct bng_alg *entry)
{
	struct session session;
	uint32_t port;

	return session_by_id(controld, entry->session_id, &session) &&
	       port_of(controld, &session, entry->inner_port_be, &port) &&
	       (uint16_t)port == ntohs(key->public_port_be) &&
	       controld->maps->pool_address[port >> 16].address_be == key->public_be;
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval later = {.tv_sec = SWEEP_SECONDS};
	struct alg *alg = context;
	struct controld *controld = alg->controld;
	void *keys = NULL, *values = NULL;
	uint32_t count = 0;

	(void)fd;
	(void)what;
	if (!maps_snapshot(controld->maps, MAP_alg, &keys, &values, &count))
		for (uint32_t i = 0; i < count; i++)
			if (!is_live(controld, (struct bng_alg_key *)keys + i, (struct bng_alg *)values + i))
				maps_delete(controld->maps, MAP_alg, (struct bng_alg_key *)keys + i);
	free(keys);
	free(values);
	evtimer_add(alg->sweep, &later);
}

static void feature_free(struct controld *controld)
{
	struct alg *alg = controld->alg;
	struct waiting *waiting;

	if (!alg)
		return;
	while ((waiting = TAILQ_FIRST(&alg->waiting))) {
		TAILQ_REMOVE(&alg->waiting, waiting, next);
		free(waiting);
	}
	if (alg->look)
		event_free(alg->look);
	if (alg->sweep)
		event_free(alg->sweep);
	free(alg);
	controld->alg = NULL;
}

/* At a start, and when a session ends: what belonged to it is gone. */
static const struct timeval soon = {.tv_sec = 1};

static int feature_init(struct controld *controld)
{
	struct alg *alg = calloc(1, sizeof(*alg));

	controld->alg = alg;
	if (alg) {
		alg->controld = controld;
		TAILQ_INIT(&alg->waiting);
		alg->look = evtimer_new(controld->base, on_look, alg);
		alg->sweep = evtimer_new(controld->base, on_sweep, alg);
	}
	if (!alg || !alg->look || !alg->sweep || evtimer_add(alg->sweep, &soon)) {
		feature_free(controld);
		return -ENOMEM;
	}
	punt_register(controld, BNG_PUNT_REASON_FTP, on_command, alg);
	return 0;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	(void)next;
	punt_limit(controld, BNG_PUNT_REASON_FTP, RATE, BURST);
	return 0;
}

static void on_session_down(struct controld *controld, const struct session *session, enum session_end end,
			    const char *why)
{
	(void)end;
	(void)session;
	(void)why;
	evtimer_add(controld->alg->sweep, &soon);
}

static const struct session_hooks hooks = {.down = on_session_down};

const struct bng_feature alg_feature = {
	.name = "alg",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.hooks = &hooks,
};
