/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Watching a file by inotify, see the header.
 */
#include "lib/watch.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define SETTLE_US 100000

struct watch {
	char *folder;
	const char *name; /* of the file in its folder */
	int inotify;
	struct event *changed;
	struct event *settled;
	watch_written *written;
	void *context;
};

static void on_settled(evutil_socket_t fd, short what, void *context)
{
	struct watch *watch = context;

	(void)fd;
	(void)what;
	watch->written(watch->context);
}

static void on_changed(evutil_socket_t fd, short what, void *context)
{
	struct watch *watch = context;
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct timeval settle = {.tv_usec = SETTLE_US};
	ssize_t got;

	(void)what;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + got;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			if ((event->len && !strcmp(event->name, watch->name)) || event->mask & IN_Q_OVERFLOW)
				event_add(watch->settled, &settle);
			at += sizeof(*event) + event->len;
		}
	}
}

/* The folder's path and the file's name: one copy, cut at the last slash. */
static int split(struct watch *watch, const char *file)
{
	char *slash;

	watch->folder = strdup(file);
	if (!watch->folder)
		return -ENOMEM;
	slash = strrchr(watch->folder, '/');
	if (slash)
		*slash = '\0';
	watch->name = slash ? slash + 1 : watch->folder;
	return 0;
}

static const char *folder_of(const struct watch *watch)
{
	if (watch->name == watch->folder)
		return ".";
	return watch->folder[0] ? watch->folder : "/";
}

int watch_new(struct event_base *base, const char *file, watch_written *written, void *context,
	      struct watch **watch)
{
	struct watch *new = calloc(1, sizeof(*new));
	int failure = new ? split(new, file) : -ENOMEM;

	if (failure) {
		free(new);
		return failure;
	}
	new->written = written;
	new->context = context;
	new->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (new->inotify < 0 ||
	    inotify_add_watch(new->inotify, folder_of(new), IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
		failure = -errno;
	if (!failure) {
		new->changed = event_new(base, new->inotify, EV_READ | EV_PERSIST, on_changed, new);
		new->settled = event_new(base, -1, 0, on_settled, new);
		if (!new->changed || !new->settled || event_add(new->changed, NULL))
			failure = -ENOMEM;
	}
	if (failure) {
		watch_free(new);
		return failure;
	}
	*watch = new;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->changed)
		event_free(watch->changed);
	if (watch->settled)
		event_free(watch->settled);
	if (watch->inotify >= 0)
		close(watch->inotify);
	free(watch->folder);
	free(watch);
}
