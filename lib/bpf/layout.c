/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Two types are laid out as lists of their scalar fields and the lists are
 * compared. Names of types do not count; place, name and kind of every field do.
 * The new type may name bytes that the old one called reserved* or left as
 * padding. Fields of the old one may become such bytes again where they lie in each
 * entry once; whoever lets that happen looks whether they hold anything (vacant.h).
 */
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bpf/layout.h"

#define FIELDS_MAX 512
#define DEPTH_MAX  16
#define TRANSIENT  "transient" /* a btf_decl_tag of a member */

struct field {
	__u32 bit, bits;
	char path[120];
	char kind[48]; /* "u32", "u8[6]"; of an array's struct: "u16 in [16] of 12 bytes" */
	bool transient;
};

struct layout {
	const struct btf *btf;
	size_t count; /* FIELDS_MAX + 1: too many */
	struct field fields[FIELDS_MAX];
};

static __u32 strip_id(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	while (type && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type))) {
		id = type->type;
		type = btf__type_by_id(btf, id);
	}
	return id;
}

static const struct btf_type *strip(const struct btf *btf, __u32 id)
{
	return btf__type_by_id(btf, strip_id(btf, id));
}

static const char *name_at(const struct btf *btf, __u32 offset)
{
	const char *name = btf__name_by_offset(btf, offset);
	return name ? name : "";
}

/* Of a struct's nth member. */
static bool is_transient(const struct btf *btf, __u32 composite, int member)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *tag = btf__type_by_id(btf, id);
		if (btf_is_decl_tag(tag) && tag->type == composite &&
		    btf_decl_tag(tag)->component_idx == member &&
		    !strcmp(name_at(btf, tag->name_off), TRANSIENT))
			return true;
	}
	return false;
}

static void add_scalar(struct layout *layout, const struct btf_type *type, __u32 bit, __u32 bits,
		       const char *path, const char *within)
{
	const char *kind = "u";
	if (layout->count >= FIELDS_MAX) {
		layout->count = FIELDS_MAX + 1;
		return;
	}
	if (btf_is_ptr(type))
		kind = "pointer";
	else if (btf_is_float(type))
		kind = "float";
	else if (btf_is_int(type) && (btf_int_encoding(type) & BTF_INT_SIGNED))
		kind = "s";
	struct field *field = &layout->fields[layout->count++];
	field->bit = bit;
	field->bits = bits ? bits : btf_is_ptr(type) ? 64 : type->size * 8;
	snprintf(field->path, sizeof(field->path), "%s", path);
	snprintf(field->kind, sizeof(field->kind), "%s%u%s", kind, field->bits, within);
}

static void lay_out(struct layout *layout, __u32 id, __u32 bit, __u32 bits, const char *path,
		    const char *within, int depth)
{
	const struct btf_type *type = strip(layout->btf, id);
	char inner[sizeof(layout->fields[0].path)], array[40];
	if (!type || btf_is_void(type) || depth > DEPTH_MAX)
		return;
	if (btf_is_array(type)) {
		const struct btf_type *element = strip(layout->btf, btf_array(type)->type);
		bool composite = element && btf_is_composite(element);
		snprintf(inner, sizeof(inner), "%.110s%s", path, composite ? "[]" : "");
		if (composite)
			snprintf(array, sizeof(array), " in [%u] of %u bytes%.12s", btf_array(type)->nelems,
				 element->size, within);
		else
			snprintf(array, sizeof(array), "[%u]%.24s", btf_array(type)->nelems, within);
		size_t count = layout->count;
		lay_out(layout, btf_array(type)->type, bit, 0, inner, array, depth + 1);
		if (!composite && layout->count == count + 1 && layout->count <= FIELDS_MAX)
			layout->fields[count].bits *= btf_array(type)->nelems;
		return;
	}
	if (!btf_is_composite(type)) {
		add_scalar(layout, type, bit, bits, path, within);
		return;
	}
	for (__u32 i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = btf_members(type) + i;
		const char *name = name_at(layout->btf, member->name_off);
		snprintf(inner, sizeof(inner), "%.70s%s%.48s", path, *name ? "." : "", name);
		size_t first = layout->count;
		lay_out(layout, member->type, bit + btf_member_bit_offset(type, i),
			btf_member_bitfield_size(type, i), inner, within, depth + 1);
		bool transient = is_transient(layout->btf, strip_id(layout->btf, id), (int)i);
		for (size_t k = first; transient && k < layout->count && k < FIELDS_MAX; k++)
			layout->fields[k].transient = true;
	}
}

static bool is_reserved(const struct field *field)
{
	return strstr(field->path, ".reserved");
}

static bool has_field(const struct layout *layout, const struct field *field)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct field *other = &layout->fields[i];
		if (other->bit == field->bit && !strcmp(other->path, field->path) &&
		    !strcmp(other->kind, field->kind))
			return true;
	}
	return false;
}

/* The field with a meaning that shares bits with this one. */
static const struct field *overlapping(const struct layout *layout, const struct field *field)
{
	for (size_t i = 0; i < layout->count; i++) {
		const struct field *other = &layout->fields[i];
		if (!is_reserved(other) && other->bit < field->bit + field->bits &&
		    field->bit < other->bit + other->bits)
			return other;
	}
	return NULL;
}

static bool has_path(const struct layout *layout, const char *path)
{
	for (size_t i = 0; i < layout->count; i++) {
		if (!strcmp(layout->fields[i].path, path))
			return true;
	}
	return false;
}

/* A field of the old type may be forgotten where nothing else comes into its place: neither
 * it, moved or of another kind, nor another. One of a struct in an array is in more places
 * than this one. */
static bool may_go(const struct layout *new, const struct field *field)
{
	return !overlapping(new, field) && !has_path(new, field->path) && !strstr(field->kind, " in [") &&
	       field->bit % 8 == 0 && field->bits % 8 == 0;
}

static void field_text(const struct field *field, char text[static 128])
{
	const char *dot = field ? strrchr(field->path, '.') : NULL;
	if (field)
		snprintf(text, 128, "%.60s (%s, byte %u)", dot ? dot + 1 : field->path, field->kind,
			 field->bit / 8);
	else
		snprintf(text, 128, "nothing");
}

static void tell(struct layout_difference *difference, const char *path, const struct field *expected,
		 const struct field *found)
{
	snprintf(difference->field, sizeof(difference->field), "%s", path);
	field_text(expected, difference->expected);
	field_text(found, difference->found);
}

static enum layout_result broken(struct layout_difference *difference, const char *path,
				 const struct field *expected, const struct field *found)
{
	tell(difference, path, expected, found);
	return LAYOUT_BROKEN;
}

/* What the old one has. */
static enum layout_result compare_old(const struct layout *old, const struct layout *new,
				      struct layout_difference *difference)
{
	enum layout_result result = LAYOUT_SAME;
	for (size_t i = 0; i < old->count; i++) {
		const struct field *field = &old->fields[i];
		if (is_reserved(field) || has_field(new, field))
			continue;
		if (!may_go(new, field))
			return broken(difference, field->path, field, overlapping(new, field));
		if (result == LAYOUT_SAME)
			tell(difference, field->path, field, NULL);
		result = LAYOUT_SHRUNK;
	}
	return result;
}

static enum layout_result compare(const struct layout *old, const struct layout *new,
				  struct layout_difference *difference)
{
	enum layout_result result = compare_old(old, new, difference);
	for (size_t i = 0; i < new->count &&result != LAYOUT_BROKEN; i++) {
		const struct field *field = &new->fields[i];
		if (is_reserved(field) || has_field(old, field))
			continue;
		if (overlapping(old, field))
			return broken(difference, field->path, overlapping(old, field), field);
		if (result != LAYOUT_SAME)
			continue;
		snprintf(difference->field, sizeof(difference->field), "%s", field->path);
		result = LAYOUT_GROWN;
	}
	return result;
}

enum layout_result layout_compare(const struct btf *old, __u32 old_id, const struct btf *new, __u32 new_id,
				  const char *field, struct layout_difference *difference)
{
	struct layout *layouts = calloc(2, sizeof(*layouts));
	enum layout_result result = LAYOUT_BROKEN;
	snprintf(difference->field, sizeof(difference->field), "%s", field);
	snprintf(difference->expected, sizeof(difference->expected), "at most %d fields", FIELDS_MAX);
	snprintf(difference->found, sizeof(difference->found), "more");
	if (!layouts)
		return result;
	layouts[0].btf = old;
	layouts[1].btf = new;
	lay_out(&layouts[0], old_id, 0, 0, field, "", 0);
	lay_out(&layouts[1], new_id, 0, 0, field, "", 0);
	if (layouts[0].count <= FIELDS_MAX && layouts[1].count <= FIELDS_MAX)
		result = compare(&layouts[0], &layouts[1], difference);
	free(layouts);
	return result;
}

void layout_map_types(struct layout_map *map, const struct btf *btf, const char *name)
{
	__s32 id = btf__find_by_name_kind(btf, ".maps", BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	map->btf = btf;
	map->key_type = map->value_type = 0;
	for (__u32 i = 0; section && i < btf_vlen(section); i++) {
		const struct btf_type *variable = btf__type_by_id(btf, btf_var_secinfos(section)[i].type);
		if (!variable || strcmp(name_at(btf, variable->name_off), name))
			continue;
		const struct btf_type *definition = strip(btf, variable->type);
		for (__u32 m = 0; definition && btf_is_struct(definition) && m < btf_vlen(definition); m++) {
			/* A member of a map's definition is a pointer to the type it means. */
			const struct btf_member *member = btf_members(definition) + m;
			const struct btf_type *pointer = btf__type_by_id(btf, member->type);
			const char *what = name_at(btf, member->name_off);
			if (!strcmp(what, "key") && btf_is_ptr(pointer))
				map->key_type = pointer->type;
			else if (!strcmp(what, "value") && btf_is_ptr(pointer))
				map->value_type = pointer->type;
		}
	}
}

static bool number_differs(const char *field, __u32 expected, __u32 found,
			   struct layout_difference *difference)
{
	snprintf(difference->field, sizeof(difference->field), "%s", field);
	snprintf(difference->expected, sizeof(difference->expected), "%u", expected);
	snprintf(difference->found, sizeof(difference->found), "%u", found);
	return expected != found;
}

/* The kernel sets this flag by itself where programs may only read. */
static __u32 declared_flags(const struct layout_map *map)
{
	bool device = map->type == BPF_MAP_TYPE_DEVMAP || map->type == BPF_MAP_TYPE_DEVMAP_HASH;
	return device ? map->flags & ~(__u32)BPF_F_RDONLY_PROG : map->flags;
}

enum layout_result layout_compare_maps(const struct layout_map *old, const struct layout_map *new,
				       struct layout_difference *difference)
{
	if (number_differs("type", old->type, new->type, difference) ||
	    number_differs("key_size", old->key_size, new->key_size, difference) ||
	    number_differs("value_size", old->value_size, new->value_size, difference) ||
	    number_differs("map_flags", declared_flags(old), declared_flags(new), difference) ||
	    number_differs("max_entries", old->max_entries, new->max_entries, difference))
		return LAYOUT_BROKEN;
	enum layout_result key = LAYOUT_SAME, value = LAYOUT_SAME;
	if (old->btf && old->key_type)
		key = layout_compare(old->btf, old->key_type, new->btf, new->key_type, "key", difference);
	if (key == LAYOUT_SHRUNK) /* two keys may have become one */
		return LAYOUT_BROKEN;
	if (key != LAYOUT_BROKEN && old->btf && old->value_type)
		value = layout_compare(old->btf, old->value_type, new->btf, new->value_type, "value",
				       difference);
	return key > value ? key : value;
}

size_t layout_vacated(const struct layout_map *old, const struct layout_map *new, struct layout_vacated *list,
		      size_t max)
{
	struct layout *layouts = old->btf && old->value_type ? calloc(2, sizeof(*layouts)) : NULL;
	size_t count = 0;
	if (!layouts)
		return 0;
	layouts[0].btf = old->btf;
	layouts[1].btf = new->btf;
	lay_out(&layouts[0], old->value_type, 0, 0, "value", "", 0);
	lay_out(&layouts[1], new->value_type, 0, 0, "value", "", 0);
	for (size_t i = 0; i < layouts[0].count && i < FIELDS_MAX && count < max; i++) {
		const struct field *field = &layouts[0].fields[i];
		if (is_reserved(field) || has_field(&layouts[1], field))
			continue;
		struct layout_vacated *vacated = &list[count++];
		*vacated = (struct layout_vacated){
			.byte = field->bit / 8, .bytes = field->bits / 8, .transient = field->transient};
		snprintf(vacated->field, sizeof(vacated->field), "%s", field->path);
		field_text(field, vacated->text);
	}
	free(layouts);
	return count;
}
