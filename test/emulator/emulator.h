/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Subscribers, many in one process: each a client of PPPoE or DHCP of its own, with its
 * own MAC, VLANs, timers and packets.
 *
 * 1. A subscriber is found by arithmetic: its number is in its MAC address.
 * 2. It believes nothing: what a server sends is checked in full, and a fault is counted.
 * 3. Frames leave by `send` only, so that a test can be the other end.
 * 4. Nothing is allocated once the subscribers have been made.
 */
#ifndef BNG_EMULATOR_H
#define BNG_EMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test/emulator/fault.h"
#include "test/emulator/frame.h"
#include "test/emulator/timer.h"

#define NAME_MAX_LENGTH 64
#define COOKIE_MAX      128
#define RELAY_ID_MAX    12

enum side {
	SIDE_ACCESS,
	SIDE_CORE,
	SIDES,
};

enum kind {
	KIND_PPPOE,
	KIND_IPOE,
};

/* clang-format off */
#define STATES(X) \
	X(IDLE, idle) \
	X(QUEUED, queued)     /* to be started when others are done */ \
	X(PADI, padi)         /* from here on: being set up */ \
	X(PADR, padr) \
	X(LCP, lcp) \
	X(AUTH, auth) \
	X(IPCP, ipcp) \
	X(DISCOVER, discover) \
	X(REQUEST, request) \
	X(UP, up) \
	X(AGAIN, again)       /* failed, waits before it tries again */

/* Why a setup failed. */
#define FAILURES(X) \
	X(DISCOVERY_UNANSWERED, discovery_unanswered) /* PADI or DISCOVER */ \
	X(REQUEST_UNANSWERED, request_unanswered)     /* PADR or REQUEST */ \
	X(REFUSED, refused)                           /* error tag, or NAK */ \
	X(LCP_UNANSWERED, lcp_unanswered) \
	X(LCP_REFUSED, lcp_refused)                   /* no agreement */ \
	X(AUTH_UNANSWERED, auth_unanswered) \
	X(AUTH_REJECTED, auth_rejected) \
	X(IPCP_UNANSWERED, ipcp_unanswered) \
	X(IPCP_REFUSED, ipcp_refused) \
	X(TERMINATED, terminated)                     /* PADT or Terminate-Request */

/* Why a session that was up is not any more. */
#define ENDS(X) \
	X(STOPPED, stopped)           /* by command */ \
	X(PADT, padt) \
	X(TERMINATE, terminate)       /* LCP Terminate-Request, or IPCP's */ \
	X(RENEGOTIATE, renegotiate) \
	X(LEASE_REFUSED, lease_refused) \
	X(LEASE_EXPIRED, lease_expired)
/* clang-format on */

enum state {
#define STATE_ENUM(name, text) STATE_##name,
	STATES(STATE_ENUM)
#undef STATE_ENUM
		STATE_COUNT,
};

enum failure {
#define FAILURE_ENUM(name, text) FAILURE_##name,
	FAILURES(FAILURE_ENUM)
#undef FAILURE_ENUM
		FAILURE_COUNT,
};

enum end {
#define END_ENUM(name, text) END_##name,
	ENDS(END_ENUM)
#undef END_ENUM
		END_COUNT,
};

enum auth {
	AUTH_PAP = 1 << 0,
	AUTH_CHAP_MD5 = 1 << 1,
	AUTH_MSCHAP2 = 1 << 2,
};

/* What subscribers that were added together have in common. In user, password and
 * circuit, "%n" stands for the subscriber's number. */
struct group {
	enum kind kind;
	uint32_t first;
	uint32_t count;
	char user[NAME_MAX_LENGTH];
	char password[NAME_MAX_LENGTH];
	char service[NAME_MAX_LENGTH];
	char circuit[NAME_MAX_LENGTH]; /* Option 82, TR-101 tag; "": none */
	uint8_t auth;                  /* enum auth: what the client agrees to */
	uint16_t mru;
	bool dns;
	/* VLANs: the inner id counts up first, then the outer one. */
	uint8_t tag_count;
	struct tag first_tag[2];
	uint16_t tag_range[2];
};

/* One side's view of a Configure exchange (RFC 1661). */
struct negotiation {
	uint8_t id;      /* of our last Configure-Request */
	uint8_t refused; /* bit for each of our options that the server does not want */
	uint8_t rounds;  /* Nak and Reject received */
	bool acked;      /* they agree to ours */
	bool agreed;     /* we agree to theirs */
};

struct pppoe {
	uint8_t server_mac[6];
	uint16_t session;
	uint64_t host_uniq;
	uint8_t cookie[COOKIE_MAX];
	uint8_t relay_id[RELAY_ID_MAX];
	uint8_t cookie_length;
	uint8_t relay_id_length;
	uint16_t mru; /* what we take */
	uint16_t peer_mru;
	uint32_t magic;
	uint32_t peer_magic; /* 0: none */
	uint16_t auth_protocol;
	uint8_t auth_algorithm;
	uint8_t auth_id;
	uint8_t expected[20]; /* MS-CHAPv2: what proves that the server knows the password */
	struct negotiation lcp;
	struct negotiation ipcp;
	uint8_t echo_id;
	bool echo_open; /* asked, no reply yet */
	uint64_t echo_reply_ns;
	uint64_t echo_gap_ns; /* the longest time without a reply */
	uint32_t dns_be[2];
};

struct dhcp {
	uint32_t xid;
	uint32_t server_be;
	uint32_t router_be;
	uint8_t router_mac[6];
	bool router_known;
	bool renewing;
	uint32_t lease_s;
	uint64_t bound_ns;
};

struct flow {
	uint32_t sent;
	uint32_t received;
	uint32_t last; /* sequence number received last */
	uint32_t public_be;
	uint16_t public_port;
};

struct subscriber {
	uint32_t number;
	uint32_t next; /* in the queue */
	const struct group *group;
	enum state state;
	uint8_t tries;
	uint8_t failures; /* in a row */
	struct timer timer;
	uint64_t began_ns;
	uint32_t setup_us; /* of the last setup that succeeded; 0: none yet */
	uint32_t address_be;
	struct flow flow;
	union {
		struct pppoe pppoe;
		struct dhcp dhcp;
	};
};

struct counts {
	uint64_t setups;  /* begun */
	uint64_t came_up; /* ever */
	uint64_t failed[FAILURE_COUNT];
	uint64_t ended[END_COUNT];
	uint64_t retransmitted;
	uint64_t renewals, renewed;
	uint64_t echo_requests, echo_replies;
	uint64_t echo_asked; /* by the server; each was answered */
	uint64_t first_setup_ns, last_up_ns;
};

struct settings {
	uint32_t under_way; /* setups at a time */
	uint32_t retry_ms;  /* first retransmission; discovery and DHCP double it */
	uint32_t again_ms;  /* after a failure, doubled with each; 0: never */
	uint32_t again_max_ms;
};

struct traffic {
	double rate;      /* packets a second and session */
	double echo_rate; /* LCP echoes a second and session */
	double visits[2]; /* subscribers to be visited: fractions are carried on */
	uint32_t cursor[2];
	uint64_t last_ns;
	uint32_t remote_be;
	uint64_t echoed;  /* by the peer on the core side */
	uint64_t late_ns; /* the longest round trip */
};

struct emulator {
	uint64_t now_ns;
	struct settings settings;
	struct timers timers;
	struct group *group; /* GROUPS_MAX */
	uint32_t group_count;
	struct subscriber *subscriber;
	uint32_t count, capacity;
	uint32_t queue_first, queue_last;
	uint32_t under_way;
	uint32_t up;
	struct counts counts;
	struct faults faults;
	struct traffic traffic;
	uint64_t random;
	void (*send)(struct emulator *emulator, enum side side, const uint8_t *data, size_t length);
	const uint8_t *input; /* the frame being looked at, for fault_note */
	size_t input_length;
};

#define GROUPS_MAX 1024

/* 0 or -ENOMEM. */
int emulator_init(struct emulator *emulator, uint32_t capacity, uint64_t now_ns);
void emulator_done(struct emulator *emulator);
/* 0, or -ENOSPC; `group.first` is the number of the first one. */
int emulator_add(struct emulator *emulator, const struct group *group);
/* Timers and traffic up to now. */
void emulator_run(struct emulator *emulator, uint64_t now_ns);
void emulator_input(struct emulator *emulator, enum side side, const uint8_t *data, size_t length);
void emulator_fault(struct emulator *emulator, enum fault fault);
uint32_t emulator_random(struct emulator *emulator);

/* ---- subscriber.c: the life of one ------------------------------------------------- */

void subscriber_start(struct emulator *emulator, struct subscriber *subscriber);
/* `told`: the server hears of it. */
void subscriber_stop(struct emulator *emulator, struct subscriber *subscriber, bool told);
void subscriber_go(struct emulator *emulator, struct subscriber *subscriber, enum state state);
void subscriber_up(struct emulator *emulator, struct subscriber *subscriber);
void subscriber_failed(struct emulator *emulator, struct subscriber *subscriber, enum failure failure);
void subscriber_ended(struct emulator *emulator, struct subscriber *subscriber, enum end end);
/* One more try; false: there were too many, and it has failed. */
bool subscriber_try(struct emulator *emulator, struct subscriber *subscriber, uint8_t most,
		    enum failure failure);
void subscriber_wait(struct emulator *emulator, struct subscriber *subscriber, bool doubled);
bool state_is_setup(enum state state);
const char *state_name(enum state state);

void subscriber_mac(const struct subscriber *subscriber, uint8_t *mac);
void subscriber_tags(const struct subscriber *subscriber, struct tags *tags);
/* "%n" replaced; returns the length. */
size_t subscriber_text(const struct subscriber *subscriber, const char *pattern, char *text, size_t size);
/* An Ethernet header from this subscriber. */
void subscriber_frame(const struct subscriber *subscriber, struct writer *writer, const uint8_t *to,
		      uint16_t ethertype);
/* Padded to what Ethernet wants, and out. */
void subscriber_send(struct emulator *emulator, struct writer *writer);

/* ---- discovery.c ------------------------------------------------------------------- */

void discovery_begin(struct emulator *emulator, struct subscriber *subscriber);
void discovery_timeout(struct emulator *emulator, struct subscriber *subscriber);
void discovery_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame);
void discovery_terminate(struct emulator *emulator, struct subscriber *subscriber);

/* ---- dhcp.c ------------------------------------------------------------------------ */

void dhcp_begin(struct emulator *emulator, struct subscriber *subscriber);
void dhcp_timeout(struct emulator *emulator, struct subscriber *subscriber);
void dhcp_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame,
		const struct datagram *datagram);
void dhcp_renew(struct emulator *emulator, struct subscriber *subscriber);
void dhcp_release(struct emulator *emulator, struct subscriber *subscriber);
void arp_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame);
void arp_ask(struct emulator *emulator, struct subscriber *subscriber);

/* ---- traffic.c --------------------------------------------------------------------- */

/* Packets and echoes that are due since the last call. */
void traffic_run(struct emulator *emulator);
void traffic_input(struct emulator *emulator, struct subscriber *subscriber, const struct datagram *datagram);
/* On the core side: sends back what is ours. */
void peer_input(struct emulator *emulator, const struct frame *frame);

#endif
