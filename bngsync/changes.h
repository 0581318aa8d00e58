/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The parameters of sync.publish and sync.delete: read in place, checked whole
 * before anything is done.
 */
#ifndef BNG_SYNC_CHANGES_H
#define BNG_SYNC_CHANGES_H

#include <stddef.h>

#include "lib/json_scan.h"
#include "lib/problem.h"

#define CHANGES_MAX       16384 /* records of one call */
#define CHANGES_VALUE_MAX 65536 /* bytes of one value */

struct change {
	struct json_slice key;
	struct json_slice value; /* text NULL: delete */
};

struct changes {
	struct json_slice topic; /* text NULL: the call named none */
	struct change *list;
	size_t count;
};

/* {topic, records: [{key, value}]} (value null: delete) or {topic, keys: [..]}: the slices point into
 * `text`. 0, or not 0 and a problem (then there is nothing to free). */
int changes_parse_records(const char *text, size_t length, struct changes *changes, struct problem *problem);
int changes_parse_keys(const char *text, size_t length, struct changes *changes, struct problem *problem);
void changes_done(struct changes *changes);

#endif
