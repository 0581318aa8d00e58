/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an object file says of itself, in its BTF: read without loading anything.
 */
#ifndef BNG_CONTROLD_MAPS_OBJECT_H
#define BNG_CONTROLD_MAPS_OBJECT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct bpf_object;
struct btf;

struct maps_object {
	struct bpf_object *object;
	const struct btf *btf;
	void *data;
	size_t size;
};

/* False: it is no object, or has no BTF; there is nothing to close. */
bool maps_object_open(struct maps_object *opened, int file);
void maps_object_close(struct maps_object *opened);

/* Names of its verdicts, as the holder's canary has them ("drop_ttl"); empty where there
 * are none. */
json_t *maps_object_verdicts(int file);

#endif
