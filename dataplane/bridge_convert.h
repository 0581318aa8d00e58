/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What becomes of an entry that moves, and the checksum that shows that it did: for each
 * array bridge_convert_M, bridge_sum_M and bridge_sum_old_M (bridge.h says how a layout
 * is changed).
 *
 * No copy of an entry is ever on the stack: words go through registers.
 */
#ifndef BNG_DATAPLANE_BRIDGE_CONVERT_H
#define BNG_DATAPLANE_BRIDGE_CONVERT_H

#include "bridge.h"

/* Of a word, and where it is; 0 stays 0. */
static __always_inline __u64 bridge_mix(__u64 word, __u32 place)
{
	word *= 0x9e3779b97f4a7c15ULL + 2 * (__u64)place;
	return word ^ word >> 29;
}

static __always_inline void bridge_words_copy(__u64 *to, const __u64 *from, __u32 bytes)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < bytes / 8; i++)
		*(volatile __u64 *)&to[i] = *(const volatile __u64 *)&from[i];
}

static __always_inline __u64 bridge_words_sum(const __u64 *words, __u32 bytes)
{
	__u64 sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < bytes / 8; i++)
		sum += bridge_mix(*(const volatile __u64 *)&words[i], i);
	return sum;
}

/* Adds a field, whatever its size, to *sum. */
static __always_inline void bridge_field_add(__u64 *sum, __u32 *place, const void *field, __u32 bytes)
{
#pragma unroll
	for (__u32 at = 0; at < bytes; at += 8) {
		__u64 word = 0;

		__builtin_memcpy(&word, field + at, bytes - at < 8 ? bytes - at : 8);
		*sum += bridge_mix(word, ++*place);
		asm volatile("" : "+r"(*sum)); /* one after the other: all at once would be on the stack */
	}
}

#define BRIDGE_FIELD_COPY(field)                                                                             \
	_Static_assert(sizeof(to->field) == sizeof(from->field), "the same size on both sides");             \
	__builtin_memcpy(&to->field, &from->field, sizeof(to->field));
#define BRIDGE_FIELD_ADD(field) bridge_field_add(&sum, &place, &entry->field, sizeof(entry->field));

#define BRIDGE_SUM_FIELDS(name, type, FIELDS)                                                                \
	static __always_inline __u64 bridge_sum_##name(const type *entry)                                    \
	{                                                                                                    \
		__u64 sum = 0;                                                                               \
		__u32 place = 0;                                                                             \
		FIELDS(BRIDGE_FIELD_ADD)                                                                     \
		return sum;                                                                                  \
	}

#define BRIDGE_BY_FIELDS(map, type_old, type_new, FIELDS)                                                    \
	typedef type_old bridge_old_##map;                                                                   \
	BRIDGE_SUM_FIELDS(map, type_new, FIELDS)                                                             \
	BRIDGE_SUM_FIELDS(old_##map, type_old, FIELDS)                                                       \
	static __always_inline void bridge_convert_##map(type_new *to, const type_old *from)                 \
	{                                                                                                    \
		FIELDS(BRIDGE_FIELD_COPY)                                                                    \
	}

#define BRIDGE_AS_IT_IS(map, type)                                                                           \
	typedef type bridge_old_##map;                                                                       \
	_Static_assert(sizeof(type) % 8 == 0, "moved in words");                                             \
	static __always_inline void bridge_convert_##map(type *to, const type *from)                         \
	{                                                                                                    \
		bridge_words_copy((__u64 *)to, (const __u64 *)from, sizeof(type));                           \
	}                                                                                                    \
	static __always_inline __u64 bridge_sum_##map(const type *entry)                                     \
	{                                                                                                    \
		return bridge_words_sum((const __u64 *)entry, sizeof(type));                                 \
	}                                                                                                    \
	static __always_inline __u64 bridge_sum_old_##map(const type *entry)                                 \
	{                                                                                                    \
		return bridge_sum_##map(entry);                                                              \
	}

#ifdef BNG_BRIDGE_FROM
#include BNG_BRIDGE_FROM
#endif

#ifndef BRIDGE_CHANGED_subscriber
BRIDGE_AS_IT_IS(subscriber, struct bng_subscriber)
#endif
#ifndef BRIDGE_CHANGED_closing
BRIDGE_AS_IT_IS(closing, struct bng_slot_group)
#endif
#ifndef BRIDGE_CHANGED_pool_address
BRIDGE_AS_IT_IS(pool_address, struct bng_pool_address)
#endif
#ifndef BRIDGE_CHANGED_port_block
BRIDGE_AS_IT_IS(port_block, struct bng_port_block)
#endif
#ifndef BRIDGE_CHANGED_mapping
BRIDGE_AS_IT_IS(mapping, struct bng_mapping_bucket)
#endif
#ifndef BRIDGE_CHANGED_pcp
BRIDGE_AS_IT_IS(pcp, struct bng_pcp)
#endif

#endif
