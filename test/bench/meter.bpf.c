/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The loss meter's generator and sinks.
 *
 * meter_generate is run by BPF_PROG_TEST_RUN on live frames: it writes a whole
 * frame on every run, because frames come back with what the gateway made of
 * them, and redirects it into the access or the core veth. meter_sink_up and
 * meter_sink_down are attached to the other ends; they verify both checksums,
 * follow every flow's sequence, and hand anything that is not ours to the kernel.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "test/bench/meter.h"

#define LATE_NS 10000000 /* who is later than this gives up catching up */

const volatile struct meter_config config SEC(".rodata.config") = {};

#define ARRAY(name, type_of_value, entries)                                                                  \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                           \
		__uint(max_entries, entries);                                                                \
		__type(key, __u32);                                                                          \
		__type(value, type_of_value);                                                                \
	} name SEC(".maps")

ARRAY(generator, struct meter_generator, METER_CPUS *METER_DIRECTIONS);
ARRAY(turn, struct meter_turn, METER_CPUS);
ARRAY(sink, struct meter_sink, METER_CPUS *METER_DIRECTIONS);
ARRAY(control, struct meter_control, 1);
ARRAY(up_flow, struct meter_up_flow, 1);
ARRAY(down_flow, struct meter_track, 1);

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, METER_DIRECTIONS);
	__type(key, __u32);
	__type(value, __u32);
} out SEC(".maps");

struct udp_flow {
	__u32 source_be;
	__u32 destination_be;
	__u16 source_port_be;
	__u16 destination_port_be;
	__u32 inner_be;
	__u16 inner_port_be;
};

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

static __always_inline void inner_of(__u32 flow, struct udp_flow *udp)
{
	__u32 line = flow / config.subscribers;

	udp->inner_be = bpf_htonl(config.inner_address + (flow - line * config.subscribers));
	udp->inner_port_be = bpf_htons(config.inner_port + line);
}

/* Where a flow's record lies: a thread's flows are together, so that two CPUs do
 * not share cache lines. */
static __always_inline __u32 place_of(__u32 flow)
{
	return (flow & (config.threads - 1)) * config.flows_per_thread + (flow >> config.thread_shift);
}

static __always_inline __u32 remote_of(__u32 flow)
{
	return bpf_htonl(config.remote_address + (flow & (config.remotes - 1)));
}

/* ---- Generator ---------------------------------------------------------- */

/* The next flow in this thread's round; its sequence number is the round. */
static __always_inline __u32 next_flow(struct meter_generator *self)
{
	__u32 position = self->position + self->step;

	if (position >= self->count)
		position -= self->count;
	if (!position) {
		self->round++;
		self->count = self->next_count;
		self->step = self->next_step;
	}
	self->position = position;
	return position * config.threads + self->thread;
}

static __always_inline void write_up_ethernet(__u16 *frame, const struct udp_flow *udp, __u32 tags)
{
	__u32 mac = bpf_htonl(config.subscriber_mac_low + (bpf_ntohl(udp->inner_be) - config.inner_address));
	const volatile __u16 *gateway = (const volatile __u16 *)config.gateway_access_mac;

	frame[0] = gateway[0];
	frame[1] = gateway[1];
	frame[2] = gateway[2];
	frame[3] = config.subscriber_mac_high_be;
	*(__u32 *)(frame + 4) = mac;
	for (__u32 i = 0; i < tags; i++) {
		frame[6 + 2 * i] = config.tpid_be[i];
		frame[7 + 2 * i] = bpf_htons(config.vid[i]);
	}
	frame[6 + 2 * tags] = bpf_htons(ETH_P_IP);
}

static __always_inline void write_down_ethernet(__u16 *frame)
{
	const volatile __u16 *gateway = (const volatile __u16 *)config.gateway_core_mac;
	const volatile __u16 *core = (const volatile __u16 *)config.core_mac;

	frame[0] = gateway[0];
	frame[1] = gateway[1];
	frame[2] = gateway[2];
	frame[3] = core[0];
	frame[4] = core[1];
	frame[5] = core[2];
	frame[6] = bpf_htons(ETH_P_IP);
}

static __always_inline void write_ip(__u32 *ip, const struct udp_flow *udp, __u32 ip_size)
{
	__u32 first = bpf_htonl(0x45000000 | ip_size);
	__u32 fragment = bpf_htonl(0x4000); /* do not fragment */
	__u32 ttl = bpf_htonl(64 << 24 | IPPROTO_UDP << 16);
	__u16 checksum = ~fold((__u64)first + fragment + ttl + udp->source_be + udp->destination_be);

	ip[0] = first;
	ip[1] = fragment;
	ip[2] = ttl;
	((__u16 *)ip)[5] = checksum;
	ip[3] = udp->source_be;
	ip[4] = udp->destination_be;
}

static __always_inline void write_udp(__u32 *l4, const struct udp_flow *udp,
				      const struct meter_payload *payload, __u32 udp_size, __u32 pad_sum)
{
	__u32 ports = udp->destination_port_be << 16 | udp->source_port_be;
	__u16 size_be = bpf_htons(udp_size);
	__u64 sum =
		(__u64)udp->source_be + udp->destination_be + bpf_htons(IPPROTO_UDP) + size_be * 2 + ports;
	__u16 checksum;

	sum += (__u64)payload->magic + payload->flow + payload->sequence + payload->inner_be;
	sum += payload->inner_port_be + (__u64)pad_sum;
	checksum = ~fold(sum);
	if (!checksum)
		checksum = 0xffff;
	l4[0] = ports;
	l4[1] = checksum << 16 | size_be;
	l4[2] = payload->magic;
	l4[3] = payload->flow;
	l4[4] = payload->sequence;
	l4[5] = payload->inner_be;
	((__u16 *)l4)[12] = payload->inner_port_be;
}

/* A frame's first bytes were a tagged header on its last trip: padding again. */
static __always_inline int write_pad(__u8 *behind, const __u8 *end, __u32 tags)
{
	if (tags == METER_TAGS_MAX || !config.resize)
		return 0;
	for (int i = 0; i < 4; i++) {
		if (behind + 2 > end)
			return 0;
		*(__u16 *)behind = METER_PAD << 8 | METER_PAD;
		behind += 2;
	}
	return 0;
}

static __always_inline int write_frame(struct xdp_md *ctx, const struct udp_flow *udp,
				       const struct meter_payload *payload, struct meter_generator *self,
				       int up, __u32 tags)
{
	__u32 index = self->size_index, size = config.size[0], pad_sum = config.pad_sum[0];
	__u8 *frame, *end;

	if (config.size_count > 1) {
		self->size_index = index + 1 < config.size_count ? index + 1 : 0;
		if (index >= METER_SIZES)
			return -1;
		size = config.size[index];
		pad_sum = config.pad_sum[index];
	}
	if (config.resize && bpf_xdp_adjust_tail(ctx, (int)(size + 4 * tags) - (int)config.data_size))
		return -1;
	frame = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (frame + METER_FRAME_MIN + 4 * tags > end)
		return -1;
	if (up)
		write_up_ethernet((__u16 *)frame, udp, tags);
	else
		write_down_ethernet((__u16 *)frame);
	frame += 14 + 4 * tags;
	write_ip((__u32 *)frame, udp, size - 14);
	write_udp((__u32 *)(frame + 20), udp, payload, size - 34, pad_sum);
	self->bytes += size + 4 * tags;
	return write_pad(frame + METER_FRAME_MIN - 14, end, tags);
}

static __always_inline int generate_up(struct xdp_md *ctx, struct meter_generator *self)
{
	struct meter_payload payload = {.magic = METER_MAGIC_UP};
	struct udp_flow udp;
	int bad;

	payload.flow = next_flow(self);
	payload.sequence = self->round;
	inner_of(payload.flow, &udp);
	payload.inner_be = udp.source_be = udp.inner_be;
	payload.inner_port_be = udp.source_port_be = udp.inner_port_be;
	udp.destination_be = remote_of(payload.flow);
	udp.destination_port_be = bpf_htons(config.remote_port);
	if (config.tags == 2)
		bad = write_frame(ctx, &udp, &payload, self, 1, 2);
	else if (config.tags == 1)
		bad = write_frame(ctx, &udp, &payload, self, 1, 1);
	else
		bad = write_frame(ctx, &udp, &payload, self, 1, 0);
	if (bad)
		return XDP_ABORTED;
	self->generated++;
	return bpf_redirect_map(&out, METER_UP, 0);
}

static __always_inline int generate_down(struct xdp_md *ctx, struct meter_generator *self)
{
	struct meter_payload payload = {.magic = METER_MAGIC_DOWN};
	struct meter_up_flow *target;
	struct udp_flow udp;
	__u32 place;

	payload.flow = next_flow(self);
	payload.sequence = self->round;
	place = place_of(payload.flow);
	target = bpf_map_lookup_elem(&up_flow, &place);
	if (!target || !target->known) {
		self->skipped++;
		return XDP_DROP;
	}
	inner_of(payload.flow, &udp);
	payload.inner_be = udp.inner_be;
	payload.inner_port_be = udp.inner_port_be;
	udp.source_be = remote_of(payload.flow);
	udp.source_port_be = bpf_htons(config.remote_port);
	udp.destination_be = target->public_be;
	udp.destination_port_be = target->public_port_be;
	if (write_frame(ctx, &udp, &payload, self, 0, 0))
		return XDP_ABORTED;
	self->generated++;
	return bpf_redirect_map(&out, METER_DOWN, 0);
}

/* True while the frame at hand has to wait for its time. */
static __always_inline int too_early(const struct meter_control *wanted, struct meter_turn *mine)
{
	__u64 now;

	if (!wanted->quantum || mine->tokens) {
		mine->tokens--;
		return 0;
	}
	now = bpf_ktime_get_ns();
	if (now < mine->due_ns)
		return 1;
	if (now - mine->due_ns > LATE_NS)
		mine->due_ns = now;
	mine->due_ns += wanted->quantum_ns;
	mine->tokens = wanted->quantum - 1;
	return 0;
}

/* Both ways at once: 64 frames this way, 64 frames that way. */
static __always_inline __u32 direction_now(const struct meter_control *wanted, struct meter_turn *mine)
{
	if (wanted->directions == 1 << METER_UP)
		return METER_UP;
	if (wanted->directions == 1 << METER_DOWN)
		return METER_DOWN;
	return mine->runs++ >> 6 & 1;
}

SEC("xdp")
int meter_generate(struct xdp_md *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), zero = 0, direction, index;
	struct meter_control *wanted = bpf_map_lookup_elem(&control, &zero);
	struct meter_turn *mine = bpf_map_lookup_elem(&turn, &cpu);
	struct meter_generator *self;

	if (!wanted || !mine || !mine->left || too_early(wanted, mine))
		return XDP_DROP;
	mine->left--;
	direction = direction_now(wanted, mine);
	index = cpu * METER_DIRECTIONS + direction;
	self = bpf_map_lookup_elem(&generator, &index);
	if (!self)
		return XDP_ABORTED;
	return direction == METER_DOWN ? generate_down(ctx, self) : generate_up(ctx, self);
}

/* ---- Sinks --------------------------------------------------------------- */

/* Sum of what follows the first 26 bytes of a UDP packet, in chunks whose size
 * the verifier knows. */
static __always_inline __u64 sum_rest(void *rest, const void *end)
{
	__u64 sum = 0;

	for (int i = 0; i < 4 && rest + 448 <= end; i++, rest += 448)
		sum += bpf_csum_diff(NULL, 0, rest, 448, 0);
	for (int i = 0; i < 7 && rest + 64 <= end; i++, rest += 64)
		sum += bpf_csum_diff(NULL, 0, rest, 64, 0);
	for (int i = 0; i < 32 && rest + 2 <= end; i++, rest += 2)
		sum += *(__u16 *)rest;
	if (rest + 1 <= end)
		sum += *(__u8 *)rest; /* as if a zero byte followed */
	return sum;
}

static __always_inline int ip_checksum_good(const __u32 *ip)
{
	return fold((__u64)ip[0] + ip[1] + ip[2] + ip[3] + ip[4]) == 0xffff;
}

static __always_inline int udp_checksum_good(__u32 *ip, void *end)
{
	__u32 *l4 = ip + 5;
	__u32 size_be = l4[1] & 0xffff;
	__u64 sum = (__u64)ip[3] + ip[4] + bpf_htons(IPPROTO_UDP) + size_be;

	if (!(l4[1] >> 16))
		return 0;
	sum += (__u64)l4[0] + l4[1] + l4[2] + l4[3] + l4[4] + l4[5] + ((__u16 *)l4)[12];
	if (bpf_ntohs(size_be) > 26)
		sum += sum_rest((void *)l4 + 26, end);
	return fold(sum) == 0xffff;
}

/* The IPv4 header of one of our packets, its lengths agreeing with the frame's;
 * NULL: none of ours. */
static __always_inline __u32 *parse(struct xdp_md *ctx, __u32 magic, __u32 tags)
{
	__u16 *frame = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 size;
	__u32 *ip;

	if ((void *)frame + METER_FRAME_MIN + 4 * tags > end)
		return NULL;
	for (__u32 i = 0; i < tags; i++)
		if (frame[6 + 2 * i] != config.tpid_be[i] ||
		    (frame[7 + 2 * i] & bpf_htons(0xfff)) != bpf_htons(config.vid[i]))
			return NULL;
	if (frame[6 + 2 * tags] != bpf_htons(ETH_P_IP))
		return NULL;
	ip = (void *)frame + 14 + 4 * tags;
	size = (long)end - (long)ip;
	if ((*(__u8 *)ip) != 0x45 || ((__u8 *)ip)[9] != IPPROTO_UDP || ip[7] != magic)
		return NULL;
	if (bpf_ntohs(((__u16 *)ip)[1]) != size || bpf_ntohs(((__u16 *)ip)[12]) != size - 20)
		return NULL;
	return ip;
}

/* 1: to be counted as received. */
static __always_inline int follow(struct meter_track *track, __u32 sequence, struct meter_sink *self)
{
	__u32 last = track->last, back;

	if (sequence > last) {
		__u32 ahead = sequence - last;

		track->window = ahead < METER_WINDOW ? track->window << ahead | 1 : 1;
		track->last = sequence;
		return 1;
	}
	back = last - sequence;
	if (back < METER_WINDOW && track->window & 1u << back) {
		self->duplicated++;
		return 0;
	}
	if (back < METER_WINDOW)
		track->window |= 1u << back;
	self->reordered++;
	return 1;
}

static __always_inline int take(struct meter_sink *self, __u32 *ip, void *end)
{
	if (!ip_checksum_good(ip)) {
		self->bad_ip_checksum++;
		return 0;
	}
	if (!udp_checksum_good(ip, end)) {
		self->bad_udp_checksum++;
		return 0;
	}
	return 1;
}

static __always_inline void count(struct meter_sink *self, __u64 bytes)
{
	__u64 now;

	self->bytes += bytes;
	if (self->received++ & self->clock_mask)
		return;
	now = bpf_ktime_get_ns();
	if (!self->first_ns)
		self->first_ns = now;
	if (self->last_ns && now - self->last_ns > self->gap_ns)
		self->gap_ns = now - self->last_ns;
	self->last_ns = now;
}

static __always_inline struct meter_sink *sink_here(enum meter_direction direction)
{
	__u32 index = bpf_get_smp_processor_id() * METER_DIRECTIONS + direction;

	return bpf_map_lookup_elem(&sink, &index);
}

static __always_inline void learn(struct meter_up_flow *flow, const __u32 *ip, struct meter_sink *self)
{
	__u16 port_be = ip[5] & 0xffff;

	if (flow->known) {
		if (flow->public_be == ip[3] && flow->public_port_be == port_be)
			return;
		self->remapped++;
	} else {
		self->mapped++;
	}
	flow->public_be = ip[3];
	flow->public_port_be = port_be;
	flow->known = 1;
}

SEC("xdp")
int meter_sink_up(struct xdp_md *ctx)
{
	struct meter_sink *self = sink_here(METER_UP);
	__u32 *ip = parse(ctx, METER_MAGIC_UP, 0), number, place;
	struct meter_up_flow *flow;

	if (!self)
		return XDP_PASS;
	if (!ip) {
		self->other++;
		return XDP_PASS;
	}
	if (!take(self, ip, (void *)(long)ctx->data_end))
		return XDP_DROP;
	number = ip[8];
	place = place_of(number);
	flow = bpf_map_lookup_elem(&up_flow, &place);
	if (!flow || ip[4] != remote_of(number) || ip[5] >> 16 != bpf_htons(config.remote_port)) {
		self->misdelivered++;
		return XDP_DROP;
	}
	learn(flow, ip, self);
	if (follow(&flow->track, ip[9], self))
		count(self, ctx->data_end - ctx->data);
	return XDP_DROP;
}

static __always_inline __u32 *parse_access(struct xdp_md *ctx)
{
	if (config.tags == 2)
		return parse(ctx, METER_MAGIC_DOWN, 2);
	if (config.tags == 1)
		return parse(ctx, METER_MAGIC_DOWN, 1);
	return parse(ctx, METER_MAGIC_DOWN, 0);
}

/* The address, the port and the MAC of the flow's subscriber? */
static __always_inline int delivered(const __u32 *ip)
{
	__u32 subscriber = bpf_ntohl(ip[10]) - config.inner_address;

	if (ip[4] != ip[10] || ip[5] >> 16 != ((__u16 *)ip)[22])
		return 0;
	if (ip[3] != remote_of(ip[8]) || (ip[5] & 0xffff) != bpf_htons(config.remote_port))
		return 0;
	if (!config.check_mac)
		return 1;
	ip = (void *)ip - 14 - 4 * config.tags;
	return *(__u16 *)ip == config.subscriber_mac_high_be &&
	       *(__u32 *)((__u16 *)ip + 1) == bpf_htonl(config.subscriber_mac_low + subscriber);
}

SEC("xdp")
int meter_sink_down(struct xdp_md *ctx)
{
	struct meter_sink *self = sink_here(METER_DOWN);
	__u32 *ip = parse_access(ctx), place;
	struct meter_track *track;

	if (!self)
		return XDP_PASS;
	if (!ip) {
		self->other++;
		return XDP_PASS;
	}
	if (!take(self, ip, (void *)(long)ctx->data_end))
		return XDP_DROP;
	place = place_of(ip[8]);
	track = bpf_map_lookup_elem(&down_flow, &place);
	if (!track || !delivered(ip)) {
		self->misdelivered++;
		return XDP_DROP;
	}
	if (follow(track, ip[9], self))
		count(self, ctx->data_end - ctx->data);
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
