/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CoA in the daemon: its configuration, and what it counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/coa/coa.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/served.h"
#include "controld/feature.h"
#include "lib/log.h"

#define MEMORY_NAME "controld.coa.answered"

static int feature_init(struct controld *controld)
{
	controld->coa = calloc(1, sizeof(*controld->coa));
	if (!controld->coa)
		return -ENOMEM;
	controld->coa->controld = controld;
	return 0;
}

static void forget_clients(struct coa *coa)
{
	if (coa->clients)
		radius_forget(coa->clients, coa->client_count * sizeof(*coa->clients));
	free(coa->clients);
	coa->clients = NULL;
	coa->client_count = 0;
}

static void feature_free(struct controld *controld)
{
	struct coa *coa = controld->coa;

	if (!coa)
		return;
	served_leave(coa->served);
	forget_clients(coa);
	kept_close(&coa->kept);
	free(coa);
	controld->coa = NULL;
}

static int read_secret(const struct config_coa_client *config, size_t number, struct radius_secret *secret,
		       char *error, size_t error_size)
{
	char pointer[48];

	snprintf(pointer, sizeof(pointer), "/coa/clients/%zu/secret_file", number);
	return radius_secret_read(config->secret, config->secret_file, pointer, secret, error, error_size);
}

/* A secret file that cannot be read refuses a reload; at a start it is said in the log. */
static int feature_check(struct controld *controld, const struct config *old, const struct config *next,
			 char *error, size_t error_size)
{
	struct radius_secret secret = {.length = 0};
	int failure = 0;

	(void)controld;
	for (size_t i = 0; old && !failure && i < next->coa.client_count; i++)
		failure = read_secret(&next->coa.clients[i], i, &secret, error, error_size);
	radius_forget(&secret, sizeof(secret));
	return failure;
}

static int take_clients(struct coa *coa, const struct config *old, const struct config_coa *config)
{
	struct coa_client *clients = calloc(config->client_count + 1, sizeof(*clients));
	char error[CONFIG_ERROR_TEXT];
	int failure = clients ? 0 : -ENOMEM;

	for (size_t i = 0; !failure && i < config->client_count; i++) {
		const struct config_coa_client *from = &config->clients[i];

		clients[i].prefix = from->prefix;
		clients[i].needs_message_authenticator = from->needs_message_authenticator;
		failure = read_secret(from, i, &clients[i].secret, error, sizeof(error));
		if (failure && !old) {
			log_error("%s: requests of this client are dropped until a reload can", error);
			clients[i].secret.length = 0;
			failure = 0;
		}
	}
	if (failure) {
		free(clients);
		return failure;
	}
	forget_clients(coa);
	coa->clients = clients;
	coa->client_count = config->client_count;
	return 0;
}

static int open_memory(struct coa *coa)
{
	bool is_adopted;
	int failure = coa->replay ? 0
				  : kept_open(coa->controld, MEMORY_NAME, COA_REPLAY_MAGIC,
					      sizeof(struct coa_replay), &coa->kept, &is_adopted);

	if (!failure)
		coa->replay = (struct coa_replay *)coa->kept.header;
	return failure;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct coa *coa = controld->coa;
	int failure;

	if (!next->coa.on) {
		served_end(coa->served);
		coa->served = NULL;
		return 0;
	}
	failure = open_memory(coa);
	if (!failure)
		failure = coa_listen(coa, next->coa.listen_be, next->coa.port);
	if (failure) {
		log_error("/coa: listening on port %u failed: %s", next->coa.port, strerror(-failure));
		return failure;
	}
	coa->needs_timestamp = next->coa.needs_timestamp;
	coa->window_s = next->coa.window_s;
	return take_clients(coa, old, &next->coa);
}

/* ---- What it counted --------------------------------------------------------------------- */

#define NAME_OF(name, number, text) [number] = (number) ? #text : NULL,
static const char *const nak_names[COA_CAUSE_SEVERAL_SESSIONS + 1] = {COA_CAUSES(NAME_OF)};
#undef NAME_OF
#define NAME_OF(name, text) [COA_DROP_##name] = #text,
static const char *const drop_names[COA_DROP_COUNT] = {COA_DROPS(NAME_OF)};
#undef NAME_OF

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	const struct coa_counts *counts = &((struct controld *)context)->coa->counts;
	struct json_reader reader;
	json_t *result;

	if (!ctl_params(request, &reader, members))
		return;
	result = json_pack("{s:b}", "listening", ((struct controld *)context)->coa->served != NULL);
	json_set_count(result, "coa_acks", counts->coa_acks);
	json_set_count(result, "coa_naks", counts->coa_naks);
	json_set_count(result, "disconnect_acks", counts->disconnect_acks);
	json_set_count(result, "disconnect_naks", counts->disconnect_naks);
	json_set_count(result, "repeated", counts->repeated);
	json_object_set_new(result, "naks",
			    json_counts(nak_names, counts->nak, COA_CAUSE_SEVERAL_SESSIONS + 1));
	json_object_set_new(result, "dropped", json_counts(drop_names, counts->drop, COA_DROP_COUNT));
	rpc_reply(request, result, NULL, 0);
}

static const struct rpc_method methods[] = {
	{"coa.stats", 0, handle_stats},
	{0},
};

const struct bng_feature coa_feature = {
	.name = "coa",
	.init = feature_init,
	.free = feature_free,
	.check = feature_check,
	.apply = feature_apply,
	.methods = methods,
};
