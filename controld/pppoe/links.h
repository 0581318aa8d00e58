/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE sessions that are coming up or going away, in memory that the holder keeps: a
 * controld that starts again goes on where the last one was.
 *
 * Invariants, at any moment at which this process may be killed:
 *  1. a record whose state is LINK_USED is whole;
 *  2. live[current] is what counts; the other one is where the next is prepared, and
 *     `current` is written last. What a live[] refers to (source, profile) is there first;
 *  3. no password is in there. The keys of cookies are, and are good for nothing else.
 *
 * A session that is up needs no record: a few seconds after it came up the record is free,
 * and its memory is given back.
 */
#ifndef BNG_PPPOE_LINKS_H
#define BNG_PPPOE_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/pppoe/cookie.h"
#include "controld/pppoe/ppp.h"
#include "controld/session/profile.h"
#include "controld/session/session.h"

#define LINKS             16384
#define LINK_RECORD_BYTES 8192 /* two pages; the second one only where a profile is long */
#define LINK_COOKIE       8    /* of a PADR: enough to know it again */

enum link_state {
	LINK_FREE,
	LINK_USED,
};

struct link_live {
	struct ppp ppp;
	uint64_t session_id;
	uint64_t begun_ns;       /* boottime */
	uint32_t profile_length; /* 0: not granted yet */
	uint32_t was_up;         /* its session was */
};

struct link_record {
	uint32_t state;   /* enum link_state, written last */
	uint32_t current; /* 0 or 1 */
	struct session_client client;
	uint8_t tag_flags; /* BNG_SUBSCRIBER_OUTER_AD, _INNER_AD */
	uint8_t circuit_id_length;
	uint8_t remote_id_length;
	uint8_t has_line; /* bit 0: a circuit id, bit 1: a remote id */
	uint16_t max_payload;
	uint8_t reserved[4];
	uint8_t cookie[LINK_COOKIE];
	uint64_t asked; /* the session that somebody was last asked about */
	struct link_live live[2];
	uint8_t circuit_id[PPPOE_LINE_MAX];
	uint8_t remote_id[PPPOE_LINE_MAX];
	char source[PROFILE_NAME_MAX + 2];
	char profile[]; /* as JSON */
};

#define LINK_PROFILE_MAX (LINK_RECORD_BYTES - sizeof(struct link_record))

struct links_header {
	uint64_t magic;
	uint64_t length;
	uint32_t high;    /* records at and behind were never used */
	uint32_t next_id; /* PPPoE session ids are given out round and round */
	struct cookie_keys keys;
};

struct links {
	int fd;
	struct links_header *header;
	uint8_t *records;
	uint32_t *free; /* indexes, the next one last */
	uint32_t free_count;
};

int links_new(struct links **links);
/* Takes `fd` in every case. -EINVAL: another layout, or none of ours. */
int links_adopt(int fd, struct links **links);
void links_free(struct links *links);

struct link_record *link_record(const struct links *links, uint32_t index);
/* One that is all zero but for the client; -ENOBUFS. */
int link_take(struct links *links, const struct session_client *client, uint32_t *index);
void link_give(struct links *links, uint32_t index);
void link_keep_line(struct link_record *record, const struct session_line *line);
/* Borrowed from the record. */
void link_line(struct link_record *record, struct session_line *line);
uint32_t link_count(const struct links *links);

const struct link_live *link_live(const struct link_record *record);
/* Publishes `next` in place of what counted. */
void link_commit(struct link_record *record, const struct link_live *next);

/* False: a record that no controld of this layout left behind. */
bool link_is_whole(const struct link_record *record);

#endif
