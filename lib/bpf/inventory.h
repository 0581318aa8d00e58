/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Every XDP link, program and map of the kernel, with where it is pinned and which
 * processes have it open, as far as this process can see.
 */
#ifndef BNG_LIB_INVENTORY_H
#define BNG_LIB_INVENTORY_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define INVENTORY_PATH  256
#define INVENTORY_WHERE (INVENTORY_PATH + 64)

enum inventory_kind { INVENTORY_LINK, INVENTORY_PROGRAM, INVENTORY_MAP };

struct inventory_object {
	enum inventory_kind kind;
	__u32 id;
	char name[BPF_OBJ_NAME_LEN]; /* cut by the kernel */
	bool is_xdp;
	__u32 ifindex, program_id; /* of a link */
	char pin[INVENTORY_PATH];  /* one of them; "": none that is seen */
	/* Somebody who has it open, asked for only where there is no pin. 0: nobody seen. */
	pid_t pid;
	char process[16];
};

struct inventory {
	size_t count, room;
	struct inventory_object *objects;
};

/* 0 or -errno. A pin below `prefix` counts more than others. */
int inventory_read(struct inventory *inventory, const char *prefix);
void inventory_free(struct inventory *inventory);
const struct inventory_object *inventory_find(const struct inventory *inventory, enum inventory_kind kind,
					      __u32 id);

/* Who keeps it, for people. */
const char *inventory_where(const struct inventory_object *object, char text[static INVENTORY_WHERE]);
/* Takes a link off its interface: 0 or -errno. */
int inventory_detach(__u32 link_id);
/* A map is pinned at a path that matches. */
bool inventory_map_is_at(__u32 id, const char *pattern);

/* How many file systems are mounted at exactly this path, one over the other. */
size_t mounts_at(const char *path);
/* Pins of maps, programs and links below a folder, not those of mounts below it. */
size_t pins_below(const char *folder);

#endif
