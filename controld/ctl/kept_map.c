/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Mapping kept memory. Sealed against shrinking, so that reading it never faults.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controld/ctl/kept.h"

static int map(struct kept *kept, int fd, size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*kept = (struct kept){fd, memory};
	return 0;
}

int kept_new(const char *name, uint64_t magic, size_t length, struct kept *kept)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), failure = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)length) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		failure = -errno;
	if (!failure)
		failure = map(kept, fd, length);
	if (failure) {
		close(fd);
		return failure;
	}
	kept->header->length = length;
	kept->header->magic = magic;
	return 0;
}

int kept_adopt(int fd, uint64_t magic, size_t length, struct kept *kept)
{
	int seals = fcntl(fd, F_GET_SEALS), failure;
	struct stat facts;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &facts) || (size_t)facts.st_size != length)
		return -EINVAL;
	failure = map(kept, fd, length);
	if (failure || (kept->header->magic == magic && kept->header->length == length))
		return failure;
	munmap(kept->header, length);
	*kept = (struct kept){-1, NULL};
	return -EINVAL;
}

void kept_close(struct kept *kept)
{
	if (!kept->header)
		return;
	munmap(kept->header, kept->header->length);
	close(kept->fd);
	*kept = (struct kept){-1, NULL};
}
