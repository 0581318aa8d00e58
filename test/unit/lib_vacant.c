/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/bpf/vacant on maps of the kernel: arrays that are mapped, tables, values of each CPU.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <check.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bpf/vacant.h"
#include "run.h"

#define ENTRIES 70
#define CPUS    1024

/* {u32 kept, limit, asked} of 12 bytes, of which the new object knows the first. */
struct value {
	__u32 kept, limit, asked, padding;
};

struct world {
	struct btf *btf;
	struct layout_map old, new;
	int map;
};

static struct world make(enum bpf_map_type type, __u32 flags)
{
	struct world world = {.btf = btf__new_empty()};
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	int number = btf__add_int(world.btf, "unsigned int", 4, 0);
	int old = btf__add_struct(world.btf, "value", 12);
	btf__add_field(world.btf, "kept", number, 0, 0);
	btf__add_field(world.btf, "limit", number, 32, 0);
	btf__add_field(world.btf, "asked", number, 64, 0);
	btf__add_decl_tag(world.btf, "transient", old, 2);
	int new = btf__add_struct(world.btf, "value", 12);
	btf__add_field(world.btf, "kept", number, 0, 0);
	world.old = (struct layout_map){.btf = world.btf, .value_type = (__u32)old, .value_size = 12};
	world.new = world.old;
	world.new.value_type = (__u32) new;
	world.map = bpf_map_create(type, "vacant", 4, 12, ENTRIES, &options);
	ck_assert_int_ge(world.map, 0);
	return world;
}

static void done(struct world *world)
{
	close(world->map);
	btf__free(world->btf);
}

/* `cpu`: of values that each CPU has. */
static void put(const struct world *world, __u32 key, int cpu, struct value value)
{
	static struct value values[CPUS];
	memset(values, 0, sizeof(values));
	values[cpu] = value;
	ck_assert_int_eq(bpf_map_update_elem(world->map, &key, values, BPF_ANY), 0);
}

static void is_vacant(const struct world *world)
{
	struct layout_difference difference = {0};
	ck_assert_msg(vacant_is(world->map, &world->old, &world->new, &difference), "%s",
		      difference.expected);
}

static void is_in_use(const struct world *world, const char *expected)
{
	struct layout_difference difference = {0};
	ck_assert(!vacant_is(world->map, &world->old, &world->new, &difference));
	ck_assert_str_eq(difference.found, "nothing");
	ck_assert_str_eq(difference.expected, expected);
}

START_TEST(an_array_that_can_be_mapped)
{
	struct world world = make(BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE);
	for (__u32 i = 0; i < ENTRIES; i++)
		put(&world, i, 0, (struct value){.kept = ~0u, .asked = i});
	is_vacant(&world);
	put(&world, ENTRIES - 1, 0, (struct value){.limit = 1u << 31});
	is_in_use(&world, "limit (u32, byte 4), in use by entry 69");
	done(&world);
}
END_TEST

static const struct {
	enum bpf_map_type type;
	__u32 flags;
} tables[] = {{BPF_MAP_TYPE_ARRAY, 0}, {BPF_MAP_TYPE_HASH, 0}, {BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC}};

/* Nobody could write one field of them while programs write others. */
START_TEST(in_a_map_that_cannot_be_mapped_what_is_transient_counts)
{
	struct world world = make(tables[_i].type, tables[_i].flags);
	for (__u32 i = 0; i < ENTRIES; i++)
		put(&world, i, 0, (struct value){.kept = i + 1});
	is_vacant(&world);
	put(&world, 40, 0, (struct value){.asked = 1});
	is_in_use(&world, "asked (u32, byte 8), in use by an entry");
	put(&world, 40, 0, (struct value){.limit = 1});
	is_in_use(&world, "limit (u32, byte 4), in use by an entry");
	done(&world);
}
END_TEST

START_TEST(every_cpu_counts)
{
	struct world world = make(BPF_MAP_TYPE_PERCPU_ARRAY, 0);
	int last = libbpf_num_possible_cpus() - 1;
	put(&world, 69, last, (struct value){.kept = 1});
	is_vacant(&world);
	put(&world, 69, last, (struct value){.limit = 1});
	is_in_use(&world, "limit (u32, byte 4), in use by an entry");
	done(&world);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib_vacant");
	TCase *tests = tcase_create("vacant");
	tcase_add_test(tests, an_array_that_can_be_mapped);
	tcase_add_loop_test(tests, in_a_map_that_cannot_be_mapped_what_is_transient_counts, 0,
			    sizeof(tables) / sizeof(*tables));
	tcase_add_test(tests, every_cpu_counts);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
