/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Destinations that see inner addresses: addresses (map `exempt`), and ports of
 * addresses (`exempt_port`), which are looked for in packets that no address entry
 * lets pass. Who talked to one before it was exempt goes on as before: a mapping knows
 * the epoch it was made in, an entry the epoch it was added in.
 */
#ifndef BNG_DATAPLANE_EXEMPT_H
#define BNG_DATAPLANE_EXEMPT_H

#include "cgnat_find.h"
#include "session.h"

#define EXEMPT_SESSION BNG_EXEMPT_PERMANENT /* since always */
#define EXEMPT_FLAGS   (BNG_SUBSCRIBER_EXEMPT | BNG_SUBSCRIBER_ROUTES)

/* The subscriber's end of the packet, `own_be`, is translated to nowhere. */
static __always_inline int exempt_is_own(const struct bng_subscriber *session, __be32 own_be)
{
	return (session->flags & EXEMPT_FLAGS) &&
	       ((session->flags & BNG_SUBSCRIBER_EXEMPT) || session_routes(session, own_be));
}

/* The entry that `remote_be` falls under, 0: none. */
static __always_inline __u32 exempt_find(const struct bng_pkt *pkt, __be32 own_be, __be32 remote_be)
{
	struct bng_exempt_key key = {.prefix_length = 32, .address_be = remote_be};
	struct bng_meta *facts = meta_get();
	__u32 *entry;

	if (exempt_is_own(pkt->session, own_be))
		return EXEMPT_SESSION;
	if (!facts || !(facts->exempt_count & ~BNG_EXEMPT_PORTS))
		return 0;
	entry = bpf_map_lookup_elem(&exempt, &key);
	return entry ? *entry : 0;
}

/* True while there is any for a port. */
static __always_inline int exempt_has_ports(void)
{
	struct bng_meta *facts = meta_get();

	return facts && (facts->exempt_count & BNG_EXEMPT_PORTS);
}

/* The entry that the port `service` (as an inner end in bng_mapping_key) of `remote_be`
 * falls under, 0: none. */
__noinline __u32 exempt_port_find(__be32 remote_be, __u32 service)
{
	struct bng_exempt_port_key key = {
		.prefix_length = BNG_EXEMPT_SERVICE_BITS + 32,
		.port_be = service,
		.protocol = service >> 16,
		.address_be = remote_be,
	};
	__u32 *entry = bpf_map_lookup_elem(&exempt_port, &key);

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

/* True if the packet, its ports read, goes out untranslated for its destination port. */
static __always_inline int exempt_by_port(struct bng_pkt *pkt)
{
	__u32 entry;

	if (!exempt_has_ports())
		return 0;
	entry = exempt_port_find(pkt->ip->daddr, bng_mapping_key(pkt->protocol, pkt->destination_port_be));
	return entry && !exempt_comes_late(pkt, entry);
}

/* The same from the other side: the packet comes from a port that is exempt. */
static __always_inline int exempt_from_port(const struct bng_pkt *pkt)
{
	return exempt_port_find(pkt->ip->saddr, bng_mapping_key(pkt->protocol, pkt->source_port_be)) != 0;
}

#endif
