/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/bpf/map_copy, with maps of the kernel: equal afterwards, or an error that says so.
 */
#include <bpf/bpf.h>
#include <check.h>
#include <endian.h>
#include <errno.h>

#include "lib/bpf/map_copy.h"
#include "run.h"

#define ENTRIES 3000u /* more than one batch */

struct key {
	__u32 length;
	__u32 address_be;
};

static int make(enum bpf_map_type type, __u32 entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0);
	int map = bpf_map_create(type, "copy", sizeof(struct key), sizeof(__u32), entries, &options);
	ck_assert_int_ge(map, 0);
	return map;
}

static void put(int map, __u32 length, __u32 address, __u32 value)
{
	const struct key key = {length, htobe32(address)};
	ck_assert_int_eq(bpf_map_update_elem(map, &key, &value, BPF_ANY), 0);
}

static void fill(int map)
{
	for (__u32 i = 0; i < ENTRIES; i++)
		put(map, 32, i, i * 7 + 1);
}

static const enum bpf_map_type types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LPM_TRIE};

START_TEST(what_was_there_before_is_gone)
{
	int from = make(types[_i], ENTRIES), to = make(types[_i], 2 * ENTRIES);
	uint64_t entries;
	fill(from);
	for (__u32 i = 0; i < ENTRIES; i++)
		put(to, 32, ENTRIES / 2 + i, 5);
	ck_assert_int_eq(map_copy(from, to, &entries), 0);
	ck_assert_uint_eq(entries, ENTRIES);
	for (__u32 i = 0; i < 2 * ENTRIES; i++) {
		const struct key key = {32, htobe32(i)};
		__u32 value = 0;
		ck_assert_int_eq(bpf_map_lookup_elem(to, &key, &value), i < ENTRIES ? 0 : -ENOENT);
		ck_assert_uint_eq(value, i < ENTRIES ? i * 7 + 1 : 0);
	}
	ck_assert_int_eq(map_copy(make(types[_i], 1), to, &entries), 0);
	ck_assert_uint_eq(entries, 0);
	ck_assert_int_ne(bpf_map_get_next_key(to, NULL, &(struct key){0}), 0);
}
END_TEST

START_TEST(one_that_does_not_take_all_is_told)
{
	int from = make(types[_i], ENTRIES), to = make(types[_i], ENTRIES - 1);
	uint64_t entries;
	fill(from);
	ck_assert_int_lt(map_copy(from, to, &entries), 0);
}
END_TEST

/* Two keys of a hash that are one prefix of a trie. */
START_TEST(one_that_is_not_the_same_is_told)
{
	int from = make(BPF_MAP_TYPE_HASH, 10), to = make(BPF_MAP_TYPE_LPM_TRIE, 10);
	uint64_t entries;
	put(from, 24, 1, 7);
	ck_assert_int_eq(map_copy(from, to, &entries), 0);
	put(from, 24, 2, 7);
	ck_assert_int_eq(map_copy(from, to, &entries), -EILSEQ);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map_copy");
	TCase *tests = tcase_create("copy");
	tcase_add_loop_test(tests, what_was_there_before_is_gone, 0, 2);
	tcase_add_loop_test(tests, one_that_does_not_take_all_is_told, 0, 2);
	tcase_add_test(tests, one_that_is_not_the_same_is_told);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
