/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * FTP control connections (abi/alg.h) of pools that look after them: a command that
 * names an address goes to controld, which makes the port's mapping and writes the
 * public address into it; what that does to sequence numbers is corrected here for
 * the rest of the connection, whoever else is alive. Off the fast path.
 *
 * Selective acknowledgements name sequence numbers as well, so the subscriber's offer
 * of them is taken out of its SYN.
 */
#ifndef BNG_DATAPLANE_ALG_H
#define BNG_DATAPLANE_ALG_H

#include "cgnat.h"
#include "deliver.h"
#include "mss.h"
#include "punt.h"

#define TCP_OPTION_SACK       4 /* permitted */
#define TCP_OPTION_SACK_BYTES 2
#define FTP_COMMAND_BYTES     5
#define LOWER_CASE            0x20202020
#define FTP_PORT_COMMAND      bpf_htonl(0x706f7274) /* port */
#define FTP_EPRT_COMMAND      bpf_htonl(0x65707274) /* eprt */

struct sack_walk {
	struct xdp_md *ctx;
	__u32 offset; /* of the TCP header in the frame */
	__u32 used;   /* bytes of options looked at */
};

/* One option: 0 to go on. The offer becomes two bytes that mean nothing. */
static long sack_step(__u32 index __attribute__((unused)), struct sack_walk *walk)
{
	void *data = (void *)(long)walk->ctx->data, *end = (void *)(long)walk->ctx->data_end;
	struct tcphdr *tcp = data + (walk->offset & 0x7f);
	__u8 *option = (__u8 *)(tcp + 1) + (walk->used & 0x3f);
	__u16 before = bpf_htons(TCP_OPTION_SACK << 8 | TCP_OPTION_SACK_BYTES);
	__u16 after = bpf_htons(TCP_OPTION_NOP << 8 | TCP_OPTION_NOP);

	if ((void *)(tcp + 1) > end || (void *)(option + TCP_OPTION_SACK_BYTES) > end ||
	    walk->used + TCP_OPTION_SACK_BYTES + sizeof(*tcp) > tcp->doff * 4u)
		return 1;
	if (option[0] == TCP_OPTION_NOP) {
		walk->used++;
		return 0;
	}
	if (option[0] == TCP_OPTION_END || option[1] < 2)
		return 1;
	if (option[0] != TCP_OPTION_SACK) {
		walk->used += option[1];
		return 0;
	}
	if (option[1] == TCP_OPTION_SACK_BYTES) {
		option[0] = TCP_OPTION_NOP;
		option[1] = TCP_OPTION_NOP;
		if (walk->used & 1) {
			before = before << 8 | before >> 8;
			after = after << 8 | after >> 8;
		}
		tcp->check = checksum_apply(tcp->check, checksum_difference16(before, after));
	}
	return 1;
}

/* The TCP header is at `offset` of the frame. */
__noinline int sack_strip(struct xdp_md *ctx, __u32 offset)
{
	struct sack_walk walk = {.ctx = ctx, .offset = offset};

	bpf_loop(TCP_OPTIONS_MAX, sack_step, &walk, 0);
	return 0;
}

/* True if the TCP header lies in the packet, options and all. */
static __always_inline int alg_header_ok(const struct bng_pkt *pkt, const struct tcphdr *tcp)
{
	return (void *)(tcp + 1) <= pkt->end && tcp->doff >= 5 &&
	       (tcp->doff + pkt->ip->ihl) * 4 <= pkt->ip_length;
}

/* The payload begins with a command that names an address. */
static __always_inline int alg_is_command(const struct bng_pkt *pkt, const struct tcphdr *tcp)
{
	__u32 header = tcp->doff * 4;
	const __u8 *payload = (const __u8 *)tcp + header;
	__u32 word;

	if (header + pkt->ip->ihl * 4 + FTP_COMMAND_BYTES > pkt->ip_length ||
	    (const void *)(payload + FTP_COMMAND_BYTES) > pkt->end)
		return 0;
	__builtin_memcpy(&word, payload, sizeof(word));
	word |= LOWER_CASE;
	return (word == FTP_PORT_COMMAND || word == FTP_EPRT_COMMAND) && payload[4] == ' ';
}

/* How far a sequence number comes behind the last command. */
static __always_inline __s32 alg_behind(const struct bng_alg *entry, __u32 sequence)
{
	return sequence - entry->position;
}

static __always_inline void alg_rewrite(struct tcphdr *tcp, __be32 *field, __u32 value)
{
	__be32 value_be = bpf_htonl(value);

	tcp->check = checksum_apply(tcp->check, checksum_difference32(*field, value_be));
	*field = value_be;
}

/* Marks the command as controld's: 0, or what becomes of it instead. */
static __always_inline int alg_take(const struct bng_pkt *pkt, const struct bng_alg_key *key,
				    struct bng_alg *entry, __u32 sequence)
{
	struct bng_alg fresh = {
		.session_id = pkt->session->session_id,
		.position = sequence,
		.inner_port_be = pkt->source_port_be,
		.flags = BNG_ALG_PENDING,
	};

	if (!entry)
		return bpf_map_update_elem(&alg, key, &fresh, BPF_ANY) ? BNG_FORWARD_ALG_PLAIN : 0;
	if (alg_behind(entry, sequence) < 0)
		return BNG_FORWARD_UP; /* the server has had it long ago */
	if (entry->flags & BNG_ALG_PENDING)
		return alg_behind(entry, sequence) ? BNG_DROP_ALG_WAIT : 0;
	if (alg_behind(entry, sequence)) {
		entry->before = entry->after;
		entry->position = sequence;
		entry->flags = BNG_ALG_PENDING;
	}
	return 0;
}

static __always_inline struct bng_alg *alg_find(const struct bng_pkt *pkt, const struct bng_alg_key *key)
{
	struct bng_alg *entry = bpf_map_lookup_elem(&alg, key);

	if (!entry ||
	    (entry->session_id == pkt->session->session_id && entry->inner_port_be == pkt->source_port_be))
		return entry;
	bpf_map_delete_elem(&alg, key); /* of a mapping before this one */
	return NULL;
}

/* What is to be done about the packet: BNG_FORWARD_UP, _ALG_PLAIN, a verdict, or a
 * step. The L4 header is whole. */
static __always_inline int alg_judge(struct bng_pkt *pkt, struct tcphdr *tcp, const struct bng_alg_key *key,
				     int is_back)
{
	__u32 sequence = bpf_ntohl(tcp->seq);
	struct bng_alg *entry;

	if (is_syn(pkt)) {
		bpf_map_delete_elem(&alg, key);
		sack_strip(pkt->ctx, (void *)tcp - pkt->data);
		return BNG_FORWARD_UP;
	}
	entry = alg_find(pkt, key);
	if (!is_back && alg_is_command(pkt, tcp)) {
		int taken = alg_take(pkt, key, entry, sequence);

		if (taken != BNG_FORWARD_UP)
			return taken ? taken : outcome_step(BNG_DROP_INTERNAL, STEP_ALG_PUNT, 0);
	}
	if (!entry)
		return BNG_FORWARD_UP;
	if ((entry->flags & BNG_ALG_PENDING) && alg_behind(entry, sequence) > 0 &&
	    !(pkt->tcp_flags & TCP_RST))
		return BNG_DROP_ALG_WAIT;
	alg_rewrite(tcp, &tcp->seq,
		    sequence + (alg_behind(entry, sequence) > 0 ? entry->after : entry->before));
	return BNG_FORWARD_UP;
}

/* STEP_ALG_UP and _BACK: the packet gets its public source and the right sequence
 * number. BNG_FORWARD_UP or _ALG_PLAIN, or an outcome. */
__noinline int alg_up(struct xdp_md *ctx, __u32 slot, int is_back)
{
	struct bng_alg_key key = {};
	__be32 public_be = 0;
	__be16 port_be = 0;
	struct bng_pkt pkt;
	struct tcphdr *tcp;
	int verdict = packet_again(&pkt, ctx);

	pkt.slot = slot;
	pkt.session = subscriber_get(slot);
	if (!verdict)
		verdict = pkt.session ? packet_parse_l4(&pkt) : BNG_DROP_INTERNAL;
	if (!verdict)
		verdict = cgnat_up(&pkt, &public_be, &port_be);
	if (verdict && outcome_action(verdict) != STEP_ALG_UP)
		return verdict;
	tcp = pkt.l4;
	if (!alg_header_ok(&pkt, tcp))
		return BNG_DROP_SHORT;
	key.public_be = public_be;
	key.remote_be = pkt.ip->daddr;
	key.public_port_be = port_be;
	verdict = alg_judge(&pkt, tcp, &key, is_back);
	if (verdict != BNG_FORWARD_UP && verdict != BNG_FORWARD_ALG_PLAIN)
		return verdict;
	mss_apply(&pkt);
	rewrite_nat(&pkt, 1, public_be, port_be);
	return verdict;
}

/* What the server acknowledges, as the subscriber knows it. */
static __always_inline void alg_acknowledge(struct bng_pkt *pkt, struct tcphdr *tcp)
{
	struct bng_alg_key key = {
		.public_be = pkt->ip->daddr,
		.remote_be = pkt->ip->saddr,
		.public_port_be = pkt->destination_port_be,
	};
	struct bng_alg *entry = bpf_map_lookup_elem(&alg, &key);
	__u32 sequence = bpf_ntohl(tcp->ack_seq);

	if (!entry || entry->session_id != pkt->session->session_id)
		return;
	alg_rewrite(tcp, &tcp->ack_seq,
		    sequence -
			    (alg_behind(entry, sequence - entry->before) > 0 ? entry->after : entry->before));
}

/* STEP_ALG_DOWN. The verdict, or an outcome. */
__noinline __u64 alg_down(struct xdp_md *ctx, __u64 outcome)
{
	struct cgnat_target target = {};
	struct bng_pkt pkt;
	struct tcphdr *tcp;
	int verdict = packet_again(&pkt, ctx);
	__u32 port;

	if (!verdict)
		verdict = packet_parse_l4(&pkt);
	if (verdict)
		return verdict;
	port = (__u32)outcome_parameter(outcome) << 16 | bpf_ntohs(pkt.destination_port_be);
	verdict = cgnat_owner(&pkt, port, BNG_PROTOCOL_TCP, &target);
	if (!verdict)
		verdict = deliver_check(&pkt);
	if (verdict)
		return (__u32)verdict;
	if (!mapping_touch(&pkt, port, bng_mapping_word_key(target.seen), target.seen, 0))
		return refuse_unmapped(target.address);
	tcp = pkt.l4;
	if (!alg_header_ok(&pkt, tcp))
		return BNG_DROP_SHORT;
	alg_acknowledge(&pkt, tcp);
	mss_apply(&pkt);
	rewrite_nat(&pkt, 0, pkt.session->address_be, target.inner_port_be);
	return deliver(&pkt, BNG_FORWARD_DOWN);
}

/* STEP_ALG_PUNT. The verdict. */
__noinline int alg_punt(struct xdp_md *ctx, __u32 slot)
{
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	pkt.slot = slot;
	return verdict ? verdict : punt(&pkt, BNG_PUNT_REASON_FTP, BNG_PUNT_FTP);
}

/* Makes the mapping of `key`, which `remote_be` may send to whatever the pool's
 * filtering: where ports count, the server's data port. The verdict. */
__noinline int alg_expect(__u32 slot, __u32 key, __u32 remote_be, __u32 tick)
{
	__u64 port = cgnat_create(slot, key, BNG_MAPPING_TCP_PARTIAL, tick), *word;
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_pool *nat_pool = session ? pool_get(session->pool) : NULL;
	__u32 remote;

	if (port >= PORT_REFUSED)
		return port & 0xff;
	word = port_word(port);
	if (!nat_pool || !word || !cgnat_touch(port, key, tick, TOUCH_FROM_INSIDE))
		return BNG_DROP_CGNAT_BUSY;
	if (!is_filtered(nat_pool, *(volatile __u64 *)word))
		return BNG_INJECT_EXPECT;
	remote = (__u32)BNG_PROTOCOL_TCP << 16 | (__u32)flow_tag(*(volatile __u64 *)word) << 24;
	if (nat_pool->flags & BNG_POOL_FILTER_PORT)
		remote |= bpf_htons(BNG_FTP_DATA);
	key = flow_note(port, remote_be, remote, tick);
	return key ? key : BNG_INJECT_EXPECT;
}

/* A request of controld, what is_punt said yes to. The verdict. */
static __always_inline int alg_expect_take(struct bng_pkt *pkt)
{
	struct bng_punt *header = pkt->data;
	struct bng_expect *expect = (void *)(header + 1);
	struct bng_subscriber *session;

	if ((void *)(header + 1) > pkt->end || (void *)(expect + 1) > pkt->end)
		return BNG_DROP_INJECT;
	session = header->slot ? subscriber_get(header->slot) : NULL;
	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->session_id != expect->session_id)
		return BNG_DROP_NO_SESSION;
	if (session->flags & BNG_SUBSCRIBER_EXEMPT)
		return BNG_DROP_CGNAT_NO_POOL;
	return alg_expect(header->slot, bng_mapping_key(BNG_PROTOCOL_TCP, expect->inner_port_be),
			  expect->remote_be, pkt->tick);
}

#endif
