/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The memory that sessions in setup lie in, see the header.
 */
#include "controld/pppoe/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controld/ctl/kept.h"

#define LINKS_MAGIC  0x32656f7070707573ull /* "supppoe2": also the layout's version */
#define HEADER_BYTES 4096
#define ID_NONE      2 /* cookie_keys.current: no key yet */

_Static_assert(sizeof(struct links_header) <= HEADER_BYTES, "the header has its page");
_Static_assert(sizeof(struct link_record) <= 4096, "a short profile is on the first page");
_Static_assert(sizeof(struct link_live) == sizeof(struct ppp) + 24, "part of the layout");
_Static_assert(sizeof(struct session_client) == 14, "part of the layout");

/* Sparse: memory is taken as records are used, and given back. */
static const size_t length = HEADER_BYTES + (size_t)LINKS * LINK_RECORD_BYTES;

static void take(struct links *links, const struct kept *kept)
{
	links->fd = kept->fd;
	links->header = (struct links_header *)kept->header;
	links->records = (uint8_t *)kept->header + HEADER_BYTES;
}

static int map_new(struct links *links)
{
	struct kept kept;
	int failure = kept_new("bng-pppoe", LINKS_MAGIC, length, &kept);

	if (failure)
		return failure;
	take(links, &kept);
	links->header->keys.current = ID_NONE;
	return 0;
}

static int map_adopted(struct links *links, int fd)
{
	struct kept kept;
	int failure = kept_adopt(fd, LINKS_MAGIC, length, &kept);

	if (failure)
		return failure;
	take(links, &kept);
	if (links->header->high <= LINKS && links->header->keys.current <= ID_NONE)
		return 0;
	munmap(links->header, length);
	return -EINVAL;
}

/* The first ones are used first, so that memory stays together. */
static void list_free(struct links *links)
{
	for (uint32_t i = LINKS; i-- > 0;)
		if (i >= links->header->high || link_record(links, i)->state == LINK_FREE)
			links->free[links->free_count++] = i;
}

static int make(int fd, struct links **links)
{
	struct links *new = calloc(1, sizeof(*new));
	int failure = new ? 0 : -ENOMEM;

	if (!failure)
		new->free = calloc(LINKS, sizeof(*new->free));
	if (!failure && !new->free)
		failure = -ENOMEM;
	if (!failure)
		failure = fd < 0 ? map_new(new) : map_adopted(new, fd);
	if (failure) {
		if (new)
			free(new->free);
		free(new);
		return failure;
	}
	list_free(new);
	*links = new;
	return 0;
}

int links_new(struct links **links)
{
	return make(-1, links);
}

int links_adopt(int fd, struct links **links)
{
	int failure = make(fd, links);

	if (failure)
		close(fd);
	return failure;
}

void links_free(struct links *links)
{
	if (!links)
		return;
	munmap(links->header, length);
	close(links->fd);
	free(links->free);
	free(links);
}

struct link_record *link_record(const struct links *links, uint32_t index)
{
	return (struct link_record *)(void *)(links->records + (size_t)index * LINK_RECORD_BYTES);
}

int link_take(struct links *links, const struct session_client *client, uint32_t *index)
{
	struct link_record *record;

	if (!links->free_count)
		return -ENOBUFS;
	*index = links->free[--links->free_count];
	record = link_record(links, *index);
	memset(record, 0, sizeof(*record));
	record->client = *client;
	if (*index >= links->header->high)
		links->header->high = *index + 1;
	return 0;
}

/* Memory that was given back reads as zero, and zero is FREE. */
void link_give(struct links *links, uint32_t index)
{
	struct link_record *record = link_record(links, index);

	__atomic_store_n(&record->state, LINK_FREE, __ATOMIC_RELEASE);
	madvise(record, LINK_RECORD_BYTES, MADV_REMOVE);
	links->free[links->free_count++] = index;
}

/* What is longer than anybody could be told is left out. */
void link_keep_line(struct link_record *record, const struct session_line *line)
{
	bool has_circuit = line->circuit_id && line->circuit_id_length <= PPPOE_LINE_MAX;
	bool has_remote = line->remote_id && line->remote_id_length <= PPPOE_LINE_MAX;

	record->has_line = (uint8_t)(has_circuit | has_remote << 1);
	if (has_circuit) {
		record->circuit_id_length = (uint8_t)line->circuit_id_length;
		memcpy(record->circuit_id, line->circuit_id, line->circuit_id_length);
	}
	if (has_remote) {
		record->remote_id_length = (uint8_t)line->remote_id_length;
		memcpy(record->remote_id, line->remote_id, line->remote_id_length);
	}
}

void link_line(struct link_record *record, struct session_line *line)
{
	*line = (struct session_line){
		.circuit_id = record->has_line & 1 ? record->circuit_id : NULL,
		.remote_id = record->has_line & 2 ? record->remote_id : NULL,
		.circuit_id_length = record->circuit_id_length,
		.remote_id_length = record->remote_id_length,
	};
}

uint32_t link_count(const struct links *links)
{
	return LINKS - links->free_count;
}

const struct link_live *link_live(const struct link_record *record)
{
	return &record->live[record->current & 1];
}

void link_commit(struct link_record *record, const struct link_live *next)
{
	uint32_t other = !(record->current & 1);

	record->live[other] = *next;
	__atomic_store_n(&record->current, other, __ATOMIC_RELEASE);
	__atomic_store_n(&record->state, LINK_USED, __ATOMIC_RELEASE);
}

bool link_is_whole(const struct link_record *record)
{
	const struct link_live *live = link_live(record);

	return record->state == LINK_USED && record->current < 2 && record->client.interface &&
	       record->client.pppoe_session && record->circuit_id_length <= PPPOE_LINE_MAX &&
	       record->remote_id_length <= PPPOE_LINE_MAX && live->profile_length <= LINK_PROFILE_MAX &&
	       memchr(record->source, 0, sizeof(record->source)) && ppp_is_whole(&live->ppp);
}
