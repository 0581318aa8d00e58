/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Golden packets: FEATURE.pcap, and FEATURE.json beside it, which says of each packet what
 * gets it, in which world, and how it must end (test/golden/golden.py writes them).
 */
#ifndef BNG_CONTROLD_GOLDEN_H
#define BNG_CONTROLD_GOLDEN_H

#include <jansson.h>

#include "controld/issu/verify.h"

#define GOLDEN_BYTES   (1u << 20) /* of an array, from its start: that is all a world may have */
#define GOLDEN_FILE    (4u << 20) /* bytes */
#define GOLDEN_PACKETS 1000       /* of a file */

struct golden_packet {
	const char *what;
	struct frame frame;
	uint64_t clock_ns;
	const json_t *set;  /* what is other than in the file's world */
	uint16_t interface; /* as the world numbers them */
	uint8_t entry;      /* enum world_entry */
	uint8_t verdict;
};

struct golden {
	json_t *document;
	char *capture;
	size_t count;
	struct golden_packet packet[GOLDEN_PACKETS];
};

/* Takes both texts. 0, or -EINVAL (-ENOMEM) and what is wrong and where. */
int golden_parse(char *text, size_t text_size, char *capture, size_t capture_size, struct golden **golden,
		 char *error, size_t size);
/* FOLDER/NAME.json and .pcap. */
int golden_load(const char *folder, const char *name, struct golden **golden, char *error, size_t size);
void golden_free(struct golden *golden);

/* Empties what a world may have in shadow maps, and makes the file's world there, as it is
 * for this packet, on the interfaces of `live`. 0, or -errno: there is no room for it. */
int golden_set(struct maps *maps, const struct golden *golden, const struct golden_packet *packet,
	       const struct maps *live);
/* The kernel's number of an interface of a world; 0: there is none like it here. */
uint32_t golden_ifindex(const struct maps *live, uint16_t interface);
/* Before the first packet: nothing of the live world is left. */
int golden_begin(struct maps *maps);

/* All files of the folder, in order. 0, or -errno and an error. */
int golden_run(struct pair *pair, const char *folder, const struct maps *live, const bool *stop);

#endif
