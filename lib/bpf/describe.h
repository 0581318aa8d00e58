/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Pinned programs and maps: their ids, their BTF, and JSON for whoever asks.
 */
#ifndef BNG_LIB_DESCRIBE_H
#define BNG_LIB_DESCRIBE_H

#include <jansson.h>
#include <linux/types.h>

/* 0 when there is none at `path`. */
__u32 describe_map_id(const char *path);
__u32 describe_program_id(const char *path);
/* What the first program that matches was compiled with; NULL when there is none. */
struct btf *describe_btf(const char *pattern);

/* Rows for everything that matches: {name, type, id, tag, verified (instructions the verifier went
 * through), bytes (of machine code)} and {name, type, key_size,
 * value_size, max_entries, id}. */
json_t *describe_programs(const char *pattern);
json_t *describe_maps(const char *pattern);

#endif
