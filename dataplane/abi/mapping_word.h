/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * struct bng_mapping as the 64-bit word that compare-and-swap works on.
 * Little-endian only, as XDP on x86 and arm64 is.
 *
 *   bits  0-15 inner_port_be   16-19 protocol   20-23 state   24-31 flags   32-63 last_tick
 */
#ifndef BNG_ABI_MAPPING_WORD_H
#define BNG_ABI_MAPPING_WORD_H

#include <linux/types.h>

#include "cgnat.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the word's layout assumes it");

/* The low 20 bits name the inner end of a mapping: its key. */
#define BNG_MAPPING_KEY_MASK      0xfffffULL
#define BNG_MAPPING_PROTOCOL_MASK 0xf0000ULL

static inline __u32 bng_mapping_key(__u8 protocol, __u16 inner_port_be)
{
	return inner_port_be | (__u32)protocol << 16;
}

static inline __u64 bng_mapping_word(__u32 key, __u8 state, __u8 flags, __u32 tick)
{
	return key | (__u64)state << 20 | (__u64)flags << 24 | (__u64)tick << 32;
}

static inline __u32 bng_mapping_word_key(__u64 word)
{
	return word & BNG_MAPPING_KEY_MASK;
}

static inline __u8 bng_mapping_word_protocol(__u64 word)
{
	return (word >> 16) & 0xf;
}

static inline __u8 bng_mapping_word_state(__u64 word)
{
	return (word >> 20) & 0xf;
}

static inline __u8 bng_mapping_word_flags(__u64 word)
{
	return (word >> 24) & 0xff;
}

static inline __u32 bng_mapping_word_tick(__u64 word)
{
	return word >> 32;
}

/* No mapping, or one whose timer has run out. `timeout` is bng_pool.timeout. Signed:
 * another CPU may have seen it a tick later than `now_tick`. */
static inline int bng_mapping_word_free(__u64 word, const __u32 *timeout, __u32 now_tick)
{
	if (!(word & BNG_MAPPING_PROTOCOL_MASK))
		return 1;
	if (bng_mapping_word_flags(word) & BNG_MAPPING_PINNED)
		return 0;
	return (__s32)(now_tick - bng_mapping_word_tick(word)) >
	       (__s32)timeout[bng_mapping_word_state(word) & 7];
}

#endif
