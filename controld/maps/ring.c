/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The ring buffer `events`: records wait in it until they are drained here.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controld/maps/maps.h"

struct maps_ring {
	struct ring_buffer *buffer;
	maps_event *handler;
	void *context;
	int left;
	/* The two positions, each on its page (Documentation/bpf/ringbuf.rst). */
	unsigned long *consumer;
	unsigned long *producer;
};

static int on_record(void *context, void *data, size_t size)
{
	struct maps_ring *ring = context;

	if (size >= sizeof(struct bng_event))
		ring->handler(data, ring->context);
	return --ring->left > 0 ? 0 : -EAGAIN;
}

static unsigned long *map_position(int fd, off_t offset)
{
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fd, offset);

	return page == MAP_FAILED ? NULL : page;
}

void maps_events_close(struct maps *maps)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct maps_ring *ring = maps->ring;

	if (!ring)
		return;
	ring_buffer__free(ring->buffer);
	if (ring->consumer)
		munmap(ring->consumer, page);
	if (ring->producer)
		munmap(ring->producer, page);
	free(ring);
	maps->ring = NULL;
}

int maps_events_open(struct maps *maps, maps_event *handler, void *context)
{
	struct maps_ring *ring = calloc(1, sizeof(*ring));
	int fd = maps->map[MAP_events].fd;

	if (!ring)
		return -ENOMEM;
	maps->ring = ring;
	ring->handler = handler;
	ring->context = context;
	ring->consumer = map_position(fd, 0);
	ring->producer = map_position(fd, sysconf(_SC_PAGESIZE));
	if (ring->consumer && ring->producer)
		ring->buffer = ring_buffer__new(fd, on_record, ring, NULL);
	if (!ring->buffer) {
		int failure = errno ? -errno : -EINVAL;
		maps_events_close(maps);
		return failure;
	}
	return 0;
}

int maps_events_fd(const struct maps *maps)
{
	return ring_buffer__epoll_fd(maps->ring->buffer);
}

int maps_events_drain(struct maps *maps, int limit)
{
	maps->ring->left = limit;
	int got = ring_buffer__consume(maps->ring->buffer);

	return got < 0 && got != -EAGAIN ? got : limit - maps->ring->left;
}

uint64_t maps_events_waiting(const struct maps *maps)
{
	if (!maps->ring)
		return 0;
	return __atomic_load_n(maps->ring->producer, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(maps->ring->consumer, __ATOMIC_ACQUIRE);
}
