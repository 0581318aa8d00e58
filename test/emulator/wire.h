/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A packet socket on one interface: frames in and out, many with one call.
 *
 * The kernel takes the outer tag off what it hands over; it is put back here, so that a
 * frame is what was on the wire. What the socket had no room for is counted: it is a loss
 * of the emulator's own.
 */
#ifndef BNG_EMULATOR_WIRE_H
#define BNG_EMULATOR_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "test/emulator/frame.h"

#define WIRE_BATCH 64

struct wire {
	int socket;       /* -1: not open */
	unsigned waiting; /* frames to be sent */
	uint16_t length[WIRE_BATCH];
	uint8_t frame[WIRE_BATCH][FRAME_MAX];
	uint64_t dropped; /* by the socket */
	uint64_t refused; /* frames that the interface did not take at once, and were offered again */
};

struct sock_fprog;
typedef void wire_receive(void *context, const uint8_t *data, size_t length);

/* 0 or -errno. */
int wire_open(struct wire *wire, const char *interface, const struct sock_fprog *filter);
void wire_close(struct wire *wire);
/* Later, with wire_flush at the latest. */
void wire_send(struct wire *wire, const uint8_t *data, size_t length);
void wire_flush(struct wire *wire);
/* Everything that is there, up to a few batches. */
void wire_read(struct wire *wire, wire_receive *receive, void *context);
uint64_t wire_dropped(struct wire *wire);

extern const struct sock_fprog wire_filter_access, wire_filter_core;

#endif
