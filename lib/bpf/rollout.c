/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A share is set while packets flow: the rest of the value stays.
 */
#include "lib/bpf/rollout.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"

#define BAKE_S_MAX 86400
#define VALUE_SIZE 64 /* at most */

static void read_step(struct json_reader *reader, const json_t *one, unsigned least,
		      struct rollout_step *step)
{
	static const char *const members[] = {"share", "bake_s", NULL};
	json_read_only(reader, one, members);
	step->share = (unsigned)json_read_integer(reader, one, "share", least, ROLLOUT_ALL);
	step->bake_s = (unsigned)json_read_integer(reader, one, "bake_s", 1, BAKE_S_MAX);
}

void rollout_read(struct json_reader *reader, const json_t *request, struct rollout *rollout)
{
	const json_t *steps = json_enter(reader, request, "steps");
	size_t count = json_array_size(steps);
	if (count < 1 || count > ROLLOUT_STEPS_MAX)
		json_reader_fail(reader, steps, "must be an array of 1-%d steps", ROLLOUT_STEPS_MAX);
	rollout->count = count <= ROLLOUT_STEPS_MAX ? count : 0;
	for (size_t i = 0; i < rollout->count; i++) {
		read_step(reader, json_enter_index(reader, steps, i), i ? rollout->steps[i - 1].share + 1 : 1,
			  &rollout->steps[i]);
		json_leave(reader);
	}
	json_leave(reader);
}

const struct rollout_step *rollout_now(const struct rollout *rollout)
{
	return &rollout->steps[rollout->step];
}

int rollout_set_share(int map, unsigned share)
{
	unsigned char value[VALUE_SIZE];
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), zero = 0;
	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	if (info.value_size < sizeof(share) || info.value_size > VALUE_SIZE)
		return -EINVAL;
	if (bpf_map_lookup_elem(map, &zero, value))
		return -errno;
	memcpy(value, &share, sizeof(share));
	return bpf_map_update_elem(map, &zero, value, BPF_ANY) ? -errno : 0;
}

int rollout_set_program(const char *path, int program)
{
	__u32 zero = 0;
	int map = bpf_obj_get(path);
	if (map < 0)
		return -errno;
	int error = program >= 0 ? bpf_map_update_elem(map, &zero, &program, BPF_ANY)
				 : bpf_map_delete_elem(map, &zero);
	error = error ? -errno : 0;
	close(map);
	return error;
}
