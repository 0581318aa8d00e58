/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * IPv4 addresses, prefixes and MACs as text. Names ending in _be are network
 * byte order, everything else is host byte order. Parsers accept the whole
 * string or return -EINVAL and leave the output untouched.
 */
#ifndef BNG_LIB_ADDRESS_H
#define BNG_LIB_ADDRESS_H

#include <stdint.h>

#define ADDRESS_TEXT 16
#define MAC_TEXT     18

int address_parse(const char *text, uint32_t *address_be);
char *address_format(uint32_t address_be, char text[static ADDRESS_TEXT]);

/* "a.b.c.d/n" with 0 <= n <= 32; host bits set are refused. */
int prefix_parse(const char *text, uint32_t *first, uint32_t *last, unsigned *length);

int mac_parse(const char *text, uint8_t mac[static 6]);
char *mac_format(const uint8_t mac[static 6], char text[static MAC_TEXT]);

#endif
