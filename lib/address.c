/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Strict text forms: whatever does not round-trip is refused, because an address
 * that is read differently by two programs is worse than an error.
 */
#include "lib/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int address_parse(const char *text, uint32_t *address_be)
{
	struct in_addr address;
	if (inet_pton(AF_INET, text, &address) != 1)
		return -EINVAL;
	*address_be = address.s_addr;
	return 0;
}

char *address_format(uint32_t address_be, char text[static ADDRESS_TEXT])
{
	struct in_addr address = {.s_addr = address_be};
	inet_ntop(AF_INET, &address, text, ADDRESS_TEXT);
	return text;
}

/* "0".."32" without sign, blank or leading zero. */
static int length_parse(const char *text, unsigned *length)
{
	size_t digits = strspn(text, "0123456789");
	if (digits < 1 || digits > 2 || text[digits] || (digits == 2 && text[0] == '0'))
		return -EINVAL;
	unsigned value = 0;
	for (const char *c = text; *c; c++)
		value = value * 10 + (unsigned)(*c - '0');
	if (value > 32)
		return -EINVAL;
	*length = value;
	return 0;
}

int prefix_parse(const char *text, uint32_t *first, uint32_t *last, unsigned *length)
{
	const char *slash = strchr(text, '/');
	char head[ADDRESS_TEXT];
	uint32_t address_be;
	unsigned bits;
	if (!slash || (size_t)(slash - text) >= sizeof(head) || length_parse(slash + 1, &bits))
		return -EINVAL;
	memcpy(head, text, (size_t)(slash - text));
	head[slash - text] = '\0';
	if (address_parse(head, &address_be))
		return -EINVAL;
	uint32_t host_mask = bits == 32 ? 0 : UINT32_MAX >> bits;
	uint32_t address = ntohl(address_be);
	if (address & host_mask)
		return -EINVAL;
	*first = address;
	*last = address | host_mask;
	*length = bits;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -EINVAL;
}

int mac_parse(const char *text, uint8_t mac[static 6])
{
	uint8_t bytes[6];
	if (strlen(text) != MAC_TEXT - 1)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		const char *at = text + (size_t)i * 3;
		int high = hex_digit(at[0]), low = hex_digit(at[1]);
		if (high < 0 || low < 0 || at[2] != (i == 5 ? '\0' : ':'))
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(mac, bytes, sizeof(bytes));
	return 0;
}

char *mac_format(const uint8_t mac[static 6], char text[static MAC_TEXT])
{
	snprintf(text, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return text;
}
