/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client of groups hears any line as the holder's answer: nothing is read beyond it, and
 * no descriptor is left behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/holdfast/group.h"

#define ANSWER_MAX 60000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct holdfast *holder, uint8_t what)
{
	struct holdfast_group_status status;
	uint8_t cookies[HOLDFAST_GROUP_SOCKETS];
	const int sockets[] = {holder->fd, holder->fd};
	int error, fd;

	switch (what % 3) {
	case 0:
		error = holdfast_group_status(holder, "g", 7, &status);
		if (!error && strlen(status.state) >= sizeof(status.state))
			abort();
		break;
	case 1:
		error = holdfast_group_register(holder, "g", 7, NULL, sockets, 2, cookies);
		break;
	default:
		fd = holdfast_group_take(holder, "g", 7, 0);
		error = fd;
		if (fd >= 0)
			close(fd);
	}
	if (error < 0 && !memchr(holder->error, '\0', sizeof(holder->error)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct holdfast holder = {.fd = -1};
	int pair[2];

	if (!size || size > ANSWER_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 0;
	holder.fd = pair[0];
	if (write(pair[1], data + 1, size - 1) == (ssize_t)(size - 1) && write(pair[1], "\n", 1) == 1)
		ask(&holder, data[0]);
	close(pair[1]);
	holdfast_close(&holder);
	return 0;
}
