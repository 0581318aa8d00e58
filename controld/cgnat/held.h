/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How many port blocks of a public address are held down. The data plane counts them as
 * they come and go; here they are counted anew, so that the number is right also after
 * a data plane has run that did not count.
 */
#ifndef BNG_CONTROLD_CGNAT_HELD_H
#define BNG_CONTROLD_CGNAT_HELD_H

#include "controld/maps/maps.h"

/* A block that comes or goes meanwhile makes it be tried again the next time. */
void held_recount(struct maps *maps);

#endif
