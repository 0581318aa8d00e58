/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From a packet to a session, see the header. All that an answer needs to go on travels
 * with the question, so one that comes after a restart opens the session, too.
 */
#include "controld/first_packet/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/punt/frame.h"
#include "controld/session/detail.h"
#include "lib/clock.h"

#define MAC_AT    6
#define TAGS_AT   12
#define TAG_BYTES 4
#define TPID_AD   0x88a8
#define VID_MASK  0x0fff
#define IP_SOURCE 12
#define IP_BYTES  20
#define MULTICAST 0x01
#define CLASS_D   0xe0000000u
#define LOOPBACK  127

/* Who sent: what comes back with an answer. */
struct subscriber {
	struct session_client client;
	uint8_t flags; /* enum bng_subscriber_flag */
	uint8_t reserved;
	uint32_t address_be;
	uint32_t reserved2;
	uint64_t session_id;
};

_Static_assert(sizeof(struct subscriber) == 32 && sizeof(struct subscriber) <= AUTHORISE_TICKET,
	       "part of a layout");

/* ---- The packet --------------------------------------------------------------------- */

static bool is_host(uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	return address >> 24 && address >> 24 != LOOPBACK && address < CLASS_D;
}

static void read_tag(const uint8_t *tag, uint16_t *vid, uint8_t *flags, uint8_t ad_flag)
{
	*vid = ntohs(frame_read_be16(tag + 2)) & VID_MASK;
	if (ntohs(frame_read_be16(tag)) == TPID_AD)
		*flags |= ad_flag;
}

static bool read_frame(const uint8_t *frame, size_t length, uint16_t interface, struct subscriber *from)
{
	size_t ip = frame_find_ipv4(frame, length);

	if (!ip || length - ip < IP_BYTES || frame[MAC_AT] & MULTICAST)
		return false;
	*from = (struct subscriber){.client.interface = interface};
	memcpy(from->client.mac, frame + MAC_AT, 6);
	if (ip > TAGS_AT + 2)
		read_tag(frame + TAGS_AT, &from->client.outer_vid, &from->flags, BNG_SUBSCRIBER_OUTER_AD);
	if (ip > TAGS_AT + 2 + TAG_BYTES)
		read_tag(frame + TAGS_AT + TAG_BYTES, &from->client.inner_vid, &from->flags,
			 BNG_SUBSCRIBER_INNER_AD);
	memcpy(&from->address_be, frame + ip + IP_SOURCE, sizeof(from->address_be));
	return is_host(from->address_be);
}

/* The longest prefix of the interface around the address; NULL: none. */
static const struct config_first_packet *rule_of(const struct first_packet *first_packet,
						 const struct subscriber *from)
{
	const struct config *config = first_packet->config;
	const char *interface = names_interface(first_packet->controld, from->client.interface);
	const struct config_first_packet *best = NULL;
	uint32_t address = ntohl(from->address_be);

	for (size_t i = 0; config && i < config->first_packet_count; i++) {
		const struct config_first_packet *rule = &config->first_packets[i];

		if (strcmp(rule->interface, interface) != 0 || address < rule->prefix.first ||
		    address > rule->prefix.last)
			continue;
		if (!best || rule->prefix.length > best->prefix.length)
			best = rule;
	}
	return best;
}

static bool is_gateway(const struct first_packet *first_packet, uint32_t address_be)
{
	const struct config *config = first_packet->config;

	for (size_t i = 0; i < config->gateway_count; i++)
		if (config->gateways[i].address_be == address_be)
			return true;
	return false;
}

/* ---- The session ---------------------------------------------------------------------- */

static void on_opened(struct controld *controld, int failure, const struct session *session, void *context)
{
	struct first_packet *first_packet = controld->first_packet;

	(void)session;
	if (!first_packet)
		return;
	setup_remove(first_packet->setups, context);
	first_packet->stats.opened += !failure;
	first_packet->stats.taken += failure && failure != -ECANCELED;
}

static int fill_spec(const struct first_packet *first_packet, const struct config_first_packet *rule,
		     const struct subscriber *from, const struct session_profile *profile,
		     struct session_spec *spec)
{
	const char *name = profile->given & PROFILE_NAT_POOL ? profile->nat_pool : rule->nat_pool;
	int pool = name[0] ? names_pool_index(first_packet->controld, name) : NAMES_NO_POOL;

	if (pool < 0 || (profile->given & PROFILE_ADDRESS && profile->address_be != from->address_be))
		return -EINVAL;
	*spec = (struct session_spec){
		.address_be = from->address_be,
		.client = from->client,
		.flags = from->flags,
		.kind = BNG_SESSION_FIRST_PACKET,
		.pool = (uint8_t)pool,
		.mss = rule->mss,
		.session_id = from->session_id,
	};
	if (!name[0])
		spec->flags |= BNG_SUBSCRIBER_EXEMPT;
	if (profile->given & PROFILE_MAX_BLOCKS)
		spec->max_blocks =
			(uint8_t)(profile->max_blocks > BNG_BLOCKS_PER_SUBSCRIBER ? BNG_BLOCKS_PER_SUBSCRIBER
										  : profile->max_blocks);
	if (profile->given & PROFILE_MAX_MAPPINGS)
		spec->max_mappings = profile->max_mappings;
	return 0;
}

/* Takes what is in the profile. */
static struct session_detail *make_detail(const struct subscriber *from,
					  const struct config_first_packet *rule,
					  struct session_profile *profile, const char *source)
{
	struct session_detail *detail = session_detail_new(from->session_id);

	if (!detail)
		return NULL;
	detail->profile = *profile;
	*profile = (struct session_profile){0};
	if (rule->idle_timeout_s && !(detail->profile.given & PROFILE_IDLE_TIMEOUT)) {
		detail->profile.given |= PROFILE_IDLE_TIMEOUT;
		detail->profile.idle_timeout_s = rule->idle_timeout_s;
	}
	if (detail->profile.user)
		detail->user = strdup(detail->profile.user);
	detail->source = source ? strdup(source) : NULL;
	return detail;
}

/* The setup is OPENING from here on, or HELD. */
static void open_session(struct first_packet *first_packet, struct setup *setup,
			 const struct subscriber *from, struct session_profile *profile, const char *source,
			 uint64_t now_ns)
{
	const struct config_first_packet *rule = rule_of(first_packet, from);
	struct session_detail *detail;
	struct session_spec spec;
	int failure = rule ? fill_spec(first_packet, rule, from, profile, &spec) : -EINVAL;

	if (failure) {
		first_packet->stats.grant++;
		session_event(first_packet->controld, from->session_id, &from->client,
			      "what was granted is not its address, or not configured here");
		setup_move(first_packet->setups, setup, SETUP_HELD, now_ns);
		return;
	}
	detail = make_detail(from, rule, profile, source);
	failure = detail ? session_open_durable(first_packet->controld, &spec, detail, on_opened, setup)
			 : -ENOMEM;
	first_packet->stats.taken += failure != 0;
	setup_move(first_packet->setups, setup, failure ? SETUP_HELD : SETUP_OPENING, now_ns);
}

/* ---- Asking ---------------------------------------------------------------------------- */

static int ask_backend(struct first_packet *first_packet, const struct subscriber *from)
{
	const struct authorise_question question = {
		.kind = BNG_SESSION_FIRST_PACKET,
		.client = from->client,
		.session_id = from->session_id,
		.credentials = {.kind = CREDENTIAL_LINE},
		.address_be = from->address_be,
	};
	struct authorise_ticket ticket = {.owner = AUTHORISE_FIRST_PACKET};

	memcpy(ticket.context, from, sizeof(*from));
	return authorise_ask(first_packet->controld, &question, &ticket);
}

static void ask(struct first_packet *first_packet, struct subscriber *from, uint64_t now_ns)
{
	struct setup *setup = setup_add(first_packet->setups, &from->client, SETUP_ASKED, now_ns);
	struct session_profile nothing = {0};
	int failure;

	if (!setup) {
		first_packet->stats.unanswered++;
		return;
	}
	from->session_id = session_new_id(first_packet->controld);
	failure = ask_backend(first_packet, from);
	if (failure == -ENOTSUP) { /* nobody is to be asked: let in as the configuration has it */
		open_session(first_packet, setup, from, &nothing, NULL, now_ns);
	} else if (failure) {
		first_packet->stats.unanswered++;
		session_event(first_packet->controld, from->session_id, &from->client, "not authorised: %s",
			      authorise_why_not(failure));
		setup_move(first_packet->setups, setup, SETUP_HELD, now_ns);
	} else {
		first_packet->stats.asked++;
	}
}

void first_packet_serve(struct first_packet *first_packet, uint16_t interface, const uint8_t *frame,
			size_t length, uint64_t now_ns)
{
	struct controld *controld = first_packet->controld;
	const struct setup *setup;
	struct subscriber from;
	struct session session;

	first_packet->stats.received++;
	if (!read_frame(frame, length, interface, &from)) {
		first_packet->stats.malformed++;
		return;
	}
	if (!rule_of(first_packet, &from) || is_gateway(first_packet, from.address_be) ||
	    session_by_address(controld, from.address_be, &session)) {
		first_packet->stats.elsewhere++;
		return;
	}
	setup = setup_find(first_packet->setups, &from.client, now_ns);
	if (setup && setup->state == SETUP_HELD)
		first_packet->stats.held++;
	else if (setup)
		first_packet->stats.repeated++;
	else
		ask(first_packet, &from, now_ns);
}

/* ---- The answer -------------------------------------------------------------------------- */

void first_packet_on_answer(struct controld *controld, const struct authorise_answer *answer,
			    const struct authorise_ticket *ticket)
{
	struct first_packet *first_packet = controld->first_packet;
	uint64_t now_ns = clock_boottime_ns();
	struct subscriber from;
	struct session session;
	struct setup *setup;

	memcpy(&from, ticket->context, sizeof(from));
	if (session_by_address(controld, from.address_be, &session))
		return; /* the same answer again */
	setup = setup_find(first_packet->setups, &from.client, now_ns);
	if (setup && setup->state != SETUP_ASKED)
		return;
	if (!setup)
		setup = setup_add(first_packet->setups, &from.client, SETUP_ASKED, now_ns);
	if (!setup)
		return;
	if (answer->outcome == AUTHORISE_GRANTED) {
		session_event(controld, from.session_id, &from.client, "authorised by %s",
			      answer->source ? answer->source : "nobody");
		open_session(first_packet, setup, &from, answer->profile, answer->source, now_ns);
		return;
	}
	if (answer->outcome == AUTHORISE_DENIED)
		first_packet->stats.denied++;
	else
		first_packet->stats.unanswered++;
	session_event(controld, from.session_id, &from.client, "not authorised: %s", answer->message);
	setup_move(first_packet->setups, setup, SETUP_HELD, now_ns);
}

/* ---- Life ---------------------------------------------------------------------------------- */

int first_packet_new(struct controld *controld, struct first_packet **first_packet)
{
	static const uint32_t lifetime_s[SETUP_STATES] = {
		[SETUP_ASKED] = FIRST_PACKET_ASKED_SECONDS,
		[SETUP_HELD] = FIRST_PACKET_HELD_SECONDS,
	};
	struct first_packet *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->controld = controld;
	new->setups = setups_new(FIRST_PACKET_SETUPS_MAX, lifetime_s);
	if (!new->setups) {
		free(new);
		return -ENOMEM;
	}
	*first_packet = new;
	return 0;
}

void first_packet_free(struct first_packet *first_packet)
{
	if (!first_packet)
		return;
	setups_free(first_packet->setups);
	free(first_packet);
}
