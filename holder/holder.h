/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The holder owns kernel objects and sockets so that everybody else may come and
 * go. It knows no subscriber, no protocol and no map layout.
 *
 * Invariants:
 *  1. What must survive the holder is pinned below DIR/bpf, and is looked up there:
 *       current -> gen/N               the generation that runs (symbolic link)
 *       gen/N/program/P                its programs
 *       gen/N/scratch/M                maps that live and die with it
 *       gen/N/durable/M                maps that outlive it, as it uses them
 *       gen/N/old/M                    a bridge: what durable/M was before, which it moves
 *       gen/N/name                     what the object was called (symbolic link)
 *       gen/N/left                     it was current before, and is kept: which commit
 *                                      left it (symbolic link)
 *       map/M                          durable maps, from the first commit that had them
 *       if/I/link, if/I/role           where programs run (role: symbolic link)
 *       if/I/generic                   it is to run in generic mode (symbolic link)
 *       group/G/...                    reuseport groups (lib/bpf/group.h)
 *     What a generation was loaded from is beside them: DIR/objects/N.
 *  2. `current` changes after every link runs the new generation and before the
 *     journal says so: a commit under way is undone while `current` is the old
 *     generation, else finished.
 *  3. What runs is read from the kernel (bpf_link_info), never remembered.
 *  4. A commit on trial is undone in time by whichever holder runs then, unless it
 *     is confirmed: the journal has when, from before the first link changes.
 *  5. Every refusal leaves everything as it was.
 *  6. While links run a canary, `current` is what they go back to when the holder ends.
 *  7. While links run a bridge that is not current, its map `bridge` says which maps are
 *     true: once open, whoever starts finishes; before, he goes back.
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
#include "lib/rpc_call.h"
#include "lib/sign/sign.h"

#define STAGED_MAX   4u
#define KEPT_MAX     4u /* generations besides the current one that can be gone back to */
#define LINKS_MAX    64
#define NAME_TEXT    64
#define DIR_TEXT     80
#define PIN_TEXT     320
#define TOPIC_EVENTS 1u

/* Every link in use. */
#define for_each_link(link, holder)                                                                          \
	for (__typeof__(&(holder)->links[0]) link = (holder)->links; link < (holder)->links + LINKS_MAX;     \
	     link++)                                                                                         \
		if (link->interface[0])

struct link {
	char interface[IF_NAMESIZE]; /* "": this place is free */
	char role[NAME_TEXT];
	int fd;
	/* As the kernel said when link_refresh() last asked: */
	__u32 ifindex; /* 0: detached behind our back */
	__u32 program_id;
	bool generic;
	/* With --reattach, while it is detached: */
	uint64_t mend_ns; /* not before */
	bool mend_failed;
};

struct stage_order {
	int fd;
	const char *name;
	const json_t *sizes;   /* max_entries of maps, or NULL */
	const char *signature; /* or NULL */
	bool canary;           /* with its bng_canary_R */
};

struct swap_order {
	unsigned to;      /* generation */
	unsigned trial_s; /* how long it is on trial; 0: it is for good */
	bool is_rescue;   /* a link that was detached behind our back does not stop it */
	enum swap_kind {
		SWAP_COMMIT,
		SWAP_CANARY,  /* to its bng_canary_*; `current` stays */
		SWAP_MIGRATE, /* to a bridge; `current` stays until it is open */
		SWAP_BACK,    /* from there to the current generation */
	} kind;
};

struct canary;

struct holder {
	struct event_base *base;
	struct rpc_server *server;
	char dir[DIR_TEXT];
	gid_t group;
	bool reattach;   /* what was detached behind our back */
	int lock_fd;     /* 0: not locked yet */
	int listener_fd; /* 0: not made yet */
	char **arguments;
	int exec_fd; /* the program that is about to replace this one; 0: none */
	int execs;   /* how often that was done */
	uint64_t started_ns;
	unsigned current, previous; /* generations; 0: none. previous: what was current last */
	struct link links[LINKS_MAX];
	struct fdstore store;
	struct canary *canary;
	struct {
		bool committing; /* links are being changed */
		unsigned from, to, last_generation, commits;
		/* On trial while it is current: the previous one comes back unless it is
		 * confirmed by then. 0: none. */
		unsigned trial;
		json_int_t trial_end_ns;
		unsigned canary;  /* the generation whose bng_canary_* run; 0: none */
		json_t *new_maps; /* durable maps that this commit is the first to have */
		/* The last bridge that was opened, that has moved everything; how that went. */
		unsigned opened, migrated, attempts;
		json_int_t opening_us, opened_ns, move_ms;
	} journal;
	struct {
		unsigned entering; /* links run this bridge, `current` is not it yet; 0: none */
		unsigned failed;   /* this one could not move everything, or not rightly */
		char reason[256];
		bool checking;
	} bridge;
	struct {
		struct rpc_peer *peer; /* NULL: not connected */
		char version[NAME_TEXT];
		json_int_t epoch;
		pid_t pid;
		bool ready;
		uint64_t left_ns;
		char phase[NAME_TEXT]; /* of its start; "": not told, or ready */
		uint64_t deadline_ns;  /* of the phase */
		bool late;             /* and that was told */
		struct {
			char version[NAME_TEXT]; /* "": none */
			char phase[NAME_TEXT];
			char reason[RPC_LONG_TEXT];
			uint64_t at_ns;
		} failure; /* of the last start that did not get ready */
	} controller;
	struct {
		uint64_t runs, errors, last_us;
		bool failing;
	} sweep;
	struct {
		bool required; /* keys were given, whether or not they could be read */
		struct sign_keys keys;
		uint64_t good, refused, ignored;
	} signing;
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
/* It was current until that commit. */
int generation_leave(const struct holder *holder, unsigned generation, unsigned commit);
/* The generation that was left last before that commit and is not current; 0: none. */
unsigned generation_left_before(const struct holder *holder, unsigned *commit);
unsigned generations_staged(const struct holder *holder);
bool generation_is_kept(const struct holder *holder, unsigned generation);
/* A descriptor or -errno; an id or 0. Role R is served by the program bng_R. */
int role_open(const struct holder *holder, unsigned generation, const char *role);
__u32 role_id(const struct holder *holder, unsigned generation, const char *role);
/* What serves a role now: the current generation, a canary or a bridge that is being opened. */
unsigned running_generation(const struct holder *holder);
int running_open(const struct holder *holder, const char *role);
__u32 running_id(const struct holder *holder, const char *role);

/* object.c, swap.c */
/* *result: what it says of maps and signature. */
int object_stage(struct holder *holder, const struct stage_order *order, json_t **result,
		 struct problem *problem);
int swap_commit(struct holder *holder, const struct swap_order *order, json_t **result,
		struct problem *problem);
/* The generation's maps and itself are what is pinned as running. */
int swap_pin(struct holder *holder, unsigned to, struct problem *problem);
void swap_undo(struct holder *holder);
void swap_finish(struct holder *holder);

/* sign.c */
void sign_add_key(struct holder *holder, const char *path);
/* 0 and who signed these bytes, or a refusal. */
int sign_check(struct holder *holder, const struct stage_order *order, const char *bytes, size_t size,
	       json_t **signed_by, struct problem *problem);
json_t *sign_status(const struct holder *holder);

/* shadow.c */
#define OBJECT_BYTES_MAX (64u << 20)
struct rpc_call;
int object_keep(const struct holder *holder, unsigned generation, const char *bytes, size_t size);
void object_forget(const struct holder *holder, unsigned generation);
void objects_adopt(const struct holder *holder); /* what belongs to no generation goes */
int object_shadow(struct rpc_call *call, void *context);

/* trial.c */
bool trial_runs(const struct holder *holder);
void trial_begin(struct holder *holder, unsigned generation, unsigned seconds); /* 0: for good */
int trial_confirm(struct holder *holder, struct problem *problem);
void trial_watch(struct holder *holder);           /* goes back if nobody confirmed in time */
json_t *trial_status(const struct holder *holder); /* null: nothing is on trial */

/* controller.c */
void controller_hello(struct holder *holder, struct rpc_peer *peer, const char *version, json_int_t epoch);
/* It begins a phase of its start, which may take so long. */
int controller_phase(struct holder *holder, json_int_t epoch, const char *phase, unsigned deadline_s,
		     struct problem *problem);
/* Its start fails. */
int controller_failed(struct holder *holder, json_int_t epoch, const char *reason, struct problem *problem);
void controller_ready(struct holder *holder);
void controller_left(struct holder *holder);
/* Greeted, not ready: what it may still need is not destroyed. */
bool controller_is_starting(const struct holder *holder);
void controller_watch(struct holder *holder); /* tells when a phase takes too long */
json_t *controller_status(const struct holder *holder);
/* canary.c */
int canary_adopt(struct holder *holder); /* one that was under way has ended */
void canary_done(struct holder *holder);
int canary_begin(struct holder *holder, const struct swap_order *order, const json_t *request,
		 json_t **result, struct problem *problem);
int canary_stop(struct holder *holder, json_t **result, struct problem *problem);
void canary_sample(struct holder *holder);          /* once a second: what is usual */
json_t *canary_status(const struct holder *holder); /* null: there was none */

/* bridge.c */
bool bridge_is(const struct holder *holder, unsigned generation);
bool bridge_is_moving(const struct holder *holder); /* or could not */
int bridge_migrate(struct rpc_call *call, void *context);
void bridge_adopt(struct holder *holder);
void bridge_serve(struct holder *holder);           /* goes on */
json_t *bridge_status(const struct holder *holder); /* null: none runs */

/* link.c */
struct link *link_find(struct holder *holder, const char *interface);
struct link *link_of_pin(struct holder *holder, const char *pinned);
int link_load(struct holder *holder, const char *pinned);
void link_refresh(struct link *link);
void links_follow(struct holder *holder); /* every attached link to what is to run */
void links_watch(struct holder *holder);  /* events for links that changed */
/* What the current generation runs, in a generation's program arrays NAME_R, for it to call. */
int links_lend(struct holder *holder, unsigned generation, const char *name, struct problem *problem);
void links_take_back(struct holder *holder, unsigned generation, const char *name);
int link_attach(struct holder *holder, const char *interface, const char *role, bool generic, bool *adopted,
		struct problem *problem);
void link_event(struct holder *holder, const char *interface, const char *state);
int link_detach(struct holder *holder, struct link *link);

/* group.c */
int groups_serve(struct holder *holder); /* their methods */
void groups_adopt(struct holder *holder);
void groups_watch(struct holder *holder);

/* exec.c */
int exec_begin(struct holder *holder, int binary, json_t **result, struct problem *problem);
int exec_resume(struct holder *holder, int state_fd, bool used);
int exec_check(struct holder *holder);

/* orphans.c: what was left behind; `clean` removes what is ours and stale */
int orphans_report(struct holder *holder, bool clean, json_t **rows);

/* adopt.c, status.c, control.c */
int adopt(struct holder *holder);
json_t *status_report(struct holder *holder);
json_t *status_programs(const struct holder *holder, unsigned generation);
int control_start(struct holder *holder);

#endif
