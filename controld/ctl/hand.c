/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * recvmmsg() writes the length into the message itself before a signal can end us.
 */
#include "controld/ctl/hand.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"

#define HAND_MAGIC 0x31646e6168676e62ull /* "bnghand1" */

struct memory {
	struct kept_header header;
	struct mmsghdr message; /* msg_len: 0 while nothing is in hand */
	struct sockaddr_in from;
	uint8_t data[HAND_DATAGRAM_MAX];
};

static struct memory *memory_of(const struct hand *hand)
{
	return (struct memory *)hand->kept.header;
}

/* A lock of this process, not of the descriptor, which others have too: it ends with us. */
static bool lock(int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return !fcntl(fd, F_SETLK, &whole);
}

int hand_open(struct controld *controld, const char *name, struct hand *hand)
{
	bool is_adopted;
	int failure = kept_open(controld, name, HAND_MAGIC, sizeof(struct memory), &hand->kept, &is_adopted);

	if (!failure)
		lock(hand->kept.fd);
	return failure;
}

bool hand_take(struct controld *controld, const char *name, struct hand *hand)
{
	int fd;

	*hand = (struct hand){.kept.fd = -1};
	if (holder_take(controld->holder, name, &fd))
		return false;
	holder_drop(controld->holder, name);
	if (lock(fd) && !kept_adopt(fd, HAND_MAGIC, sizeof(struct memory), &hand->kept))
		return true;
	close(fd);
	return false;
}

void hand_close(struct hand *hand)
{
	kept_close(&hand->kept);
}

bool hand_left(const struct hand *hand, struct hand_datagram *datagram)
{
	const struct memory *memory = memory_of(hand);

	*datagram = (struct hand_datagram){memory->from, memory->data, memory->message.msg_len};
	return datagram->length > 0 && datagram->length <= sizeof(memory->data);
}

bool hand_receive(struct hand *hand, int fd, struct hand_datagram *datagram)
{
	struct memory *memory = memory_of(hand);
	struct iovec part = {.iov_base = memory->data, .iov_len = sizeof(memory->data)};
	int got;

	memory->message = (struct mmsghdr){.msg_hdr = {.msg_name = &memory->from,
						       .msg_namelen = sizeof(memory->from),
						       .msg_iov = &part,
						       .msg_iovlen = 1}};
	do
		got = recvmmsg(fd, &memory->message, 1, MSG_DONTWAIT, NULL);
	while (got < 0 && errno == EINTR);
	if (got != 1)
		return false;
	*datagram = (struct hand_datagram){memory->from, memory->data, memory->message.msg_len};
	return true;
}

void hand_done(struct hand *hand)
{
	__atomic_store_n(&memory_of(hand)->message.msg_len, 0, __ATOMIC_RELEASE);
}
