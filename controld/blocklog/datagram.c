/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Datagrams: a refusal comes after the datagram it is about, if it comes at all.
 * So what was sent counts as safe only when a second has passed without one, and
 * after a failure one message is sent as a probe before the others follow.
 */
#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "controld/blocklog/transport.h"

#define SAFE_AFTER_MS  1000
#define PROBE_MS       250
#define MARK_MS        100 /* messages of so long share a mark */
#define BURST          64  /* messages in one turn; more would overrun a receiver's buffer */
#define BURST_PAUSE_MS 5
#define LOOK_MS        100

static void mark(struct transport *transport, uint64_t now)
{
	struct transport_mark *last = &transport->marks[transport->mark_count];

	if (transport->mark_count && now - last[-1].begun < MARK_MS)
		last--;
	else if (transport->mark_count == MARKS_MAX)
		last--;
	else
		*last = (struct transport_mark){.begun = now}, transport->mark_count++;
	last->point = now;
	last->position = transport->d->position;
}

/* -errno when the other end refused something. */
static int look_back(struct transport *transport, uint64_t now)
{
	uint64_t wait = transport->d->failing ? PROBE_MS : SAFE_AFTER_MS;
	socklen_t length = sizeof(int);
	size_t safe = 0;
	int error = 0;

	if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &error, &length) || error)
		return error ? -error : -errno;
	while (safe < transport->mark_count && now - transport->marks[safe].point >= wait)
		safe++;
	transport_drop_marks(transport, safe);
	if (safe)
		destination_recovered(transport->d);
	return 0;
}

/* What a collector sends is not for us, but must not fill the socket. */
static void discard(struct transport *transport)
{
	char nothing[16];

	while (recv(transport->fd, nothing, sizeof(nothing), MSG_TRUNC) > 0)
		;
}

/* 0, -EAGAIN: the socket is full, or -errno. */
static int send_burst(struct transport *transport, int limit, uint64_t now)
{
	while (limit-- > 0 && transport_message(transport)) {
		if (send(transport->fd, transport->message, transport->length, MSG_NOSIGNAL) < 0)
			return errno == ENOBUFS ? 0 : -errno;
		transport->length = 0;
		mark(transport, now);
	}
	return 0;
}

static void look_again(struct transport *transport)
{
	struct destination *d = transport->d;
	bool more = transport->length || destination_has_more(d);

	if (more && !d->failing)
		destination_wake_in(d, BURST_PAUSE_MS);
	else if (more || transport->mark_count)
		destination_wake_in(d, LOOK_MS);
}

void datagram_wake(struct transport *transport)
{
	struct destination *d = transport->d;
	uint64_t now = transport_now_ms();
	int failure = 0;

	if (transport->fd < 0 && d->failing && event_pending(d->timer, EV_TIMEOUT, NULL))
		return;
	if (transport->fd < 0)
		failure = transport_connect(transport);
	if (failure) {
		transport_failed(transport, failure, "reaching");
		return;
	}
	discard(transport);
	failure = look_back(transport, now);
	if (!failure)
		failure = send_burst(transport, d->failing ? !transport->mark_count : BURST, now);
	if (failure == -EAGAIN)
		event_add(transport->writable, NULL);
	else if (failure)
		transport_failed(transport, failure, "sending to");
	if (!failure || failure == -EAGAIN)
		look_again(transport);
}

/* Ending in good order: what the kernel has taken, it delivers. */
void datagram_finish(struct transport *transport)
{
	if (!look_back(transport, transport_now_ms()) && !transport->d->failing)
		transport_drop_marks(transport, transport->mark_count);
}
