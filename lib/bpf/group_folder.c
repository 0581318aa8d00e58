/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A group is made and removed under another name, so that it is there whole or not at all.
 */
#include "lib/bpf/group_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bpf/bpffs.h"
#include "lib/rpc.h"

#define PATH_TEXT 320

/* A bpffs takes no dots: colons stand for them. */
static char *translate(char *name, char from, char to)
{
	for (char *c = name; *c; c++)
		*c = *c == from ? to : *c;
	return name;
}

static const char *path_of(char path[static PATH_TEXT], const char *folder, const char *mark,
			   const char *name)
{
	int length = snprintf(path, PATH_TEXT, "%s/%s", folder, mark);

	snprintf(path + length, PATH_TEXT - (size_t)length, "%s", name);
	translate(path + length, '.', ':');
	return path;
}

int group_folder_open(const char *folder, const char *name, struct group *group, struct problem *problem)
{
	char path[PATH_TEXT];
	int error = group_open(path_of(path, folder, "", name), group);

	if (error == -ENOENT)
		return refuse(problem, RPC_NOT_FOUND, NULL, "there is no group %s", name);
	return error ? refuse_errno(problem, error, "opening %s", path) : 0;
}

static int make(const char *folder, const char *name, const json_t *given, struct problem *problem)
{
	struct group_options options = GROUP_OPTIONS;
	char path[PATH_TEXT], unfinished[PATH_TEXT];
	int error = group_options_parse(given, &options, problem);

	if (error)
		return error;
	snprintf(path, sizeof(path), "%s/[!+]*", folder);
	if (bpffs_count(path) >= GROUP_FOLDERS_MAX)
		return refuse(problem, RPC_LIMIT, NULL, "%d groups are there already", GROUP_FOLDERS_MAX);
	bpffs_remove(path_of(unfinished, folder, "+", name));
	error = group_create(unfinished, &options, problem);
	if (!error && rename(unfinished, path_of(path, folder, "", name)))
		error = refuse_errno(problem, errno, "renaming %s", unfinished);
	if (error)
		bpffs_remove(unfinished);
	return error;
}

int group_folder_need(const char *folder, const char *name, const json_t *options, struct group *group,
		      bool *made, struct problem *problem)
{
	char path[PATH_TEXT];
	int error = group_open(path_of(path, folder, "", name), group);

	*made = error == -ENOENT;
	if (*made) {
		error = make(folder, name, options, problem);
		return error ? error : group_folder_open(folder, name, group, problem);
	}
	if (error)
		return refuse_errno(problem, error, "opening %s", path);
	error = group_options_check(group, options, problem);
	if (error)
		group_close(group);
	return error;
}

int group_folder_remove(const char *folder, const char *name, struct problem *problem)
{
	char path[PATH_TEXT], unfinished[PATH_TEXT];

	bpffs_remove(path_of(unfinished, folder, "+", name));
	if (rename(path_of(path, folder, "", name), unfinished))
		return refuse_errno(problem, errno, "renaming %s", path);
	bpffs_remove(unfinished);
	return 0;
}

json_t *group_folder_report(const char *folder, const char *wanted)
{
	char pattern[PATH_TEXT], name[GROUP_NAME_TEXT];
	json_t *list = json_array();
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/[!+]*", folder);
	bpffs_list(pattern, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct group group;

		snprintf(name, sizeof(name), "%s", bpffs_name(found.gl_pathv[i]));
		translate(name, ':', '.');
		if ((wanted && strcmp(wanted, name) != 0) || group_open(found.gl_pathv[i], &group))
			continue;
		json_t *report = group_report(&group);

		json_object_set_new(report, "name", json_string(name));
		json_array_append_new(list, report);
		group_close(&group);
	}
	globfree(&found);
	return list;
}

bool group_folder_owns(const char *folder, const char *socket)
{
	char path[PATH_TEXT], name[PATH_TEXT], *number = NULL;
	struct group group;
	bool owns;

	snprintf(name, sizeof(name), "%s", socket);
	for (int i = 0; i < 2; i++) {
		number = strrchr(name, '.');
		if (!number)
			return false;
		*number = '\0';
	}
	if (group_open(path_of(path, folder, "", name), &group))
		return false;
	owns = group_find(&group, strtoll(number + 1, NULL, 10));
	group_close(&group);
	return owns;
}

static void each(const char *folder, const char *names, int (*one)(const char *path))
{
	char pattern[PATH_TEXT];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/%s", folder, names);
	bpffs_list(pattern, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		one(found.gl_pathv[i]);
	globfree(&found);
}

void group_folder_sweep(const char *folder)
{
	each(folder, "[!+]*", group_sweep);
}

void group_folder_tidy(const char *folder)
{
	each(folder, "+*", bpffs_remove);
	group_folder_sweep(folder);
}
