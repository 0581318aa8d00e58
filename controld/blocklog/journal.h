/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The records that some destination has not got yet, in memory that outlives
 * controld: a memfd that the holder keeps.
 *
 * 1. Records are numbered from 0 on; number n lies in slot n % capacity.
 * 2. Each destination in use has a reader: everything below `acked` is at its
 *    destination, what is between `acked` and `head` is queued for it.
 * 3. A record is complete before `head` counts it, and a reader that would be
 *    lapped is moved on, with the loss counted, before its slot is written: at
 *    whatever instruction controld dies, the next one finds this true.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_JOURNAL_H
#define BNG_CONTROLD_BLOCKLOG_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "controld/blocklog/record.h"

enum { JOURNAL_FILE, JOURNAL_SYSLOG, JOURNAL_IPFIX, JOURNAL_READERS };

struct journal_reader {
	uint64_t acked;
	uint64_t sent;
	uint64_t lost; /* records overwritten before they were sent */
	uint64_t told; /* of them, how many the destination knows of */
	uint64_t used;
};

struct journal_header {
	uint64_t magic;
	uint64_t capacity;
	uint64_t head;
	uint64_t events_lost; /* bng_meta.events_lost as far as it is on record */
	struct journal_reader readers[JOURNAL_READERS];
};

struct journal {
	int fd;
	size_t length;
	struct journal_header *header;
	struct blocklog_record *slots;
};

/* 0, or -errno. */
int journal_new(uint64_t capacity, struct journal **journal);
/* Goes on with the one of an earlier controld; takes over `fd` also on failure.
 * -EINVAL: it is none, or one of another version. */
int journal_adopt(int fd, struct journal **journal);
/* A new one with the same readers and what they have not sent; of that, the
 * oldest is lost if it is too much for `capacity`. */
int journal_resized(const struct journal *journal, uint64_t capacity, struct journal **resized);
void journal_free(struct journal *journal);

void journal_append(struct journal *journal, const struct blocklog_record *record);
static inline const struct blocklog_record *journal_record(const struct journal *journal, uint64_t number)
{
	return &journal->slots[number % journal->header->capacity];
}

#endif
