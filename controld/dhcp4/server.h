/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCPv4 server for IPoE (RFC 2131): one exchange is one packet from a
 * client, what is known of that client, and at most one reply.
 *
 * A client is an interface, a pair of VLAN ids and a MAC. Its state is not
 * stored, it is what is true: BOUND when it has a session, OPENING while that is made
 * durable, ASKED while a question about it is under way, GRANTED when it may have one,
 * OFFERED when an offer to it is open, too, else NONE. So a restarted server is in the
 * same state for everybody who has a lease, and in NONE for those who were about to get
 * one: their next packet goes on from there. A table of state and event decides what
 * happens.
 */
#ifndef BNG_DHCP4_SERVER_H
#define BNG_DHCP4_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controld/config/config.h"
#include "controld/session/address.h"
#include "controld/session/authorise.h"
#include "controld/session/session.h"
#include "controld/session/setup.h"

#include "packet.h"
#include "reservation.h"

struct controld;
struct event;

#define DHCP4_OFFER_SECONDS    60
#define DHCP4_ASKED_SECONDS    120 /* longer than any server is waited for */
#define DHCP4_SETUPS_MAX       16384u
#define DHCP4_RELAYS_MAX       32u
#define DHCP4_DECLINE_SECONDS  600
#define DHCP4_PREVIOUS_SECONDS (30 * 24 * 3600)
#define DHCP4_OFFERS_MAX       16384u
#define DHCP4_DECLINES_MAX     4096u
#define DHCP4_PREVIOUS_MAX     131072u

/* clang-format off */
#define DHCP4_RECEIVED(X) \
	X(DISCOVER, discover) X(REQUEST, request) X(DECLINE, decline) X(RELEASE, release) X(INFORM, inform)
#define DHCP4_SENT(X) X(OFFER, offer) X(ACK, ack) X(NAK, nak)

/* Why a packet was not answered, or answered with a NAK. */
#define DHCP4_REFUSALS(X) \
	X(MALFORMED,          malformed)          /* frame, message or combination of fields */ \
	X(CHECKSUM,           checksum)           /* IPv4 or UDP */ \
	X(NOT_FOR_SERVER,     not_for_server)     /* no DHCP message from a client */ \
	X(MAC,                mac)                /* the message names another MAC than the frame */ \
	X(RELAYED,            relayed)            /* came through a relay (giaddr) */ \
	X(NO_POOL,            no_pool)            /* the interface has no pool, or none with this address */ \
	X(OTHER_SERVER,       other_server)       /* meant for another server */ \
	X(INTERFACE_LIMIT,    interface_limit)    /* max_sessions_per_interface */ \
	X(EXHAUSTED,          exhausted)          /* no address free */ \
	X(ADDRESS_TAKEN,      address_taken)      /* asked for an address that is not free */ \
	X(WRONG_ADDRESS,      wrong_address)      /* not the client's address */ \
	X(WRONG_NETWORK,      wrong_network)      /* an address of another network */ \
	X(NO_BINDING,         no_binding)         /* no lease and no offer known */ \
	X(NOT_LEASED,         not_leased)         /* session is configured, not leased */ \
	X(SESSION_LIMIT,      session_limit)      /* no session slot free */ \
	X(UNTRUSTED_LINE,     untrusted_line)     /* Option 82 from where no access node is */ \
	X(NO_LINE,            no_line)            /* Option 82 is required */ \
	X(DENIED,             denied)             /* not authorised */ \
	X(UNANSWERED,         unanswered)         /* nobody said whether it is authorised */ \
	X(BUSY,               busy)               /* too many are being asked about */ \
	X(GRANT,              grant)              /* what was granted is not configured here */ \
	X(SYSTEM,             system)             /* session or reply failed in the system */

enum dhcp4_refusal {
	DHCP4_ACCEPTED = 0,
#define DHCP4_REFUSAL_ENUM(name, text) DHCP4_REFUSED_##name,
	DHCP4_REFUSALS(DHCP4_REFUSAL_ENUM)
#undef DHCP4_REFUSAL_ENUM
	DHCP4_REFUSAL_COUNT
};
/* clang-format on */

struct dhcp4_stats {
	uint64_t received[DHCP4_INFORM + 1]; /* by enum dhcp4_type */
	uint64_t sent[DHCP4_INFORM + 1];
	uint64_t refused[DHCP4_REFUSAL_COUNT];
	uint64_t bound;   /* leases opened */
	uint64_t renewed; /* extended */
	uint64_t expired;
	uint64_t asked; /* whether a client is authorised */
	uint64_t granted;
	uint64_t relayed;  /* messages handed to other servers */
	uint64_t returned; /* their replies that were handed on */
	uint64_t repeated; /* packets of clients whose answer or session was under way */
};

struct dhcp4 {
	struct controld *controld;
	const struct config *config;
	struct address_search *searches; /* by the pool's place in the configuration */
	struct reservations *offers;
	struct reservations *declined; /* by address; see dhcp4_quarantine */
	struct reservations *previous;
	struct setups *setups;
	struct relay_socket *relays; /* relay.c */
	size_t relay_count;
	json_t *remembered; /* records of the bus, until there is a configuration; NULL: none */
	struct dhcp4_stats stats;
	uint32_t expire_slot; /* where the next look for ended leases starts */
	struct event *timer;
};

enum dhcp4_state {
	DHCP4_STATE_NONE,
	DHCP4_STATE_ASKED,
	DHCP4_STATE_GRANTED,
	DHCP4_STATE_OFFERED,
	DHCP4_STATE_OPENING,
	DHCP4_STATE_BOUND,
	DHCP4_STATES
};

enum dhcp4_event {
	DHCP4_EVENT_DISCOVER,
	DHCP4_EVENT_SELECT,       /* REQUEST that accepts an offer of ours */
	DHCP4_EVENT_SELECT_OTHER, /* ... of another server */
	DHCP4_EVENT_REBOOT,       /* REQUEST in INIT-REBOOT */
	DHCP4_EVENT_RENEW,        /* REQUEST in RENEWING */
	DHCP4_EVENT_REBIND,       /* REQUEST in REBINDING */
	DHCP4_EVENT_DECLINE,
	DHCP4_EVENT_RELEASE,
	DHCP4_EVENT_INFORM,
	DHCP4_EVENTS
};

struct dhcp4_exchange {
	struct dhcp4 *dhcp4;
	uint64_t now_ns;
	const char *interface_name;
	const uint8_t *frame; /* what `packet` was parsed from */
	size_t frame_length;
	struct dhcp4_packet packet;
	struct session_client client;
	struct session_line line; /* into `packet`; what a trusted access node says */
	enum dhcp4_state state;
	struct session session; /* when BOUND */
	struct setup *setup;    /* in the states between NONE and BOUND */
	uint32_t offered_be;    /* when OFFERED */
};

int dhcp4_new(struct controld *controld, struct dhcp4 **dhcp4);
void dhcp4_free(struct dhcp4 *dhcp4);
/* Pools from now on; sessions are left alone. `config` must outlive its use. */
int dhcp4_configure(struct dhcp4 *dhcp4, const struct config *config);

/* Serves one frame that came in on an interface; counts and returns what became of it. */
enum dhcp4_refusal dhcp4_serve(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
			       uint64_t now_ns);
/* Closes sessions whose lease is over, looking at `budget` sessions. */
void dhcp4_expire(struct dhcp4 *dhcp4, uint32_t budget, uint64_t now_ns);
/* Remembers the address for when the client comes back. */
void dhcp4_remember(struct dhcp4 *dhcp4, const struct session *session, uint64_t now_ns);
enum dhcp4_state dhcp4_state_of(struct dhcp4 *dhcp4, const struct session_client *client, uint64_t now_ns);

/* What the client was granted; NULL: nothing is known. */
const struct session_profile *dhcp4_profile(const struct dhcp4_exchange *exchange);

/* ---- action.c: the table ---------------------------------------------------- */

enum dhcp4_refusal dhcp4_act(struct dhcp4_exchange *exchange, enum dhcp4_event event);

/* ---- relay.c: pools that other servers lease ---------------------------------- */

bool dhcp4_is_relayed(const struct dhcp4_exchange *exchange);
/* Hands the client's message to the servers. */
enum dhcp4_refusal dhcp4_relay(struct dhcp4_exchange *exchange);
/* A message from a server. */
enum dhcp4_refusal dhcp4_relay_back(struct dhcp4 *dhcp4, uint32_t from_be, const uint8_t *data, size_t length,
				    uint64_t now_ns);
/* ---- relay_socket.c ----------------------------------------------------------- */

/* From the giaddr's socket. 0 or -errno. */
int dhcp4_relay_send(struct dhcp4 *dhcp4, uint32_t giaddr_be, uint32_t server_be, const uint8_t *data,
		     size_t length);
/* The sockets of the configuration, from the holder. 0 or -errno, logged. */
int dhcp4_relay_open(struct dhcp4 *dhcp4);
void dhcp4_relay_close(struct dhcp4 *dhcp4);

/* ---- grant.c: from a question to a session ---------------------------------- */

/* May the client have a session? The packet waits for the answer; it is acted upon at once
 * where nobody is to be asked. */
enum dhcp4_refusal dhcp4_ask(struct dhcp4_exchange *exchange, enum dhcp4_event event);
/* Opens the session; the ACK goes out when it is up. A NAK when the address is gone. */
enum dhcp4_refusal dhcp4_bind(struct dhcp4_exchange *exchange, uint32_t address_be);
/* The same for a lease of another server: `frame` goes out when the session is up. */
enum dhcp4_refusal dhcp4_bind_reply(struct dhcp4_exchange *exchange, uint32_t address_be,
				    uint32_t lease_seconds, const uint8_t *frame, size_t length);
authorise_handler dhcp4_on_answer;

/* ---- The packet of a client once more, server.c ------------------------------ */

/* As it was when it was kept, in whatever state the client is now. */
void dhcp4_serve_again(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
		       uint64_t now_ns);
/* The exchange of a packet that was served before. False: it cannot go on. */
bool dhcp4_resume(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
		  uint64_t now_ns, struct dhcp4_exchange *exchange);
/* State, session and setup of the client. */
void dhcp4_find_state(struct dhcp4_exchange *exchange);
void dhcp4_count_refusal(struct dhcp4 *dhcp4, enum dhcp4_refusal why);
/* Tells who traces the client what was sent to it (yiaddr 0: no address), and what it said and why
 * that was refused (ACCEPTED: it was not). */
void dhcp4_tell_sent(const struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be);
void dhcp4_tell_received(const struct dhcp4_exchange *exchange, enum dhcp4_refusal why);

/* ---- address.c: pools and addresses --------------------------------------- */

/* The first pool of the exchange's interface whose network has the address, or
 * (dhcp4_pool_leasing) which leases it; NULL when there is none. */
const struct config_dhcp4_pool *dhcp4_pool_around(const struct dhcp4_exchange *exchange, uint32_t address_be);
const struct config_dhcp4_pool *dhcp4_pool_leasing(const struct dhcp4_exchange *exchange,
						   uint32_t address_be);
/* The pool that gives the address to this client: as it was granted, or whichever leases it. */
const struct config_dhcp4_pool *dhcp4_pool_granting(const struct dhcp4_exchange *exchange,
						    uint32_t address_be);
const struct config_dhcp4_pool *dhcp4_pool_named(const struct dhcp4_exchange *exchange, const char *name);
const struct config_dhcp4_pool *dhcp4_pool_first(const struct dhcp4_exchange *exchange);
/* True when it is the router of a pool of the interface. */
bool dhcp4_is_router(const struct dhcp4_exchange *exchange, uint32_t address_be);

bool dhcp4_has_room(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool);
/* May this client get this address now? */
bool dhcp4_address_available(const struct dhcp4_exchange *exchange, uint32_t address_be);
/* The one it had before, the one it asks for, or a free one. */
enum dhcp4_refusal dhcp4_address_choose(struct dhcp4_exchange *exchange, uint32_t *address_be);
void dhcp4_quarantine(struct dhcp4 *dhcp4, uint32_t address_be, uint64_t now_ns);
/* As it was before a restart. False: its time is over. */
bool dhcp4_quarantine_restore(struct dhcp4 *dhcp4, uint32_t address_be, uint64_t until_ns, uint64_t now_ns);
bool dhcp4_is_quarantined(const struct dhcp4 *dhcp4, uint32_t address_be, uint64_t now_ns);

/* ---- reply.c --------------------------------------------------------------- */

/* How long the session may last yet; UINT32_MAX: nobody said. */
uint32_t dhcp4_lease_bound(const struct dhcp4_exchange *exchange);
/* The pool's, and not beyond the end of the session. */
uint32_t dhcp4_lease_seconds(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool);
/* OFFER or ACK of `yiaddr_be`; with yiaddr 0, the ACK to an INFORM. */
enum dhcp4_refusal dhcp4_reply(struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be);
const char *dhcp4_refusal_text(enum dhcp4_refusal why);
/* Sends a NAK that gives the reason as text; returns `why`. */
enum dhcp4_refusal dhcp4_refuse(struct dhcp4_exchange *exchange, enum dhcp4_refusal why);

#endif
