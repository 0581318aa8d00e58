/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/bpf/layout: rows of an old and a new struct, and what must come out.
 */
#include <bpf/btf.h>
#include <check.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bpf/layout.h"
#include "run.h"

/* A struct in shorthand: "u32 a; u16 b[3]; u8 reserved0[2]; inner c;" The types
 * inner {u16 x; u8 reserved[2]} and other {u16 y; u8 reserved[2]} exist. */
struct types {
	struct btf *btf;
	int u8, u16, u32, u64, s32, index, inner, other, fixed;
};

static int type_named(const struct types *types, const char *name)
{
	const struct {
		const char *name;
		int id;
	} rows[] = {{"u8", types->u8},       {"u16", types->u16},     {"u32", types->u32},
		    {"u64", types->u64},     {"s32", types->s32},     {"inner", types->inner},
		    {"other", types->other}, {"fixed", types->fixed}, {NULL, 0}};
	int i = 0;
	while (rows[i].name && strcmp(rows[i].name, name))
		i++;
	ck_assert_ptr_nonnull(rows[i].name);
	return rows[i].id;
}

static int add_struct(struct types *types, const char *name, const char *text, int size, int is_union)
{
	struct field {
		char type[16], name[32];
		int count, id;
	} fields[16];
	int count = 0, used;
	for (; sscanf(text, " %15s %31[^[;]%n", fields[count].type, fields[count].name, &used) == 2;
	     count++) {
		text += used;
		fields[count].count = 0;
		if (sscanf(text, "[%d]%n", &fields[count].count, &used) == 1)
			text += used;
		text++;
		fields[count].id = type_named(types, fields[count].type);
		if (fields[count].count)
			fields[count].id = btf__add_array(types->btf, types->index, fields[count].id,
							  fields[count].count);
	}
	int id = is_union ? btf__add_union(types->btf, name, (__u32)size)
			  : btf__add_struct(types->btf, name, (__u32)size);
	__u32 bit = 0;
	for (int i = 0; i < count; i++) {
		__s64 bytes = btf__resolve_size(types->btf, (__u32)fields[i].id);
		__s64 alignment = btf__align_of(types->btf, (__u32)fields[i].id);
		bit = (__u32)((bit + (__u32)alignment * 8 - 1) / ((__u32)alignment * 8) * (__u32)alignment *
			      8);
		ck_assert_int_eq(
			btf__add_field(types->btf, fields[i].name, fields[i].id, is_union ? 0 : bit, 0), 0);
		bit += (__u32)bytes * 8;
	}
	return id;
}

static struct types make_types(void)
{
	struct types types = {.btf = btf__new_empty()};
	types.u8 = btf__add_int(types.btf, "unsigned char", 1, 0);
	types.u16 = btf__add_typedef(types.btf, "__u16", btf__add_int(types.btf, "unsigned short", 2, 0));
	types.u32 = btf__add_int(types.btf, "unsigned int", 4, 0);
	types.u64 = btf__add_int(types.btf, "unsigned long long", 8, 0);
	types.s32 = btf__add_int(types.btf, "int", 4, BTF_INT_SIGNED);
	types.index = types.u32;
	types.inner = add_struct(&types, "inner", "u16 x; u8 reserved[2];", 4, 0);
	types.other = add_struct(&types, "other", "u16 x; u8 y; u8 reserved[1];", 4, 0);
	types.fixed = btf__add_const(types.btf, types.u32);
	return types;
}

static const struct row {
	const char *what, *old, *new;
	int size;
	enum layout_result result;
	const char *field, *found, *expected;
} rows[] = {
	{"the same", "u32 a; u16 b; u16 c;", "u32 a; u16 b; u16 c;", 8, LAYOUT_SAME, NULL, NULL, NULL},
	{"typedefs and qualifiers do not count", "u32 a;", "fixed a;", 4, LAYOUT_SAME, NULL, NULL, NULL},
	{"two fields exchanged", "u32 a; u16 b; u16 c;", "u32 a; u16 c; u16 b;", 8, LAYOUT_BROKEN, "value.b",
	 "c (u16, byte 4)", "b (u16, byte 4)"},
	{"a field renamed", "u32 a;", "u32 z;", 4, LAYOUT_BROKEN, "value.a", "z (u32, byte 0)",
	 "a (u32, byte 0)"},
	{"a sign", "u32 a;", "s32 a;", 4, LAYOUT_BROKEN, "value.a", "a (s32, byte 0)", "a (u32, byte 0)"},
	{"narrower", "u32 a;", "u16 a; u8 reserved0[2];", 4, LAYOUT_BROKEN, "value.a", "a (u16, byte 0)",
	 "a (u32, byte 0)"},
	{"dropped", "u32 a; u32 b;", "u32 a; u8 reserved0[4];", 8, LAYOUT_SHRUNK, "value.b", "nothing",
	 "b (u32, byte 4)"},
	{"dropped, a hole is left", "u16 a; u16 c; u32 b;", "u16 a; u32 b;", 8, LAYOUT_SHRUNK, "value.c",
	 "nothing", "c (u16, byte 2)"},
	{"dropped, and grown elsewhere", "u32 a; u32 b; u8 reserved0[4];", "u32 a; u8 reserved0[4]; u32 c;",
	 12, LAYOUT_SHRUNK, "value.b", "nothing", "b (u32, byte 4)"},
	{"dropped, and half of its place taken", "u32 a; u32 b;", "u32 a; u16 c; u8 reserved0[2];", 8,
	 LAYOUT_BROKEN, "value.b", "c (u16, byte 4)", "b (u32, byte 4)"},
	{"moved", "u32 a; u8 reserved0[4];", "u8 reserved0[4]; u32 a;", 8, LAYOUT_BROKEN, "value.a",
	 "nothing", "a (u32, byte 0)"},
	{"an array grew", "u8 a[4]; u8 reserved0[4];", "u8 a[6]; u8 reserved0[2];", 8, LAYOUT_BROKEN,
	 "value.a", "a (u8[6], byte 0)", "a (u8[4], byte 0)"},
	{"grown into the reserved tail", "u32 a; u8 reserved0[4];", "u32 a; u16 b; u8 reserved0[2];", 8,
	 LAYOUT_GROWN, "value.b", NULL, NULL},
	{"grown into a hole", "u16 a; u32 b;", "u16 a; u16 c; u32 b;", 8, LAYOUT_GROWN, "value.c", NULL,
	 NULL},
	{"grown into all of it", "u32 a; u8 reserved0[4];", "u32 a; u32 b;", 8, LAYOUT_GROWN, "value.b", NULL,
	 NULL},
	{"reserved cut otherwise", "u32 a; u8 reserved0[4];", "u32 a; u8 reserved0[2]; u8 reserved1[2];", 8,
	 LAYOUT_SAME, NULL, NULL, NULL},
	{"nested, the same", "inner a; u32 b;", "inner a; u32 b;", 8, LAYOUT_SAME, NULL, NULL, NULL},
	{"nested, grown", "inner a[3]; u32 b;", "other a[3]; u32 b;", 16, LAYOUT_GROWN, "value.a[].y", NULL,
	 NULL},
	{"nested, shrunk", "other a; u32 b;", "inner a; u32 b;", 8, LAYOUT_SHRUNK, "value.a.y", "nothing",
	 "y (u8, byte 2)"},
	{"nested in an array, shrunk", "other a[3];", "inner a[3];", 12, LAYOUT_BROKEN, "value.a[].y",
	 "nothing", "y (u8 in [3] of 4 bytes, byte 2)"},
	{"fewer structs in an array", "inner a[3];", "inner a[2]; u8 reserved0[4];", 12, LAYOUT_BROKEN,
	 "value.a[].x", "x (u16 in [2] of 4 bytes, byte 0)", "x (u16 in [3] of 4 bytes, byte 0)"},
};

START_TEST(structs)
{
	const struct row *row = &rows[_i];
	struct types old = make_types(), new = make_types();
	struct layout_difference difference = {0};
	int old_id = add_struct(&old, "record", row->old, row->size, 0);
	int new_id = add_struct(&new, "record_with_another_name", row->new, row->size, 0);
	enum layout_result result =
		layout_compare(old.btf, (__u32)old_id, new.btf, (__u32)new_id, "value", &difference);
	ck_assert_msg(result == row->result, "%s: %d, field %s", row->what, result, difference.field);
	if (row->field)
		ck_assert_str_eq(difference.field, row->field);
	if (row->found)
		ck_assert_str_eq(difference.found, row->found);
	if (row->expected)
		ck_assert_str_eq(difference.expected, row->expected);
	btf__free(old.btf);
	btf__free(new.btf);
}
END_TEST

static enum layout_result compare_unions(const char *old_text, const char *new_text)
{
	struct types old = make_types(), new = make_types();
	struct layout_difference difference;
	int old_id = add_struct(&old, "either", old_text, 8, 1),
	    new_id = add_struct(&new, "either", new_text, 8, 1);
	enum layout_result result =
		layout_compare(old.btf, (__u32)old_id, new.btf, (__u32)new_id, "value", &difference);
	btf__free(old.btf);
	btf__free(new.btf);
	return result;
}

START_TEST(unions)
{
	ck_assert_int_eq(compare_unions("u64 a; u32 b;", "u64 a; u32 b;"), LAYOUT_SAME);
	ck_assert_int_eq(compare_unions("u64 a; u32 b;", "u32 b; u64 a;"), LAYOUT_SAME);
	ck_assert_int_eq(compare_unions("u64 a; u32 b;", "u64 a; u32 c;"), LAYOUT_BROKEN);
	ck_assert_int_eq(compare_unions("u64 a;", "u64 a; u32 c;"), LAYOUT_BROKEN);
	ck_assert_int_eq(compare_unions("u8 a[8];", "u8 a[8]; u8 b[8];"), LAYOUT_BROKEN);
}
END_TEST

/* Types that contain themselves too deeply or too often end, and say so. */
START_TEST(too_many_fields)
{
	struct types types = make_types();
	struct layout_difference difference;
	int id = btf__add_struct(types.btf, "wide", 4 * 600);
	for (int i = 0; i < 600; i++) {
		char name[16];
		snprintf(name, sizeof(name), "field%d", i);
		ck_assert_int_eq(btf__add_field(types.btf, name, types.u32, (__u32)i * 32, 0), 0);
	}
	ck_assert_int_eq(layout_compare(types.btf, (__u32)id, types.btf, (__u32)id, "value", &difference),
			 LAYOUT_BROKEN);
	ck_assert_str_eq(difference.found, "more");
	btf__free(types.btf);
}
END_TEST

START_TEST(maps)
{
	struct types types = make_types();
	struct layout_difference difference;
	struct layout_map old = {.btf = types.btf,
				 .key_type = (__u32)types.u32,
				 .value_type = (__u32)types.inner,
				 .type = BPF_MAP_TYPE_ARRAY,
				 .key_size = 4,
				 .value_size = 4,
				 .max_entries = 10};
	struct layout_map new = old;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_SAME);
	new.value_type = (__u32)types.other;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_GROWN);
	new.key_type = (__u32)types.s32;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_BROKEN);
	ck_assert_str_eq(difference.field, "key");
	new = old;
	new.max_entries = 11;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_BROKEN);
	ck_assert_str_eq(difference.field, "max_entries");
	ck_assert_str_eq(difference.expected, "10");
	ck_assert_str_eq(difference.found, "11");
	new = old;
	new.flags = BPF_F_RDONLY_PROG;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_BROKEN);
	old.type = new.type = BPF_MAP_TYPE_DEVMAP;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_SAME);
	new.value_size = 8;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_BROKEN);
	ck_assert_str_eq(difference.field, "value_size");
	btf__free(types.btf);
}
END_TEST

START_TEST(vacated)
{
	struct types types = make_types();
	struct layout_difference difference;
	struct layout_vacated list[4];
	int id = add_struct(&types, "record", "u32 a; u16 b; u16 c; u8 reserved0[4]; u32 d;", 16, 0);
	int other = add_struct(&types, "record", "u32 a; u8 reserved0[12];", 16, 0);
	struct layout_map old = {.btf = types.btf, .value_type = (__u32)id, .value_size = 16}, new = old;
	btf__add_decl_tag(types.btf, "transient", id, 2);
	btf__add_decl_tag(types.btf, "another", id, 1);
	new.value_type = (__u32)other;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_SHRUNK);
	ck_assert_int_eq(layout_vacated(&old, &new, list, 4), 3);
	ck_assert_str_eq(list[0].field, "value.b");
	ck_assert_str_eq(list[1].text, "c (u16, byte 6)");
	ck_assert_int_eq(list[2].byte, 12);
	ck_assert_int_eq(list[2].bytes, 4);
	ck_assert(!list[0].transient && list[1].transient && !list[2].transient);
	ck_assert_int_eq(layout_vacated(&old, &new, list, 2), 2);
	ck_assert_int_eq(layout_vacated(&new, &old, list, 4), 0);
	btf__free(types.btf);
}
END_TEST

/* Two keys must not become the same. */
START_TEST(a_key_never_shrinks)
{
	struct types types = make_types();
	struct layout_difference difference;
	struct layout_map old = {.btf = types.btf, .key_type = (__u32)types.other}, new = old;
	new.key_type = (__u32)types.inner;
	ck_assert_int_eq(layout_compare_maps(&old, &new, &difference), LAYOUT_BROKEN);
	ck_assert_str_eq(difference.field, "key.y");
	btf__free(types.btf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib_layout");
	TCase *tests = tcase_create("layout");
	tcase_add_loop_test(tests, structs, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_test(tests, unions);
	tcase_add_test(tests, too_many_fields);
	tcase_add_test(tests, maps);
	tcase_add_test(tests, vacated);
	tcase_add_test(tests, a_key_never_shrinks);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
