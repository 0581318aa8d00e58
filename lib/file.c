/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Read, not mapped: a mapping faults when its owner truncates the file.
 */
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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

int file_read_text(const char *path, size_t max, char **text)
{
	char *bytes = NULL;
	size_t size = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : file_read(fd, max, &bytes, &size);
	if (fd >= 0)
		close(fd);
	if (error)
		return error;
	*text = strndup(bytes, size);
	free(bytes);
	return *text ? 0 : -ENOMEM;
}

int file_write(int fd, const char *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t done = write(fd, bytes + at, size - at);
		if (done <= 0)
			return done ? -errno : -EIO;
		at += (size_t)done;
	}
	return 0;
}
