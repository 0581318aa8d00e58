/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * An object loaded with maps of its own that are as large as others which are pinned.
 */
#ifndef BNG_LIB_SHADOW_H
#define BNG_LIB_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/problem.h"

struct bpf_object;
struct rpc_call;

/* `folder`: pinned maps, by name; what is to be pinned by name gets the size of the one
 * there. Of the programs those among `names` are loaded, others only if a program array
 * begins with one. NULL and a problem, or the object, for bpf_object__close. */
struct bpf_object *shadow_load(const char *bytes, size_t size, const char *folder, const json_t *names,
			       struct problem *problem);
/* Sends descriptors of maps and programs, and their names as the result. One that the object
 * has not is left out (`optional`), or refused. */
int shadow_send(struct rpc_call *call, const struct bpf_object *object, const json_t *names, bool optional);

#endif
