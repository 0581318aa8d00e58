/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The session that a request is about.
 */
#ifndef BNG_CONTROLD_COA_MATCH_H
#define BNG_CONTROLD_COA_MATCH_H

#include "controld/coa/request.h"
#include "controld/session/session.h"

/* COA_CAUSE_NONE and *session, or SESSION_NOT_FOUND, or SEVERAL_SESSIONS. */
enum coa_cause coa_match(struct controld *controld, const struct coa_selection *selection,
			 struct session *session);

#endif
