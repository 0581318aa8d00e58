/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Timers by destination port (RFC 4787 REQ-5). A mapping has no room for a timer of
 * its own; instead its tick is moved (abi/cgnat.h, struct bng_port_timers).
 */
#ifndef BNG_DATAPLANE_CGNAT_TIMER_H
#define BNG_DATAPLANE_CGNAT_TIMER_H

#include "abi/mapping_word.h"
#include "maps.h"

/* Made by a packet that is still on its way: it has yet to say for how long. */
static __always_inline int mapping_is_unpromised(__u64 word)
{
	return bng_mapping_word_protocol(word) == BNG_PROTOCOL_UDP &&
	       (bng_mapping_word_flags(word) & BNG_MAPPING_UNPROMISED);
}

/* By how many ticks later than by the pool's timer the mapping `word` ends after a
 * packet to `remote_port_be`; negative: earlier. */
__noinline __s32 cgnat_timer_shift(__u32 pool_index, __u64 word, __u32 remote_port_be)
{
	struct bng_port_timers *timers = bpf_map_lookup_elem(&port_timer, &pool_index);
	struct bng_pool *nat_pool = pool_get(pool_index);
	__u8 protocol = bng_mapping_word_protocol(word), state = bng_mapping_word_state(word);

	if (!timers || !nat_pool || (state != BNG_MAPPING_UDP && state != BNG_MAPPING_TCP_ESTABLISHED))
		return 0;
	for (int i = 0; i < BNG_PORT_TIMERS && timers->entry[i].protocol; i++)
		if (timers->entry[i].port_be == remote_port_be && timers->entry[i].protocol == protocol)
			return timers->entry[i].ticks - nat_pool->timeout[state & 7];
	return 0;
}

#endif
