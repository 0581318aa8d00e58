/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The ring buffer `capture`: packets as they came in, read while somebody asks for them.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "controld/maps/shadow.h"

struct maps_capture {
	struct ring_buffer *buffer;
	maps_captured *each;
	void *context;
	int fd;
};

static int on_packet(void *context, void *data, size_t size)
{
	struct maps_capture *capture = context;
	const struct bng_capture *packet = data;

	if (size >= sizeof(*packet) && packet->length <= BNG_CAPTURE_FRAME)
		capture->each(packet, capture->context);
	return 0;
}

void maps_capture_close(struct maps_capture *capture)
{
	if (!capture)
		return;
	ring_buffer__free(capture->buffer);
	close(capture->fd);
	free(capture);
}

int maps_capture_open(int fd, maps_captured *each, void *context, struct maps_capture **capture)
{
	struct maps_capture *new = calloc(1, sizeof(*new));

	if (!new) {
		close(fd);
		return -ENOMEM;
	}
	*new = (struct maps_capture){.each = each, .context = context, .fd = fd};
	new->buffer = ring_buffer__new(fd, on_packet, new, NULL);
	if (!new->buffer) {
		int failure = errno ? -errno : -EINVAL;

		maps_capture_close(new);
		return failure;
	}
	*capture = new;
	return 0;
}

int maps_capture_drain(struct maps_capture *capture)
{
	return ring_buffer__consume(capture->buffer);
}

void maps_capture_ask(struct maps *maps, uint32_t packets)
{
	__atomic_store_n(&maps->meta->capture_left, packets, __ATOMIC_RELAXED);
}
