/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Static sessions: what the configuration names is compared with the records of
 * kind STATIC, and only the difference is opened, closed or changed in place.
 *
 * A session whose address or client is still taken waits; the timer tries again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/session/sessions.h"
#include "lib/address.h"
#include "lib/log.h"

int static_spec(const struct controld *controld, const struct config_session *wanted,
		struct session_spec *spec)
{
	int pool = names_pool_index(controld, wanted->nat_pool);

	*spec = (struct session_spec){
		.address_be = wanted->address_be,
		.client = {.interface = names_interface_index(controld, wanted->interface),
			   .outer_vid = wanted->outer_vid,
			   .inner_vid = wanted->inner_vid},
		.flags = (uint8_t)((wanted->outer_ad ? BNG_SUBSCRIBER_OUTER_AD : 0) |
				   (wanted->inner_ad ? BNG_SUBSCRIBER_INNER_AD : 0)),
		.kind = BNG_SESSION_STATIC,
		.pool = pool >= 0 ? (uint8_t)pool : NAMES_NO_POOL,
		.max_blocks = wanted->max_blocks,
		.max_mappings = wanted->max_mappings,
		.mss = wanted->mss,
	};
	memcpy(spec->client.mac, wanted->mac, 6);
	if (!wanted->nat_pool[0])
		spec->flags |= BNG_SUBSCRIBER_EXEMPT;
	return spec->client.interface && (pool >= 0 || !wanted->nat_pool[0]) ? 0 : -ENOENT;
}

static int session_compare(const void *a, const void *b)
{
	const struct config_session *x = *(const struct config_session *const *)a;
	const struct config_session *y = *(const struct config_session *const *)b;

	return memcmp(&x->address_be, &y->address_be, sizeof(x->address_be));
}

static int address_compare(const void *key, const void *element)
{
	const struct config_session *session = *(const struct config_session *const *)element;

	return memcmp(key, &session->address_be, sizeof(session->address_be));
}

/* What cannot change in an open session: where it is, and its block size. */
static bool same_session(const struct controld *controld, const struct bng_subscriber *record,
			 const struct session_spec *spec)
{
	return record->interface == spec->client.interface && record->outer_vid == spec->client.outer_vid &&
	       record->inner_vid == spec->client.inner_vid && !memcmp(record->mac, spec->client.mac, 6) &&
	       (record->flags & ~BNG_SUBSCRIBER_LIVE) == spec->flags &&
	       (spec->pool >= BNG_POOLS ||
		record->block_shift == controld->maps->pool[spec->pool].block_shift);
}

static void change_in_place(const struct controld *controld, const struct session *session,
			    const struct session_spec *spec)
{
	session_set_nat(controld, session, spec->pool, spec->max_blocks, spec->max_mappings);
	session_set_mss(session, spec->mss);
}

static void close_or_change(struct controld *controld, const struct config_session **wanted, size_t count)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(controld, &slot, &session)) {
		const struct config_session **found;
		struct session_spec spec;

		if (session.record->kind != BNG_SESSION_STATIC)
			continue;
		found = count ? bsearch(&session.record->address_be, wanted, count, sizeof(*wanted),
					address_compare)
			      : NULL;
		if (!found || static_spec(controld, *found, &spec))
			session_close(controld, &session, SESSION_END_NAS_REQUEST,
				      "no longer in the configuration");
		else if (!same_session(controld, session.record, &spec))
			session_close(controld, &session, SESSION_END_NAS_REQUEST,
				      "its configuration is different now");
		else
			change_in_place(controld, &session, &spec);
	}
}

static void open_or_wait(struct controld *controld, const struct config_session *wanted, size_t *waiting)
{
	struct sessions *sessions = controld->sessions;
	struct session session;
	struct session_spec spec;

	if (session_by_address(controld, wanted->address_be, &session) &&
	    session.record->kind == BNG_SESSION_STATIC)
		return;
	if (!static_spec(controld, wanted, &spec) && !session_open(controld, &spec, &session))
		return;
	sessions->waiting[(*waiting)++] = *wanted;
}

static void say_waiting(struct controld *controld)
{
	struct sessions *sessions = controld->sessions;

	for (size_t i = 0; i < sessions->waiting_count && i < 10; i++) {
		char address[ADDRESS_TEXT], mac[MAC_TEXT];

		log_notice("static session %s (%s on %s) waits: its address or its client still has another "
			   "session, or no slot is free",
			   address_format(sessions->waiting[i].address_be, address),
			   mac_format(sessions->waiting[i].mac, mac), sessions->waiting[i].interface);
	}
	if (sessions->waiting_count > 10)
		log_notice("%zu static sessions wait", sessions->waiting_count);
}

void static_apply(struct controld *controld, const struct config *next)
{
	struct sessions *sessions = controld->sessions;
	const struct config_session **wanted = calloc(next->session_count + 1, sizeof(*wanted));
	struct config_session *waiting = calloc(next->session_count + 1, sizeof(*waiting));
	size_t count = 0;

	if (!wanted || !waiting) {
		free(wanted);
		free(waiting);
		log_error("applying %zu static sessions: out of memory", next->session_count);
		return;
	}
	for (size_t i = 0; i < next->session_count; i++)
		wanted[i] = &next->sessions[i];
	qsort(wanted, next->session_count, sizeof(*wanted), session_compare);
	close_or_change(controld, wanted, next->session_count);
	free(sessions->waiting);
	sessions->waiting = waiting;
	for (size_t i = 0; i < next->session_count; i++)
		open_or_wait(controld, &next->sessions[i], &count);
	sessions->waiting_count = count;
	free(wanted);
	say_waiting(controld);
}

void static_retry(struct controld *controld)
{
	struct sessions *sessions = controld->sessions;
	size_t count = sessions->waiting_count, left = 0;

	for (size_t i = 0; i < count; i++) {
		struct config_session wanted = sessions->waiting[i];

		open_or_wait(controld, &wanted, &left);
	}
	sessions->waiting_count = left;
}
