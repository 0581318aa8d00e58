/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The memory that requests lie in, see the header.
 */
#include "controld/radius/requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controld/radius/packet.h"

#define REQUESTS_MAGIC 0x3273757569646172ull /* "radiuus2": also the layout's version */

_Static_assert(sizeof(struct radius_endpoint) == 8, "part of the layout");
_Static_assert(sizeof(struct request_sealed) == 12 + RADIUS_REQUEST_MAX, "part of the layout");
_Static_assert(sizeof(struct request_record) == 40 + 64 + 64 + 2 * (12 + RADIUS_REQUEST_MAX),
	       "part of the layout");
_Static_assert(sizeof(struct server_state) == 32 + 8 + 14 * 8, "part of the layout");
_Static_assert(sizeof(struct requests_header) == 80 + RADIUS_STATES * 152, "part of the layout");

/* Sparse: memory is taken as records are first used. */
static const size_t length =
	sizeof(struct requests_header) + CONFIG_RADIUS_QUEUE * sizeof(struct request_record);

static int map(struct requests *requests, int fd)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	requests->fd = fd;
	requests->header = memory;
	requests->records = (struct request_record *)(requests->header + 1);
	return 0;
}

static int map_new(struct requests *requests)
{
	int fd = memfd_create("bng-radius", MFD_CLOEXEC | MFD_ALLOW_SEALING), failure = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)length) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		failure = -errno;
	if (!failure)
		failure = map(requests, fd);
	if (failure) {
		close(fd);
		return failure;
	}
	requests->header->length = length;
	requests->header->magic = REQUESTS_MAGIC;
	return 0;
}

/* Sealed against shrinking, so that reading it can never fault. */
static int map_adopted(struct requests *requests, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS), failure;
	struct stat facts;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &facts) || (size_t)facts.st_size != length)
		return -EINVAL;
	failure = map(requests, fd);
	if (failure)
		return failure;
	if (requests->header->magic == REQUESTS_MAGIC && requests->header->length == length &&
	    requests->header->high <= CONFIG_RADIUS_QUEUE)
		return 0;
	munmap(requests->header, length);
	return -EINVAL;
}

int requests_new(struct requests **requests)
{
	struct requests *new = calloc(1, sizeof(*new));
	int failure = new ? map_new(new) : -ENOMEM;

	if (failure)
		free(new);
	else
		*requests = new;
	return failure;
}

int requests_adopt(int fd, struct requests **requests)
{
	struct requests *new = calloc(1, sizeof(*new));
	int failure = new ? map_adopted(new, fd) : -ENOMEM;

	if (failure) {
		close(fd);
		free(new);
		return failure;
	}
	*requests = new;
	return 0;
}

void requests_free(struct requests *requests)
{
	if (!requests)
		return;
	munmap(requests->header, length);
	close(requests->fd);
	free(requests);
}

bool request_is_whole(const struct request_record *record)
{
	const struct request_sealed *sealed = &record->sealed[record->current & 1];

	return (record->state == REQUEST_WAITING || record->state == REQUEST_SENT) && record->current < 2 &&
	       record->tried_count <= CONFIG_RADIUS_SERVERS && sealed->port < CONFIG_RADIUS_PORTS &&
	       sealed->length <= RADIUS_REQUEST_MAX &&
	       radius_length(sealed->packet, sealed->length) == sealed->length &&
	       (sealed->packet[RADIUS_AT_CODE] == RADIUS_ACCESS_REQUEST ||
		sealed->packet[RADIUS_AT_CODE] == RADIUS_ACCOUNTING_REQUEST);
}
