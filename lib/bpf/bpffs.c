/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Ordinary file operations that a bpffs understands: it has links and renames, but
 * no dots in names.
 */
#include "lib/bpf/bpffs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PATH_TEXT 512

int bpffs_mount(const char *path)
{
	struct statfs fs;
	if (!statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC)
		return 0;
	return mount("bpffs", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ? -errno : 0;
}

void bpffs_list(const char *pattern, glob_t *found)
{
	if (glob(pattern, 0, NULL, found))
		found->gl_pathc = 0;
}

size_t bpffs_count(const char *pattern)
{
	glob_t found;
	bpffs_list(pattern, &found);
	globfree(&found);
	return found.gl_pathc;
}

const char *bpffs_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

int bpffs_remove(const char *path)
{
	return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) && errno != ENOENT ? -errno : 0;
}

int bpffs_pin(int fd, const char *folder, const char *name)
{
	char path[PATH_TEXT];
	int length = snprintf(path, sizeof(path), "%s/", folder);
	if (length + (int)strlen(name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	for (int i = 0; i <= (int)strlen(name); i++)
		path[length + i] = name[i] == '.' ? '_' : name[i];
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

int bpffs_link(const char *path, const char *target)
{
	char next[PATH_TEXT];
	if (snprintf(next, sizeof(next), "%s_new", path) >= (int)sizeof(next))
		return -ENAMETOOLONG;
	unlink(next);
	return symlink(target, next) || rename(next, path) ? -errno : 0;
}
