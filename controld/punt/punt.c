/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Control packets. The socket is read in batches and never for so long that
 * other events wait: what is left is read in the next turn of the loop.
 */
#include "controld/punt/punt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
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
#define PUNT_SOCKET "controld.punt"
#define BATCH       32
#define BATCHES_MAX 8
#define FRAME_MAX   10240

struct punt {
	int fd;
	struct event *readable;
	struct {
		punt_handler *handler;
		void *context;
	} handlers[BNG_PUNT_REASONS];
	uint64_t malformed;
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_ll senders[BATCH];
	uint8_t frames[BATCH][FRAME_MAX];
};

int punt_new(struct controld *controld)
{
	struct punt *punt = calloc(1, sizeof(*punt));

	controld->punt = punt;
	if (!punt)
		return -ENOMEM;
	punt->fd = -1;
	for (int i = 0; i < BATCH; i++) {
		punt->vectors[i] = (struct iovec){punt->frames[i], FRAME_MAX};
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
	if (punt->readable)
		event_free(punt->readable);
	if (punt->fd >= 0)
		close(punt->fd);
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

	if (!controld->punt || controld->punt->fd < 0)
		return -ENOTCONN;
	memcpy(header.destination, destination, sizeof(destination));
	memcpy(header.source, source, sizeof(source));
	header.ethertype_be = htons(BNG_PUNT_ETHERTYPE);
	header.version = BNG_PUNT_VERSION;
	return sendmsg(controld->punt->fd, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
}

int punt_send(struct controld *controld, uint16_t interface, const uint8_t *frame, size_t length)
{
	struct bng_punt header = {.reason = BNG_PUNT_INJECT, .interface = interface};

	if (length < ETH_HLEN || length > FRAME_MAX)
		return -EMSGSIZE;
	return send_down(controld, header, frame, length);
}

int punt_pin(struct controld *controld, uint32_t slot, const struct bng_pin *pin)
{
	struct bng_punt header = {.reason = BNG_PUNT_PIN, .slot = slot};

	return send_down(controld, header, pin, sizeof(*pin));
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

static int holder_socket(struct controld *controld, bool *created)
{
	struct rpc_result result;
	json_t *params = json_pack("{s:s, s:s}", "interface", PUNT_FAR, "name", PUNT_SOCKET);
	int failure = holder_call(controld->holder, "socket.packet", params, NULL, 0, &result);

	if (!failure && result.fd_count != 1)
		failure = -EPROTO;
	if (failure) {
		log_error("opening the packet socket on %s failed: %s", PUNT_FAR, result.message);
	} else {
		controld->punt->fd = result.fds[0];
		result.fd_count = 0;
		*created = json_is_true(json_object_get(result.value, "created"));
	}
	rpc_result_done(&result);
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
	int failure = holder_veth(controld, &record), one = 1;

	if (!failure)
		failure = holder_socket(controld, created);
	if (!failure)
		failure = holder_keep(controld->holder, PUNT_SOCKET, controld->punt->fd);
	if (!failure)
		failure = holder_attach(controld);
	if (failure)
		return failure;
	setsockopt(controld->punt->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
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
	struct punt *punt = controld->punt;

	punt->readable = event_new(controld->base, punt->fd, EV_READ | EV_PERSIST, on_readable, controld);
	return punt->readable && !event_add(punt->readable, NULL) ? 0 : -ENOMEM;
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct bng_punt_limit *limit = &controld->maps->punt_limit[BNG_PUNT_DHCP4];

	(void)old;
	__atomic_store_n(&limit->rate, next->dhcp4_rate, __ATOMIC_RELAXED);
	__atomic_store_n(&limit->burst, next->dhcp4_burst, __ATOMIC_RELAXED);
	return 0;
}

const struct bng_feature punt_feature = {
	.name = "punt",
	.apply = apply,
};
