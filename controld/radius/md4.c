/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * MD4: three rounds of sixteen steps over blocks of sixteen little-endian words.
 */
#include "controld/radius/md4.h"

#include <string.h>

#define BLOCK     64
#define AT_LENGTH 56 /* of the last block: the message's length in bits */

static uint32_t rotate(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

static uint32_t mix(unsigned round, uint32_t x, uint32_t y, uint32_t z)
{
	switch (round) {
	case 0:
		return (x & y) | (~x & z);
	case 1:
		return (x & y) | (x & z) | (y & z);
	default:
		return x ^ y ^ z;
	}
}

static void take_block(uint32_t state[static 4], const uint8_t *block)
{
	static const uint32_t constants[] = {0, 0x5a827999, 0x6ed9eba1};
	static const uint8_t shifts[][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
	static const uint8_t order[][16] = {
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15},
		{0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15},
	};
	uint32_t words[16], now[4];

	for (unsigned i = 0; i < 16; i++)
		words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
			   (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
	memcpy(now, state, sizeof(now));
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 16; i++) {
			/* Each step changes one of the four, the one before the last step's. */
			uint32_t *a = &now[(16 - i) % 4];
			uint32_t b = now[(17 - i) % 4], c = now[(18 - i) % 4], d = now[(19 - i) % 4];

			*a = rotate(*a + mix(round, b, c, d) + words[order[round][i]] + constants[round],
				    shifts[round][i % 4]);
		}
	for (unsigned i = 0; i < 4; i++)
		state[i] += now[i];
}

void md4(const void *data, size_t length, uint8_t digest[static MD4_DIGEST])
{
	uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	uint8_t last[2 * BLOCK] = {0};
	size_t whole = length - length % BLOCK, rest = length - whole;
	size_t size = rest < AT_LENGTH ? BLOCK : 2 * BLOCK;
	uint64_t bits = (uint64_t)length * 8;

	for (size_t at = 0; at < whole; at += BLOCK)
		take_block(state, (const uint8_t *)data + at);
	if (rest)
		memcpy(last, (const uint8_t *)data + whole, rest);
	last[rest] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		last[size - BLOCK + AT_LENGTH + i] = (uint8_t)(bits >> (8 * i));
	for (size_t at = 0; at < size; at += BLOCK)
		take_block(state, last + at);
	for (unsigned i = 0; i < MD4_DIGEST; i++)
		digest[i] = (uint8_t)(state[i / 4] >> (8 * (i % 4)));
	explicit_bzero(last, sizeof(last));
}
