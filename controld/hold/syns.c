/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A queue by age, and chains by connection.
 */
#include "syns.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#define CHAINS 1024

struct syn {
	TAILQ_ENTRY(syn) by_age;
	LIST_ENTRY(syn) by_connection;
	struct hold_packet packet;
	struct bng_punt header;
	uint64_t due_ns;
	uint16_t length;
	uint8_t frame[];
};

struct syns {
	struct syns_limits limits;
	struct hold_stats stats;
	uint32_t seed;
	TAILQ_HEAD(, syn) by_age;
	LIST_HEAD(, syn) chains[CHAINS];
};

struct syns *syns_new(const struct syns_limits *limits)
{
	struct syns *syns = calloc(1, sizeof(*syns));

	if (!syns)
		return NULL;
	syns->limits = *limits;
	TAILQ_INIT(&syns->by_age);
	if (getrandom(&syns->seed, sizeof(syns->seed), 0) != sizeof(syns->seed)) {
		free(syns);
		return NULL;
	}
	return syns;
}

static void syn_drop(struct syns *syns, struct syn *syn)
{
	TAILQ_REMOVE(&syns->by_age, syn, by_age);
	LIST_REMOVE(syn, by_connection);
	syns->stats.held--;
	syns->stats.bytes -= syn->length;
	free(syn);
}

void syns_free(struct syns *syns)
{
	if (!syns)
		return;
	while (!TAILQ_EMPTY(&syns->by_age))
		syn_drop(syns, TAILQ_FIRST(&syns->by_age));
	free(syns);
}

static uint32_t chain_of(const struct syns *syns, const struct hold_packet *packet)
{
	uint32_t ports = packet->source_port_be | (uint32_t)packet->destination_port_be << 16;
	uint32_t hash = (packet->source_be ^ syns->seed) * 0x9e3779b1u;

	hash = ((hash ^ hash >> 15) + packet->destination_be) * 0x85ebca6bu;
	hash = ((hash ^ hash >> 13) + ports) * 0xc2b2ae35u;
	return (hash ^ hash >> 16) % CHAINS;
}

static bool same_connection(const struct hold_packet *a, const struct hold_packet *b)
{
	return a->source_be == b->source_be && a->destination_be == b->destination_be &&
	       a->source_port_be == b->source_port_be && a->destination_port_be == b->destination_port_be;
}

static bool is_known(struct syns *syns, const struct hold_packet *packet)
{
	struct syn *syn;

	LIST_FOREACH(syn, &syns->chains[chain_of(syns, packet)], by_connection)
	if (same_connection(&syn->packet, packet))
		return true;
	return false;
}

static int refuse(const struct syns *syns, size_t length)
{
	return syns->stats.held >= syns->limits.packets || syns->stats.bytes + length > syns->limits.bytes;
}

int syns_put(struct syns *syns, const struct bng_punt *header, const uint8_t *frame, size_t length,
	     uint64_t now_ns)
{
	struct hold_packet packet;
	struct syn *syn;

	if (hold_packet_parse(frame, length, &packet) || packet.offset || packet.ip_protocol != IPPROTO_TCP)
		return -EBADMSG;
	if (is_known(syns, &packet)) {
		syns->stats.repeated++;
		return -EEXIST;
	}
	if (refuse(syns, length)) {
		syns->stats.refused++;
		return -ENOSPC;
	}
	syn = malloc(sizeof(*syn) + length);
	if (!syn)
		return -ENOMEM;
	syn->packet = packet;
	syn->header = *header;
	/* From when it came, not from when we were there to read it. */
	syn->due_ns = (header->time_ns < now_ns ? header->time_ns : now_ns) + syns->limits.delay_ns;
	syn->length = (uint16_t)length;
	memcpy(syn->frame, frame, length);
	TAILQ_INSERT_TAIL(&syns->by_age, syn, by_age);
	LIST_INSERT_HEAD(&syns->chains[chain_of(syns, &packet)], syn, by_connection);
	syns->stats.held++;
	syns->stats.bytes += length;
	return 0;
}

uint64_t syns_look(struct syns *syns, uint64_t now_ns, syns_send *send, void *context)
{
	struct syn *syn;

	while ((syn = TAILQ_FIRST(&syns->by_age))) {
		if (syn->due_ns > now_ns || send(&syn->header, syn->frame, syn->length, context))
			return syn->due_ns;
		syns->stats.released++;
		syn_drop(syns, syn);
	}
	return 0;
}

const struct hold_stats *syns_stats(const struct syns *syns)
{
	return &syns->stats;
}
