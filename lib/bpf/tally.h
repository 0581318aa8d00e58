/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What became of packets: a per-CPU array of {packets, bytes}, both 64 bits, whose index
 * is an enumerator of a type that the object's BTF names.
 */
#ifndef BNG_LIB_TALLY_H
#define BNG_LIB_TALLY_H

#include <stdint.h>

#define TALLY_MAX  256
#define TALLY_NAME 48

struct tally {
	struct tally_count {
		uint64_t packets, bytes;
	} of[TALLY_MAX];
};

/* "BNG_DROP_TTL" is "drop_ttl"; "": no enumerator has this value. */
typedef char tally_names[TALLY_MAX][TALLY_NAME];

struct btf;
/* 0 or -ENOENT. */
int tally_read_names(const struct btf *btf, const char *enumeration, const char *prefix, tally_names names);
/* Sums over the CPUs; 0 or -errno. */
int tally_read(int map, struct tally *tally);
/* What was counted between two readings. */
void tally_between(const struct tally *from, const struct tally *to, struct tally *difference);
/* Of one kind of packets (its name begins so), or of all (""). */
struct tally_count tally_sum(const struct tally *tally, const tally_names names, const char *kind);

#endif
