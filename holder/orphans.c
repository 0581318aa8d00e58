/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What crashes, older versions and other tools left behind, and whose it is:
 *   ours-live   a pin of ours says what it is for
 *   ours-stale  ours, and nothing needs it: what `clean` removes
 *   foreign     everything else: shown, never touched
 * A durable map is stale once no generation has it that is there.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/inventory.h"
#include "lib/bpf/xdp.h"
#include "lib/log.h"
#include "lib/netdev.h"

enum whose { LIVE, STALE, FOREIGN };

struct orphans {
	struct holder *holder;
	struct inventory inventory;
	char prefix[PIN_TEXT]; /* DIR/bpf/ */
	bool clean;
	json_t *rows;
};

/* Removes what is stale, if that was asked for: 0, -errno. */
typedef int remove_one(const struct orphans *orphans, __u32 id, const char *name);

static int remove_pin(const struct orphans *orphans, __u32 id, const char *name)
{
	char path[PIN_TEXT];
	(void)id;
	return bpffs_remove(pin_path(orphans->holder, path, "%s", name));
}

static int remove_mount(const struct orphans *orphans, __u32 id, const char *name)
{
	(void)orphans;
	(void)id;
	return umount2(name, UMOUNT_NOFOLLOW) ? -errno : 0;
}

static int remove_interface(const struct orphans *orphans, __u32 id, const char *name)
{
	(void)orphans;
	(void)id;
	return if_nametoindex(name) ? netdev_remove(name) : 0; /* it went with its other end */
}

static int remove_link(const struct orphans *orphans, __u32 id, const char *name)
{
	(void)orphans;
	(void)name;
	return inventory_detach(id);
}

__attribute__((format(printf, 7, 8))) static void add(struct orphans *orphans, const char *kind, __u32 id,
						      const char *name, enum whose whose, remove_one *remove,
						      const char *why, ...)
{
	static const char *const names[] = {"ours-live", "ours-stale", "foreign"};
	char text[512];
	va_list arguments;
	va_start(arguments, why);
	vsnprintf(text, sizeof(text), why, arguments);
	va_end(arguments);
	json_t *row = json_pack("{s:s, s:i, s:o, s:s, s:o}", "kind", kind, "id", id, "name", rpc_text(name),
				"class", names[whose], "why", rpc_text(text));
	if (orphans->clean && whose == STALE && remove) {
		step("orphans_remove");
		int error = remove(orphans, id, name);
		log_notice("orphan %s %s (%s): %s", kind, name, text, error ? strerror(-error) : "removed");
		json_object_set_new(row, "removed", json_boolean(!error));
	}
	json_array_append_new(orphans->rows, row);
}

/* ---- What is pinned ------------------------------------------------------- */

/* A staged generation is waited for while nothing that was staged later has run. */
static enum whose of_generation(const struct holder *holder, unsigned number, const char **why)
{
	unsigned commit = UINT_MAX, newest = holder->current, kept;
	while ((kept = generation_left_before(holder, &commit)))
		newest = kept > newest ? kept : newest;
	bool ran = number == holder->current || generation_is_kept(holder, number) ||
		   (number && number == running_generation(holder));
	*why = !number                             ? "unfinished"
	       : number == holder->current         ? "current"
	       : number == holder->journal.canary  ? "canary"
	       : number == holder->bridge.entering ? "a bridge that is open"
	       : ran                               ? "kept"
	       : number > newest                   ? "staged"
						   : "staged, never ran, and a later one did";
	return ran || number > newest ? LIVE : STALE;
}

/* A durable map, by any generation; where none that runs is seen it may be all that is left. */
static bool is_used(const struct holder *holder, const char *map)
{
	char pattern[PIN_TEXT];
	return bpffs_count(pin_path(holder, pattern, "gen/*/durable/%s", map)) ||
	       !bpffs_count(pin_path(holder, pattern, "gen/%u/durable/*", holder->current));
}

static void look_at_pins(struct orphans *orphans, const char *folder,
			 void (*one)(struct orphans *, const char *name, const char *path))
{
	char pattern[PIN_TEXT];
	glob_t found;
	bpffs_list(pin_path(orphans->holder, pattern, "%s*", folder), &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		one(orphans, bpffs_name(found.gl_pathv[i]), found.gl_pathv[i] + strlen(orphans->prefix));
	globfree(&found);
}

static void look_at_generation(struct orphans *orphans, const char *name, const char *path)
{
	const char *why;
	if (of_generation(orphans->holder, (unsigned)strtoul(name, NULL, 10), &why) == STALE)
		add(orphans, "pin", 0, path, STALE, remove_pin, "generation: %s", why);
}

static void look_at_link_pin(struct orphans *orphans, const char *name, const char *path)
{
	const struct link *link = link_of_pin(orphans->holder, name);
	if (!link)
		add(orphans, "pin", 0, path, STALE, remove_pin, "no link of ours is there");
	else if (!link->ifindex && !if_nametoindex(link->interface))
		add(orphans, "pin", 0, path, LIVE, NULL, "detached; interface %s is gone", link->interface);
}

static void look_at_top(struct orphans *orphans, const char *name, const char *path)
{
	static const char *const known[] = {"gen",     "map",        "if",         "group",
					    "current", "maps.debug", "progs.debug"};
	size_t length = strlen(name);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(name, known[i]))
			return;
	}
	if (length > 4 && !strcmp(name + length - 4, "_new"))
		add(orphans, "pin", 0, path, STALE, remove_pin, "never put in place");
	else
		add(orphans, "pin", 0, path, FOREIGN, NULL, "pinned in our file system, not by us");
}

/* ---- What the kernel has -------------------------------------------------- */

static const char *own_pin(const struct orphans *orphans, const struct inventory_object *object)
{
	size_t length = strlen(orphans->prefix);
	return object && !strncmp(object->pin, orphans->prefix, length) ? object->pin + length : NULL;
}

static bool is_our_name(const struct orphans *orphans, const struct inventory_object *object)
{
	for (size_t i = 0; i < orphans->inventory.count; i++) {
		const struct inventory_object *other = &orphans->inventory.objects[i];
		if (other->kind == object->kind && own_pin(orphans, other) &&
		    !strcmp(other->name, object->name))
			return true;
	}
	return false;
}

/* Whatever is seen of its pin: what the holder has is never an orphan. */
static bool is_held(const struct holder *holder, __u32 id)
{
	for_each_link(link, holder)
	{
		struct bpf_link_info info = {0};
		__u32 size = sizeof(info);
		if (bpf_obj_get_info_by_fd(link->fd, &info, &size) || info.id == id)
			return true;
	}
	return false;
}

static void look_at_link(struct orphans *orphans, const struct inventory_object *object)
{
	char name[IF_NAMESIZE] = "", text[INVENTORY_WHERE];
	const struct inventory_object *program =
		inventory_find(&orphans->inventory, INVENTORY_PROGRAM, object->program_id);
	const char *pin = own_pin(orphans, object);
	if (!pin && !object->ifindex)
		return; /* attached to nothing: it goes with the last descriptor */
	if (!object->ifindex || !if_indextoname(object->ifindex, name))
		snprintf(name, sizeof(name), "ifindex %u", object->ifindex);
	if (pin)
		add(orphans, "link", object->id, name, LIVE, NULL, "pin %s%s", pin,
		    object->ifindex ? "" : ", detached behind our back");
	else if (own_pin(orphans, program) && !object->pin[0] && !is_held(orphans->holder, object->id))
		add(orphans, "link", object->id, name, STALE, remove_link,
		    "runs our program %u without a pin of ours; %s", object->program_id,
		    inventory_where(object, text));
	else
		add(orphans, "link", object->id, name, FOREIGN, NULL, "runs program %u (%s); %s",
		    object->program_id, program ? program->name : "", inventory_where(object, text));
}

/* Of several pins one is seen: a generation that lives may have it, too, as a bridge has old maps. */
static bool is_live_elsewhere(const struct orphans *orphans, __u32 id)
{
	const char *why;
	char path[PIN_TEXT];
	for (unsigned i = 1; i <= orphans->holder->journal.last_generation; i++) {
		if (generation_exists(orphans->holder, i) &&
		    of_generation(orphans->holder, i, &why) == LIVE &&
		    inventory_map_is_at(id, pin_path(orphans->holder, path, "gen/%u/[do]*/*", i)))
			return true;
	}
	return false;
}

static void look_at_object(struct orphans *orphans, const struct inventory_object *object)
{
	const char *kind = object->kind == INVENTORY_MAP ? "map" : "program";
	const char *pin = own_pin(orphans, object), *why;
	char text[INVENTORY_WHERE];
	unsigned generation = 0;
	if (pin && !strncmp(pin, "gen/", 4)) {
		generation = (unsigned)strtoul(pin + 4, NULL, 10);
		enum whose whose = of_generation(orphans->holder, generation, &why);
		if (whose == STALE && object->kind == INVENTORY_MAP &&
		    is_live_elsewhere(orphans, object->id)) {
			whose = LIVE;
			why = "never ran, but others have it";
		}
		add(orphans, kind, object->id, object->name, whose, NULL, "generation %u, %s: pin %s",
		    generation, why, pin);
	} else if (pin && !strncmp(pin, "map/", 4) && !is_used(orphans->holder, pin + 4)) {
		add(orphans, kind, object->id, pin, STALE, remove_pin, "no generation that is there has it");
	} else if (pin) {
		add(orphans, kind, object->id, object->name, LIVE, NULL, "pin %s", pin);
	} else if (!object->pin[0] && object->pid && is_our_name(orphans, object)) {
		add(orphans, kind, object->id, object->name, STALE, NULL,
		    "of no generation; goes with its owner: %s", inventory_where(object, text));
	} else if (object->is_xdp) {
		add(orphans, kind, object->id, object->name, FOREIGN, NULL, "%s",
		    inventory_where(object, text));
	}
}

static void look_at_spares(struct orphans *orphans)
{
	bool used = false;
	for_each_link(link, orphans->holder) used = true;
	for (unsigned i = 0; i < XDP_PARK_MAX; i++) {
		char name[IF_NAMESIZE];
		snprintf(name, sizeof(name), XDP_PARK_NAME, i);
		if (if_nametoindex(name))
			add(orphans, "interface", if_nametoindex(name), name, used ? LIVE : STALE,
			    remove_interface,
			    used ? "spare pair for swaps" : "spare pair for swaps of nothing");
	}
}

/* One mounted over ours hides every pin: until it is gone nothing else can be told. */
static bool look_at_mounts(struct orphans *orphans)
{
	char path[PIN_TEXT];
	snprintf(path, sizeof(path), "%.*s", (int)strlen(orphans->prefix) - 1, orphans->prefix);
	size_t mounts = mounts_at(path);
	while (mounts > 1) {
		size_t pins = pins_below(path);
		add(orphans, "mount", 0, path, pins ? FOREIGN : STALE, remove_mount,
		    "mounted over our pins, with %zu pins of its own: nothing else is told until it is gone",
		    pins);
		size_t left = mounts_at(path);
		if (left >= mounts)
			return false;
		mounts = left;
	}
	return true;
}

int orphans_report(struct holder *holder, bool clean, json_t **rows)
{
	struct orphans orphans = {.holder = holder, .clean = clean};
	pin_path(holder, orphans.prefix, "%s", "");
	orphans.rows = json_array();
	int error = 0;
	if (look_at_mounts(&orphans)) {
		error = inventory_read(&orphans.inventory, orphans.prefix);
		for (size_t i = 0; i < orphans.inventory.count; i++) {
			const struct inventory_object *object = &orphans.inventory.objects[i];
			(object->kind == INVENTORY_LINK ? look_at_link : look_at_object)(&orphans, object);
		}
		look_at_pins(&orphans, "", look_at_top);
		look_at_pins(&orphans, "gen/", look_at_generation);
		look_at_pins(&orphans, "if/", look_at_link_pin);
		look_at_spares(&orphans);
		inventory_free(&orphans.inventory);
	}
	*rows = orphans.rows;
	return error;
}
