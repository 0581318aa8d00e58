/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * May programs that know a type as `new` work on data of type `old`? Sizes do not
 * tell: a struct with two fields exchanged has the same size.
 */
#ifndef BNG_LIB_LAYOUT_H
#define BNG_LIB_LAYOUT_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

enum layout_result {
	LAYOUT_SAME,
	LAYOUT_GROWN,  /* new fields lie where the old type had reserved* or padding */
	LAYOUT_SHRUNK, /* fields of the old type are reserved* or padding in the new one */
	LAYOUT_BROKEN, /* a field is missing, moved or of another kind */
};

struct layout_difference {
	char field[128];    /* the first one: "value.mac" */
	char found[128];    /* in the new type (shrunk and broken only) */
	char expected[128]; /* in the old type (shrunk and broken only) */
};

struct btf;
/* `root` starts the field's name. */
enum layout_result layout_compare(const struct btf *old, __u32 old_id, const struct btf *new, __u32 new_id,
				  const char *root, struct layout_difference *difference);

/* A map as one side knows it. Several sides may know the old one. */
struct layout_map {
	const struct btf *btf; /* NULL: key and value are only sizes */
	__u32 key_type, value_type;
	__u32 type, key_size, value_size, flags, max_entries;
};
/* Looks key and value up in the BTF of the object that declares map `name`. */
void layout_map_types(struct layout_map *map, const struct btf *btf, const char *name);
/* Type, sizes, flags, then what key and value are. */
enum layout_result layout_compare_maps(const struct layout_map *old, const struct layout_map *new,
				       struct layout_difference *difference);

/* A field of the old value that the new one knows nothing of. */
struct layout_vacated {
	char text[128]; /* "capture_left (u16, byte 118)" */
	char field[128];
	__u32 byte, bytes;
	bool transient; /* its declaration says so: it may become zero at any time */
};
/* All of them, where layout_compare_maps says "shrunk": how many, at most `max`. */
size_t layout_vacated(const struct layout_map *old, const struct layout_map *new, struct layout_vacated *list,
		      size_t max);

#endif
