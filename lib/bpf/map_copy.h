/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One map made equal to another that nobody writes meanwhile.
 */
#ifndef BNG_LIB_MAP_COPY_H
#define BNG_LIB_MAP_COPY_H

#include <stdint.h>

/* Hash or LPM trie, keys and values of the same sizes; what `to` had is gone. Read back and
 * compared: 0 and how many entries there are, or -errno (-EILSEQ: it is not the same). */
int map_copy(int from, int to, uint64_t *entries);

#endif
