/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions of subscribers with a fixed address, who ask for nothing: one comes up when its
 * subscriber sends, if whoever authorises says so. The packet that began it is dropped, its
 * sender repeats it.
 */
#ifndef BNG_FIRST_PACKET_SERVER_H
#define BNG_FIRST_PACKET_SERVER_H

#include <stdint.h>

#include "controld/config/config.h"
#include "controld/session/authorise.h"
#include "controld/session/setup.h"

struct controld;

#define FIRST_PACKET_SETUPS_MAX    16384u
#define FIRST_PACKET_ASKED_SECONDS 120 /* longer than any server is waited for */
#define FIRST_PACKET_HELD_SECONDS  30  /* who was not let in is not asked about for so long */

/* clang-format off */
#define FIRST_PACKET_COUNTS(X) \
	X(received)   /* packets that the data plane handed over */ \
	X(malformed)  /* of these: no IPv4, or not from one host */ \
	X(elsewhere)  /* of no prefix of ours, by now, or of a session */ \
	X(repeated)   /* of a subscriber whose answer or session was under way */ \
	X(held)       /* of one that was not let in a short time ago */ \
	X(asked) \
	X(denied) \
	X(unanswered) /* nobody said, or nobody could be asked */ \
	X(grant)      /* what was granted is another address, or not configured here */ \
	X(taken)      /* address or subscriber have another session, or no slot is free */ \
	X(opened)
/* clang-format on */

struct first_packet {
	struct controld *controld;
	const struct config *config;
	struct setups *setups;
	struct {
#define FIRST_PACKET_COUNT(name) uint64_t name;
		FIRST_PACKET_COUNTS(FIRST_PACKET_COUNT)
#undef FIRST_PACKET_COUNT
	} stats;
};

int first_packet_new(struct controld *controld, struct first_packet **first_packet);
void first_packet_free(struct first_packet *first_packet);
/* A frame from an interface (index). */
void first_packet_serve(struct first_packet *first_packet, uint16_t interface, const uint8_t *frame,
			size_t length, uint64_t now_ns);
authorise_handler first_packet_on_answer;

#endif
