/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * TCP: what the other side's kernel has confirmed is safe. What it has not is
 * sent again over the next connection, from the start of its message.
 */
#include <errno.h>
#include <event2/event.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "controld/blocklog/transport.h"

#define CONNECT_MS 10000
#define SILENT_MS  10000 /* a collector that confirms nothing for so long is dead */
#define LOOK_MS    20
#define MARK_BYTES 16384
#define FINISH_MS  200

static int start_connection(struct transport *transport)
{
	unsigned silent = SILENT_MS;
	int failure = transport_connect(transport);

	if (!failure && setsockopt(transport->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent, sizeof(silent)))
		failure = -errno;
	if (!failure && transport->connecting)
		destination_wake_in(transport->d, CONNECT_MS);
	return failure;
}

/* -EINPROGRESS: not yet. */
static int finish_connection(struct transport *transport)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(int), peer_length = sizeof(peer);
	int error = 0;

	if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &length) || error)
		return error ? -error : -errno;
	if (getpeername(transport->fd, (struct sockaddr *)&peer, &peer_length))
		return event_pending(transport->d->timer, EV_TIMEOUT, NULL) ? -EINPROGRESS : -ETIMEDOUT;
	transport->connecting = false;
	event_del(transport->d->timer);
	return 0;
}

/* A collector has nothing to say; the end of the connection is what matters. */
static int look_for_end(struct transport *transport)
{
	char nothing[256];
	ssize_t got;

	do
		got = recv(transport->fd, nothing, sizeof(nothing), 0);
	while (got > 0);
	if (!got)
		return -ECONNRESET;
	return errno == EAGAIN ? 0 : -errno;
}

static int look_at_confirmed(struct transport *transport)
{
	size_t safe = 0;
	int waiting;

	if (ioctl(transport->fd, SIOCOUTQ, &waiting))
		return -errno;
	while (safe < transport->mark_count &&
	       transport->marks[safe].point + (uint64_t)waiting <= transport->written)
		safe++;
	transport_drop_marks(transport, safe);
	if (safe)
		destination_recovered(transport->d);
	return 0;
}

static void mark(struct transport *transport)
{
	struct transport_mark *last = &transport->marks[transport->mark_count];

	if (!transport->mark_count || transport->written - last[-1].begun >= MARK_BYTES)
		*last = (struct transport_mark){.begun = transport->written}, transport->mark_count++;
	else
		last--;
	last->point = transport->written;
	last->position = transport->d->position;
}

static int send_messages(struct transport *transport)
{
	while (transport->mark_count < MARKS_MAX && transport_message(transport)) {
		ssize_t got = send(transport->fd, transport->message + transport->sent,
				   transport->length - transport->sent, MSG_NOSIGNAL);

		if (got < 0)
			return -errno;
		transport->sent += (size_t)got;
		transport->written += (uint64_t)got;
		if (transport->sent < transport->length)
			continue;
		transport->length = 0;
		mark(transport);
	}
	return 0;
}

static int go_on(struct transport *transport)
{
	int failure = look_for_end(transport);

	if (!failure)
		failure = look_at_confirmed(transport);
	if (!failure)
		failure = send_messages(transport);
	if (failure == -EAGAIN) {
		event_add(transport->writable, NULL);
		failure = 0;
	}
	if (!failure && (transport->mark_count || destination_has_more(transport->d)))
		destination_wake_in(transport->d, LOOK_MS);
	return failure;
}

void stream_wake(struct transport *transport)
{
	struct destination *d = transport->d;
	int failure = 0;

	if (transport->fd < 0 && d->failing && event_pending(d->timer, EV_TIMEOUT, NULL))
		return;
	if (transport->fd < 0)
		failure = start_connection(transport);
	if (!failure && transport->connecting)
		failure = finish_connection(transport);
	if (failure == -EINPROGRESS)
		return;
	if (failure) {
		transport_failed(transport, failure, "connecting to");
		return;
	}
	failure = go_on(transport);
	if (failure)
		transport_failed(transport, failure, "sending to");
}

/* The last confirmations are worth a moment: without them the next start repeats
 * what the collector has. */
void stream_finish(struct transport *transport)
{
	const struct timespec moment = {.tv_nsec = 5000000};
	uint64_t until = transport_now_ms() + FINISH_MS;

	while (!transport->connecting && transport->mark_count && !look_at_confirmed(transport) &&
	       transport->mark_count && transport_now_ms() < until)
		nanosleep(&moment, NULL);
}
