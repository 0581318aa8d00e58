/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Destinations that see inner addresses (map `exempt`). Who talked to one before it
 * was exempt goes on as before: a mapping knows the epoch it was made in, an entry
 * the epoch it was added in.
 */
#ifndef BNG_DATAPLANE_EXEMPT_H
#define BNG_DATAPLANE_EXEMPT_H

#include "cgnat_find.h"

#define EXEMPT_SESSION BNG_EXEMPT_PERMANENT /* since always */

/* The entry that `remote_be` falls under, 0: none. */
static __always_inline __u32 exempt_find(const struct bng_pkt *pkt, __be32 remote_be)
{
	struct bng_exempt_key key = {.prefix_length = 32, .address_be = remote_be};
	struct bng_meta *facts = meta_get();
	__u32 *entry;

	if (pkt->session->flags & BNG_SUBSCRIBER_EXEMPT)
		return EXEMPT_SESSION;
	if (!facts || !facts->exempt_count)
		return 0;
	entry = bpf_map_lookup_elem(&exempt, &key);
	return entry ? *entry : 0;
}

/* True if the inner end has a live mapping that is older than the entry. An entry
 * that is not yet announced by exempt_epoch is younger than all. */
__noinline int exempt_is_preceded(__u32 slot, __u32 key, __u32 entry, __u32 tick)
{
	__u64 port = cgnat_search(slot, key), *word = port == PORT_NONE ? NULL : port_word(port), seen;
	struct bng_pool_address *address = pool_address_get((__u32)port >> 16);
	struct bng_pool *nat_pool = address ? pool_get(address->pool) : NULL;
	struct bng_meta *facts = meta_get();
	__s32 mapping_age, entry_age;

	if (!word || !nat_pool || !facts)
		return 0;
	seen = *(volatile __u64 *)word;
	if (bng_mapping_word_key(seen) != key || bng_mapping_word_free(seen, nat_pool->timeout, tick))
		return 0;
	mapping_age = (facts->exempt_epoch - (bng_mapping_word_flags(seen) >> BNG_MAPPING_EPOCH_SHIFT)) %
		      BNG_MAPPING_EPOCHS;
	entry_age = facts->exempt_epoch - (entry >> BNG_EXEMPT_EPOCH_SHIFT);
	return mapping_age > entry_age;
}

/* True if the packet, its ports read, is of a flow that is to stay translated. */
static __always_inline int exempt_comes_late(struct bng_pkt *pkt, __u32 entry)
{
	if (!(entry >> BNG_EXEMPT_EPOCH_SHIFT))
		return 0;
	return exempt_is_preceded(pkt->slot, bng_mapping_key(pkt->protocol, pkt->source_port_be), entry,
				  pkt->tick);
}

#endif
