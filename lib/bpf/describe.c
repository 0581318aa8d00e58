/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Everything is asked from the kernel through the pin, at the time of asking.
 */
#include "lib/bpf/describe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/bpf/bpffs.h"

static int ask(const char *path, void *info, __u32 size)
{
	int fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	int error = bpf_obj_get_info_by_fd(fd, info, &size);
	close(fd);
	return error;
}

__u32 describe_map_id(const char *path)
{
	struct bpf_map_info info = {0};
	return ask(path, &info, sizeof(info)) ? 0 : info.id;
}

__u32 describe_program_id(const char *path)
{
	struct bpf_prog_info info = {0};
	return ask(path, &info, sizeof(info)) ? 0 : info.id;
}

struct btf *describe_btf(const char *pattern)
{
	struct bpf_prog_info info = {0};
	glob_t found;
	bpffs_list(pattern, &found);
	int error = found.gl_pathc ? ask(found.gl_pathv[0], &info, sizeof(info)) : -1;
	globfree(&found);
	return !error && info.btf_id ? btf__load_from_kernel_by_id(info.btf_id) : NULL;
}

static json_t *program_row(const char *path)
{
	struct bpf_prog_info info = {0};
	char tag[2 * sizeof(info.tag) + 1] = "";
	if (ask(path, &info, sizeof(info)))
		return NULL;
	for (size_t i = 0; i < sizeof(info.tag); i++)
		snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	return json_pack("{s:s, s:s, s:i, s:s, s:I, s:I}", "name", bpffs_name(path), "type",
			 libbpf_bpf_prog_type_str(info.type), "id", info.id, "tag", tag, "verified",
			 (json_int_t)info.verified_insns, "bytes", (json_int_t)info.jited_prog_len);
}

static json_t *map_row(const char *path)
{
	struct bpf_map_info info = {0};
	if (ask(path, &info, sizeof(info)))
		return NULL;
	return json_pack("{s:s, s:s*, s:i, s:i, s:I, s:i}", "name", bpffs_name(path), "type",
			 libbpf_bpf_map_type_str(info.type), "key_size", info.key_size, "value_size",
			 info.value_size, "max_entries", (json_int_t)info.max_entries, "id", info.id);
}

static json_t *rows(const char *pattern, json_t *(*row)(const char *path))
{
	json_t *list = json_array();
	glob_t found;
	bpffs_list(pattern, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		json_array_append_new(list, row(found.gl_pathv[i]));
	globfree(&found);
	return list;
}

json_t *describe_programs(const char *pattern)
{
	return rows(pattern, program_row);
}

json_t *describe_maps(const char *pattern)
{
	return rows(pattern, map_row);
}
