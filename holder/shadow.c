/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Shadows: a generation's object loaded once more, with maps of its own that are as
 * large as the live ones and empty. Whoever asked gets its descriptors; nothing is
 * pinned or remembered, so that it is gone with the last of them. What it is loaded
 * from are the bytes of each generation, kept in DIR/objects/N for as long as gen/N.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/diagnose.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/rpc_call.h"

#define OBJECT_TEXT (DIR_TEXT + 32)

static const char *object_path(const struct holder *holder, char path[static OBJECT_TEXT],
			       unsigned generation)
{
	snprintf(path, OBJECT_TEXT, "%s/objects/%u", holder->dir, generation);
	return path;
}

int object_keep(const struct holder *holder, unsigned generation, const char *bytes, size_t size)
{
	char path[OBJECT_TEXT];
	step("stage_keep");
	int fd = open(object_path(holder, path, generation), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : file_write(fd, bytes, size);
	if (fd >= 0)
		close(fd);
	if (error)
		unlink(path);
	return error;
}

void object_forget(const struct holder *holder, unsigned generation)
{
	char path[OBJECT_TEXT];
	if (unlink(object_path(holder, path, generation)) && errno != ENOENT)
		log_warning("%s: %s", path, strerror(errno));
}

void objects_adopt(const struct holder *holder)
{
	char path[OBJECT_TEXT];
	snprintf(path, sizeof(path), "%s/objects", holder->dir);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		unsigned generation = (unsigned)strtoul(entry->d_name, NULL, 10);
		if (generation && !generation_exists(holder, generation))
			object_forget(holder, generation);
	}
	if (folder)
		closedir(folder);
}

/* As large as the live one, and of its own. */
static int prepare_map(const struct holder *holder, struct bpf_map *map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char path[PIN_TEXT];
	int fd = bpf_map__pin_path(map) ? bpf_obj_get(pin_path(holder, path, "map/%s", bpf_map__name(map)))
					: -1;
	int error = bpf_map__set_pin_path(map, NULL);
	if (fd < 0)
		return error;
	if (!error && bpf_obj_get_info_by_fd(fd, &info, &size))
		error = -errno;
	close(fd);
	return error ? error : bpf_map__set_max_entries(map, info.max_entries);
}

static int prepare_maps(const struct holder *holder, struct bpf_object *object)
{
	struct bpf_map *map;
	int error = 0;
	bpf_object__for_each_map(map, object)
	{
		if (!error)
			error = prepare_map(holder, map);
	}
	return error;
}

static int send_all(struct rpc_call *call, struct bpf_object *object)
{
	size_t i;
	json_t *name;
	json_array_foreach(call->argument[1].value, i, name)
	{
		const char *text = json_string_value(name);
		const struct bpf_map *map = bpf_object__find_map_by_name(object, text);
		const struct bpf_program *program = bpf_object__find_program_by_name(object, text);
		int fd = map ? bpf_map__fd(map) : program ? bpf_program__fd(program) : -1;
		int own = fd < 0 ? -ENOENT : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (rpc_call_send_fd(call, own == -1 ? -errno : own, text))
			return -EINVAL;
	}
	call->result = json_pack("{s:O}", "names", call->argument[1].value);
	return 0;
}

static int load(struct rpc_call *call, const struct holder *holder, const char *bytes, size_t size)
{
	struct diagnosis diagnosis;
	if (diagnose_begin(&diagnosis))
		return refuse_errno(&call->problem, ENOMEM, "verifier log");
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "shadow",
		    .kernel_log_buf = diagnosis.verifier_log, .kernel_log_size = diagnosis.verifier_log_size);
	struct bpf_object *object = bpf_object__open_mem(bytes, size, &options);
	int error = object ? prepare_maps(holder, object) : -errno;
	if (!error)
		error = bpf_object__load(object);
	if (error)
		refuse_errno(&call->problem, error, "loading it with maps as large as the live ones: %s",
			     diagnosis.warning);
	else
		error = send_all(call, object);
	bpf_object__close(object);
	diagnose_end(&diagnosis);
	return error;
}

int object_shadow(struct rpc_call *call, void *context)
{
	const struct holder *holder = context;
	unsigned generation = (unsigned)call->argument[0].number;
	char path[OBJECT_TEXT], *bytes = NULL;
	size_t size = 0;
	problem_context(&call->problem, "shadow of generation %u", generation);
	if (!generation_exists(holder, generation))
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no such generation");
	int fd = open(object_path(holder, path, generation), O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : file_read(fd, OBJECT_BYTES_MAX, &bytes, &size);
	if (fd >= 0)
		close(fd);
	if (error == -ENOENT)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL,
			      "its object was not kept: an earlier bpfholder loaded it");
	if (error)
		return refuse_errno(&call->problem, error, "reading %s", path);
	error = load(call, holder, bytes, size);
	free(bytes);
	return error;
}
