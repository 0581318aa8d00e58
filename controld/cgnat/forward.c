/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Port forwardings in the mapping table: finding them, asking for them, and keeping
 * those of the configuration.
 */
#include "controld/cgnat/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/maps/mappings.h"
#include "controld/punt/punt.h"
#include "dataplane/abi/mapping_word.h"
#include "lib/address.h"
#include "lib/log.h"

struct search {
	uint32_t key;
	struct forward_found *found;
};

static bool is_searched(uint64_t word, uint32_t port, void *context)
{
	struct search *search = context;

	if (bng_mapping_word_key(word) != search->key)
		return false;
	*search->found = (struct forward_found){port, bng_mapping_word_flags(word)};
	return true;
}

bool forward_find(const struct maps *maps, const struct session *session, const struct config_forward *wanted,
		  struct forward_found *found)
{
	struct search search = {bng_mapping_key(wanted->protocol, htons(wanted->inner_port)), found};

	return cgnat_walk_session(maps, session->record, is_searched, &search);
}

struct walk {
	const struct session *session;
	forward_each *each;
	void *context;
};

static bool hand_on(uint64_t word, uint32_t port, void *context)
{
	struct walk *walk = context;
	struct forward_found found = {port, bng_mapping_word_flags(word)};
	struct config_forward forward = {
		.protocol = bng_mapping_word_protocol(word),
		.inner_port = ntohs((uint16_t)word),
		.public_port = (uint16_t)port,
	};

	if (forward_is(&found))
		walk->each(walk->session, &forward, &found, walk->context);
	return false;
}

void forward_walk(const struct maps *maps, const struct session *session, forward_each *each, void *context)
{
	struct walk walk = {session, each, context};

	cgnat_walk_session(maps, session->record, hand_on, &walk);
}

static int ask(struct controld *controld, const struct session *session, const struct config_forward *wanted,
	       enum bng_pin_action action, uint8_t flags)
{
	struct bng_pin pin = {
		.session_id = session->record->session_id,
		.inner_port_be = htons(wanted->inner_port),
		.public_port = wanted->public_port,
		.protocol = wanted->protocol,
		.action = (uint8_t)action,
		.flags = flags,
	};

	return punt_pin(controld, session->slot, &pin);
}

int forward_set(struct controld *controld, const struct session *session, const struct config_forward *wanted,
		uint8_t flags)
{
	return ask(controld, session, wanted, BNG_PIN_SET, flags);
}

int forward_clear(struct controld *controld, const struct session *session,
		  const struct config_forward *wanted)
{
	return ask(controld, session, wanted, BNG_PIN_CLEAR, 0);
}

static void set_missing(struct controld *controld, const struct config_session *configured)
{
	struct session session;

	if (!session_by_address(controld, configured->address_be, &session) ||
	    session.record->kind != BNG_SESSION_STATIC)
		return;
	for (size_t i = 0; i < configured->forward_count; i++) {
		const struct config_forward *wanted = &configured->forwards[i];
		struct forward_found found;
		bool there = forward_find(controld->maps, &session, wanted, &found);

		if (there && wanted->public_port && wanted->public_port != (uint16_t)found.port) {
			/* One inner end has one public port: the new one follows when the old ends. */
			if (forward_is(&found))
				forward_clear(controld, &session, wanted);
		} else if (!there || !forward_is_configured(&found)) {
			forward_set(controld, &session, wanted, BNG_MAPPING_PIN_CONFIG);
		}
	}
}

void forward_set_missing(struct controld *controld, const struct config *config)
{
	for (size_t i = 0; i < config->session_count; i++)
		if (config->sessions[i].forward_count)
			set_missing(controld, &config->sessions[i]);
}

/* Static sessions by address. */
struct configured {
	const struct config_session **sessions;
	size_t count;
};

static int session_compare(const void *a, const void *b)
{
	uint32_t x = (*(const struct config_session *const *)a)->address_be;
	uint32_t y = (*(const struct config_session *const *)b)->address_be;

	return x < y ? -1 : x > y;
}

static bool is_wanted(const struct configured *configured, uint32_t address_be,
		      const struct config_forward *forward)
{
	const struct config_session key = {.address_be = address_be}, *wanted = &key, **hit;

	hit = configured->count ? bsearch(&wanted, configured->sessions, configured->count,
					  sizeof(*configured->sessions), session_compare)
				: NULL;
	for (size_t i = 0; hit && i < (*hit)->forward_count; i++)
		if ((*hit)->forwards[i].protocol == forward->protocol &&
		    (*hit)->forwards[i].inner_port == forward->inner_port)
			return true;
	return false;
}

struct ending {
	struct controld *controld;
	const struct configured *configured;
};

static void end_stale(const struct session *session, const struct config_forward *forward,
		      const struct forward_found *found, void *context)
{
	const struct ending *ending = context;

	if (forward_is_configured(found) &&
	    !is_wanted(ending->configured, session->record->address_be, forward))
		forward_clear(ending->controld, session, forward);
}

void forward_compare(struct controld *controld, const struct config *config)
{
	struct configured configured = {calloc(config->session_count + 1, sizeof(*configured.sessions)), 0};
	struct ending ending = {controld, &configured};
	struct session session;
	uint32_t slot = 0;

	if (!configured.sessions) {
		log_error("comparing the port forwardings: out of memory");
		return;
	}
	for (size_t i = 0; i < config->session_count; i++)
		if (config->sessions[i].forward_count)
			configured.sessions[configured.count++] = &config->sessions[i];
	qsort(configured.sessions, configured.count, sizeof(*configured.sessions), session_compare);
	forward_set_missing(controld, config);
	while (session_next(controld, &slot, &session))
		if (session.record->kind == BNG_SESSION_STATIC)
			forward_walk(controld->maps, &session, end_stale, &ending);
	free(configured.sessions);
}
