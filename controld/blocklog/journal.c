/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records in shared memory, see the header.
 */
#include "controld/blocklog/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_MAGIC 0x31676f6c6b636c62ull /* "blcklog1": also the layout's version */

_Static_assert(sizeof(struct blocklog_record) == 64, "part of the layout");
_Static_assert(sizeof(struct journal_header) == 32 + 40 * JOURNAL_READERS, "part of the layout");

static size_t journal_length(uint64_t capacity)
{
	return sizeof(struct journal_header) + capacity * sizeof(struct blocklog_record);
}

static int journal_map(struct journal *journal, int fd, size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	journal->fd = fd;
	journal->length = length;
	journal->header = memory;
	journal->slots = (struct blocklog_record *)(journal->header + 1);
	return 0;
}

static int map_new(struct journal *journal, uint64_t capacity)
{
	int fd = memfd_create("bng-blocklog", MFD_CLOEXEC | MFD_ALLOW_SEALING), failure = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)journal_length(capacity)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		failure = -errno;
	if (!failure)
		failure = journal_map(journal, fd, journal_length(capacity));
	if (failure) {
		close(fd);
		return failure;
	}
	journal->header->capacity = capacity;
	journal->header->magic = JOURNAL_MAGIC;
	return 0;
}

int journal_new(uint64_t capacity, struct journal **journal)
{
	struct journal *new = calloc(1, sizeof(*new));
	int failure = new ? map_new(new, capacity) : -ENOMEM;

	if (failure) {
		free(new);
		return failure;
	}
	*journal = new;
	return 0;
}

/* Sealed against shrinking, so that reading it can never fault. */
static int map_adopted(struct journal *journal, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), failure;
	struct stat facts;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &facts) ||
	    (size_t)facts.st_size < sizeof(struct journal_header))
		return -EINVAL;
	failure = journal_map(journal, fd, (size_t)facts.st_size);
	if (failure)
		return failure;
	if (journal->header->magic == JOURNAL_MAGIC && journal->header->capacity &&
	    journal->header->capacity < (1u << 30) &&
	    journal_length(journal->header->capacity) == journal->length)
		return 0;
	munmap(journal->header, journal->length);
	return -EINVAL;
}

int journal_adopt(int fd, struct journal **journal)
{
	struct journal *new = calloc(1, sizeof(*new));
	int failure = new ? map_adopted(new, fd) : -ENOMEM;

	if (failure) {
		close(fd);
		free(new);
		return failure;
	}
	*journal = new;
	return 0;
}

int journal_resized(const struct journal *journal, uint64_t capacity, struct journal **resized)
{
	const struct journal_header *old = journal->header;
	uint64_t oldest = old->head;
	int failure = journal_new(capacity, resized);

	if (failure)
		return failure;
	for (int i = 0; i < JOURNAL_READERS; i++) {
		(*resized)->header->readers[i] = old->readers[i];
		if (old->readers[i].used && old->readers[i].acked < oldest)
			oldest = old->readers[i].acked;
	}
	(*resized)->header->head = oldest;
	(*resized)->header->events_lost = old->events_lost;
	while (oldest < old->head)
		journal_append(*resized, journal_record(journal, oldest++));
	return 0;
}

void journal_free(struct journal *journal)
{
	if (!journal)
		return;
	munmap(journal->header, journal->length);
	close(journal->fd);
	free(journal);
}

void journal_append(struct journal *journal, const struct blocklog_record *record)
{
	struct journal_header *header = journal->header;

	for (int i = 0; i < JOURNAL_READERS; i++) {
		struct journal_reader *reader = &header->readers[i];

		if (!reader->used || reader->acked + header->capacity > header->head)
			continue;
		reader->lost++;
		__atomic_store_n(&reader->acked, reader->acked + 1, __ATOMIC_RELEASE);
	}
	journal->slots[header->head % header->capacity] = *record;
	__atomic_store_n(&header->head, header->head + 1, __ATOMIC_RELEASE);
}
