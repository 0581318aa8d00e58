/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The phases of a start.
 */
#include "controld/startup/phases.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/reload.h"
#include "controld/feature.h"
#include "controld/maps/sizes.h"
#include "controld/punt/socket.h"
#include "controld/startup/migrate.h"
#include "controld/startup/object.h"
#include "controld/startup/seen.h"
#include "controld/sync/resync.h"
#include "dataplane/abi/version.h"
#include "lib/clock.h"
#include "lib/log.h"

#define RECORDS_QUIET_MS 3000
#define GREET_PAUSE_MS   50
#define GREET_SPARE_MS   500 /* of the deadline */

void phase_say(struct startup *startup, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(startup->detail, sizeof(startup->detail), format, arguments);
	va_end(arguments);
}

static int phase_read(struct controld *controld, struct startup *startup)
{
	char error[CONFIG_ERROR_TEXT];
	int failure = config_load(startup->options->config_file, &startup->config, error, sizeof(error));

	(void)controld;
	if (failure) {
		log_error("%s", error);
		startup->is_refused = true;
		return failure;
	}
	phase_say(startup, "%s", startup->options->config_file);
	return 0;
}

static bool is_absent(int failure)
{
	return failure == -ENOENT || failure == -ECONNREFUSED;
}

/* Whoever dies before it has answered has not been here. */
static int greet(struct controld *controld, struct startup *startup, const char *path, char *error,
		 size_t error_size)
{
	int failure = holder_open(controld, path);

	if (failure) {
		snprintf(error, error_size,
			 "connecting to bpfholder at %s failed: %s: is bpfholder running, and may this user "
			 "reach it?",
			 path, strerror(-failure));
		return failure;
	}
	holder_on_alarm(controld->holder, ctl_holder_event);
	failure = holder_hello(controld->holder, &startup->hello, error, error_size);
	if (failure == -ENOTCONN)
		holder_close(controld);
	return failure;
}

/* One that is not there yet, or goes away meanwhile, is waited for, as one that is busy is. That it does
 * not come is not this version's failure. */
static int phase_hello(struct controld *controld, struct startup *startup)
{
	const struct timespec pause = {.tv_nsec = GREET_PAUSE_MS * 1000000L};
	const uint64_t end = clock_boottime_ns() + (startup->deadline_s * 1000ull - GREET_SPARE_MS) * 1000000;
	bool is_told = false;
	char path[108], error[1024];
	int failure;

	snprintf(path, sizeof(path), "%s/holder.sock", startup->options->state);
	for (;;) {
		failure = greet(controld, startup, path, error, sizeof(error));
		if ((!is_absent(failure) && failure != -ENOTCONN) || clock_boottime_ns() > end)
			break;
		if (is_absent(failure) && !is_told)
			log_notice("bpfholder is not there (%s: %s): waiting for it", path,
				   strerror(-failure));
		is_told |= is_absent(failure);
		nanosleep(&pause, NULL);
	}
	startup->is_refused = is_absent(failure);
	if (failure) {
		log_error("greeting bpfholder failed: %s", error);
		return failure;
	}
	phase_say(startup, "bpfholder pid %d, generation %" PRIu64, holder_pid(controld->holder),
		  startup->hello.generation);
	return 0;
}

/* An upgrade that a dying controller left half done is dropped; what is to be migrated to is not. */
static void drop_staged(struct controld *controld, struct startup *startup, const json_t *status)
{
	json_int_t asked = (json_int_t)migrate_asked(controld);
	json_t *generation;
	size_t i;

	json_array_foreach(json_object_get(status, "generations"), i, generation)
	{
		const char *state = json_string_value(json_object_get(generation, "state"));
		json_t *number = json_object_get(generation, "generation");
		struct rpc_result result;

		if (!state || strcmp(state, "staged") != 0)
			continue;
		if (asked && json_integer_value(number) == asked) {
			startup->migration.is_staged = true;
			continue;
		}
		log_notice("dropping staged generation %" JSON_INTEGER_FORMAT
			   ", left by an earlier controller",
			   json_integer_value(number));
		holder_call(controld->holder, "object.drop", json_pack("{s:O}", "generation", number), NULL,
			    0, &result);
		rpc_result_done(&result);
	}
}

static int phase_object(struct controld *controld, struct startup *startup)
{
	struct rpc_result status;
	json_int_t generation = (json_int_t)startup->hello.generation;
	int failure = holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status);

	if (failure) {
		log_error("asking bpfholder for its status failed: %s", status.message);
		rpc_result_done(&status);
		return failure;
	}
	drop_staged(controld, startup, status.value);
	startup->attached = json_array_size(json_object_get(status.value, "links")) > 0;
	startup->pinned = json_incref(json_object_get(status.value, "maps"));
	rpc_result_done(&status);
	if (generation) {
		phase_say(startup, "generation %" JSON_INTEGER_FORMAT " is current", generation);
		return 0;
	}
	if (!startup->options->object) {
		log_error("bpfholder has no generation and --object was not given: give the file to load");
		return -ENOENT;
	}
	failure = object_load(controld, startup, &generation);
	startup->loaded = !failure;
	phase_say(startup, "%s loaded as generation %" JSON_INTEGER_FORMAT, startup->options->object,
		  generation);
	return failure;
}

static int open_maps(struct controld *controld, struct rpc_result *result)
{
	json_t *names = json_array();

	for (enum map_id i = 0; i < MAP_COUNT; i++)
		json_array_append_new(names, json_string(maps_name(i)));
	return holder_call(controld->holder, "map.open", json_pack("{s:o}", "names", names), NULL, 0, result);
}

/* An object of an earlier version has not all the maps that this one needs. The file
 * that came with us has: it takes the old one's place, as an upgrade does. A map that
 * was made once stays, so that a roll-back is not undone by the next start. */
static int open_maps_of_object(struct controld *controld, struct startup *startup, struct rpc_result *result)
{
	int failure = open_maps(controld, result);
	json_int_t generation;

	if (failure != -ENOENT || startup->loaded || !startup->options->object)
		return failure;
	log_notice("the running object is older than this bng-controld (%s): %s takes its place",
		   result->message, startup->options->object);
	rpc_result_done(result);
	failure = object_load(controld, startup, &generation);
	return failure ? failure : open_maps(controld, result);
}

/* Maps that are empty where the holder says that packets run on them would be an
 * outage if we believed them. */
static int check_meta(struct controld *controld, struct startup *startup)
{
	struct bng_meta *meta = controld->maps->meta;

	if (!meta->abi_version && startup->attached) {
		log_error(
			"the maps are empty, but bpfholder has programs attached that use them: not touching "
			"anything; look at bngcli holder status");
		return -ESTALE;
	}
	if (!meta->abi_version)
		__atomic_store_n(&meta->abi_version, BNG_ABI_VERSION, __ATOMIC_RELEASE);
	if (meta->abi_version == BNG_ABI_VERSION)
		return 0;
	log_error("the maps have layout %u, this bng-controld knows %u: install the version that belongs to "
		  "the "
		  "running object, or upgrade the object first",
		  meta->abi_version, BNG_ABI_VERSION);
	return -EPROTO;
}

/* The descriptors are the maps' from here on. */
static int take_maps(struct controld *controld, struct rpc_result *result)
{
	char error[512];
	int failure;

	if (result->fd_count != MAP_COUNT) {
		log_error("opening the maps failed: bpfholder gave %zu of %d", result->fd_count, MAP_COUNT);
		return -EPROTO;
	}
	result->fd_count = 0;
	failure = maps_open(result->fds, &controld->maps, error, sizeof(error));
	if (failure)
		log_error("%s", error);
	return failure;
}

static int phase_maps(struct controld *controld, struct startup *startup)
{
	struct rpc_result result = {0};
	int failure = open_maps_of_object(controld, startup, &result);

	if (!failure)
		failure = take_maps(controld, &result);
	else if (result.message[0])
		log_error("opening the maps failed: %s", result.message);
	rpc_result_done(&result);
	if (!failure)
		failure = check_meta(controld, startup);
	if (!failure)
		phase_say(startup, "%d maps, room for %u sessions, %u public addresses", MAP_COUNT,
			  maps_entries(controld->maps, MAP_subscriber),
			  maps_entries(controld->maps, MAP_pool_address));
	return failure;
}

static int phase_descriptors(struct controld *controld, struct startup *startup)
{
	bool listener_made, socket_made;
	char path[108];
	int failure;

	snprintf(path, sizeof(path), "%s/control/controld.sock", startup->options->state);
	failure = ctl_new(controld);
	if (!failure)
		failure = ctl_listen(controld, path, &startup->listener, &listener_made);
	if (!failure)
		failure = punt_new(controld);
	if (!failure)
		failure = punt_open(controld, &socket_made);
	if (!failure)
		phase_say(startup, "control socket %s, punt socket %s", listener_made ? "made" : "taken",
			  socket_made ? "made" : "taken");
	return failure;
}

static int phase_records(struct controld *controld, struct startup *startup)
{
	char path[108];
	int failure;
	bool is_whole;

	snprintf(path, sizeof(path), "%s/control/bngsync.sock", startup->options->state);
	failure = sync_new(controld, path);
	if (failure)
		return failure;
	is_whole = sync_receive(controld, RECORDS_QUIET_MS);
	phase_say(startup, "%s", is_whole ? "bngsync has told what it keeps" : "bngsync is away");
	return 0;
}

/* One start may be told to believe it by a file, which is gone then. */
static bool accepts_empty(const struct startup *startup)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/control/accept-empty", startup->options->state);
	return !unlink(path) || startup->options->accepts_empty;
}

/* Before anything is taken from what was found. */
static int phase_compare(struct controld *controld, struct startup *startup)
{
	struct guard_counts found;
	char error[512];
	bool is_accepted = accepts_empty(startup);
	int failure = seen_open(controld);

	if (failure)
		return failure;
	guard_clear(&found);
	guard_count_config(startup->config, &found);
	found.of[GUARD_sessions] = maps_sessions_count(controld->maps);
	sync_received_count(controld, SESSION_TOPIC, &found.of[GUARD_records]);
	failure = seen_compare(controld, &found, error, sizeof(error));
	phase_say(startup, "%" PRIu64 " sessions%s", found.of[GUARD_sessions],
		  !failure ? ", nothing is missing" : ": accepted as it is");
	if (is_accepted) {
		seen_forget(controld);
		if (failure)
			log_warning("accepted, as --accept-empty or the file accept-empty says: %s", error);
		return 0;
	}
	if (!failure)
		return 0;
	startup->is_refused = true;
	phase_say(startup, "refused");
	log_error("%s. Nothing was changed, forwarding goes on as it is. If this is meant: touch "
		  "%s/control/accept-empty (for one start), or give --accept-empty",
		  error, startup->options->state);
	return failure;
}

static int init_features(struct controld *controld, struct startup *startup)
{
	int failure = 0;

	for (int i = 0; !failure && bng_features[i]; i++) {
		__atomic_store_n(&startup->doing, bng_features[i]->name, __ATOMIC_RELAXED);
		if (bng_features[i]->init)
			failure = bng_features[i]->init(controld);
		startup->inits = i + 1;
		if (failure)
			log_error("feature %s: starting it failed: %s", bng_features[i]->name,
				  strerror(-failure));
	}
	return failure;
}

static int phase_sessions(struct controld *controld, struct startup *startup)
{
	uint64_t records = 0;
	int failure = sessions_new(controld, controld->epoch);

	if (!failure)
		failure = init_features(controld, startup);
	if (!failure)
		failure = sessions_adopt(controld, &startup->sessions);
	if (failure)
		log_error("adopting the sessions failed: %s", strerror(-failure));
	else
		records = sync_deliver(controld);
	phase_say(startup, "%u sessions, %u closing, %" PRIu64 " records", startup->sessions.active,
		  startup->sessions.closing, records);
	return failure;
}

static int phase_blocks(struct controld *controld, struct startup *startup)
{
	maps_blocks_count(controld->maps, &startup->blocks);
	phase_say(startup,
		  "%" PRIu64 " port blocks, %" PRIu64 " mappings, none re-allocated; %" PRIu64 " held",
		  startup->blocks.allocated, startup->blocks.mappings, startup->blocks.held);
	return 0;
}

static void warn_sizes(const struct controld *controld, const struct config *config)
{
	struct size_compared sizes[SIZES_COUNT];

	maps_sizes_compare(controld->maps, config, sizes);
	for (size_t i = 0; i < SIZES_COUNT; i++)
		if (sizes[i].wanted != sizes[i].running)
			log_warning("/sizes/%s is %u, the running maps have %u: %s", sizes[i].name,
				    sizes[i].wanted, sizes[i].running, maps_size_advice(&sizes[i]));
}

static int phase_config(struct controld *controld, struct startup *startup)
{
	char error[CONFIG_ERROR_TEXT];
	uint32_t before = session_count(controld);
	int failure = reload_init(controld, startup->options->config_file);

	warn_sizes(controld, startup->config);
	if (!failure)
		failure = reload_change(controld, startup->config, true, error, sizeof(error));
	else
		snprintf(error, sizeof(error), "%s", strerror(-failure));
	if (failure) {
		log_error("%s %s", startup->options->config_file, error);
		return failure;
	}
	startup->config = NULL;
	sessions_resume(controld);
	phase_say(startup, "%s, %+d sessions", startup->options->config_file,
		  (int)(session_count(controld) - before));
	return 0;
}

static int phase_ready(struct controld *controld, struct startup *startup)
{
	char error[1024];
	int failure = ctl_serve(controld, startup->listener);

	startup->listener = -1;
	if (!failure)
		failure = punt_start(controld);
	if (!failure)
		failure = seen_ready(controld);
	snprintf(error, sizeof(error), "%s", strerror(-failure));
	if (!failure)
		failure = holder_ready(controld->holder, error, sizeof(error));
	if (failure) {
		log_error("getting ready failed: %s", error);
		return failure;
	}
	if (startup->hello.left_ns)
		startup->away_ms = (double)(clock_boottime_ns() - startup->hello.left_ns) / 1e6;
	phase_say(startup, "%u sessions", session_count(controld));
	return 0;
}

#define SLOW_MACHINE "on a slow machine give it more"

const struct phase startup_phases[] = {
	{"configuration read", -1, "its file", "look at the disk that it is on", phase_read},
	{"holder greeted", CONFIG_PHASE_hello, "bpfholder",
	 "see journalctl -u bpfholder; it can be restarted at any moment", phase_hello},
	{"object loaded", CONFIG_PHASE_object, "bpfholder to load the data plane",
	 "see journalctl -u bpfholder; " SLOW_MACHINE, phase_object},
	{"maps migrated", CONFIG_PHASE_migrate, "bpfholder to move entries into other maps",
	 "see bngcli holder status; packets flow meanwhile; " SLOW_MACHINE, phase_migrate},
	{"maps adopted", CONFIG_PHASE_maps, "bpfholder to open the maps", "see journalctl -u bpfholder",
	 phase_maps},
	{"descriptors taken", CONFIG_PHASE_descriptors, "sockets that bpfholder keeps",
	 "see journalctl -u bpfholder", phase_descriptors},
	{"records received", CONFIG_PHASE_records, "bngsync to tell all that it keeps",
	 "see bngcli sync status; with bngsync stopped the start goes on without it", phase_records},
	{"state compared", CONFIG_PHASE_compare, "sessions in the map to be counted", SLOW_MACHINE,
	 phase_compare},
	{"sessions adopted", CONFIG_PHASE_sessions, "features to start, and sessions to be read",
	 SLOW_MACHINE, phase_sessions},
	{"port blocks adopted", CONFIG_PHASE_blocks, "port blocks to be counted", SLOW_MACHINE, phase_blocks},
	{"configuration applied", CONFIG_PHASE_configuration, "features to apply it", SLOW_MACHINE,
	 phase_config},
	{"ready", CONFIG_PHASE_ready, "bpfholder to be told", "see journalctl -u bpfholder", phase_ready},
	{0},
};
