/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Datagrams in the order they began, and found by their source: a chain holds all
 * datagrams of a source, so what the source uses is counted where it is looked up.
 */
#include "fragments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define CHAINS 256

struct piece {
	STAILQ_ENTRY(piece) next;
	struct bng_punt header;
	uint16_t offset;
	uint16_t length;
	uint8_t frame[];
};

struct datagram {
	TAILQ_ENTRY(datagram) by_age;
	LIST_ENTRY(datagram) by_source;
	STAILQ_HEAD(, piece) pieces; /* by offset */
	struct hold_packet packet;   /* of its first piece */
	uint64_t since_ns;
	uint32_t count;
	bool noted; /* seen at the last look */
};

struct fragments {
	struct fragments_limits limits;
	struct hold_stats stats;
	uint32_t seed;
	TAILQ_HEAD(ages, datagram) by_age;
	LIST_HEAD(, datagram) chains[CHAINS];
};

struct fragments *fragments_new(const struct fragments_limits *limits)
{
	struct fragments *fragments = calloc(1, sizeof(*fragments));

	if (!fragments)
		return NULL;
	fragments->limits = *limits;
	TAILQ_INIT(&fragments->by_age);
	if (getrandom(&fragments->seed, sizeof(fragments->seed), 0) != sizeof(fragments->seed)) {
		free(fragments);
		return NULL;
	}
	return fragments;
}

static void piece_drop(struct fragments *fragments, struct datagram *datagram, struct piece *piece)
{
	STAILQ_REMOVE_HEAD(&datagram->pieces, next);
	datagram->count--;
	fragments->stats.held--;
	fragments->stats.bytes -= piece->length;
	free(piece);
}

static void datagram_drop(struct fragments *fragments, struct datagram *datagram)
{
	while (!STAILQ_EMPTY(&datagram->pieces))
		piece_drop(fragments, datagram, STAILQ_FIRST(&datagram->pieces));
	TAILQ_REMOVE(&fragments->by_age, datagram, by_age);
	LIST_REMOVE(datagram, by_source);
	free(datagram);
}

void fragments_free(struct fragments *fragments)
{
	if (!fragments)
		return;
	while (!TAILQ_EMPTY(&fragments->by_age))
		datagram_drop(fragments, TAILQ_FIRST(&fragments->by_age));
	free(fragments);
}

static uint32_t chain_of(const struct fragments *fragments, uint32_t source_be)
{
	uint32_t hash = (source_be ^ fragments->seed) * 0x9e3779b1u;

	return (hash ^ hash >> 15) % CHAINS;
}

static bool same_datagram(const struct hold_packet *a, const struct hold_packet *b)
{
	return a->source_be == b->source_be && a->destination_be == b->destination_be &&
	       a->id_be == b->id_be && a->ip_protocol == b->ip_protocol;
}

/* The packet's datagram, or NULL; how many pieces its source has in all. */
static struct datagram *datagram_find(struct fragments *fragments, const struct hold_packet *packet,
				      uint32_t *of_source)
{
	struct datagram *datagram, *found = NULL;

	*of_source = 0;
	LIST_FOREACH(datagram, &fragments->chains[chain_of(fragments, packet->source_be)], by_source)
	{
		if (datagram->packet.source_be != packet->source_be)
			continue;
		*of_source += datagram->count;
		if (same_datagram(&datagram->packet, packet))
			found = datagram;
	}
	return found;
}

/* It is as old as its first piece, which may have waited for us in the socket. */
static struct datagram *datagram_new(struct fragments *fragments, const struct hold_packet *packet,
				     uint64_t time_ns, uint64_t now_ns)
{
	struct datagram *datagram = calloc(1, sizeof(*datagram));

	if (!datagram)
		return NULL;
	datagram->packet = *packet;
	datagram->since_ns = time_ns < now_ns ? time_ns : now_ns;
	STAILQ_INIT(&datagram->pieces);
	TAILQ_INSERT_TAIL(&fragments->by_age, datagram, by_age);
	LIST_INSERT_HEAD(&fragments->chains[chain_of(fragments, packet->source_be)], datagram, by_source);
	return datagram;
}

/* Behind those with the same offset: a duplicate stays one. */
static void piece_insert(struct datagram *datagram, struct piece *piece)
{
	struct piece *before = NULL, *each;

	STAILQ_FOREACH(each, &datagram->pieces, next)
	{
		if (each->offset > piece->offset)
			break;
		before = each;
	}
	if (before)
		STAILQ_INSERT_AFTER(&datagram->pieces, before, piece, next);
	else
		STAILQ_INSERT_HEAD(&datagram->pieces, piece, next);
	datagram->count++;
}

static struct piece *piece_new(const struct bng_punt *header, uint16_t offset, const uint8_t *frame,
			       size_t length)
{
	struct piece *piece = malloc(sizeof(*piece) + length);

	if (!piece)
		return NULL;
	piece->header = *header;
	piece->offset = offset;
	piece->length = (uint16_t)length;
	memcpy(piece->frame, frame, length);
	return piece;
}

int fragments_put(struct fragments *fragments, const struct bng_punt *header, const uint8_t *frame,
		  size_t length, uint64_t now_ns)
{
	const struct fragments_limits *limits = &fragments->limits;
	struct datagram *datagram;
	struct hold_packet packet;
	struct piece *piece;
	uint32_t of_source;

	if (hold_packet_parse(frame, length, &packet) || !packet.offset)
		return -EBADMSG;
	datagram = datagram_find(fragments, &packet, &of_source);
	if (of_source >= limits->packets_of_source || fragments->stats.held >= limits->packets ||
	    fragments->stats.bytes + length > limits->bytes) {
		fragments->stats.refused++;
		return -ENOSPC;
	}
	piece = piece_new(header, packet.offset, frame, length);
	if (piece && !datagram)
		datagram = datagram_new(fragments, &packet, header->time_ns, now_ns);
	if (!datagram || !piece) {
		free(piece);
		return -ENOMEM;
	}
	piece_insert(datagram, piece);
	fragments->stats.held++;
	fragments->stats.bytes += length;
	return 0;
}

/* False if something could not be sent; what was not stays. */
static bool datagram_send(struct fragments *fragments, struct datagram *datagram,
			  const struct fragments_ways *ways, uint64_t *count)
{
	struct piece *piece;

	while ((piece = STAILQ_FIRST(&datagram->pieces))) {
		if (ways->send(&piece->header, piece->frame, piece->length, ways->context))
			return false;
		++*count;
		piece_drop(fragments, datagram, piece);
	}
	datagram_drop(fragments, datagram);
	return true;
}

/* True if the datagram is to leave now. */
static bool datagram_due(const struct fragments *fragments, struct datagram *datagram, uint64_t now_ns,
			 const struct fragments_ways *ways, bool *expired)
{
	bool noted = ways->noted(&datagram->packet, ways->context), was_noted = datagram->noted;

	datagram->noted = noted;
	*expired = !noted && now_ns - datagram->since_ns >= fragments->limits.lifetime_ns;
	return *expired || (noted && was_noted);
}

void fragments_look(struct fragments *fragments, uint64_t now_ns, const struct fragments_ways *ways)
{
	struct datagram *datagram = TAILQ_FIRST(&fragments->by_age), *next;
	struct hold_stats *stats = &fragments->stats;

	for (; datagram; datagram = next) {
		bool expired;

		next = TAILQ_NEXT(datagram, by_age);
		if (datagram_due(fragments, datagram, now_ns, ways, &expired) &&
		    !datagram_send(fragments, datagram, ways, expired ? &stats->expired : &stats->released))
			return;
	}
}

void fragments_flush(struct fragments *fragments, const struct fragments_ways *ways)
{
	struct datagram *datagram;

	while ((datagram = TAILQ_FIRST(&fragments->by_age)))
		if (!datagram_send(fragments, datagram, ways, &fragments->stats.released))
			return;
}

const struct hold_stats *fragments_stats(const struct fragments *fragments)
{
	return &fragments->stats;
}
