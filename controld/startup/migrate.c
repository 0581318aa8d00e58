/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The file, and the phase that does what it says.
 */
#include "controld/startup/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/startup/layout.h"
#include "controld/startup/object.h"
#include "controld/startup/phases.h"
#include "controld/startup/watchdog.h"
#include "dataplane/abi/version.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"

#define REQUEST_MAX 4096
#define TRIES_MAX   3 /* starts that nobody knows the end of */
#define LOOK_MS     20
#define TELL_MS     1000

/* ---- What was asked for ----------------------------------------------------------------- */

struct request {
	json_int_t generation; /* 0: none */
	json_int_t tries;
	json_int_t layout; /* that a start wants, and is to be this version's; 0: an operator asked */
};

static const char *request_path(const struct controld *controld, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/control/migrate.json", controld->startup->options->state);
	return path;
}

static struct request request_read(const struct controld *controld)
{
	char path[PATH_MAX], *text = NULL;
	struct request request = {0};
	json_t *object;

	if (file_read_text(request_path(controld, path), REQUEST_MAX, &text))
		return request;
	object = json_loads(text, 0, NULL);
	request.generation = json_integer_value(json_object_get(object, "generation"));
	request.tries = json_integer_value(json_object_get(object, "tries"));
	request.layout = json_integer_value(json_object_get(object, "layout"));
	json_decref(object);
	free(text);
	return request;
}

static int request_write(const struct controld *controld, const struct request *request)
{
	char path[PATH_MAX], next[PATH_MAX + 4];
	json_t *object = json_pack("{s:I, s:I, s:I}", "generation", request->generation, "tries",
				   request->tries, "layout", request->layout);
	int failure;

	snprintf(next, sizeof(next), "%s.new", request_path(controld, path));
	unlink(next);
	errno = EIO;
	failure = !object || json_dump_file(object, next, JSON_COMPACT) || rename(next, path) ? -errno : 0;
	json_decref(object);
	return failure;
}

static void request_remove(const struct controld *controld)
{
	char path[PATH_MAX];

	unlink(request_path(controld, path));
}

int migrate_ask(const struct controld *controld, uint64_t generation)
{
	const struct request request = {.generation = (json_int_t)generation};

	return request_write(controld, &request);
}

uint64_t migrate_asked(const struct controld *controld)
{
	json_int_t generation = request_read(controld).generation;

	return generation > 0 ? (uint64_t)generation : 0;
}

static void drop(const struct controld *controld, json_int_t generation)
{
	struct rpc_result result;

	holder_call(controld->holder, "object.drop", json_pack("{s:I}", "generation", generation), NULL, 0,
		    &result);
	rpc_result_done(&result);
}

void migrate_forget(const struct controld *controld)
{
	json_int_t generation = request_read(controld).generation;

	request_remove(controld);
	if (generation > 0)
		drop(controld, generation);
}

const char *migrate_refused(const struct controld *controld, uint64_t *generation)
{
	const struct startup *startup = controld->startup;

	*generation = startup->migration.generation;
	return startup->migration.refused[0] ? startup->migration.refused : NULL;
}

const json_t *migrate_done(const struct controld *controld)
{
	return controld->startup->migration.done;
}

/* ---- The phase ---------------------------------------------------------------------------- */

static json_int_t integer_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

/* {generation, state, entries, moved, ...} of swap.status, or null; -errno when it cannot be
 * known. The caller's. */
static int look(struct controld *controld, json_t **migration)
{
	struct rpc_result status;
	int failure = holder_call(controld->holder, "swap.status", NULL, NULL, 0, &status);

	if (failure)
		log_error("asking bpfholder how far it is failed: %s", status.message);
	else
		*migration = json_incref(json_object_get(status.value, "migration"));
	rpc_result_done(&status);
	return failure;
}

static bool is_state(const json_t *migration, const char *state)
{
	const char *found = json_string_value(json_object_get(migration, "state"));

	return found && !strcmp(found, state);
}

/* The deadline is for an entry to be moved, not for all of them. */
static void go_on_waiting(struct controld *controld, struct startup *startup)
{
	watchdog_arm(startup->watchdog, startup->deadline_s);
	holder_tell_phase(controld->holder, startup->phase->name, startup->deadline_s);
}

/* Until the holder has moved everything, or failed to; the last look is the caller's. */
static int wait_until_moved(struct controld *controld, struct startup *startup, json_t **migration)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
	json_int_t moved = -1;
	uint64_t told_ns = clock_boottime_ns();
	int failure = look(controld, migration);

	__atomic_store_n(&startup->doing, "entries are being moved", __ATOMIC_RELAXED);
	while (!failure && is_state(*migration, "moving")) {
		uint64_t now_ns = clock_boottime_ns();

		if (integer_of(*migration, "moved") != moved && now_ns - told_ns >= TELL_MS * 1000000ULL) {
			moved = integer_of(*migration, "moved");
			told_ns = now_ns;
			log_notice("moved %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " entries",
				   moved, integer_of(*migration, "entries"));
			go_on_waiting(controld, startup);
		}
		nanosleep(&pause, NULL);
		json_decref(*migration);
		*migration = NULL;
		failure = look(controld, migration);
	}
	return failure;
}

static void describe(struct startup *startup, const json_t *migration)
{
	phase_say(startup,
		  "generation %" JSON_INTEGER_FORMAT ": %zu maps, %" JSON_INTEGER_FORMAT " entries%s",
		  integer_of(migration, "generation"), json_array_size(json_object_get(migration, "maps")),
		  integer_of(migration, "moved"), is_state(migration, "failed") ? ", WITH A DIFFERENCE" : "");
}

/* The bridge has done what this start wanted it for: the object that belongs to this version
 * follows. Where it cannot, the bridge serves on. */
static void follow(struct controld *controld, struct startup *startup)
{
	size_t said = strlen(startup->detail);
	json_int_t generation;

	__atomic_store_n(&startup->doing, "the object is loaded that follows the bridge", __ATOMIC_RELAXED);
	go_on_waiting(controld, startup);
	if (object_load(controld, startup, &generation))
		log_warning("the bridge goes on, in place of %s: bngcli issu upgrade puts that in its place",
			    startup->options->object);
	else
		snprintf(startup->detail + said, sizeof(startup->detail) - said,
			 "; then %s, generation %" JSON_INTEGER_FORMAT, startup->options->object, generation);
}

/* What was asked for is there, unless that was another bridge. */
static void end_request(struct controld *controld, struct startup *startup, const json_t *migration)
{
	const struct request request = request_read(controld);

	if (integer_of(migration, "generation") != request.generation)
		return;
	if (request.layout == BNG_ABI_VERSION && is_state(migration, "done"))
		follow(controld, startup);
	request_remove(controld);
}

/* All is moved: sessions are read from the new maps from here on. */
static int finish(struct controld *controld, struct startup *startup)
{
	json_t *migration = NULL;
	int failure = wait_until_moved(controld, startup, &migration);

	if (!failure && is_state(migration, "failed")) {
		bool is_whole = integer_of(migration, "moved") >= integer_of(migration, "entries");

		log_error("migration to generation %" JSON_INTEGER_FORMAT
			  ": what was moved and what was there differ (bngcli issu status); the bridge goes "
			  "on, the old maps are kept%s",
			  integer_of(migration, "generation"),
			  is_whole ? "" : ". Not all was moved: not taking a part for all");
		failure = is_whole ? 0 : -EIO;
	}
	if (!failure) {
		describe(startup, migration);
		end_request(controld, startup, migration);
	}
	json_decref(startup->migration.done);
	startup->migration.done = migration;
	return failure;
}

/* With maps of another layout there is nothing to go on with. */
static int refuse_layout(struct controld *controld, const struct request *request, const char *why)
{
	log_error("going over to layout %" JSON_INTEGER_FORMAT
		  " of the maps, which this bng-controld knows, failed: %s. Nothing was changed, forwarding "
		  "goes on; the version that was here before can serve",
		  request->layout, why);
	migrate_forget(controld);
	return -EPROTO;
}

static int refuse(struct controld *controld, struct startup *startup, const struct request *request,
		  const char *why)
{
	json_int_t generation = request->generation;

	if (request->layout)
		return refuse_layout(controld, request, why);
	startup->migration.generation = (uint64_t)generation;
	snprintf(startup->migration.refused, sizeof(startup->migration.refused), "%s", why);
	log_warning("not migrating to generation %" JSON_INTEGER_FORMAT
		    ": %s. The maps stay as they are; bngcli issu migrate asks for it again",
		    generation, why);
	phase_say(startup, "generation %" JSON_INTEGER_FORMAT " refused: %s", generation, why);
	migrate_forget(controld);
	return 0;
}

static int begin(struct controld *controld, struct startup *startup, struct request *request)
{
	struct rpc_result result;
	char why[128];
	int failure;

	if (request->tries++ >= TRIES_MAX)
		return refuse(controld, startup, request, "nobody knows what came of it, three times");
	failure = request_write(controld, request);
	if (failure) {
		snprintf(why, sizeof(why), "writing down that it begins failed: %s", strerror(-failure));
		return refuse(controld, startup, request, why);
	}
	failure = holder_call(controld->holder, "swap.migrate",
			      json_pack("{s:I}", "generation", request->generation), NULL, 0, &result);
	if (!failure)
		failure = finish(controld, startup);
	else if (failure != -ENOTCONN)
		failure = refuse(controld, startup, request, result.message);
	else
		log_error("nobody knows what came of the migration: %s", result.message);
	rpc_result_done(&result);
	return failure;
}

/* What is under way is finished first; then, something else may have been asked for. */
static int go_on(struct controld *controld, struct startup *startup)
{
	struct request request = request_read(controld);
	json_t *migration = NULL;
	int failure = look(controld, &migration);
	bool is_done =
		is_state(migration, "done") && integer_of(migration, "generation") == request.generation;

	phase_say(startup, "nothing to migrate");
	if (is_done || is_state(migration, "moving") || is_state(migration, "failed")) {
		failure = finish(controld, startup);
		request = request_read(controld);
	}
	json_decref(migration);
	if (failure || !request.generation)
		return failure;
	if (startup->migration.is_staged && (!request.layout || request.layout == BNG_ABI_VERSION))
		return begin(controld, startup, &request);
	log_notice("generation %" JSON_INTEGER_FORMAT " was to be migrated to, and is %s", request.generation,
		   startup->migration.is_staged ? "for another version"
		   : request.layout             ? "over"
						: "gone");
	if (startup->migration.is_staged)
		migrate_forget(controld);
	else
		request_remove(controld);
	return 0;
}

int phase_migrate(struct controld *controld, struct startup *startup)
{
	struct request request = {.layout = BNG_ABI_VERSION};
	int failure = go_on(controld, startup);

	if (!failure && !startup->loaded)
		failure = layout_stage(controld, startup, &request.generation);
	return failure || !request.generation ? failure : begin(controld, startup, &request);
}
