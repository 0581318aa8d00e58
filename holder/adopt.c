/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A start: what is pinned is taken over, a commit that was under way is undone or
 * finished, and every link ends up on the current generation.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/log.h"

static void load_generations(struct holder *holder)
{
	glob_t found;
	pins_glob(holder, &found, "gen/*");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		unsigned number = (unsigned)strtoul(pin_name(found.gl_pathv[i]), NULL, 10);
		int error = number ? generation_load(holder, number) : -EINVAL;
		if (!error)
			continue;
		log_warning("%s: an unfinished generation: removed", found.gl_pathv[i]);
		bpffs_remove(found.gl_pathv[i]);
	}
	globfree(&found);
}

static void load_links(struct holder *holder)
{
	glob_t found;
	pins_glob(holder, &found, "if/*");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *name = pin_name(found.gl_pathv[i]);
		int error = link_load(holder, name);
		if (error) {
			log_warning("%s: no link was pinned (%s): removed", name, strerror(-error));
			bpffs_remove(found.gl_pathv[i]);
		}
	}
	globfree(&found);
}

int adopt(struct holder *holder)
{
	int error = journal_load(holder);
	if (error)
		return error;
	load_generations(holder);
	load_links(holder);
	holder->current = generation_find(holder, pins_linked_generation(holder, "current"));
	holder->previous = generation_find(holder, pins_linked_generation(holder, "previous"));
	bool committed = holder->current && holder->current->number == holder->journal.to;
	if (holder->journal.committing) {
		log_warning("a commit of generation %u was under way: %s", holder->journal.to,
			    committed ? "finished" : "undone");
		if (!committed)
			holder->previous = generation_find(holder, holder->journal.retire);
		if (committed)
			swap_finish(holder);
		else
			swap_undo(holder);
	}
	if (holder->previous == holder->current)
		holder->previous = NULL;
	links_follow(holder, holder->current);
	return 0;
}
