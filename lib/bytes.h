/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Bytes as text and back: printable ASCII as it is, anything else and '%' as %XX. What
 * people type stays readable, what machines put there is not lost.
 */
#ifndef BNG_LIB_BYTES_H
#define BNG_LIB_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* New memory; NULL: none. */
char *bytes_format(const uint8_t *bytes, size_t length);
/* New memory and *length, never NULL for the empty text. NULL: a '%' without two
 * hexadecimal digits, or no memory. */
uint8_t *bytes_parse(const char *text, size_t *length);

#endif
