/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How messages reach a collector: datagrams (UDP, Unix) or a TCP stream. Both
 * get them from the same builder, and keep what is not yet known to be safe as
 * marks: once this point is passed, everything before that position is.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_TRANSPORT_H
#define BNG_CONTROLD_BLOCKLOG_TRANSPORT_H

#include "controld/blocklog/blocklog.h"

#define MESSAGE_MAX 1400 /* fits into a packet on any usual path */
#define MARKS_MAX   16

struct transport_mark {
	uint64_t begun; /* datagrams: ms of its first message */
	uint64_t point; /* datagrams: ms of its last message; TCP: bytes written */
	struct position position;
};

struct transport {
	struct destination *d;
	struct config_endpoint to;
	/* Takes records and makes one message; 0 when there is nothing to say. */
	size_t (*build)(struct destination *d, uint8_t message[static MESSAGE_MAX]);
	/* Nobody at the other end knows what was sent before. */
	void (*restart)(struct destination *d);
	int fd; /* -1: none */
	bool connecting;
	struct event *readable;
	struct event *writable;
	uint8_t message[MESSAGE_MAX];
	size_t length; /* of a message that is not sent yet; 0: none */
	size_t sent;   /* bytes of it; TCP */
	uint64_t written;
	struct transport_mark marks[MARKS_MAX];
	size_t mark_count;
};

void transport_init(struct transport *transport, struct destination *d, const struct config_endpoint *to);
void transport_wake(struct transport *transport);
void transport_close(struct transport *transport);

/* ---- between transport.c, datagram.c and stream.c ---- */

void transport_failed(struct transport *transport, int error, const char *doing);
/* A connected (or connecting) non-blocking socket, and events for it. 0 or -errno. */
int transport_connect(struct transport *transport);
/* Builds the next message, unless one waits. False: there is nothing to send. */
bool transport_message(struct transport *transport);
void transport_drop_marks(struct transport *transport, size_t count);
uint64_t transport_now_ms(void);

void datagram_wake(struct transport *transport);
void datagram_finish(struct transport *transport);
void stream_wake(struct transport *transport);
void stream_finish(struct transport *transport);

#endif
