/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * MD4 (RFC 1320): MS-CHAP needs it, and OpenSSL 3 has it only where its legacy module is
 * installed. For nothing else.
 */
#ifndef BNG_CONTROLD_RADIUS_MD4_H
#define BNG_CONTROLD_RADIUS_MD4_H

#include <stddef.h>
#include <stdint.h>

#define MD4_DIGEST 16

void md4(const void *data, size_t length, uint8_t digest[static MD4_DIGEST]);

#endif
