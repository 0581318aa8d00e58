/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Read, not mapped: a mapping faults when its owner truncates the file.
 */
#include "lib/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read(int fd, size_t max, char **bytes, size_t *size)
{
	struct stat st;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		return -EINVAL;
	if ((size_t)st.st_size > max)
		return -EFBIG;
	char *buffer = malloc((size_t)st.st_size);
	if (!buffer)
		return -ENOMEM;
	for (off_t at = 0; at < st.st_size;) {
		ssize_t got = pread(fd, buffer + at, (size_t)(st.st_size - at), at);
		if (got <= 0) {
			int error = got ? -errno : -EIO;
			free(buffer);
			return error;
		}
		at += got;
	}
	*bytes = buffer;
	*size = (size_t)st.st_size;
	return 0;
}
