/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Changing the configuration, see the header.
 */
#include "controld/ctl/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/sizes.h"
#include "controld/startup/guard.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/watch.h"

struct reload {
	char *file;
	struct watch *watch;
	uint64_t loaded_ns;
};

static void on_written(void *context)
{
	reload_logged(context, "the file was written");
}

int reload_init(struct controld *controld, const char *file)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int failure;

	controld->reload = reload;
	if (!reload)
		return -ENOMEM;
	reload->file = strdup(file);
	if (!reload->file)
		return -ENOMEM;
	failure = watch_new(controld->base, file, on_written, controld, &reload->watch);
	if (failure && failure != -ENOMEM)
		log_warning("watching the folder of %s failed: %s: reload by SIGHUP or bngcli config reload",
			    file, strerror(-failure));
	return failure == -ENOMEM ? failure : 0;
}

void reload_free(struct controld *controld)
{
	struct reload *reload = controld->reload;

	if (!reload)
		return;
	watch_free(reload->watch);
	free(reload->file);
	free(reload);
	controld->reload = NULL;
}

/* Maps are made once; another size needs other maps. */
static int check_sizes(const struct controld *controld, const struct config *next, char *error, size_t size)
{
	struct size_compared old[SIZES_COUNT], new[SIZES_COUNT];

	maps_sizes_compare(controld->maps, controld->config, old);
	maps_sizes_compare(controld->maps, next, new);
	for (size_t i = 0; i < SIZES_COUNT; i++) {
		if (old[i].wanted == new[i].wanted)
			continue;
		snprintf(error, size, "/sizes/%s: %u: must stay %u while the gateway runs: %s", new[i].name,
			 new[i].wanted, old[i].wanted, maps_size_advice(&new[i]));
		return -EBUSY;
	}
	return 0;
}

/* Would all interfaces or pools go? */
static int check_kept(struct controld *controld, const struct config *next, char *error, size_t size)
{
	char difference[256];
	int failure = guard_config(controld->config, next, difference, sizeof(difference));

	if (failure)
		snprintf(error, size, "%s: if this is meant, bngcli config reload --accept-empty",
			 difference);
	return failure;
}

static int check_all(struct controld *controld, const struct config *next, bool accepts_empty, char *error,
		     size_t size)
{
	int failure = controld->config ? check_sizes(controld, next, error, size) : 0;

	for (int i = 0; !failure && bng_features[i]; i++)
		if (bng_features[i]->check)
			failure = bng_features[i]->check(controld, controld->config, next, error, size);
	return failure || accepts_empty ? failure : check_kept(controld, next, error, size);
}

/* Features that have the new one get the old one again, the last first. */
static void take_back(struct controld *controld, int last, const struct config *next)
{
	if (!controld->config)
		return;
	for (int i = last; i >= 0; i--)
		if (bng_features[i]->apply && bng_features[i]->apply(controld, next, controld->config))
			log_error("feature %s: taking the change back failed", bng_features[i]->name);
}

int reload_change(struct controld *controld, struct config *next, bool accepts_empty, char *error,
		  size_t error_size)
{
	int failure = check_all(controld, next, accepts_empty, error, error_size);

	if (failure)
		return failure;
	for (int i = 0; bng_features[i]; i++) {
		failure =
			bng_features[i]->apply ? bng_features[i]->apply(controld, controld->config, next) : 0;
		if (!failure)
			continue;
		snprintf(error, error_size, "applying it to %s failed: %s: the old configuration is kept",
			 bng_features[i]->name, strerror(-failure));
		take_back(controld, i, next);
		return failure;
	}
	config_free(controld->config);
	controld->config = next;
	if (controld->reload)
		controld->reload->loaded_ns = clock_boottime_ns();
	return 0;
}

int reload_now(struct controld *controld, bool accepts_empty, json_t **applied, char *error,
	       size_t error_size)
{
	struct config *next = NULL;
	char reason[CONFIG_ERROR_TEXT];
	json_t *differences;
	int failure = config_load(controld->reload->file, &next, error, error_size);

	if (failure)
		return failure;
	differences = config_differences(controld->config, next);
	failure = reload_change(controld, next, accepts_empty, reason, sizeof(reason));
	if (failure) {
		snprintf(error, error_size, "%s %s", controld->reload->file, reason);
		config_free(next);
		json_decref(differences);
		return failure;
	}
	*applied = differences;
	return 0;
}

void reload_logged(struct controld *controld, const char *why)
{
	char error[2 * CONFIG_ERROR_TEXT];
	json_t *applied = NULL, *text;
	size_t i;

	if (reload_now(controld, false, &applied, error, sizeof(error))) {
		log_error("reload (%s) refused, the running configuration stays: %s", why, error);
		return;
	}
	log_notice("reload (%s): %zu differences applied", why, json_array_size(applied));
	json_array_foreach(applied, i, text) log_info("  %s", json_string_value(text));
	json_decref(applied);
}

const char *reload_file(const struct controld *controld)
{
	return controld->reload->file;
}

uint64_t reload_loaded_ns(const struct controld *controld)
{
	return controld->reload->loaded_ns;
}

static void handle_reload(struct rpc_request *request, void *context)
{
	struct controld *controld = context;
	static const char *const members[] = {"accept_empty", NULL};
	struct json_reader reader;
	char error[2 * CONFIG_ERROR_TEXT];
	json_t *applied = NULL, *params = ctl_params(request, &reader, members);
	bool accepts_empty;
	int failure;

	if (!params)
		return;
	accepts_empty = json_read_bool_or(&reader, params, "accept_empty", false);
	if (ctl_refused(request, &reader))
		return;
	failure = reload_now(controld, accepts_empty, &applied, error, sizeof(error));
	if (failure) {
		rpc_fail(request, ctl_code(failure), NULL,
			 "reload refused, the running configuration stays: %s", error);
		return;
	}
	log_notice("reload (asked for by RPC): %zu differences applied", json_array_size(applied));
	rpc_reply(request,
		  json_pack("{s:b, s:o}", "changed", json_array_size(applied) > 0, "applied", applied), NULL,
		  0);
}

static void handle_check(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"text", "file", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct config *next = NULL;
	char error[CONFIG_ERROR_TEXT], live[CONFIG_ERROR_TEXT];
	json_t *params = ctl_params(request, &reader, members);
	const char *text, *file;
	int failure;

	if (!params)
		return;
	text = json_read_string_or(&reader, params, "text", "");
	file = json_read_string_or(&reader, params, "file", "");
	if (!text[0] == !file[0])
		json_reader_fail(&reader, NULL, "give either text or file");
	if (ctl_refused(request, &reader))
		return;
	failure = file[0] ? config_load(file, &next, error, sizeof(error))
			  : config_parse(text, strlen(text), "text", &next, error, sizeof(error));
	if (failure) {
		rpc_fail(request, ctl_code(failure), NULL, "%s", error);
		return;
	}
	failure = check_all(controld, next, false, live, sizeof(live));
	config_free(next);
	rpc_reply(request,
		  json_pack("{s:b, s:b, s:s?}", "ok", 1, "live", !failure, "detail", failure ? live : NULL),
		  NULL, 0);
}

static void handle_show(struct rpc_request *request, void *context)
{
	struct controld *controld = context;
	static const char *const members[] = {NULL};
	struct json_reader reader;

	if (ctl_params(request, &reader, members))
		rpc_reply(request, json_incref(controld->config->document), NULL, 0);
}

const struct rpc_method ctl_config_methods[] = {
	{"config.reload", 0, handle_reload},
	{"config.check", 0, handle_check},
	{"config.show", 0, handle_show},
	{0},
};
