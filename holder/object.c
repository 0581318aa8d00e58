/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Staging: from the bytes of an object file to a pinned generation. Durable maps
 * (LIBBPF_PIN_BY_NAME) that exist are reused after our own comparison of layouts:
 * libbpf compares sizes only, and a reordered struct has the same size. Everything
 * else is made fresh. Nothing that runs is touched.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
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
#include "lib/bpf/describe.h"
#include "lib/bpf/diagnose.h"
#include "lib/bpf/layout.h"
#include "lib/file.h"
#include "lib/rpc.h"

#define PROGRAMS_MAX 32

struct staging {
	struct holder *holder;
	const struct stage_order *order;
	struct bpf_object *object;
	json_t *maps; /* for the caller */
	/* What current and kept generations know of the maps; NULL: nothing. */
	struct btf *kept[1 + KEPT_MAX];
	struct diagnosis diagnosis;
	struct problem *problem;
};

static struct layout_map map_in_object(const struct staging *staging, const struct bpf_map *map)
{
	struct layout_map layout = {.type = bpf_map__type(map),
				    .key_size = bpf_map__key_size(map),
				    .value_size = bpf_map__value_size(map),
				    .flags = bpf_map__map_flags(map),
				    .max_entries = bpf_map__max_entries(map)};
	layout_map_types(&layout, bpf_object__btf(staging->object), bpf_map__name(map));
	return layout;
}

/* What current says counts; the map's own types and what is kept can only forbid. */
static enum layout_result compare(struct staging *staging, const struct bpf_map_info *info,
				  const struct bpf_map *map, struct layout_difference *difference)
{
	struct btf *own = info->btf_id ? btf__load_from_kernel_by_id(info->btf_id) : NULL;
	const struct layout_map new = map_in_object(staging, map);
	struct layout_map old = {.btf = own, .type = info->type, .key_size = info->key_size};
	old.key_type = info->btf_key_type_id;
	old.value_type = info->btf_value_type_id;
	old.value_size = info->value_size;
	old.flags = info->map_flags;
	old.max_entries = info->max_entries;
	enum layout_result result = layout_compare_maps(&old, &new, difference);
	for (int i = KEPT_MAX; i >= 0 && result != LAYOUT_BROKEN; i--) {
		if (staging->kept[i])
			layout_map_types(&old, staging->kept[i], bpf_map__name(map));
		if (staging->kept[i] && (old.key_type || old.value_type))
			result = layout_compare_maps(&old, &new, difference);
	}
	btf__free(own);
	return result;
}

static int reuse_map(struct staging *staging, struct bpf_map *map, int fd, const char **result, char *detail)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	const char *name = bpf_map__name(map);
	struct layout_difference difference = {0};
	bpf_obj_get_info_by_fd(fd, &info, &size);
	if (!json_object_get(staging->order->sizes, name))
		bpf_map__set_max_entries(map, info.max_entries);
	enum layout_result layout = compare(staging, &info, map, &difference);
	if (layout == LAYOUT_BROKEN)
		return refuse(staging->problem, RPC_INCOMPATIBLE,
			      json_pack("{s:s, s:s, s:s, s:s, s:s}", "map", name, "result", "incompatible",
					"field", difference.field, "found", difference.found, "expected",
					difference.expected),
			      "map %s, %s: found %s, the running map has %s; nothing was changed", name,
			      difference.field, difference.found, difference.expected);
	*result = layout == LAYOUT_SAME ? "same" : "compatible";
	strcpy(detail, layout == LAYOUT_SAME ? "" : difference.field);
	return bpf_map__reuse_fd(map, fd) ? refuse_errno(staging->problem, errno, "reusing map %s", name) : 0;
}

static int prepare_map(struct staging *staging, struct bpf_map *map)
{
	char path[PIN_TEXT], detail[sizeof((struct layout_difference){0}.field)] = "";
	const char *name = bpf_map__name(map), *result = bpf_map__pin_path(map) ? "new" : "scratch";
	const json_t *entries = json_object_get(staging->order->sizes, name);
	bool durable = bpf_map__pin_path(map);
	int error = 0;
	bpf_map__set_pin_path(map, NULL);
	if (durable && bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY)
		return refuse(
			staging->problem, RPC_INCOMPATIBLE, NULL,
			"map %s: a program array must not be pinned by name: it belongs to one generation",
			name);
	if (entries)
		bpf_map__set_max_entries(map, (__u32)json_integer_value(entries));
	int fd = durable ? bpf_obj_get(pin_path(staging->holder, path, "map/%s", name)) : -1;
	if (fd >= 0)
		error = reuse_map(staging, map, fd, &result, detail);
	else if (durable && errno != ENOENT)
		error = refuse_errno(staging->problem, errno, "opening the pinned map %s", name);
	if (fd >= 0)
		close(fd);
	json_array_append_new(staging->maps,
			      json_pack("{s:s, s:s, s:s*}", "name", bpf_map__name(map), "result", result,
					"detail", detail[0] ? detail : NULL));
	return error;
}

static int check_request(struct staging *staging)
{
	const char *name;
	json_t *value;
	struct bpf_program *program;
	unsigned count = 0;
	json_object_foreach((json_t *)staging->order->sizes, name, value)
	{
		json_int_t entries = json_integer_value(value);
		if (entries < 1 || entries > UINT32_MAX ||
		    !bpf_object__find_map_by_name(staging->object, name))
			return refuse(staging->problem, RPC_INVALID_PARAMS, NULL,
				      "max_entries: %.64s must be a map of the object, its number 1-%u", name,
				      UINT32_MAX);
	}
	bpf_object__for_each_program(program, staging->object)
	{
		enum bpf_prog_type type = bpf_program__type(program);
		if ((type != BPF_PROG_TYPE_XDP && type != BPF_PROG_TYPE_SYSCALL) || ++count > PROGRAMS_MAX)
			return refuse(staging->problem, RPC_INCOMPATIBLE, NULL,
				      "program %s: the holder takes up to %d programs, all XDP or syscall",
				      bpf_program__name(program), PROGRAMS_MAX);
	}
	return 0;
}

static int refuse_load(struct staging *staging, int error)
{
	struct diagnosis *diagnosis = &staging->diagnosis;
	if (!diagnosis->program[0])
		return refuse_errno(staging->problem, error, "loading it: %s", diagnosis->warning);
	json_t *lines = diagnose_lines(diagnosis);
	return refuse(
		staging->problem, RPC_SYSTEM,
		json_pack("{s:s, s:o, s:i}", "program", diagnosis->program, "log", lines, "errno", -error),
		"the kernel refused program %s: %s: %s; nothing was changed", diagnosis->program,
		strerror(-error), diagnose_reason(lines));
}

static int pin_all(struct staging *staging)
{
	static const char *const folders[] = {"", "/program", "/scratch", "/durable"};
	struct bpf_program *program;
	struct bpf_map *map;
	char path[PIN_TEXT];
	size_t at = 0;
	int error = bpffs_remove(pin_path(staging->holder, path, "gen/new"));
	for (size_t i = 0; i < 4 && !error; i++)
		error = mkdir(pin_path(staging->holder, path, "gen/new%s", folders[i]), 0700) ? -errno : 0;
	if (!error)
		error = bpffs_link(pin_path(staging->holder, path, "gen/new/name"), staging->order->name);
	step("stage_pin");
	pin_path(staging->holder, path, "gen/new/program");
	bpf_object__for_each_program(program, staging->object)
	{
		if (!error && bpf_program__autoload(program))
			error = bpffs_pin(bpf_program__fd(program), path, bpf_program__name(program));
	}
	bpf_object__for_each_map(map, staging->object)
	{
		const json_t *result = json_object_get(json_array_get(staging->maps, at++), "result");
		bool scratch = !strcmp(json_string_value(result), "scratch");
		pin_path(staging->holder, path, "gen/new/%s", scratch ? "scratch" : "durable");
		if (!error)
			error = bpffs_pin(bpf_map__fd(map), path, bpf_map__name(map));
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
	bpf_object__for_each_program(program, staging->object)
	{
		if (!strncmp(bpf_program__name(program), "bng_canary_", 11))
			bpf_program__set_autoload(program, staging->order->canary);
	}
}

static int load(struct staging *staging)
{
	const struct holder *holder = staging->holder;
	char path[PIN_TEXT];
	struct bpf_map *map;
	int error = check_request(staging);
	unsigned commit = UINT_MAX, generation = holder->current;
	for (size_t i = 0; i <= KEPT_MAX && generation; i++) {
		staging->kept[i] = describe_btf(pin_path(holder, path, "gen/%u/program/*", generation));
		generation = generation_left_before(holder, &commit);
	}
	bpf_object__for_each_map(map, staging->object)
	{
		if (!error)
			error = prepare_map(staging, map);
	}
	for (size_t i = 0; i <= KEPT_MAX; i++)
		btf__free(staging->kept[i]);
	if (error)
		return error;
	leave_out_canary(staging);
	step("stage_load");
	error = bpf_object__load(staging->object);
	return error ? refuse_load(staging, error) : publish(staging);
}

static int stage_bytes(struct staging *staging, const char *bytes, size_t size)
{
	if (diagnose_begin(&staging->diagnosis))
		return refuse_errno(staging->problem, ENOMEM, "verifier log");
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = staging->order->name,
		    .kernel_log_buf = staging->diagnosis.verifier_log,
		    .kernel_log_size = staging->diagnosis.verifier_log_size);
	staging->object = bpf_object__open_mem(bytes, size, &options);
	int error = staging->object
			    ? load(staging)
			    : refuse(staging->problem, RPC_INCOMPATIBLE, NULL,
				     "it is no BPF object that can be read: %s", staging->diagnosis.warning);
	bpf_object__close(staging->object);
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
	json_t *signed_by = NULL;
	char *bytes;
	size_t size;
	problem_context(problem, "stage %s", order->name);
	if (generations_staged(holder) >= STAGED_MAX)
		return refuse(problem, RPC_LIMIT, NULL, "%u generations are staged: drop one", STAGED_MAX);
	int error = file_read(order->fd, OBJECT_BYTES_MAX, &bytes, &size);
	if (error)
		return refuse_errno(problem, error, "reading the descriptor, a file of at most 64 MiB");
	staging.maps = json_array();
	error = sign_check(holder, order, bytes, size, &signed_by, problem);
	if (!error)
		error = keep_and_stage(&staging, bytes, size);
	free(bytes);
	if (!error)
		*result = json_pack("{s:O, s:O}", "maps", staging.maps, "signature", signed_by);
	json_decref(staging.maps);
	json_decref(signed_by);
	return error;
}
