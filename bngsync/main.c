/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngsync: keeps the records of others while they restart. It may end at any
 * moment, by any signal: what it acknowledged is in its store.
 */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bngsync/sync.h"
#include "lib/log.h"
#include "lib/service.h"

static void on_signal(evutil_socket_t number, short events, void *context)
{
	(void)events;
	log_notice("signal %d: ending; every acknowledged record is stored", (int)number);
	event_base_loopbreak(context);
}

static int run(const struct sync_options *options)
{
	static struct sync sync;
	struct event_base *base = event_base_new();
	struct event *term = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
	struct event *interrupt = base ? evsignal_new(base, SIGINT, on_signal, base) : NULL;
	if (!term || !interrupt || event_add(term, NULL) || event_add(interrupt, NULL))
		return -ENOMEM;
	int error = sync_start(&sync, base, options);
	if (!error) {
		service_ready();
		event_base_dispatch(base);
	}
	sync_stop(&sync);
	event_free(term);
	event_free(interrupt);
	event_base_free(base);
	return error;
}

static int usage(void)
{
	fputs("usage: bngsync --state DIR --store FILE --group GROUP [--max-bytes N] [--tombstones N]\n",
	      stderr);
	return 2;
}

/* A whole number above 0, or 0 for what is none. */
static uint64_t number_of(const char *text)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	return errno || *end || text[0] < '0' || text[0] > '9' ? 0 : number;
}

int main(int argc, char **argv)
{
	static char socket[4096] = "/run/bng/control/bngsync.sock";
	static const struct option options[] = {
		{"state", required_argument, NULL, 's'},      {"store", required_argument, NULL, 'f'},
		{"group", required_argument, NULL, 'g'},      {"max-bytes", required_argument, NULL, 'b'},
		{"tombstones", required_argument, NULL, 't'}, {NULL, 0, NULL, 0}};
	struct sync_options chosen = {.socket = socket, .store = "/var/lib/bng/sync.db"};
	const char *group_name = "bng";
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'f')
			chosen.store = optarg;
		else if (c == 'g')
			group_name = optarg;
		else if (c == 'b' && number_of(optarg))
			chosen.max_bytes = number_of(optarg);
		else if (c == 't' && number_of(optarg))
			chosen.tombstones_max = number_of(optarg);
		else if (c != 's' || snprintf(socket, sizeof(socket), "%s/control/bngsync.sock", optarg) >=
					     (int)sizeof(socket))
			return usage();
	}
	if (optind < argc)
		return usage();
	log_init("bngsync", LOG_LEVEL_INFO);
	const struct group *group = getgrnam(group_name);
	if (!group) {
		log_error("group %s: there is none: make it (groupadd --system %s)", group_name, group_name);
		return 2;
	}
	chosen.group = group->gr_gid;
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return run(&chosen) ? EXIT_FAILURE : EXIT_SUCCESS;
}
