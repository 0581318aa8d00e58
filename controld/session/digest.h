/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The digest of all sessions and all live mappings.
 */
#ifndef BNG_CONTROLD_SESSION_DIGEST_H
#define BNG_CONTROLD_SESSION_DIGEST_H

#include <jansson.h>

struct controld;

/* {"sessions": {count, sha256}, "mappings": {count, sha256}}, or NULL: out of memory. */
json_t *session_digest(struct controld *controld);

#endif
