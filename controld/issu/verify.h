/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Verification: the new object and the old one get the same packets, each on maps of its
 * own that are the same before (a shadow, docs/protocol.md), and what they do is compared.
 *
 * It runs in a thread of its own: subscribers are served meanwhile. The thread reads the
 * live maps and writes none of them but bng_meta.capture_left.
 */
#ifndef BNG_CONTROLD_VERIFY_H
#define BNG_CONTROLD_VERIFY_H

#include <jansson.h>
#include <stdbool.h>

#include "controld/config/config.h"
#include "controld/maps/shadow.h"

#define VERIFY_ROUNDS      9  /* of each packet */
#define VERIFY_TRIES       3  /* before a time is believed that is too long */
#define VERIFY_DIFFERENCES 64 /* that are told apart */
#define VERIFY_NAME        96
#define VERIFY_STEP_NS     10000000 /* of the programs' clock, between two runs */
#define FRAME_ROOM         4096

struct controld;
struct rpc_client;
struct rpc_request;

/* ---- verify_frame.c: frames, byte by byte ----------------------------------- */

struct frame {
	const uint8_t *bytes;
	uint32_t length;
};

/* What a difference of bytes can be called; the last one is NULL. */
extern const char *const frame_fields[];

/* The first field that is not the same, or NULL. `is_punt`: both begin with a punt header,
 * whose time does not count. */
const char *frame_differs(const struct frame *old, const struct frame *new, bool is_punt);
/* The same for two packets that went out by two public ends, which, and the checksums that
 * follow from them, do not count; but a checksum that is right in one must be in the other. */
const char *frame_differs_beyond_source(const struct frame *old, const struct frame *new);
/* Source of IPv4: false where there is none. `port`: host order, 0 where there is none. */
bool frame_source(const struct frame *frame, uint32_t *address_be, uint16_t *port);
/* "66 bytes, udp 10.0.0.5:4000 > 192.0.2.1:53" */
void frame_describe(const struct frame *frame, char *text, size_t size);

/* ---- verify_world.c: a program and its own maps ------------------------------- */

enum world_entry {
	WORLD_ACCESS = BNG_CAPTURE_ACCESS,
	WORLD_CORE = BNG_CAPTURE_CORE,
	WORLD_INJECT,
	WORLD_ENTRIES
};

struct packet {
	struct frame frame;
	uint32_t ifindex;
	uint8_t entry;     /* enum world_entry */
	uint16_t expected; /* 1 + the verdict that it must have the first time; 0: the old one's */
};

struct world {
	struct maps *maps; /* NULL: not open */
	int program[WORLD_ENTRIES];
	struct bng_count counts[BNG_VERDICT_COUNT]; /* after the last run */
};

struct world_result {
	unsigned verdict; /* BNG_VERDICT_COUNT: one that we do not know */
	uint32_t action, ns;
	struct frame out;
	uint8_t room[FRAME_ROOM];
};

/* The holder's shadow of a generation. 0, or -errno and what is wrong. */
int world_open(struct world *world, struct rpc_client *client, unsigned generation, char *error, size_t size);
void world_close(struct world *world);
int world_run(struct world *world, const struct packet *packet, uint64_t now_ns, struct world_result *result);
/* Whose public end it is: a session's id, 0: nobody's. */
uint64_t world_owner(const struct world *world, uint32_t public_be, uint16_t port);

/* ---- verify_capture.c: packets of the live traffic ---------------------------- */

struct packets {
	struct packet *packet;
	size_t count, max;
};

/* Captures until there are `max`, the seconds are over or *stop is set. 0 or -errno. */
int capture_packets(struct maps *maps, int ring, double seconds, const bool *stop, struct packets *packets);
void packets_done(struct packets *packets);

/* ---- verify_report.c: what differed, and whether it may ------------------------ */

enum difference_kind { DIFFERENCE_VERDICT, DIFFERENCE_BYTES, DIFFERENCE_MAP, DIFFERENCE_KINDS };

struct difference {
	enum difference_kind kind;
	char name[VERIFY_NAME];
	uint64_t count;    /* runs, or entries */
	char example[128]; /* the first one */
};

struct differences {
	struct difference item[VERIFY_DIFFERENCES];
	size_t count;
	uint64_t others; /* that found no room */
};

struct verify_result {
	struct differences differences;
	size_t golden, captured; /* packets */
	size_t elsewhere;        /* golden ones that both end otherwise here, by the machine's routes */
	size_t mended;           /* that only the new one ends as it should */
	uint64_t runs;           /* of both together */
	double log_ratio;        /* sum of the packets', new to old */
	uint64_t old_ns, new_ns; /* of all packets, the least of each */
	unsigned tries;          /* how often that was measured */
	char note[320];          /* what could not be done */
};

/* How many times as long as by the old one a packet takes by the new one. */
double verify_ratio(const struct verify_result *result);

/* One more thing that could not be done. */
__attribute__((format(printf, 2, 3))) void verify_note(struct verify_result *result, const char *format, ...);
void difference_add(struct differences *differences, enum difference_kind kind, const char *name,
		    uint64_t count, const char *example);
/* Whether it passes; `allowed`: names that may differ. If not, `reason` says why. */
bool verify_judge(const struct verify_result *result, const struct config_verify *bounds,
		  const json_t *allowed, char *reason, size_t size);
/* For the report. */
json_t *verify_json(const struct verify_result *result, const struct config_verify *bounds,
		    const json_t *allowed);
void verify_summary(const struct verify_result *result, char *text, size_t size);

/* ---- names.c: names in a request -------------------------------------------------- */

/* True after the request was refused: something of `allowed` (/allow_diff) is no difference
 * that is told apart, or a bound of the canary's is none of the object's. Both may be NULL. */
bool names_refused(struct rpc_request *request, const json_t *allowed, const json_t *canary, int object);

/* ---- verify_run.c --------------------------------------------------------------- */

/* What XDP does with a packet, by its number; the last one is NULL. */
extern const char *const action_names[];

struct pair {
	struct world old, new;
	struct world_result old_result, new_result;
	uint64_t now_ns; /* of the programs' clock */
	struct verify_result *result;
	char error[512];
};

/* One packet, VERIFY_ROUNDS times, through both. `what` names it. 0 or -errno and an error. */
int pair_run(struct pair *pair, const struct packet *packet, const char *what);
/* Both become what `live` is. */
int pair_seed(struct pair *pair, struct maps *live);
/* How much more is in each map of the new one than in the old one's. */
void pair_compare_maps(struct pair *pair);

/* ---- verify.c --------------------------------------------------------------------- */

struct verify;

/* Begins to compare two generations; NULL: out of memory. */
struct verify *verify_start(struct controld *controld, unsigned old_generation, unsigned new_generation);
bool verify_has_ended(const struct verify *verify);
/* After it has ended: 0 and the result, or -errno and what went wrong. */
int verify_outcome(const struct verify *verify, const struct verify_result **result, const char **error);
/* Ends it if need be. */
void verify_free(struct verify *verify);

#endif
