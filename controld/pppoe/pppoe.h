/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE: discovery, sessions that come up, sessions that are kept alive.
 *
 * A peer is one PPPoE session of one client, from PADS to PADT. While it comes up or goes
 * away it has a record in kept memory (links.h), which holds its PPP link; while it is up
 * it has a slot in map `subscriber`. For a moment it has both. Nothing else is kept: a
 * peer that is up is made again from the map, and one in setup from its record.
 */
#ifndef BNG_PPPOE_H
#define BNG_PPPOE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controld/config/config.h"
#include "controld/pppoe/discovery.h"
#include "controld/pppoe/links.h"
#include "controld/punt/frame.h"
#include "controld/session/address.h"
#include "controld/session/authorise.h"
#include "controld/session/session.h"
#include "lib/rpc.h"

struct controld;
struct event;

/* clang-format off */
#define PPPOE_RECEIVED(X) X(PADI, padi) X(PADR, padr) X(PADT, padt) X(SESSION, session)
#define PPPOE_SENT(X) \
	X(PADO, pado) X(PADS, pads) X(PADS_ERROR, pads_error) X(PADT, padt) X(SESSION, session) X(ECHO, echo)

/* Why a packet led to nothing. */
#define PPPOE_REFUSALS(X) \
	X(MALFORMED,  malformed)  /* frame, lengths, tags */ \
	X(INTERFACE,  interface)  /* PPPoE is not served there */ \
	X(SOURCE,     source)     /* no station's MAC */ \
	X(CODE,       code)       /* no packet for an access concentrator */ \
	X(SERVICE,    service)    /* service name that is not offered */ \
	X(COOKIE,     cookie)     /* none of ours, for somebody else, or too old */ \
	X(MAC_LIMIT,  mac_limit)  /* max_sessions_per_mac, and the line is another one */ \
	X(VLAN_LIMIT, vlan_limit) /* max_sessions_per_vlan */ \
	X(SETUP_LIMIT, setup_limit) /* max_setup, or no memory */ \
	X(SESSION_ID, session_id) /* the client has used them all up */ \
	X(NO_SESSION, no_session) /* PADT or PPP of a session that is not there */

/* What became of sessions in setup and of open ones. */
#define PPPOE_COUNTS(X) \
	X(started)    /* PADS was sent */ \
	X(repeated)   /* PADR that was answered before */ \
	X(replaced)   /* by a new session of the same client on the same line */ \
	X(asked)      /* somebody was asked to authorise */ \
	X(granted) X(denied) X(unanswered) \
	X(orphaned)   /* answers for sessions that had gone */ \
	X(no_address) /* none free, or the one granted is in use */ \
	X(opened) \
	X(renegotiated) /* open sessions whose client began LCP anew */ \
	X(failed)     /* ended before they were up */ \
	X(ended)      /* open ones */ \
	X(lost)       /* of these: no answer to keepalives */ \
	X(adopted)    /* in setup when controld started */ \
	X(abandoned)  /* records that could not be adopted */
/* clang-format on */

enum pppoe_received {
#define PPPOE_ENUM(name, text) PPPOE_RECEIVED_##name,
	PPPOE_RECEIVED(PPPOE_ENUM)
#undef PPPOE_ENUM
		PPPOE_RECEIVED_COUNT
};

enum pppoe_sent {
#define PPPOE_ENUM(name, text) PPPOE_SENT_##name,
	PPPOE_SENT(PPPOE_ENUM)
#undef PPPOE_ENUM
		PPPOE_SENT_COUNT
};

enum pppoe_refusal {
	PPPOE_ACCEPTED,
#define PPPOE_ENUM(name, text) PPPOE_REFUSED_##name,
	PPPOE_REFUSALS(PPPOE_ENUM)
#undef PPPOE_ENUM
		PPPOE_REFUSAL_COUNT
};

struct pppoe_stats {
	uint64_t received[PPPOE_RECEIVED_COUNT];
	uint64_t sent[PPPOE_SENT_COUNT];
	uint64_t refused[PPPOE_REFUSAL_COUNT];
#define PPPOE_MEMBER(name) uint64_t name;
	PPPOE_COUNTS(PPPOE_MEMBER)
#undef PPPOE_MEMBER
};

struct pppoe;
struct vlan;

struct peer {
	struct pppoe *pppoe;
	struct session_client client;
	uint8_t tag_flags;   /* BNG_SUBSCRIBER_OUTER_AD, _INNER_AD */
	uint8_t echo_id;     /* of the last Echo-Request */
	uint8_t missed;      /* Echo-Requests in a row without an answer */
	bool is_lingering;   /* up, with a record for what the client may say again */
	bool is_silent;      /* its session is closed by who needs no farewell */
	uint32_t setup;      /* index of its record + 1; 0: none */
	uint32_t slot;       /* of its session; 0: it is not up */
	uint32_t address_be; /* reserved until the session has it */
	uint64_t echo_ns;    /* when that was sent */
	uint64_t retry_ns;   /* when opening is tried again, or the record is given back; 0: never */
	uint64_t retry_end_ns;
	struct event *timer; /* while it has a record */
	struct vlan *vlan;
	TAILQ_ENTRY(peer) order; /* in which they are looked at, whether they are alive */
	LIST_ENTRY(peer) by_place;
	LIST_ENTRY(peer) by_address;
};

TAILQ_HEAD(peer_order, peer);
LIST_HEAD(peer_list, peer);
LIST_HEAD(vlan_list, vlan);

#define PPPOE_BUCKETS 65536

struct pppoe {
	struct controld *controld;
	const struct config *config;
	struct links *links; /* NULL: PPPoE was never configured */
	struct peer **live;  /* peers with a record, by its index */
	struct peer_order peers;
	uint32_t peer_count;
	uint32_t lingering; /* peers whose session is up and that still have a record */
	struct peer_list *by_place;
	struct peer_list *by_address;
	struct vlan_list *by_vlan;
	struct address_search searches[CONFIG_PPPOE_POOLS];
	struct event *second;
	struct pppoe_stats stats;
};

/* feature.c */
int pppoe_new(struct controld *controld, struct pppoe **pppoe);
void pppoe_free(struct pppoe *pppoe);

/* peers.c: where a peer is found, and how many there are of a kind. */
int peers_init(struct pppoe *pppoe);
void peers_done(struct pppoe *pppoe);
struct peer *peer_find(struct pppoe *pppoe, const struct session_client *client);
/* NULL: no memory. */
struct peer *peer_add(struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags);
/* Its record is given back, its timer ended; its session is somebody else's. */
void peer_remove(struct peer *peer);
/* Whether it has its record only for what the client may say again. */
void peer_linger(struct peer *peer, bool is_lingering);
/* It stays, as one whose session is up. */
void peer_give_record(struct peer *peer);
/* Those of the same interface, VLANs and MAC; `oldest` of them, or NULL. */
struct peer *peer_next_of_mac(struct pppoe *pppoe, const struct session_client *client, struct peer *after);
uint32_t peers_of_mac(struct pppoe *pppoe, const struct session_client *client, struct peer **oldest);
uint32_t peers_of_vlan(struct pppoe *pppoe, const struct session_client *client);
/* A PPPoE session id that no peer of this place has; 0: none. */
uint16_t peers_new_id(struct pppoe *pppoe, const struct session_client *client);
void peer_reserve(struct peer *peer, uint32_t address_be); /* 0: no longer */
bool peers_have_reserved(struct pppoe *pppoe, uint32_t address_be, const struct peer *but);

/* server.c: discovery. */
enum pppoe_refusal pppoe_discover(struct pppoe *pppoe, uint16_t interface, const uint8_t *frame,
				  size_t length, uint64_t now_ns);
void pppoe_send_padt(struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags,
		     const char *why);
/* The largest packet that may be agreed on: as configured, and as the interface has room. */
uint16_t pppoe_mru(const struct pppoe *pppoe, const struct session_client *client);
/* Whether the configuration offers PPPoE on an interface. */
bool pppoe_is_served(const struct pppoe *pppoe, uint16_t interface);
/* Who sent a frame; pppoe_session is left 0. */
void pppoe_identify(uint16_t interface, const struct frame_link *link, struct session_client *client,
		    uint8_t *tag_flags);
/* The Ethernet header towards a client. */
void pppoe_link_of(const struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags,
		   struct frame_link *link);
void pppoe_send(struct pppoe *pppoe, uint16_t interface, const struct frame_link *link, uint16_t type,
		const uint8_t *packet, size_t length, enum pppoe_sent what);

/* link.c: the PPP of a peer. */
enum pppoe_refusal pppoe_session_frame(struct pppoe *pppoe, uint16_t interface, const uint8_t *frame,
				       size_t length);
/* Gives a peer without one a record: with a link that is up, if `session` is given. 0 or
 * -errno. */
int peer_take_record(struct peer *peer, const struct session *session);
int peer_take_timer(struct peer *peer);
void peer_start(struct peer *peer);
/* The session is up: the client is told that it may send. */
void peer_ready(struct peer *peer);
void peer_authorised(struct peer *peer, const struct ppp_verdict *verdict, uint32_t profile_length);
/* Takes leave of the client, then the peer goes. */
void peer_close(struct peer *peer, enum session_end end, const char *why);
/* The peer goes without a word. Not for one whose session is up. */
void peer_drop(struct peer *peer, enum session_end end, const char *why);
/* Sets the timer to the next of what the link and the peer wait for. */
int peer_arm(struct peer *peer);
void peer_send(struct peer *peer, const uint8_t *frame, size_t length, enum pppoe_sent what);
uint8_t peer_phase(const struct peer *peer); /* enum ppp_phase; without a record: OPEN */
__attribute__((format(printf, 2, 3))) void peer_event(struct peer *peer, const char *format, ...);

/* grant.c: from the question to the session. */
void grant_ask(struct peer *peer, const char *user, const struct credentials *credentials, struct ppp *ppp,
	       const struct ppp_out *out);
authorise_handler grant_answer;
/* With what was granted; tried again for some seconds while the address is being released. */
void grant_open(struct peer *peer);
/* It is open, now or since an earlier start. */
void grant_opened(struct peer *peer, const struct session *session);

/* place.c: which address a client gets. */
const struct config_pppoe_pool *place_pool_named(const struct config *config, const char *name);
const struct config_pppoe_pool *place_pool_around(const struct config *config, uint32_t address_be);
/* What goes with an address. False: there is no pool, hence no gateway. `profile` may be NULL. */
bool place_granted(const struct config *config, uint32_t address_be, const struct session_profile *profile,
		   struct ppp_verdict *verdict);
/* 0 and the verdict's addresses; else -errno and `why`. */
int place_choose(struct peer *peer, const struct session_profile *profile, struct ppp_verdict *verdict,
		 char *why, size_t size);

/* adopt.c */
void pppoe_adopt(struct pppoe *pppoe);

/* keepalive.c: looks after its share of the open sessions, once a second. */
void keepalive_second(struct pppoe *pppoe, uint64_t now_ns);

/* rpc.c */
extern const struct rpc_method pppoe_methods[];

#endif
