/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What both kinds of transport do alike.
 */
#include "controld/blocklog/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/clock.h"

uint64_t transport_now_ms(void)
{
	return clock_boottime_ns() / 1000000;
}

void transport_init(struct transport *transport, struct destination *d, const struct config_endpoint *to)
{
	char address[ADDRESS_TEXT];

	*transport = (struct transport){.d = d, .to = *to, .fd = -1};
	if (to->path[0])
		snprintf(d->target, sizeof(d->target), "%s", to->path);
	else
		snprintf(d->target, sizeof(d->target), "%s:%s:%u", to->stream ? "tcp" : "udp",
			 address_format(to->address_be, address), to->port);
}

void transport_wake(struct transport *transport)
{
	if (transport->to.stream)
		stream_wake(transport);
	else
		datagram_wake(transport);
}

static void disconnect(struct transport *transport)
{
	if (transport->readable)
		event_free(transport->readable);
	if (transport->writable)
		event_free(transport->writable);
	if (transport->fd >= 0)
		close(transport->fd);
	transport->readable = transport->writable = NULL;
	transport->fd = -1;
	transport->connecting = false;
	transport->length = transport->sent = 0;
	transport->written = 0;
	transport->mark_count = 0;
}

void transport_close(struct transport *transport)
{
	if (transport->fd >= 0 && transport->to.stream)
		stream_finish(transport);
	else if (transport->fd >= 0)
		datagram_finish(transport);
	disconnect(transport);
}

void transport_failed(struct transport *transport, int error, const char *doing)
{
	disconnect(transport);
	destination_failed(transport->d, error, doing);
}

static void on_socket(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	transport_wake(context);
}

static int make_socket(const struct transport *transport)
{
	const struct config_endpoint *to = &transport->to;
	int kind = to->stream ? SOCK_STREAM : SOCK_DGRAM;

	return socket(to->path[0] ? AF_UNIX : AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int connect_socket(const struct transport *transport)
{
	const struct config_endpoint *to = &transport->to;
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in remote = {
		.sin_family = AF_INET, .sin_port = htons(to->port), .sin_addr.s_addr = to->address_be};

	if (!to->path[0])
		return connect(transport->fd, (struct sockaddr *)&remote, sizeof(remote));
	memcpy(local.sun_path, to->path, sizeof(to->path));
	return connect(transport->fd, (struct sockaddr *)&local, sizeof(local));
}

int transport_connect(struct transport *transport)
{
	struct event_base *base = transport->d->log->base;

	transport->fd = make_socket(transport);
	if (transport->fd < 0)
		return -errno;
	if (connect_socket(transport)) {
		if (errno != EINPROGRESS)
			return -errno;
		transport->connecting = true;
	}
	transport->readable = event_new(base, transport->fd, EV_READ | EV_PERSIST, on_socket, transport);
	transport->writable = event_new(base, transport->fd, EV_WRITE, on_socket, transport);
	if (!transport->readable || !transport->writable || event_add(transport->readable, NULL) ||
	    event_add(transport->writable, NULL))
		return -ENOMEM;
	if (transport->restart)
		transport->restart(transport->d);
	return 0;
}

bool transport_message(struct transport *transport)
{
	if (!transport->length) {
		transport->length = transport->build(transport->d, transport->message);
		transport->sent = 0;
	}
	return transport->length > 0;
}

void transport_drop_marks(struct transport *transport, size_t count)
{
	if (!count)
		return;
	destination_ack(transport->d, &transport->marks[count - 1].position);
	transport->mark_count -= count;
	memmove(transport->marks, transport->marks + count,
		transport->mark_count * sizeof(*transport->marks));
}
