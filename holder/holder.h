/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The holder owns kernel objects and sockets so that everybody else may come and
 * go. It knows no subscriber, no protocol and no map layout.
 *
 * Invariants:
 *  1. What must survive the holder is pinned below DIR/bpf:
 *       current, previous -> gen/N     kept generations (symbolic links)
 *       gen/N/program/P                its programs
 *       gen/N/scratch/M                maps that live and die with it
 *       gen/N/durable/M                maps that outlive it, as it uses them
 *       gen/N/name                     what the object was called (symbolic link)
 *       map/M                          durable maps, from the first commit that had them
 *       if/I/link, if/I/role           where programs run (role: symbolic link)
 *  2. `current` changes after every link runs the new generation and before the
 *     journal says so: a journal that is not idle is undone while `current` is
 *     the old generation, else finished.
 *  3. What runs is read from the kernel (bpf_link_info), never remembered.
 *  4. Every refusal leaves everything as it was.
 */
#ifndef BNG_HOLDER_H
#define BNG_HOLDER_H

#include <glob.h>
#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/fdstore.h"
#include "lib/problem.h"

#define STAGED_MAX      4
#define GENERATIONS_MAX (STAGED_MAX + 3) /* current, previous, one being retired */
#define PROGRAMS_MAX    32
#define LINKS_MAX       64
#define NAME_TEXT       64
#define DIR_TEXT        80
#define PIN_TEXT        320
#define TOPIC_EVENTS    1u

struct program {
	char name[NAME_TEXT];
	int fd;
	__u32 id;
	bool xdp; /* else a syscall program */
	char tag[17];
};

struct generation {
	unsigned number; /* 0: this place is free */
	char name[NAME_TEXT];
	unsigned program_count;
	struct program programs[PROGRAMS_MAX];
};

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
	struct generation *current, *previous; /* or NULL */
	struct generation generations[GENERATIONS_MAX];
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

/* journal.c. A test may have the holder die just before any step. */
#define HOLDER_STEPS(X)                                                                                      \
	X(stage_load)                                                                                        \
	X(stage_pin)                                                                                         \
	X(stage_publish)                                                                                     \
	X(attach_create)                                                                                     \
	X(attach_pin)                                                                                        \
	X(commit_park) X(commit_intent) X(commit_update) X(commit_update_next) X(commit_readback)            \
		X(commit_maps) X(commit_previous) X(commit_current) X(commit_retire) X(commit_done)          \
			X(undo_links) X(undo_done) X(journal_rename)
enum holder_step {
#define STEP_ENUM(name) STEP_##name,
	HOLDER_STEPS(STEP_ENUM)
#undef STEP_ENUM
		STEP_COUNT
};
const char *step_name(enum holder_step step);
void step(enum holder_step step);
int journal_load(struct holder *holder);
int journal_write(struct holder *holder, bool committing);
void holder_event(struct holder *holder, json_t *event); /* steals event */

/* pins.c: paths below DIR/bpf, and generations as they are pinned. */
__attribute__((format(printf, 3, 4))) const char *
pin_path(const struct holder *holder, char path[static PIN_TEXT], const char *format, ...);
/* Names that match, sorted; empty when there is none. globfree() afterwards. */
__attribute__((format(printf, 3, 4))) void pins_glob(const struct holder *holder, glob_t *found,
						     const char *format, ...);
const char *pin_name(const char *path);
int pins_open(struct holder *holder); /* directories, lock, bpffs */
unsigned pins_linked_generation(const struct holder *holder, const char *link);
int pins_link_generation(const struct holder *holder, const char *link, const struct generation *generation);
struct generation *generation_find(struct holder *holder, unsigned number); /* NULL for 0 */
int generation_load(struct holder *holder, unsigned number);
int generation_drop(struct holder *holder, unsigned number);
/* The XDP program that serves a role, or NULL. */
const struct program *generation_role(const struct generation *generation, const char *role);
const struct program *generation_program(const struct generation *generation, const char *name);

/* object.c, swap.c */
int object_stage(struct holder *holder, int fd, const char *name, const json_t *sizes, json_t **maps,
		 struct problem *problem);
int swap_commit(struct holder *holder, struct generation *to, json_t **result, struct problem *problem);
void swap_undo(struct holder *holder);
void swap_finish(struct holder *holder);

/* link.c */
struct link *link_find(struct holder *holder, const char *interface);
int link_load(struct holder *holder, const char *pinned);
void link_refresh(struct link *link);
/* Brings every attached link to the generation; 0 or the last -errno. */
int links_follow(struct holder *holder, const struct generation *generation);
void links_watch(struct holder *holder); /* events for links that changed */
int link_attach(struct holder *holder, const char *interface, const char *role, bool generic, bool *adopted,
		struct problem *problem);
int link_detach(struct holder *holder, struct link *link);

/* adopt.c, status.c, control.c */
json_t *status_report(struct holder *holder);
json_t *status_programs(const struct generation *generation);
json_t *status_swap(const struct holder *holder);
json_t *status_sockets(const struct holder *holder);
int adopt(struct holder *holder);
int control_start(struct holder *holder);

#endif
