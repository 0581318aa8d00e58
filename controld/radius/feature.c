/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The RADIUS client's place in the daemon: what the configuration says of it, and the
 * memory and sockets that the holder keeps for it.
 *
 * A secret file or dictionary that cannot be read refuses a reload. At a start there is
 * nothing to go back to: it is said in the log, and the server is not asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/radius/client.h"
#include "controld/radius/dictionary.h"
#include "lib/log.h"

#define REQUESTS_NAME "controld.radius.requests"

static void keep_requests(struct radius *radius)
{
	struct holder *holder = radius->controld->holder;
	int failure = holder ? holder_keep(holder, REQUESTS_NAME, radius->requests->fd) : 0;

	if (failure)
		log_warning("RADIUS: bpfholder does not keep the requests (%s): they would be lost with this "
			    "process",
			    strerror(-failure));
}

/* Those of an earlier start, or room for new ones. */
static int open_requests(struct radius *radius)
{
	struct holder *holder = radius->controld->holder;
	int fd, failure;

	if (holder && !holder_take(holder, REQUESTS_NAME, &fd)) {
		failure = requests_adopt(fd, &radius->requests);
		if (!failure)
			keep_requests(radius);
		if (failure != -EINVAL)
			return failure;
		log_warning("RADIUS: the requests of the last start have another layout; they are lost");
	}
	failure = requests_new(&radius->requests);
	if (!failure)
		keep_requests(radius);
	return failure;
}

static int load_dictionary(const struct config_radius *config, struct dictionary **dictionary, char *error,
			   size_t error_size)
{
	char why[CONFIG_ERROR_TEXT] = "out of memory";
	int failure = 0;

	*dictionary = dictionary_new();
	if (config->on)
		failure = *dictionary ? dictionary_load(*dictionary, config->dictionary, why, sizeof(why))
				      : -ENOMEM;
	if (failure)
		snprintf(error, error_size, "/radius/dictionary: %s", why);
	return failure;
}

static int check_attributes(const struct config *next, const struct dictionary *dictionary, char *error,
			    size_t error_size)
{
	struct attribute_map map;
	int failure;

	snprintf(error, error_size, "/aaa/attributes: out of memory");
	failure = attribute_map_build(&map, &next->aaa, dictionary, error, error_size);
	attribute_map_done(&map);
	return failure;
}

static int feature_check(struct controld *controld, const struct config *old, const struct config *next,
			 char *error, size_t error_size)
{
	struct dictionary *dictionary = NULL;
	struct radius_secret secret = {.length = 0};
	int failure = 0;

	(void)controld;
	for (size_t i = 0; old && !failure && i < next->radius.server_count; i++)
		failure = server_secret(&next->radius.servers[i], i, &secret, error, error_size);
	radius_forget(&secret, sizeof(secret));
	if (old && !failure)
		failure = load_dictionary(&next->radius, &dictionary, error, error_size);
	if (old && !failure)
		failure = check_attributes(next, dictionary, error, error_size);
	dictionary_free(dictionary);
	return failure;
}

static void warn(const struct config *old, const struct config_radius *config)
{
	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_radius_server *server = &config->servers[i];
		bool is_new = true;

		for (size_t j = 0; old && j < old->radius.server_count; j++)
			if (!strcmp(old->radius.servers[j].name, server->name))
				is_new = old->radius.servers[j].needs_message_authenticator;
		if (!server->needs_message_authenticator && is_new)
			log_warning("RADIUS server %s: replies without Message-Authenticator are believed: "
				    "who is on the path can forge them (CVE-2024-3596); upgrade the server",
				    server->name);
	}
}

/* Secrets that cannot be read have no length: at a start only, or the reload is refused. */
static int read_secrets(const struct config *old, const struct config_radius *config,
			struct radius_secret *secrets)
{
	char error[CONFIG_ERROR_TEXT];

	for (size_t i = 0; i < config->server_count; i++) {
		int failure = server_secret(&config->servers[i], i, &secrets[i], error, sizeof(error));

		if (failure && old)
			return failure;
		if (failure) {
			secrets[i].length = 0;
			log_error("%s: server %s is not asked until a reload can", error,
				  config->servers[i].name);
		}
	}
	return 0;
}

static int replace_dictionary(struct radius *radius, const struct config *old,
			      const struct config_radius *config)
{
	struct dictionary *dictionary = NULL;
	char error[CONFIG_ERROR_TEXT];
	int failure = load_dictionary(config, &dictionary, error, sizeof(error));

	if (failure && (old || !dictionary)) {
		dictionary_free(dictionary);
		return failure;
	}
	if (failure)
		log_error("%s: attributes are shown by number until a reload can", error);
	dictionary_free(radius->dictionary);
	radius->dictionary = dictionary;
	return 0;
}

/* At a start, an attribute that is not known is said in the log and left out. */
static int replace_attributes(struct radius *radius, const struct config *old, const struct config *next)
{
	struct attribute_map map;
	char error[CONFIG_ERROR_TEXT] = "/aaa/attributes: out of memory";
	int failure = attribute_map_build(&map, &next->aaa, radius->dictionary, error, sizeof(error));

	if (failure && (old || failure == -ENOMEM)) {
		attribute_map_done(&map);
		return failure;
	}
	if (failure)
		log_error("%s: not used until a reload can", error);
	attribute_map_done(&radius->attributes);
	radius->attributes = map;
	return 0;
}

static void take_config(struct radius *radius, const struct config_radius *config)
{
	radius->config = *config;
	radius->config.servers = NULL;
	radius->config.server_count = 0;
	if (config->on)
		governor_set(&radius->governor, config->rate, config->burst);
	client_pump_soon(radius);
}

static int apply_to(struct radius *radius, const struct config *old, const struct config_radius *config)
{
	struct radius_secret secrets[CONFIG_RADIUS_SERVERS];
	bool is_first = !radius->requests;
	int failure = read_secrets(old, config, secrets);

	if (!failure)
		failure = replace_dictionary(radius, old, config);
	if (!failure && is_first)
		failure = open_requests(radius);
	if (!failure && config->on)
		failure = ports_open(radius, config->ports, config->source_be);
	if (!failure)
		failure = servers_change(&radius->servers, radius->requests->header, config, secrets);
	radius_forget(secrets, sizeof(secrets));
	if (failure)
		return failure;
	warn(old, config);
	take_config(radius, config);
	if (is_first)
		client_adopt(radius);
	return 0;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct radius *radius = controld->radius;
	int failure = 0;

	if (next->radius.on || radius->requests)
		failure = apply_to(radius, old, &next->radius);
	return failure ? failure : replace_attributes(radius, old, next);
}

static int feature_init(struct controld *controld)
{
	return client_new(controld, &controld->radius);
}

static void feature_free(struct controld *controld)
{
	struct radius *radius = controld->radius;

	if (!radius)
		return;
	attribute_map_done(&radius->attributes);
	dictionary_free(radius->dictionary);
	client_free(radius);
	controld->radius = NULL;
}

const struct bng_feature radius_feature = {
	.name = "radius",
	.init = feature_init,
	.free = feature_free,
	.check = feature_check,
	.apply = feature_apply,
	.methods = radius_methods,
};
