/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Staging: from the bytes of an object file to a pinned generation. Durable maps
 * (LIBBPF_PIN_BY_NAME) that exist are reused after our own comparison of layouts:
 * libbpf compares sizes only, and a reordered struct has the same size. Everything
 * else is made fresh. Nothing that runs is touched.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/diagnose.h"
#include "lib/bpf/map_plan.h"
#include "lib/file.h"
#include "lib/rpc.h"

#define PROGRAMS_MAX 32

struct staging {
	struct holder *holder;
	const struct stage_order *order;
	struct map_plan plan;
	struct diagnosis diagnosis;
	struct problem *problem;
};

static bool program_is_known(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);
	enum bpf_prog_type type = bpf_program__type(program);
	bool migrates_maps = !strcmp(name, "bng_migrate") || !strcmp(name, "bng_migrate_check");
	return migrates_maps ? type == BPF_PROG_TYPE_RAW_TRACEPOINT
			     : type == BPF_PROG_TYPE_XDP || type == BPF_PROG_TYPE_SYSCALL;
}

static int check_programs(const struct staging *staging)
{
	struct bpf_program *program;
	unsigned count = 0;
	bpf_object__for_each_program(program, staging->plan.object)
	{
		if (!program_is_known(program) || ++count > PROGRAMS_MAX)
			return refuse(
				staging->problem, RPC_INCOMPATIBLE, NULL,
				"program %s: the holder takes up to %d programs, all XDP or syscall, and "
				"bng_migrate and bng_migrate_check of raw_tracepoint",
				bpf_program__name(program), PROGRAMS_MAX);
	}
	return 0;
}

/* To where it belongs. */
static int pin_map(const struct staging *staging, const struct bpf_map *map)
{
	char path[PIN_TEXT];
	const char *name, *place = map_plan_place(&staging->plan, map, &name);
	if (mkdir(pin_path(staging->holder, path, "gen/new/%s", place), 0700) && errno != EEXIST)
		return -errno;
	return bpffs_pin(bpf_map__fd(map), path, name);
}

static int pin_all(struct staging *staging)
{
	static const char *const folders[] = {"", "/program"};
	struct bpf_program *program;
	struct bpf_map *map;
	char path[PIN_TEXT];
	int error = bpffs_remove(pin_path(staging->holder, path, "gen/new"));
	for (size_t i = 0; i < 2 && !error; i++)
		error = mkdir(pin_path(staging->holder, path, "gen/new%s", folders[i]), 0700) ? -errno : 0;
	if (!error)
		error = bpffs_link(pin_path(staging->holder, path, "gen/new/name"), staging->order->name);
	step("stage_pin");
	pin_path(staging->holder, path, "gen/new/program");
	bpf_object__for_each_program(program, staging->plan.object)
	{
		if (!error && bpf_program__autoload(program))
			error = bpffs_pin(bpf_program__fd(program), path, bpf_program__name(program));
	}
	bpf_object__for_each_map(map, staging->plan.object)
	{
		if (!error)
			error = pin_map(staging, map);
	}
	return error;
}

/* Pins into gen/new, which becomes gen/N as a whole. */
static int publish(struct staging *staging)
{
	struct holder *holder = staging->holder;
	char path[PIN_TEXT], final[PIN_TEXT];
	int error = pin_all(staging);
	step("stage_publish");
	pin_path(holder, path, "gen/new");
	if (!error && rename(path, pin_path(holder, final, "gen/%u", holder->journal.last_generation + 1)))
		error = -errno;
	if (error) {
		bpffs_remove(path);
		return refuse_errno(staging->problem, error, "pinning it");
	}
	holder->journal.last_generation++;
	return 0;
}

/* The verifier takes as long for them as for all the others. */
static void leave_out_canary(const struct staging *staging)
{
	struct bpf_program *program;
	bpf_object__for_each_program(program, staging->plan.object)
	{
		if (!strncmp(bpf_program__name(program), "bng_canary_", 11))
			bpf_program__set_autoload(program, staging->order->canary);
	}
}

static int load(struct staging *staging)
{
	const struct holder *holder = staging->holder;
	char path[PIN_TEXT], running[PIN_TEXT];
	int error = check_programs(staging);
	unsigned commit = UINT_MAX, generation = holder->current;
	if (error)
		return error;
	staging->plan.running = pin_path(holder, running, "map");
	for (size_t i = 0; i <= KEPT_MAX && generation; i++) {
		map_plan_know(&staging->plan, pin_path(holder, path, "gen/%u", generation));
		generation = generation_left_before(holder, &commit);
	}
	error = map_plan_make(&staging->plan);
	if (error)
		return error;
	leave_out_canary(staging);
	step("stage_load");
	error = bpf_object__load(staging->plan.object);
	return error ? diagnose_refuse(&staging->diagnosis, error, staging->problem) : publish(staging);
}

static int stage_bytes(struct staging *staging, const char *bytes, size_t size)
{
	if (diagnose_begin(&staging->diagnosis))
		return refuse_errno(staging->problem, ENOMEM, "verifier log");
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = staging->order->name,
		    .kernel_log_buf = staging->diagnosis.verifier_log,
		    .kernel_log_size = staging->diagnosis.verifier_log_size);
	staging->plan.object = bpf_object__open_mem(bytes, size, &options);
	int error = staging->plan.object
			    ? load(staging)
			    : refuse(staging->problem, RPC_INCOMPATIBLE, NULL,
				     "it is no BPF object that can be read: %s", staging->diagnosis.warning);
	bpf_object__close(staging->plan.object);
	diagnose_end(&staging->diagnosis);
	return error;
}

/* A generation that is there has a copy of its object. */
static int keep_and_stage(struct staging *staging, const char *bytes, size_t size)
{
	unsigned generation = staging->holder->journal.last_generation + 1;
	int error = object_keep(staging->holder, generation, bytes, size);
	if (error)
		return refuse_errno(staging->problem, error, "keeping a copy of the object");
	error = stage_bytes(staging, bytes, size);
	if (error)
		object_forget(staging->holder, generation);
	return error;
}

int object_stage(struct holder *holder, const struct stage_order *order, json_t **result,
		 struct problem *problem)
{
	struct staging staging = {.holder = holder, .order = order, .problem = problem};
	staging.plan.sizes = order->sizes;
	staging.plan.problem = problem;
	json_t *signed_by = NULL;
	char *bytes;
	size_t size;
	problem_context(problem, "stage %s", order->name);
	if (generations_staged(holder) >= STAGED_MAX)
		return refuse(problem, RPC_LIMIT, NULL, "%u generations are staged: drop one", STAGED_MAX);
	int error = file_read(order->fd, OBJECT_BYTES_MAX, &bytes, &size);
	if (error)
		return refuse_errno(problem, error, "reading the descriptor, a file of at most 64 MiB");
	staging.plan.rows = json_array();
	error = sign_check(holder, order, bytes, size, &signed_by, problem);
	if (!error)
		error = keep_and_stage(&staging, bytes, size);
	free(bytes);
	if (!error)
		*result = json_pack("{s:O, s:O}", "maps", staging.plan.rows, "signature", signed_by);
	json_decref(staging.plan.rows);
	json_decref(signed_by);
	return error;
}
