/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The service manager's side of a daemon (systemd's documented protocol, without
 * its library): ready, and descriptors that it keeps for us while we are away.
 * Without a service manager every call does nothing.
 */
#ifndef BNG_LIB_SERVICE_H
#define BNG_LIB_SERVICE_H

void service_ready(void);
/* Keeps a duplicate of fd under `name` (no colon); a second one is kept beside it. */
void service_keep_fd(const char *name, int fd);
void service_forget_fd(const char *name);
/* Hands over, once, each descriptor that was passed to this process. */
void service_take_fds(void (*take)(const char *name, int fd, void *context), void *context);

#endif
