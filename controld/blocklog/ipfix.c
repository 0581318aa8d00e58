/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records to an IPFIX collector. Templates go first on each connection, and again
 * every minute over UDP, whose collector may have been restarted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controld/blocklog/ipfix_message.h"
#include "controld/blocklog/transport.h"
#include "lib/log.h"

#define RECORDS_MAX    40 /* of at most 33 bytes each: they fit into a message */
#define TEMPLATES_MS   60000
#define TEMPLATES_NONE 0

struct ipfix {
	struct transport transport; /* first: a destination's own is one */
	struct ipfix_encoder *encoder;
	uint32_t domain;
	uint64_t templates_ms; /* when they were sent last */
};

static struct ipfix_encoder *new_encoder(const struct destination *d, uint32_t domain)
{
	char error[256];
	struct ipfix_encoder *encoder = ipfix_encoder_new(domain, MESSAGE_MAX, error, sizeof(error));

	if (!encoder)
		log_error("log of port blocks: preparing IPFIX for %s failed: %s", d->target, error);
	return encoder;
}

/* A new connection is a new session: its sequence numbers begin again. */
static void restart(struct destination *d)
{
	struct ipfix *ipfix = d->own;
	struct ipfix_encoder *encoder;

	ipfix->templates_ms = TEMPLATES_NONE;
	if (!ipfix->transport.to.stream)
		return;
	encoder = new_encoder(d, ipfix->domain);
	if (!encoder)
		return;
	ipfix_encoder_free(ipfix->encoder);
	ipfix->encoder = encoder;
}

static bool templates_due(const struct ipfix *ipfix, uint64_t now)
{
	if (ipfix->templates_ms == TEMPLATES_NONE)
		return true;
	return !ipfix->transport.to.stream && now - ipfix->templates_ms >= TEMPLATES_MS;
}

/* Of this destination, and of events that never came. */
static uint64_t lost_total(const struct destination *d)
{
	return destination_reader(d)->lost + d->log->journal->header->events_lost;
}

static int fill(struct destination *d, struct ipfix *ipfix)
{
	struct blocklog_record record;
	int failure = 0;

	for (int i = 0; !failure && i < RECORDS_MAX && destination_take(d, &record); i++)
		failure = ipfix_encoder_add(ipfix->encoder, &record, lost_total(d));
	return failure;
}

static size_t build(struct destination *d, uint8_t message[static MESSAGE_MAX])
{
	struct ipfix *ipfix = d->own;
	uint64_t now = transport_now_ms();
	const uint8_t *made = NULL;
	size_t length = 0;
	int failure;

	if (!destination_has_more(d))
		return 0;
	if (templates_due(ipfix, now)) {
		ipfix->templates_ms = now;
		failure = ipfix_encoder_templates(ipfix->encoder);
	} else {
		failure = fill(d, ipfix);
	}
	if (!failure)
		length = ipfix_encoder_finish(ipfix->encoder, (uint32_t)time(NULL), &made);
	if (!length)
		log_error("log of port blocks: making an IPFIX message failed: %s",
			  ipfix_encoder_error(ipfix->encoder));
	else
		memcpy(message, made, length);
	return length;
}

static int open_ipfix(struct destination *d, const struct config_log *config)
{
	struct ipfix *ipfix = calloc(1, sizeof(*ipfix));

	if (!ipfix)
		return -ENOMEM;
	d->own = ipfix;
	transport_init(&ipfix->transport, d, &config->ipfix.to);
	ipfix->transport.build = build;
	ipfix->transport.restart = restart;
	ipfix->domain = config->ipfix.observation_domain;
	ipfix->encoder = new_encoder(d, ipfix->domain);
	if (ipfix->encoder)
		return 0;
	free(ipfix);
	d->own = NULL;
	return -ENOMEM;
}

static void wake(struct destination *d)
{
	transport_wake(d->own);
}

static void close_ipfix(struct destination *d)
{
	struct ipfix *ipfix = d->own;

	transport_close(&ipfix->transport);
	ipfix_encoder_free(ipfix->encoder);
	free(ipfix);
	d->own = NULL;
}

static bool wanted(const struct config_log *config)
{
	return config->ipfix.on;
}

static bool same(const struct config_log *a, const struct config_log *b)
{
	return !memcmp(&a->ipfix, &b->ipfix, sizeof(a->ipfix));
}

const struct destination_type ipfix_destination = {
	.name = "ipfix",
	.wanted = wanted,
	.same = same,
	.open = open_ipfix,
	.wake = wake,
	.close = close_ipfix,
};
