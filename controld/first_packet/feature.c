/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Place in the daemon: packets from the punt socket, prefixes to the map, counters by RPC.
 */
#include <errno.h>
#include <jansson.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/first_packet/prefixes.h"
#include "controld/first_packet/server.h"
#include "controld/punt/punt.h"
#include "lib/clock.h"
#include "lib/log.h"

static void on_packet(struct controld *controld, const struct bng_punt *punt, const uint8_t *frame,
		      size_t length, void *context)
{
	(void)controld;
	first_packet_serve(context, punt->interface, frame, length, clock_boottime_ns());
}

static int feature_init(struct controld *controld)
{
	int failure = first_packet_new(controld, &controld->first_packet);

	if (failure) {
		log_error("sessions by first packet: cannot start: out of memory");
		return failure;
	}
	punt_register(controld, BNG_PUNT_REASON_FIRST_PACKET, on_packet, controld->first_packet);
	authorise_register(controld, AUTHORISE_FIRST_PACKET, first_packet_on_answer);
	return 0;
}

static void feature_free(struct controld *controld)
{
	first_packet_free(controld->first_packet);
	controld->first_packet = NULL;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	controld->first_packet->config = next;
	punt_limit(controld, BNG_PUNT_REASON_FIRST_PACKET, next->first_packet_rate, next->first_packet_burst);
	return prefixes_apply(controld, next);
}

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	const struct first_packet *first_packet = ((struct controld *)context)->first_packet;
	struct json_reader reader;
	json_t *result;

	if (!ctl_params(request, &reader, members))
		return;
	result = json_object();
#define SET(name) json_set_count(result, #name, first_packet->stats.name);
	FIRST_PACKET_COUNTS(SET)
#undef SET
	json_set_count(result, "waiting", setups_count(first_packet->setups, SETUP_ASKED));
	rpc_reply(request, result, NULL, 0);
}

static const struct rpc_method methods[] = {
	{"first_packet.stats", 0, handle_stats},
	{0},
};

const struct bng_feature first_packet_feature = {
	.name = "first_packet",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = methods,
};
