/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The holder owns kernel objects and sockets so that everybody else may come and
 * go. It knows no subscriber, no protocol and no map layout.
 *
 * Invariants:
 *  1. What must survive the holder is pinned below DIR/bpf, and is looked up there:
 *       current, previous -> gen/N     kept generations (symbolic links)
 *       gen/N/program/P                its programs
 *       gen/N/scratch/M                maps that live and die with it
 *       gen/N/durable/M                maps that outlive it, as it uses them
 *       gen/N/name                     what the object was called (symbolic link)
 *       map/M                          durable maps, from the first commit that had them
 *       if/I/link, if/I/role           where programs run (role: symbolic link)
 *  2. `current` changes after every link runs the new generation and before the
 *     journal says so: a commit under way is undone while `current` is the old
 *     generation, else finished.
 *  3. What runs is read from the kernel (bpf_link_info), never remembered.
 *  4. Every refusal leaves everything as it was.
 */
#ifndef BNG_HOLDER_H
#define BNG_HOLDER_H

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/fdstore.h"
#include "lib/problem.h"

#define STAGED_MAX   4u
#define LINKS_MAX    64
#define NAME_TEXT    64
#define DIR_TEXT     80
#define PIN_TEXT     320
#define TOPIC_EVENTS 1u

/* Every link in use. */
#define for_each_link(link, holder)                                                                          \
	for (struct link *link = (holder)->links; link < (holder)->links + LINKS_MAX; link++)                \
		if (link->interface[0])

struct link {
	char interface[IF_NAMESIZE]; /* "": this place is free */
	char role[NAME_TEXT];
	int fd;
	/* As the kernel said when link_refresh() last asked: */
	__u32 ifindex; /* 0: detached behind our back */
	__u32 program_id;
	bool generic;
};

struct holder {
	struct event_base *base;
	struct rpc_server *server;
	char dir[DIR_TEXT];
	gid_t group;
	int lock_fd;
	uint64_t started_ns;
	unsigned current, previous; /* generations; 0: none */
	struct link links[LINKS_MAX];
	struct fdstore store;
	struct {
		bool committing; /* links are being changed */
		unsigned from, to, retire, last_generation;
		json_t *new_maps; /* durable maps that this commit is the first to have */
	} journal;
	struct {
		struct rpc_peer *peer; /* NULL: not connected */
		char version[NAME_TEXT];
		json_int_t epoch;
		pid_t pid;
		bool ready;
		uint64_t left_ns;
	} controller;
	struct {
		uint64_t runs, errors, last_us;
		bool failing;
	} sweep;
};

/* journal.c */
void step(const char *name); /* where a test may have the holder die: just before it */
int journal_load(struct holder *holder);
int journal_write(struct holder *holder, bool committing);
void holder_event(struct holder *holder, json_t *event); /* steals event */

/* pins.c */
int pins_open(struct holder *holder); /* directories, lock, bpffs */
__attribute__((format(printf, 3, 4))) const char *
pin_path(const struct holder *holder, char path[static PIN_TEXT], const char *format, ...);
int pin_generation(const struct holder *holder, const char *link, unsigned generation); /* 0 removes */
unsigned pinned_generation(const struct holder *holder, const char *link);
bool generation_exists(const struct holder *holder, unsigned generation);
int generation_drop(const struct holder *holder, unsigned generation);
/* A descriptor or -errno; an id or 0. Role R is served by the program bng_R. */
int role_open(const struct holder *holder, unsigned generation, const char *role);
__u32 role_id(const struct holder *holder, unsigned generation, const char *role);

/* object.c, swap.c */
int object_stage(struct holder *holder, int fd, const char *name, const json_t *sizes, json_t **maps,
		 struct problem *problem);
int swap_commit(struct holder *holder, unsigned to, json_t **result, struct problem *problem);
void swap_undo(struct holder *holder);
void swap_finish(struct holder *holder);

/* link.c */
struct link *link_find(struct holder *holder, const char *interface);
int link_load(struct holder *holder, const char *pinned);
void link_refresh(struct link *link);
void links_follow(struct holder *holder); /* every attached link to the current generation */
void links_watch(struct holder *holder);  /* events for links that changed */
int link_attach(struct holder *holder, const char *interface, const char *role, bool generic, bool *adopted,
		struct problem *problem);
void link_event(struct holder *holder, const char *interface, const char *state);
int link_detach(struct holder *holder, struct link *link);

/* adopt.c, status.c, control.c */
int adopt(struct holder *holder);
json_t *status_report(struct holder *holder);
json_t *status_programs(const struct holder *holder, unsigned generation);
int control_start(struct holder *holder);

#endif
