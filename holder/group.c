/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reuseport groups (lib/bpf/group_keeper.h) are group/NAME among the pins.
 */
#include "holder/holder.h"
#include "lib/bpf/group_keeper.h"

static void on_change(void *context, const char *name, json_int_t generation, const char *state)
{
	holder_event(context, json_pack("{s:s, s:s, s:I, s:s}", "type", "group", "name", name, "generation",
					generation, "state", state));
}

static struct group_keeper *keeper_of(struct holder *holder)
{
	static char folder[PIN_TEXT];
	static struct group_keeper keeper = {.changed = on_change, .step = step};
	keeper.folder = pin_path(holder, folder, "group");
	keeper.store = &holder->store;
	keeper.context = holder;
	return &keeper;
}

int groups_serve(struct holder *holder)
{
	return rpc_server_add(holder->server, group_keeper_methods, keeper_of(holder));
}

void groups_adopt(struct holder *holder)
{
	group_keeper_adopt(keeper_of(holder));
}

void groups_watch(struct holder *holder)
{
	group_keeper_watch(keeper_of(holder));
}
