/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Control packets. A socket is read in batches and never for so long that
 * other events wait: what is left is read in the next turn of the loop.
 */
#include "controld/punt/punt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/punt/socket.h"
#include "lib/address.h"
#include "lib/log.h"

#define PUNT_NEAR   "bngpunt0" /* of the data plane */
#define PUNT_FAR    "bngpunt1" /* ours */
#define BATCH       32
#define BATCHES_MAX 8
#define PUNTED_MAX  10240

enum channel_name {
	CHANNEL_CONTROL, /* and everything we send */
	CHANNEL_HOLD,
	CHANNELS,
};

static const char *const channel_names[CHANNELS] = {
	[CHANNEL_CONTROL] = "controld.punt",
	[CHANNEL_HOLD] = "controld.hold",
};

/* What comes through CHANNEL_HOLD; all else is control. */
static const enum bng_punt_reason held_reasons[] = {BNG_PUNT_REASON_FRAGMENT_UP,
						    BNG_PUNT_REASON_FRAGMENT_DOWN, BNG_PUNT_REASON_SYN};
#define HELD_REASONS (sizeof(held_reasons) / sizeof(held_reasons[0]))

struct channel {
	int fd;
	struct event *readable;
};

struct punt {
	struct channel channels[CHANNELS];
	uint64_t lost;
	struct {
		punt_handler *handler;
		void *context;
	} handlers[BNG_PUNT_REASONS];
	uint64_t malformed;
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_ll senders[BATCH];
	uint8_t frames[BATCH][PUNTED_MAX];
};

int punt_new(struct controld *controld)
{
	struct punt *punt = calloc(1, sizeof(*punt));

	controld->punt = punt;
	if (!punt)
		return -ENOMEM;
	for (int i = 0; i < CHANNELS; i++)
		punt->channels[i].fd = -1;
	for (int i = 0; i < BATCH; i++) {
		punt->vectors[i] = (struct iovec){punt->frames[i], PUNTED_MAX};
		punt->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &punt->senders[i],
			.msg_iov = &punt->vectors[i],
			.msg_iovlen = 1,
		};
	}
	return 0;
}

void punt_free(struct controld *controld)
{
	struct punt *punt = controld->punt;

	if (!punt)
		return;
	for (int i = 0; i < CHANNELS; i++) {
		if (punt->channels[i].readable)
			event_free(punt->channels[i].readable);
		if (punt->channels[i].fd >= 0)
			close(punt->channels[i].fd);
	}
	free(punt);
	controld->punt = NULL;
}

void punt_register(struct controld *controld, enum bng_punt_reason reason, punt_handler *handler,
		   void *context)
{
	if (reason < BNG_PUNT_REASONS && controld->punt) {
		controld->punt->handlers[reason].handler = handler;
		controld->punt->handlers[reason].context = context;
	}
}

void punt_deliver(struct controld *controld, const uint8_t *data, size_t length)
{
	struct punt *punt = controld->punt;
	struct bng_punt header;

	if (length < sizeof(header)) {
		punt->malformed++;
		return;
	}
	memcpy(&header, data, sizeof(header));
	if (header.ethertype_be != htons(BNG_PUNT_ETHERTYPE) || header.version != BNG_PUNT_VERSION ||
	    header.reason >= BNG_PUNT_REASONS || !punt->handlers[header.reason].handler) {
		punt->malformed++;
		return;
	}
	punt->handlers[header.reason].handler(controld, &header, data + sizeof(header),
					      length - sizeof(header), punt->handlers[header.reason].context);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;
	struct punt *punt = controld->punt;

	(void)what;
	for (int batch = 0; batch < BATCHES_MAX; batch++) {
		for (int i = 0; i < BATCH; i++)
			punt->messages[i].msg_hdr.msg_namelen = sizeof(punt->senders[i]);
		int got = recvmmsg(fd, punt->messages, BATCH, MSG_DONTWAIT, NULL);

		for (int i = 0; i < got; i++)
			if (punt->senders[i].sll_pkttype != PACKET_OUTGOING)
				punt_deliver(controld, punt->frames[i], punt->messages[i].msg_len);
		if (got < BATCH)
			break;
	}
}

static int send_down(struct controld *controld, struct bng_punt header, const void *data, size_t length)
{
	static const uint8_t destination[6] = {0x02, 0, 0, 0, 0, 2}, source[6] = {0x02, 0, 0, 0, 0, 1};
	struct iovec parts[] = {{&header, sizeof(header)}, {(void *)data, length}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

	if (!controld->punt || controld->punt->channels[CHANNEL_CONTROL].fd < 0)
		return -ENOTCONN;
	memcpy(header.destination, destination, sizeof(destination));
	memcpy(header.source, source, sizeof(source));
	header.ethertype_be = htons(BNG_PUNT_ETHERTYPE);
	header.version = BNG_PUNT_VERSION;
	return sendmsg(controld->punt->channels[CHANNEL_CONTROL].fd, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
}

int punt_send(struct controld *controld, uint16_t interface, const uint8_t *frame, size_t length)
{
	struct bng_punt header = {.reason = BNG_PUNT_REASON_INJECT, .interface = interface};

	if (length < ETH_HLEN || length > PUNTED_MAX)
		return -EMSGSIZE;
	return send_down(controld, header, frame, length);
}

int punt_back(struct controld *controld, const struct bng_punt *header, const uint8_t *frame, size_t length)
{
	if (length < ETH_HLEN || length > PUNTED_MAX)
		return -EMSGSIZE;
	return send_down(controld, *header, frame, length);
}

int punt_pin(struct controld *controld, uint32_t slot, const struct bng_pin *pin)
{
	struct bng_punt header = {.reason = BNG_PUNT_REASON_PIN, .slot = slot};

	return send_down(controld, header, pin, sizeof(*pin));
}

int punt_lease(struct controld *controld, uint32_t slot, const struct bng_pin_lease *lease)
{
	struct bng_punt header = {.reason = BNG_PUNT_REASON_PIN, .slot = slot};

	return send_down(controld, header, lease, sizeof(*lease));
}

int punt_expect(struct controld *controld, uint32_t slot, const struct bng_expect *expect)
{
	struct bng_punt header = {.reason = BNG_PUNT_REASON_EXPECT, .slot = slot};

	return send_down(controld, header, expect, sizeof(*expect));
}

static int holder_veth(struct controld *controld, struct bng_interface *record)
{
	struct rpc_result result;
	int failure =
		holder_call(controld->holder, "veth.ensure",
			    json_pack("{s:s, s:s}", "name", PUNT_NEAR, "peer", PUNT_FAR), NULL, 0, &result);
	const char *mac = json_string_value(json_object_get(result.value, "mac"));

	if (failure)
		log_error("making the veth pair %s - %s failed: %s", PUNT_NEAR, PUNT_FAR, result.message);
	*record = (struct bng_interface){
		.ifindex = (uint32_t)json_integer_value(json_object_get(result.value, "ifindex")),
		.role = BNG_ROLE_PUNT,
		.mtu = 1500,
	};
	if (mac)
		mac_parse(mac, record->mac);
	rpc_result_done(&result);
	return failure;
}

/* The kernel sorts the packets: the reason is a byte of the header. */
static int channel_filter(int fd, enum channel_name name)
{
	struct sock_filter code[HELD_REASONS + 3];
	struct sock_fprog program = {.len = HELD_REASONS + 3, .filter = code};
	uint32_t held = name == CHANNEL_HOLD ? UINT32_MAX : 0; /* how much of the packet is taken */

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(struct bng_punt, reason));
	for (size_t i = 0; i < HELD_REASONS; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, held_reasons[i],
							   (uint8_t)(HELD_REASONS - i), 0);
	code[HELD_REASONS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ~held);
	code[HELD_REASONS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, held);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int channel_open(struct controld *controld, enum channel_name name, bool *created)
{
	struct channel *channel = &controld->punt->channels[name];
	json_t *params = json_pack("{s:s, s:s}", "interface", PUNT_FAR, "name", channel_names[name]);
	struct rpc_result result;
	int failure = holder_call(controld->holder, "socket.packet", params, NULL, 0, &result), one = 1;

	if (!failure && result.fd_count != 1)
		failure = -EPROTO;
	if (!failure) {
		channel->fd = result.fds[0];
		result.fd_count = 0;
		*created = json_is_true(json_object_get(result.value, "created"));
		failure = channel_filter(channel->fd, name);
	}
	if (failure)
		log_error("opening the packet socket %s on %s failed: %s", channel_names[name], PUNT_FAR,
			  result.message[0] ? result.message : strerror(-failure));
	rpc_result_done(&result);
	if (!failure)
		failure = holder_keep(controld->holder, channel_names[name], channel->fd);
	if (!failure)
		setsockopt(channel->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	return failure;
}

static int holder_attach(struct controld *controld)
{
	struct rpc_result result;
	json_t *params =
		json_pack("{s:s, s:s, s:s}", "interface", PUNT_NEAR, "role", "inject", "mode", "native");
	int failure = holder_call(controld->holder, "link.attach", params, NULL, 0, &result);

	if (failure)
		log_error("attaching the program inject to %s failed: %s", PUNT_NEAR, result.message);
	rpc_result_done(&result);
	return failure;
}

int punt_open(struct controld *controld, bool *created)
{
	uint32_t index = BNG_INTERFACE_PUNT;
	struct bng_interface record;
	int failure = holder_veth(controld, &record);
	bool hold_created;

	if (!failure)
		failure = channel_open(controld, CHANNEL_CONTROL, created);
	if (!failure)
		failure = channel_open(controld, CHANNEL_HOLD, &hold_created);
	if (!failure)
		failure = holder_attach(controld);
	if (failure)
		return failure;
	names_set_interface(controld, BNG_INTERFACE_PUNT, PUNT_NEAR);
	if (memcmp(&controld->maps->interface[index], &record, sizeof(record)))
		controld->maps->interface[index] = record;
	failure = maps_set(controld->maps, MAP_interface_of_ifindex, &record.ifindex, &index);
	if (!failure)
		failure = maps_set(controld->maps, MAP_tx_interface, &index, &record.ifindex);
	if (failure)
		log_error("writing %s to the maps failed: %s", PUNT_NEAR, strerror(-failure));
	return failure;
}

/* Not before the rest is ready: until then the kernel keeps what arrives. */
int punt_start(struct controld *controld)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *channel = &controld->punt->channels[i];

		channel->readable =
			event_new(controld->base, channel->fd, EV_READ | EV_PERSIST, on_readable, controld);
		if (!channel->readable || event_add(channel->readable, NULL))
			return -ENOMEM;
	}
	return 0;
}

void punt_limit(struct controld *controld, enum bng_punt_reason reason, uint32_t rate, uint32_t burst)
{
	struct bng_punt_limit *limit = &controld->maps->punt_limit[reason];

	__atomic_store_n(&limit->rate, rate, __ATOMIC_RELAXED);
	__atomic_store_n(&limit->burst, burst, __ATOMIC_RELAXED);
}

/* The kernel's count begins anew each time it is read. */
uint64_t punt_lost(struct controld *controld)
{
	struct punt *punt = controld->punt;
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);

	if (!getsockopt(punt->channels[CHANNEL_HOLD].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size))
		punt->lost += stats.tp_drops;
	return punt->lost;
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	punt_limit(controld, BNG_PUNT_REASON_DHCP4, next->dhcp4_rate, next->dhcp4_burst);
	return 0;
}

const struct bng_feature punt_feature = {
	.name = "punt",
	.apply = apply,
};
