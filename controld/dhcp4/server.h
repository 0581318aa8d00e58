/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCPv4 server for IPoE (RFC 2131): one exchange is one packet from a
 * client, what is known of that client, and at most one reply.
 *
 * A client is an interface, a pair of VLAN ids and a MAC. Its state is not
 * stored, it is what is true: BOUND when it has a session, else OFFERED when an
 * offer to it is open, else NONE. So a restarted server is in the same state for
 * everybody who has a lease. A table of state and event decides what happens.
 */
#ifndef BNG_DHCP4_SERVER_H
#define BNG_DHCP4_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/config/config.h"
#include "controld/session/session.h"

#include "packet.h"
#include "reservation.h"

struct controld;
struct event;

#define DHCP4_OFFER_SECONDS     60
#define DHCP4_DECLINE_SECONDS   600
#define DHCP4_PREVIOUS_SECONDS  (30 * 24 * 3600)
#define DHCP4_OFFERS_MAX        16384u
#define DHCP4_DECLINES_MAX      4096u
#define DHCP4_PREVIOUS_MAX      131072u
#define DHCP4_EXHAUSTED_SECONDS 1 /* a pool found full is not searched again for so long */

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
};

/* What the server keeps of a configured pool, by its place in the configuration. */
struct dhcp4_pool_state {
	uint32_t cursor; /* offset of the next address to try */
	uint64_t exhausted_until_ns;
};

struct dhcp4 {
	struct controld *controld;
	const struct config *config;
	struct dhcp4_pool_state *pools;
	struct reservations *offers;
	struct reservations *declined; /* by address; see dhcp4_quarantine */
	struct reservations *previous;
	struct dhcp4_stats stats;
	uint32_t expire_slot; /* where the next look for ended leases starts */
	struct event *timer;
};

enum dhcp4_state { DHCP4_STATE_NONE, DHCP4_STATE_OFFERED, DHCP4_STATE_BOUND, DHCP4_STATES };

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
	struct dhcp4_packet packet;
	struct session_client client;
	enum dhcp4_state state;
	struct session session; /* when BOUND */
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

/* ---- address.c: pools and addresses --------------------------------------- */

/* The first pool of the exchange's interface whose network has the address, or
 * (dhcp4_pool_leasing) which leases it; NULL when there is none. */
const struct config_dhcp4_pool *dhcp4_pool_around(const struct dhcp4_exchange *exchange, uint32_t address_be);
const struct config_dhcp4_pool *dhcp4_pool_leasing(const struct dhcp4_exchange *exchange,
						   uint32_t address_be);
const struct config_dhcp4_pool *dhcp4_pool_first(const struct dhcp4_exchange *exchange);
/* True when it is the router of a pool of the interface. */
bool dhcp4_is_router(const struct dhcp4_exchange *exchange, uint32_t address_be);

/* May this client get this address now? */
bool dhcp4_address_available(const struct dhcp4_exchange *exchange, uint32_t address_be);
/* The one it had before, the one it asks for, or a free one. */
enum dhcp4_refusal dhcp4_address_choose(struct dhcp4_exchange *exchange, uint32_t *address_be);
void dhcp4_quarantine(struct dhcp4 *dhcp4, uint32_t address_be, uint64_t now_ns);
bool dhcp4_is_quarantined(const struct dhcp4 *dhcp4, uint32_t address_be, uint64_t now_ns);

/* ---- reply.c --------------------------------------------------------------- */

/* OFFER or ACK of `yiaddr_be`; with yiaddr 0, the ACK to an INFORM. */
enum dhcp4_refusal dhcp4_reply(struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be);
/* Sends a NAK that gives the reason as text; returns `why`. */
enum dhcp4_refusal dhcp4_refuse(struct dhcp4_exchange *exchange, enum dhcp4_refusal why);

#endif
