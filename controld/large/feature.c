/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packets to PPPoE subscribers that are larger than what PPP agreed, and may be cut. The
 * data plane has done all the rest; a program cannot make two frames of one, so they are
 * made here. While controld is away such packets wait, as all control packets do.
 */
#include "controld/feature.h"
#include "controld/controld.h"
#include "controld/large/cut.h"
#include "controld/maps/maps.h"
#include "controld/punt/punt.h"
#include "lib/log.h"

#define RATE  5000
#define BURST 1000

struct way {
	struct controld *controld;
	uint16_t interface;
};

static int send_fragment(const uint8_t *frame, size_t length, void *context)
{
	const struct way *way = context;

	return punt_send(way->controld, way->interface, frame, length);
}

static void on_large(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
		     size_t length, void *context)
{
	const struct bng_subscriber *record;
	struct way way = {.controld = controld};
	uint16_t mtu;

	(void)context;
	if (!header->slot || header->slot >= maps_entries(controld->maps, MAP_subscriber))
		return;
	record = &controld->maps->subscriber[header->slot];
	way.interface = record->interface;
	if (record->state != BNG_SUBSCRIBER_ACTIVE || way.interface >= BNG_INTERFACES)
		return;
	mtu = bng_subscriber_mtu(record, controld->maps->interface[way.interface].mtu);
	if (cut_frame(frame, length, mtu, send_fragment, &way))
		log_debug("a packet of %zu bytes for a PPPoE subscriber could not be sent in fragments",
			  length);
}

static int feature_init(struct controld *controld)
{
	punt_register(controld, BNG_PUNT_REASON_LARGE, on_large, NULL);
	return 0;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	(void)next;
	punt_limit(controld, BNG_PUNT_REASON_LARGE, RATE, BURST);
	return 0;
}

const struct bng_feature large_feature = {
	.name = "large",
	.init = feature_init,
	.apply = feature_apply,
};
