/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where a shared secret comes from: the configuration's own text, or a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/radius/seal.h"
#include "lib/file.h"

#define SECRET_FILE_MAX 4096

static int read_file(const char *file, struct radius_secret *secret)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), failure;
	char *text = NULL;
	size_t length = 0;

	failure = fd < 0 ? -errno : file_read(fd, SECRET_FILE_MAX, &text, &length);
	if (fd >= 0)
		close(fd);
	if (failure)
		return failure;
	while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
		length--;
	failure = length && length <= sizeof(secret->data) ? 0 : -EMSGSIZE;
	if (!failure) {
		memcpy(secret->data, text, length);
		secret->length = length;
	}
	radius_forget(text, length);
	free(text);
	return failure;
}

int radius_secret_read(const char *text, const char *file, const char *pointer, struct radius_secret *secret,
		       char *error, size_t error_size)
{
	int failure;

	*secret = (struct radius_secret){.length = strlen(text)};
	memcpy(secret->data, text, secret->length);
	if (secret->length)
		return 0;
	failure = read_file(file, secret);
	if (failure == -EMSGSIZE)
		snprintf(error, error_size, "%s: %s: must hold 1-%d bytes", pointer, file, RADIUS_SECRET_MAX);
	else if (failure)
		snprintf(error, error_size, "%s: %s: reading it failed: %s", pointer, file,
			 strerror(-failure));
	return failure;
}
