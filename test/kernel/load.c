/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Loads an object into the running kernel and says what the verifier did, a line
 * for each program. Linked statically, as it runs in the machine that
 * boot.py starts. Exit status 0: every program was accepted.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_MAX 65536 /* the machine is small; sizes do not change the verdict */

static void map_prepare(struct bpf_map *map)
{
	bpf_map__set_pin_path(map, NULL);
	if (bpf_map__max_entries(map) > ENTRIES_MAX && bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
		bpf_map__set_max_entries(map, ENTRIES_MAX);
}

static void program_print(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	__u32 length = sizeof(info);

	if (!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &length))
		printf("loaded %s: %u instructions, %u verified\n", bpf_program__name(program),
		       info.xlated_prog_len / 8, info.verified_insns);
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 2 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object) {
		fprintf(stderr, "%s: opening the object failed\n", argv[0]);
		return 2;
	}
	bpf_object__for_each_map(map, object) map_prepare(map);
	if (bpf_object__load(object)) {
		printf("refused\n");
		return 1;
	}
	bpf_object__for_each_program(program, object) program_print(program);
	return 0;
}
