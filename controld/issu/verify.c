/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The thread that compares: captures, has both shadows loaded, runs. It speaks to the
 * holder by a connection of its own, because a load takes seconds.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/issu/golden.h"
#include "lib/rpc.h"

#define LOAD_TIMEOUT_MS 120000

struct verify {
	struct maps *live;
	struct config_verify bounds;
	unsigned generation[2]; /* old, new */
	struct rpc_client *client;
	pthread_t thread;
	bool stop, ended;
	struct packets packets;
	struct pair pair;
	struct verify_result result;
	int failure;
};

static int say_failure(struct verify *verify, const char *what, int failure)
{
	if (!verify->pair.error[0])
		snprintf(verify->pair.error, sizeof(verify->pair.error), "%s: %s", what, strerror(-failure));
	return failure;
}

/* The ring of the object that runs. One that is older has none. */
static int capture(struct verify *verify)
{
	struct rpc_result result;
	int failure = 0;

	if (!verify->bounds.packets || verify->bounds.seconds <= 0)
		return 0;
	failure = rpc_call(verify->client, "map.open", json_pack("{s:[s]}", "names", "capture"), NULL, 0,
			   &result);
	if (!failure && !result.code && result.fd_count == 1) {
		result.fd_count = 0;
		verify->packets.max = verify->bounds.packets;
		failure = capture_packets(verify->live, result.fds[0], verify->bounds.seconds, &verify->stop,
					  &verify->packets);
	} else if (!failure) {
		verify_note(&verify->result, "the running object shows no packets");
	}
	rpc_result_done(&result);
	return failure ? say_failure(verify, "capturing packets", failure) : 0;
}

static int load(struct verify *verify)
{
	struct world *worlds[] = {&verify->pair.old, &verify->pair.new};
	int failure = 0;

	for (int i = 0; !failure && i < 2; i++)
		failure = world_open(worlds[i], verify->client, verify->generation[i], verify->pair.error,
				     sizeof(verify->pair.error));
	for (enum map_id id = 0; !failure && id < MAP_COUNT; id++)
		for (int i = 0; i < 2; i++)
			if (!maps_has(worlds[i]->maps, id))
				verify_note(&verify->result, "the %s object has no map %s",
					    i ? "new" : "running", maps_name(id));
	return failure;
}

static int run_captured(struct verify *verify)
{
	int failure = pair_seed(&verify->pair, verify->live);

	for (size_t i = 0; !failure && i < verify->packets.count; i++) {
		static const char *const sides[] = {"access", "core"};
		char what[48];

		if (__atomic_load_n(&verify->stop, __ATOMIC_ACQUIRE))
			return say_failure(verify, "comparing packets", -ECANCELED);
		snprintf(what, sizeof(what), "captured packet %zu, %s", i + 1,
			 sides[verify->packets.packet[i].entry & 1]);
		failure = pair_run(&verify->pair, &verify->packets.packet[i], what);
		verify->pair.result->captured += !failure;
	}
	if (!failure)
		pair_compare_maps(&verify->pair);
	return failure;
}

static int run_all(struct verify *verify)
{
	int failure = run_captured(verify);

	if (!failure)
		failure = golden_run(&verify->pair, verify->bounds.golden, verify->live, &verify->stop);
	verify->pair.result->tries++;
	return failure;
}

/* A time that is too long is measured again: a machine that was busy with something else is
 * no fault of the object, and a slow object is slow each time. What differed stays. */
static int time_again(struct verify *verify)
{
	struct verify_result again = {0}, *result = &verify->result;
	int failure;

	verify->pair.result = &again;
	failure = run_all(verify);
	verify->pair.result = result;
	result->tries++;
	if (failure || verify_ratio(&again) >= verify_ratio(result))
		return failure;
	result->log_ratio = again.log_ratio * (double)(result->golden + result->captured) /
			    (double)(again.golden + again.captured);
	result->old_ns = again.old_ns;
	result->new_ns = again.new_ns;
	return 0;
}

static int compare(struct verify *verify)
{
	int failure = capture(verify);

	if (!failure)
		failure = load(verify);
	if (!failure)
		failure = run_all(verify);
	while (!failure && verify->result.tries < VERIFY_TRIES &&
	       verify_ratio(&verify->result) > verify->bounds.time_ratio)
		failure = time_again(verify);
	if (failure)
		return say_failure(verify, "comparing packets", failure);
	if (verify->result.runs)
		return 0;
	snprintf(verify->pair.error, sizeof(verify->pair.error),
		 "no packet to compare by: none came in %g s, and none is in %s", verify->bounds.seconds,
		 verify->bounds.golden);
	return -ENODATA;
}

static void *run(void *context)
{
	struct verify *verify = context;

	verify->failure = compare(verify);
	world_close(&verify->pair.old);
	world_close(&verify->pair.new);
	__atomic_store_n(&verify->ended, true, __ATOMIC_RELEASE);
	return NULL;
}

struct verify *verify_start(struct controld *controld, unsigned old_generation, unsigned new_generation)
{
	struct verify *verify = calloc(1, sizeof(*verify));

	if (!verify)
		return NULL;
	verify->live = controld->maps;
	verify->bounds = controld->config->verify;
	verify->generation[0] = old_generation;
	verify->generation[1] = new_generation;
	verify->pair.result = &verify->result;
	if (!rpc_client_open(holder_socket(controld->holder), LOAD_TIMEOUT_MS, &verify->client)) {
		if (!pthread_create(&verify->thread, NULL, run, verify))
			return verify;
		rpc_client_close(verify->client);
	}
	free(verify);
	return NULL;
}

bool verify_has_ended(const struct verify *verify)
{
	return __atomic_load_n(&verify->ended, __ATOMIC_ACQUIRE);
}

int verify_outcome(const struct verify *verify, const struct verify_result **result, const char **error)
{
	*result = &verify->result;
	*error = verify->pair.error;
	return verify->failure;
}

void verify_free(struct verify *verify)
{
	if (!verify)
		return;
	__atomic_store_n(&verify->stop, true, __ATOMIC_RELEASE);
	if (!verify_has_ended(verify))
		shutdown(rpc_client_fd(verify->client), SHUT_RDWR); /* it may wait for a load */
	pthread_join(verify->thread, NULL);
	rpc_client_close(verify->client);
	packets_done(&verify->packets);
	free(verify);
}
