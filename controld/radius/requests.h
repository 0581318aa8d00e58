/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Requests without a reply, in memory that the holder keeps: a controld that starts
 * again goes on with them, with their ids, timers and what their owners wrote on them.
 *
 * Invariants, at any moment at which this process may be killed:
 *  1. a record whose state is not REQUEST_FREE is whole;
 *  2. sealed[current] was sealed by one server's secret for `to`: the other one is
 *     where the next is prepared, and `current` is written last;
 *  3. no secret and no password is in there in the clear. Who has the server's secret
 *     can open what is sealed, and that is how an adopted request is believed.
 */
#ifndef BNG_CONTROLD_RADIUS_REQUESTS_H
#define BNG_CONTROLD_RADIUS_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/config/config.h"

#define RADIUS_REQUEST_MAX 2048 /* bytes of a packet of ours */
#define RADIUS_CONTEXT     56
#define RADIUS_STATES      32

struct radius_endpoint {
	uint32_t address_be;
	uint16_t port_be;
	uint16_t reserved;
};

/* Whose request it is; it survives restarts and comes back with the answer. */
struct radius_ticket {
	uint32_t owner; /* enum radius_owner */
	uint32_t reserved;
	uint8_t context[RADIUS_CONTEXT];
};

enum request_state {
	REQUEST_FREE,
	REQUEST_WAITING, /* for its turn */
	REQUEST_SENT,    /* its id is in use at `to`, from source port `port` */
};

struct request_sealed {
	struct radius_endpoint to;
	uint16_t length;
	uint16_t port;
	uint8_t packet[RADIUS_REQUEST_MAX];
};

struct request_record {
	uint32_t state; /* enum request_state, written last */
	uint32_t current;
	uint32_t tries; /* at this server */
	uint32_t tried_count;
	uint64_t begun_ns; /* boottime: submitted */
	uint64_t sent_ns;  /* first sent to this server */
	uint64_t due_ns;   /* next try, or the end */
	struct radius_endpoint tried[CONFIG_RADIUS_SERVERS];
	struct radius_ticket ticket;
	struct request_sealed sealed[2];
};

/* What is known and counted of a server, across restarts. */
struct server_state {
	char name[CONFIG_NAME_MAX]; /* "": this place is free */
	struct radius_endpoint endpoint;
	uint64_t dead_until_ns; /* boottime; 0: alive */
	uint64_t last_reply_ns;
	uint64_t rtt_ns; /* smoothed; 0: none measured */
	uint64_t requests, retransmissions, timeouts;
	uint64_t accepts, rejects, challenges, accounted;
	uint64_t bad_authenticator, no_message_authenticator, malformed, unexpected;
};

struct requests_header {
	uint64_t magic;
	uint64_t length;
	uint32_t high; /* records at and behind were never used */
	uint32_t reserved;
	uint64_t refused;    /* the queue was full */
	uint64_t no_server;  /* none was alive */
	uint64_t unanswered; /* by any server */
	uint64_t adopted;
	uint64_t lost;       /* could not be adopted */
	uint64_t orphaned;   /* answered, and nobody waited any more */
	uint64_t unexpected; /* datagrams from elsewhere */
	struct server_state states[RADIUS_STATES];
};

struct requests {
	int fd;
	struct requests_header *header;
	struct request_record *records;
};

int requests_new(struct requests **requests);
/* Takes `fd` in every case. -EINVAL: another layout, or none of ours. */
int requests_adopt(int fd, struct requests **requests);
void requests_free(struct requests *requests);

/* False: a record that no controld of this layout left behind. */
bool request_is_whole(const struct request_record *record);

#endif
