/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The memory that requests lie in, see the header.
 */
#include "controld/radius/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controld/ctl/kept.h"

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

static void take(struct requests *requests, const struct kept *kept)
{
	requests->fd = kept->fd;
	requests->header = (struct requests_header *)kept->header;
	requests->records = (struct request_record *)(requests->header + 1);
}

static int map_new(struct requests *requests)
{
	struct kept kept;
	int failure = kept_new("bng-radius", REQUESTS_MAGIC, length, &kept);

	if (!failure)
		take(requests, &kept);
	return failure;
}

static int map_adopted(struct requests *requests, int fd)
{
	struct kept kept;
	int failure = kept_adopt(fd, REQUESTS_MAGIC, length, &kept);

	if (failure)
		return failure;
	take(requests, &kept);
	if (requests->header->high <= CONFIG_RADIUS_QUEUE)
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
