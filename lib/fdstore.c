/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A table small enough to be searched from its start.
 */
#include "lib/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/rpc_call.h"
#include "lib/service.h"

/* The place of `name` ("": a free one), or -ENOENT. */
static int find(const struct fdstore *store, const char *name)
{
	for (int i = 0; i < FDSTORE_MAX; i++) {
		if (!strcmp(store->places[i].name, name))
			return i;
	}
	return -ENOENT;
}

int fdstore_get(const struct fdstore *store, const char *name)
{
	int place = rpc_name_ok(name) ? find(store, name) : -ENOENT;
	return place < 0 ? place : store->places[place].fd;
}

static int place_fd(struct fdstore *store, const char *name, int fd)
{
	int place = find(store, "");
	if (place < 0)
		return -ENOSPC;
	strcpy(store->places[place].name, name);
	store->places[place].fd = fd;
	return 0;
}

int fdstore_put(struct fdstore *store, const char *name, int fd, bool *replaced)
{
	if (!rpc_name_ok(name))
		return -EINVAL;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	*replaced = !fdstore_drop(store, name);
	int error = place_fd(store, name, copy);
	if (error)
		close(copy);
	else
		service_keep_fd(name, copy);
	return error;
}

int fdstore_drop(struct fdstore *store, const char *name)
{
	int place = rpc_name_ok(name) ? find(store, name) : -ENOENT;
	if (place < 0)
		return place;
	close(store->places[place].fd);
	store->places[place].name[0] = '\0';
	service_forget_fd(name);
	return 0;
}

static void take_back(const char *name, int fd, void *context)
{
	struct fdstore *store = context;
	if (!rpc_name_ok(name) || find(store, name) >= 0 || place_fd(store, name, fd))
		close(fd);
}

void fdstore_take_back(struct fdstore *store)
{
	service_take_fds(take_back, store);
}
