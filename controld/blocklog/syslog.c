/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records as RFC 5424 messages, one a datagram (RFC 5426 for UDP).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/blocklog/transport.h"

#define SEQUENCE_MAX 0x7fffffffu

struct syslog {
	struct transport transport; /* first: a destination's own is one */
	struct record_origin origin;
	char hostname[256];
};

static size_t build(struct destination *d, uint8_t message[static MESSAGE_MAX])
{
	struct syslog *syslog = d->own;
	struct blocklog_record record;

	_Static_assert(RECORD_TEXT <= MESSAGE_MAX, "a record fits into a message");
	if (!destination_take(d, &record))
		return 0;
	syslog->origin.sequence = syslog->origin.sequence % SEQUENCE_MAX + 1;
	return record_syslog(&record, &syslog->origin, (char *)message);
}

static void set_hostname(struct syslog *syslog, const char *configured)
{
	char name[sizeof(syslog->hostname)] = "";

	if (!configured[0] && gethostname(name, sizeof(name) - 1))
		name[0] = '\0';
	snprintf(syslog->hostname, sizeof(syslog->hostname), "%s", configured[0] ? configured : name);
	if (!syslog->hostname[0])
		snprintf(syslog->hostname, sizeof(syslog->hostname), "-");
}

static int open_syslog(struct destination *d, const struct config_log *config)
{
	struct syslog *syslog = calloc(1, sizeof(*syslog));

	if (!syslog)
		return -ENOMEM;
	d->own = syslog;
	transport_init(&syslog->transport, d, &config->syslog.to);
	syslog->transport.build = build;
	set_hostname(syslog, config->syslog.hostname);
	syslog->origin = (struct record_origin){
		.facility = config->syslog.facility, .hostname = syslog->hostname, .pid = (long)getpid()};
	return 0;
}

static void wake(struct destination *d)
{
	transport_wake(d->own);
}

static void close_syslog(struct destination *d)
{
	transport_close(d->own);
	free(d->own);
	d->own = NULL;
}

static bool wanted(const struct config_log *config)
{
	return config->syslog.on;
}

static bool same(const struct config_log *a, const struct config_log *b)
{
	return !memcmp(&a->syslog, &b->syslog, sizeof(a->syslog));
}

const struct destination_type syslog_destination = {
	.name = "syslog",
	.wanted = wanted,
	.same = same,
	.open = open_syslog,
	.wake = wake,
	.close = close_syslog,
};
