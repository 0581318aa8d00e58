/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Maps that no packet of a subscriber's ever touches: those of a shadow (docs/protocol.md,
 * object.shadow), filled from the live ones, on which programs are tried.
 */
#ifndef BNG_CONTROLD_SHADOW_H
#define BNG_CONTROLD_SHADOW_H

#include <stddef.h>
#include <stdint.h>

#include "controld/maps/maps.h"
#include "dataplane/abi/capture.h"

/* One packet through a program by BPF_PROG_TEST_RUN: nothing is sent, but the program
 * changes its maps. */
struct maps_run {
	const void *frame;
	uint32_t length;
	uint32_t ifindex; /* it comes in by */
	void *out;
	uint32_t out_length; /* room; then what the frame is afterwards */
	uint32_t action;     /* XDP's */
	uint32_t ns;
};
/* 0 or -errno. */
int maps_run(int program, struct maps_run *run);

/* False: the object has no such map. */
bool maps_has(const struct maps *maps, enum map_id id);
/* Makes `to` what `from` is, but for counters of CPUs and events; a map that `from` has not,
 * what it is in `other`. The sources may change meanwhile. */
int maps_copy(struct maps *to, struct maps *from, struct maps *other);
/* A map with keys: neither an array nor a ring. */
bool maps_is_table(const struct maps *maps, enum map_id id);
/* Every key of such a map goes. */
int maps_clear(struct maps *maps, enum map_id id);
/* Entries in use: as maps_used has it, else records that are not all zero. False where
 * neither makes sense. */
bool maps_filled(struct maps *maps, enum map_id id, uint64_t *used);

/* The programs' clock (abi/meta.h) stands at this time for the next moment. */
void maps_set_clock(struct maps *maps, uint64_t now_ns);

/* The ring `capture` of the running object (abi/capture.h). `fd` is taken. */
struct maps_capture;
typedef void maps_captured(const struct bng_capture *packet, void *context);
int maps_capture_open(int fd, maps_captured *each, void *context, struct maps_capture **capture);
void maps_capture_close(struct maps_capture *capture);
int maps_capture_drain(struct maps_capture *capture);
/* So many packets are to be captured from now on, and no more. */
void maps_capture_ask(struct maps *maps, uint32_t packets);

#endif
