/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A start: what is pinned is taken over, a commit that was under way is undone or
 * finished, and every link ends up on the current generation.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/log.h"

/* Generations were renamed into place when they were whole: other names are not. */
static void adopt_generation(struct holder *holder, const char *path)
{
	unsigned number = (unsigned)strtoul(bpffs_name(path), NULL, 10);
	if (!number) {
		log_warning("%s: an unfinished generation: removed", path);
		bpffs_remove(path);
	}
	if (number > holder->journal.last_generation)
		holder->journal.last_generation = number;
}

static void adopt_link(struct holder *holder, const char *path)
{
	int error = link_load(holder, bpffs_name(path));
	if (error) {
		log_warning("%s: no link was pinned: %s: removed", path, strerror(-error));
		bpffs_remove(path);
	}
}

static void adopt_each(struct holder *holder, const char *folder, void (*one)(struct holder *, const char *))
{
	char pattern[PIN_TEXT];
	glob_t found;
	bpffs_list(pin_path(holder, pattern, "%s/*", folder), &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		one(holder, found.gl_pathv[i]);
	globfree(&found);
}

int adopt(struct holder *holder)
{
	int error = journal_load(holder);
	if (error)
		return error;
	error = canary_adopt(holder);
	if (error)
		return error;
	adopt_each(holder, "gen", adopt_generation);
	adopt_each(holder, "if", adopt_link);
	objects_adopt(holder);
	holder->current = pinned_generation(holder, "current");
	bridge_adopt(holder);
	if (holder->journal.committing) {
		bool committed = holder->current == holder->journal.to;
		log_warning("commit of generation %u under way: %s", holder->journal.to,
			    committed ? "finished" : "undone");
		if (committed)
			swap_finish(holder);
		else
			swap_undo(holder);
	}
	unsigned commit = UINT_MAX;
	holder->previous = generation_left_before(holder, &commit);
	if (commit != UINT_MAX && commit > holder->journal.commits)
		holder->journal.commits = commit;
	links_follow(holder);
	return 0;
}
