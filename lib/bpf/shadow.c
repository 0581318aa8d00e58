/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Nothing is pinned or reused: the object's maps are new and empty.
 */
#include "lib/bpf/shadow.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/bpf/diagnose.h"
#include "lib/rpc_call.h"

#define PATH_TEXT 512

static int prepare_map(struct bpf_map *map, const char *folder)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char path[PATH_TEXT];
	snprintf(path, sizeof(path), "%s/%s", folder, bpf_map__name(map));
	int fd = bpf_map__pin_path(map) ? bpf_obj_get(path) : -1;
	int error = bpf_map__set_pin_path(map, NULL);
	if (fd < 0)
		return error;
	if (!error && bpf_obj_get_info_by_fd(fd, &info, &size))
		error = -errno;
	close(fd);
	return error ? error : bpf_map__set_max_entries(map, info.max_entries);
}

static bool is_named(const json_t *names, const char *name)
{
	size_t i;
	json_t *text;
	json_array_foreach(names, i, text)
	{
		if (!strcmp(json_string_value(text), name))
			return true;
	}
	return false;
}

static int load(struct bpf_object *object, const char *folder, const json_t *names)
{
	struct bpf_program *program;
	struct bpf_map *map;
	int error = 0;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, !names || is_named(names, bpf_program__name(program)));
	bpf_object__for_each_map(map, object)
	{
		if (!error)
			error = prepare_map(map, folder);
	}
	return error ? error : bpf_object__load(object);
}

/* `names` NULL: with all its programs. 0 or -errno. */
static int try(const char *bytes, size_t size, const char *folder, const json_t *names,
	       struct diagnosis *diagnosis, struct bpf_object **object)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "shadow",
		    .kernel_log_buf = diagnosis->verifier_log,
		    .kernel_log_size = diagnosis->verifier_log_size);
	*object = bpf_object__open_mem(bytes, size, &options);
	int error = *object ? load(*object, folder, names) : -errno;
	if (error)
		bpf_object__close(*object);
	return error;
}

struct bpf_object *shadow_load(const char *bytes, size_t size, const char *folder, const json_t *names,
			       struct problem *problem)
{
	struct bpf_object *object = NULL;
	struct diagnosis diagnosis;
	if (diagnose_begin(&diagnosis)) {
		refuse_errno(problem, ENOMEM, "verifier log");
		return NULL;
	}
	int error = try(bytes, size, folder, names, &diagnosis, &object);
	if (error == -EBADF) /* a program array begins with one that was left out */
		error = try(bytes, size, folder, NULL, &diagnosis, &object);
	if (error)
		refuse_errno(problem, error, "loading it with maps as large as the live ones: %s",
			     diagnosis.warning);
	diagnose_end(&diagnosis);
	return error ? NULL : object;
}

/* A descriptor of one's own of a map or program, or -errno. */
static int open_one(const struct bpf_object *object, const char *name)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);
	if (!map && !program)
		return -ENOENT;
	int fd = fcntl(map ? bpf_map__fd(map) : bpf_program__fd(program), F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

int shadow_send(struct rpc_call *call, const struct bpf_object *object, const json_t *names, bool optional)
{
	json_t *sent = json_array(), *name;
	size_t i;
	call->result = json_pack("{s:o}", "names", sent);
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		int fd = open_one(object, text);
		if (fd == -ENOENT && optional)
			continue;
		if (rpc_call_send_fd(call, fd, text))
			return -EINVAL;
		json_array_append(sent, name);
	}
	return 0;
}
