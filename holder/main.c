/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bpfholder: adopts what is pinned, then serves requests and a timer. It may end
 * at any moment, by any signal: pins keep everything forwarding.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rpc.h"
#include "lib/service.h"

/* Ageing goes on with everybody else dead. */
static void sweep(struct holder *holder)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	unsigned entering = holder->bridge.entering; /* the old maps are not to be written any more */
	int program = role_open(holder, entering ? entering : holder->current, "sweep");
	if (program < 0)
		return;
	uint64_t begun_ns = clock_boottime_ns();
	int error = bpf_prog_test_run_opts(program, &options);
	error = error ? error : (int)options.retval;
	close(program);
	holder->sweep.runs++;
	holder->sweep.errors += error != 0;
	holder->sweep.last_us = (clock_boottime_ns() - begun_ns) / 1000;
	if (error && !holder->sweep.failing) {
		log_error("bng_sweep: error %d: ageing has stopped", error);
		holder_event(holder, json_pack("{s:s, s:i}", "type", "sweep_error", "error", error));
	}
	holder->sweep.failing = error;
}

static void on_look(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	links_watch(context);
}

static void on_second(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	trial_watch(context);
	controller_watch(context);
	canary_sample(context);
	sweep(context);
	groups_watch(context);
}

static void on_signal(evutil_socket_t number, short events, void *context)
{
	(void)events;
	log_notice("signal %d: ending; everything stays pinned and forwards on", (int)number);
	event_base_loopbreak(((struct holder *)context)->base);
}

static int serve(struct holder *holder)
{
	static const struct timeval second = {.tv_sec = 1}, look = {.tv_usec = 250000};
	fdstore_take_back(&holder->store);
	groups_adopt(holder);
	holder->base = event_base_new();
	if (!holder->base)
		return -ENOMEM;
	struct event *events[] = {event_new(holder->base, -1, EV_PERSIST, on_second, holder),
				  evsignal_new(holder->base, SIGTERM, on_signal, holder),
				  evsignal_new(holder->base, SIGINT, on_signal, holder),
				  event_new(holder->base, -1, EV_PERSIST, on_look, holder)};
	const struct timeval *const times[] = {&second, NULL, NULL, &look};
	int error = control_start(holder);
	for (size_t i = 0; i < 4 && !error; i++)
		error = !events[i] || event_add(events[i], times[i]) ? -ENOMEM : 0;
	if (!error) {
		bridge_serve(holder);
		service_ready();
		event_base_dispatch(holder->base);
	}
	rpc_server_free(holder->server);
	for (size_t i = 0; i < 4; i++)
		event_free(events[i]);
	event_base_free(holder->base);
	return error;
}

static int start(struct holder *holder)
{
	int error = pins_open(holder);
	if (error == -EWOULDBLOCK)
		log_error("%s/lock: another bpfholder runs here: stop it first", holder->dir);
	if (!error)
		error = adopt(holder);
	if (!error)
		error = serve(holder);
	if (error)
		log_error("%s: starting: %s", holder->dir, strerror(-error));
	return error;
}

static int usage(void)
{
	fputs("usage: bpfholder --state DIR --group GROUP [--key FILE]... [--reattach]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct holder holder = {.dir = "/run/bng"};
	static const struct option options[] = {{"state", required_argument, NULL, 's'},
						{"group", required_argument, NULL, 'g'},
						{"key", required_argument, NULL, 'k'},
						{"reattach", no_argument, NULL, 'r'},
						{"resume", required_argument, NULL, 'e'},
						{"check", no_argument, NULL, 'c'},
						{NULL, 0, NULL, 0}};
	const char *group_name = "bng";
	int state_fd = 0;
	bool is_check = false;
	log_init("bpfholder", LOG_LEVEL_INFO);
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'g')
			group_name = optarg;
		else if (c == 'r')
			holder.reattach = true;
		else if (c == 'e')
			state_fd = atoi(optarg);
		else if (c == 'c')
			is_check = true;
		else if (c == 'k')
			sign_add_key(&holder, optarg);
		else if (c != 's' || snprintf(holder.dir, DIR_TEXT, "%s", optarg) >= DIR_TEXT)
			return usage();
	}
	const struct group *group = getgrnam(group_name);
	if (!group) {
		log_error("group %s: there is none: make it (groupadd --system %s)", group_name, group_name);
		return 2;
	}
	int handed = state_fd ? exec_resume(&holder, state_fd, !is_check) : 0;
	if (handed) {
		log_error("what was handed over cannot be read: %s", strerror(-handed));
		return EXIT_FAILURE;
	}
	if (is_check)
		return exec_check(&holder) ? EXIT_FAILURE : EXIT_SUCCESS;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	holder.group = group->gr_gid;
	holder.arguments = argv;
	holder.started_ns = clock_boottime_ns();
	int error = start(&holder);
	canary_done(&holder);
	json_decref(holder.journal.new_maps);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
