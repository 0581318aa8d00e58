/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packet sockets, recvmmsg and sendmmsg.
 */
#include "test/emulator/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAG_LENGTH    4
#define MACS          12
#define BUFFER_BYTES  (64 << 20)
#define BATCHES       16 /* read at most before somebody else has a turn */
#define ALL_PROTOCOLS 0x0003
#define REFUSED_PAUSE 1 /* ms */

/* To a MAC of ours, or a broadcast that may be DHCP's. */
static struct sock_filter access_code[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x02e5, 4, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xffff, 0, 4),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, MACS),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV4, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_VLAN, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, FRAME_MAX),
	BPF_STMT(BPF_RET | BPF_K, 0),
};
/* UDP to the port of the peer. */
static struct sock_filter core_code[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, MACS), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV4, 0, 5),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 36),   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7777, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, FRAME_MAX),     BPF_STMT(BPF_RET | BPF_K, 0),
};
const struct sock_fprog wire_filter_access = {sizeof(access_code) / sizeof(access_code[0]), access_code};
const struct sock_fprog wire_filter_core = {sizeof(core_code) / sizeof(core_code[0]), core_code};

static int set_option(int socket, int level, int option, int value)
{
	return setsockopt(socket, level, option, &value, sizeof(value)) ? -errno : 0;
}

static int configure(int fd, const struct sock_fprog *filter)
{
	int error = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof(*filter)))
		return -errno;
	error = error ? error : set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
	error = error ? error : set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES);
	error = error ? error : set_option(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	error = error ? error : set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	return error ? error : set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
}

/* The socket hears nothing before its filter is there. */
int wire_open(struct wire *wire, const char *interface, const struct sock_fprog *filter)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ALL_PROTOCOLS),
				      .sll_ifindex = (int)if_nametoindex(interface)};
	int error;

	wire->socket = -1;
	if (!address.sll_ifindex)
		return -errno;
	wire->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (wire->socket < 0)
		return -errno;
	error = configure(wire->socket, filter);
	if (!error && bind(wire->socket, (struct sockaddr *)&address, sizeof(address)))
		error = -errno;
	if (error)
		wire_close(wire);
	return error;
}

void wire_close(struct wire *wire)
{
	if (wire->socket >= 0)
		close(wire->socket);
	wire->socket = -1;
}

uint64_t wire_dropped(struct wire *wire)
{
	struct tpacket_stats stats = {0};
	socklen_t length = sizeof(stats);

	if (wire->socket >= 0 && !getsockopt(wire->socket, SOL_PACKET, PACKET_STATISTICS, &stats, &length))
		wire->dropped += stats.tp_drops;
	return wire->dropped;
}

/* ---- Out ------------------------------------------------------------------------- */

void wire_flush(struct wire *wire)
{
	struct mmsghdr message[WIRE_BATCH];
	struct iovec part[WIRE_BATCH];
	unsigned sent = 0;

	memset(message, 0, sizeof(message));
	for (unsigned i = 0; i < wire->waiting; i++) {
		part[i] = (struct iovec){wire->frame[i], wire->length[i]};
		message[i].msg_hdr.msg_iov = &part[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	while (wire->socket >= 0 && sent < wire->waiting) {
		int done = sendmmsg(wire->socket, message + sent, wire->waiting - sent, 0);
		if (done > 0) {
			sent += (unsigned)done;
			continue;
		}
		wire->refused++;
		poll(NULL, 0, REFUSED_PAUSE);
	}
	wire->waiting = 0;
}

void wire_send(struct wire *wire, const uint8_t *data, size_t length)
{
	if (length > FRAME_MAX)
		return;
	memcpy(wire->frame[wire->waiting], data, length);
	wire->length[wire->waiting] = (uint16_t)length;
	if (++wire->waiting == WIRE_BATCH)
		wire_flush(wire);
}

/* ---- In -------------------------------------------------------------------------- */

static const struct tpacket_auxdata *auxdata_of(struct msghdr *header)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level == SOL_PACKET && part->cmsg_type == PACKET_AUXDATA)
			return (const struct tpacket_auxdata *)CMSG_DATA(part);
	}
	return NULL;
}

/* `frame` has room for a tag in front of it. Returns where it begins. */
static uint8_t *tag_back(uint8_t *frame, size_t *length, const struct tpacket_auxdata *auxdata)
{
	uint16_t tag[2];

	if (!auxdata || !(auxdata->tp_status & TP_STATUS_VLAN_VALID) || *length < MACS)
		return frame;
	memmove(frame - TAG_LENGTH, frame, MACS);
	tag[0] = htons(auxdata->tp_status & TP_STATUS_VLAN_TPID_VALID ? auxdata->tp_vlan_tpid
								      : ETHERTYPE_VLAN);
	tag[1] = htons(auxdata->tp_vlan_tci);
	memcpy(frame - TAG_LENGTH + MACS, tag, sizeof(tag));
	*length += TAG_LENGTH;
	return frame - TAG_LENGTH;
}

/* Frames read; 0: there are none. */
static int read_batch(struct wire *wire, wire_receive *receive, void *context)
{
	static uint8_t data[WIRE_BATCH][TAG_LENGTH + FRAME_MAX];
	static uint8_t control[WIRE_BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata))]
		__attribute__((aligned(8)));
	struct mmsghdr message[WIRE_BATCH];
	struct iovec part[WIRE_BATCH];
	int count;

	memset(message, 0, sizeof(message));
	for (int i = 0; i < WIRE_BATCH; i++) {
		part[i] = (struct iovec){data[i] + TAG_LENGTH, FRAME_MAX - TAG_LENGTH};
		message[i].msg_hdr = (struct msghdr){.msg_iov = &part[i],
						     .msg_iovlen = 1,
						     .msg_control = control[i],
						     .msg_controllen = sizeof(control[i])};
	}
	count = recvmmsg(wire->socket, message, WIRE_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		size_t length = message[i].msg_len;
		uint8_t *frame = tag_back(data[i] + TAG_LENGTH, &length, auxdata_of(&message[i].msg_hdr));
		receive(context, frame, length);
	}
	return count > 0 ? count : 0;
}

void wire_read(struct wire *wire, wire_receive *receive, void *context)
{
	for (int i = 0; wire->socket >= 0 && i < BATCHES; i++) {
		if (read_batch(wire, receive, context) < WIRE_BATCH)
			return;
	}
}
