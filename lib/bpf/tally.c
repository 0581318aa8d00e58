/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Read one entry at a time: a reading is rare, and needs no memory of its own.
 */
#include "lib/bpf/tally.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define CPUS_MAX 1024

int tally_read_names(const struct btf *btf, const char *enumeration, const char *prefix, tally_names names)
{
	int id = btf ? btf__find_by_name_kind(btf, enumeration, BTF_KIND_ENUM) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	const struct btf_type *type = btf__type_by_id(btf, (__u32)id);
	memset(names, 0, sizeof(tally_names));
	for (unsigned i = 0; i < btf_vlen(type); i++) {
		const struct btf_enum *one = btf_enum(type) + i;
		const char *text = btf__name_by_offset(btf, one->name_off);
		size_t length = strlen(prefix);
		if (one->val < 0 || one->val >= TALLY_MAX || strncmp(text, prefix, length) != 0)
			continue;
		text += length;
		for (size_t k = 0; text[k] && k < TALLY_NAME - 1; k++)
			names[one->val][k] = (char)tolower((unsigned char)text[k]);
	}
	return 0;
}

int tally_read(int map, struct tally *tally)
{
	struct tally_count of_cpu[CPUS_MAX];
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int cpus = libbpf_num_possible_cpus();
	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	if (info.type != BPF_MAP_TYPE_PERCPU_ARRAY || info.value_size != sizeof(*of_cpu) || cpus > CPUS_MAX)
		return -EINVAL;
	memset(tally, 0, sizeof(*tally));
	for (__u32 i = 0; i < TALLY_MAX && i < info.max_entries; i++) {
		if (bpf_map_lookup_elem(map, &i, of_cpu))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++) {
			tally->of[i].packets += of_cpu[cpu].packets;
			tally->of[i].bytes += of_cpu[cpu].bytes;
		}
	}
	return 0;
}

void tally_between(const struct tally *from, const struct tally *to, struct tally *difference)
{
	for (size_t i = 0; i < TALLY_MAX; i++) {
		difference->of[i].packets = to->of[i].packets - from->of[i].packets;
		difference->of[i].bytes = to->of[i].bytes - from->of[i].bytes;
	}
}

struct tally_count tally_sum(const struct tally *tally, const tally_names names, const char *kind)
{
	struct tally_count sum = {0};
	for (size_t i = 0; i < TALLY_MAX; i++) {
		if (names[i][0] && strncmp(names[i], kind, strlen(kind)) == 0) {
			sum.packets += tally->of[i].packets;
			sum.bytes += tally->of[i].bytes;
		}
	}
	return sum;
}
