/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * An upgrade by way of a canary, which is the holder's: it goes on without us.
 */
#ifndef BNG_CONTROLD_ISSU_CANARY_H
#define BNG_CONTROLD_ISSU_CANARY_H

#include <jansson.h>

struct json_reader;
struct upgrade;

/* `canary` of the request, checked, or NULL. The names of bounds are the holder's to check. */
json_t *canary_read(struct json_reader *reader, const json_t *params);
/* After the swap: follows it until everybody is on the new program, or back. */
int step_canary(struct upgrade *upgrade);

#endif
