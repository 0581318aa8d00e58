/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Maps of the test objects: keys are numbers.
 */
#ifndef TEST_BPF_MAP_H
#define TEST_BPF_MAP_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define MAP_OF(name, kind, entries, flags, type_of_value, ...)                                               \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_##kind);                                                           \
		__uint(map_flags, flags);                                                                    \
		__uint(max_entries, entries);                                                                \
		__type(key, __u32);                                                                          \
		__type(value, type_of_value);                                                                \
		__VA_ARGS__                                                                                  \
	} name SEC(".maps")
#define DURABLE __uint(pinning, LIBBPF_PIN_BY_NAME);

#endif
