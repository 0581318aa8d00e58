/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The bus at a start: connect, receive what it kept, deliver it.
 */
#ifndef BNG_CONTROLD_RESYNC_H
#define BNG_CONTROLD_RESYNC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct controld;

/* The topics of all features. 0 or -errno. */
int sync_new(struct controld *controld, const char *path);
void sync_free(struct controld *controld);
/* Runs the loop until everything was received. False: the bus is away, or was silent for
 * so long; it is delivered when it comes. */
bool sync_receive(struct controld *controld, uint32_t quiet_ms);
/* Before it is delivered: how many records of a topic there are, damaged ones too, if all of them
 * were received; the value of one (new
 * reference), or NULL. */
bool sync_received_count(const struct controld *controld, const char *topic, uint64_t *count);
json_t *sync_received(const struct controld *controld, const char *topic, const char *key);
/* To the features: how many records. */
uint64_t sync_deliver(struct controld *controld);

/* New reference: {up, synced, reason, waiting}. */
json_t *sync_json(const struct controld *controld);

#endif
