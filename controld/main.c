/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-controld: the control plane. It owns nothing that packets depend on and
 * needs no privilege: descriptors come from bpfholder. It may end at any moment.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/config/exempt.h"
#include "controld/controld.h"
#include "controld/ctl/reload.h"
#include "controld/startup/attempt.h"
#include "controld/startup/startup.h"
#include "lib/clock.h"
#include "lib/log.h"

#define EXIT_USAGE 2

struct arguments {
	struct startup_options startup;
	const char *check;
	const char *previous;
	enum log_level level;
	bool allow_root;
};

static void usage(FILE *stream)
{
	fputs("usage: bng-controld --config FILE [--state DIR] [--object FILE] [--previous FILE]\n"
	      "                    [--accept-empty] [--log-level LEVEL]\n"
	      "       bng-controld --check FILE\n"
	      "\n"
	      "  --config FILE      the configuration (JSON), watched for changes\n"
	      "  --state DIR        where bpfholder's socket is; default /run/bng\n"
	      "  --object FILE      the data plane to load where bpfholder has none\n"
	      "  --previous FILE    the version before: takes this one's place when it failed three times\n"
	      "                     in a row\n"
	      "  --accept-empty     start although sessions or records are missing that were counted "
	      "before,\n"
	      "                     or the configuration has lost all interfaces or pools\n"
	      "  --check FILE       say whether FILE is a good configuration, and end\n"
	      "  --log-level LEVEL  error, warning, notice, info or debug; default info\n"
	      "  --allow-root       run with privileges, for debugging only\n"
	      "  --version          print the version, and end\n",
	      stream);
}

static bool parse_level(const char *text, enum log_level *level)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*level = (enum log_level)(LOG_LEVEL_ERROR + i);
		return true;
	}
	return false;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"state", required_argument, NULL, 's'},
		{"object", required_argument, NULL, 'o'},
		{"previous", required_argument, NULL, 'p'},
		{"check", required_argument, NULL, 'k'},
		{"log-level", required_argument, NULL, 'l'},
		{"accept-empty", no_argument, NULL, 'e'},
		{"allow-root", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			arguments->startup.config_file = optarg;
			break;
		case 's':
			arguments->startup.state = optarg;
			break;
		case 'o':
			arguments->startup.object = optarg;
			break;
		case 'p':
			arguments->previous = optarg;
			break;
		case 'k':
			arguments->check = optarg;
			break;
		case 'l':
			good = parse_level(optarg, &arguments->level);
			break;
		case 'e':
			arguments->startup.accepts_empty = true;
			break;
		case 'r':
			arguments->allow_root = true;
			break;
		case 'v':
			puts("bng-controld " BNG_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			good = false;
		}
	}
	if (good && optind == argc && !arguments->startup.config_file != !arguments->check)
		return -1;
	usage(stderr);
	return EXIT_USAGE;
}

static int check_file(const char *file)
{
	char error[CONFIG_ERROR_TEXT];
	struct config_exempt *exempt = NULL;
	struct config *config = NULL;
	size_t count = 0;
	int failure = config_load(file, &config, error, sizeof(error));

	if (!failure && config->exempt_file)
		failure = exempt_load(config->exempt_file, &exempt, &count, error, sizeof(error));
	free(exempt);
	if (failure) {
		fprintf(stderr, "%s\n", error);
		config_free(config);
		return EXIT_FAILURE;
	}
	printf("%s: good (%zu interfaces, %zu DHCP pools, %zu CGNAT pools, %zu static sessions)\n", file,
	       config->interface_count, config->dhcp4_pool_count, config->nat_pool_count,
	       config->session_count);
	config_free(config);
	return EXIT_SUCCESS;
}

/* Everything it needs comes as a descriptor: privileges could only do harm. */
static bool has_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (!geteuid() || !getuid())
		return true;
	if (syscall(SYS_capget, &header, data))
		return true;
	return data[0].permitted || data[1].permitted || data[0].effective || data[1].effective;
}

static void on_end(evutil_socket_t signal_number, short what, void *context)
{
	struct controld *controld = context;

	(void)what;
	log_notice("ending on signal %d; forwarding goes on", (int)signal_number);
	event_base_loopbreak(controld->base);
}

static void on_hangup(evutil_socket_t signal_number, short what, void *context)
{
	(void)signal_number;
	(void)what;
	reload_logged(context, "SIGHUP");
}

static int watch_signals(struct controld *controld, struct event *events[static 3])
{
	static const struct {
		int number;
		event_callback_fn handler;
	} signals[3] = {{SIGTERM, on_end}, {SIGINT, on_end}, {SIGHUP, on_hangup}};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++) {
		events[i] = evsignal_new(controld->base, signals[i].number, signals[i].handler, controld);
		if (!events[i] || event_add(events[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

static uint64_t make_epoch(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int run(const struct startup_options *options, struct attempt *attempt)
{
	struct controld controld = {.epoch = make_epoch(), .started_ns = clock_boottime_ns()};
	struct event *signals[3] = {NULL};
	int failure;

	controld.base = event_base_new();
	failure = controld.base && !watch_signals(&controld, signals) ? 0 : STARTUP_FAILED;
	if (!failure)
		failure = startup_run(&controld, options, attempt);
	if (!failure)
		event_base_dispatch(controld.base);
	startup_free(&controld);
	for (int i = 0; i < 3; i++)
		if (signals[i])
			event_free(signals[i]);
	if (controld.base)
		event_base_free(controld.base);
	return failure;
}

/* The object that came with the previous version, or ours. */
static const char *object_beside(const char *previous, const char *object, char path[static PATH_MAX])
{
	const char *slash = strrchr(previous, '/'), *name = object ? strrchr(object, '/') : NULL;

	if (!object)
		return NULL;
	snprintf(path, PATH_MAX, "%.*s%s", slash ? (int)(slash + 1 - previous) : 0, previous,
		 name ? name + 1 : object);
	return access(path, R_OK) ? object : path;
}

/* With options that every version knows. Returns when it cannot be started. */
static void run_previous(const struct arguments *arguments, const struct attempt *attempt)
{
	const struct startup_options *startup = &arguments->startup;
	char path[PATH_MAX];
	const char *object = object_beside(arguments->previous, startup->object, path);
	const char *argv[9] = {"bng-controld", "--config", startup->config_file, "--state", startup->state};
	int count = 5;

	if (object) {
		argv[count++] = "--object";
		argv[count++] = object;
	}
	if (arguments->allow_root)
		argv[count++] = "--allow-root";
	log_warning("version " BNG_VERSION
		    " failed %u times in a row (%s: %s): starting the previous version, %s",
		    attempt->record.failures, attempt->record.phase, attempt->record.reason,
		    arguments->previous);
	setenv(ATTEMPT_ENVIRONMENT, "1", 1);
	execv(arguments->previous, (char *const *)(uintptr_t)argv);
	log_error("starting %s failed: %s: starting this version", arguments->previous, strerror(errno));
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.startup = {.state = "/run/bng"}, .level = LOG_LEVEL_INFO};
	struct attempt attempt;
	int status = parse_arguments(argc, argv, &arguments);

	if (status >= 0)
		return status;
	log_init("bng-controld", arguments.level);
	if (arguments.check)
		return check_file(arguments.check);
	if (has_privileges() && !arguments.allow_root) {
		log_error("started with privileges (uid %d or capabilities): it needs none and refuses them; "
			  "start it "
			  "as user bng without capabilities, or with --allow-root for debugging",
			  (int)geteuid());
		return EXIT_FAILURE;
	}
	if (attempt_begin(&attempt, arguments.startup.state, arguments.previous) == ATTEMPT_PREVIOUS)
		run_previous(&arguments, &attempt);
	return run(&arguments.startup, &attempt);
}
