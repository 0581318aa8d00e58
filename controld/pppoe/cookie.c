/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A cookie is a second (of boottime, 31 bits; the highest bit says by which key) and the
 * beginning of an HMAC-SHA256.
 */
#include "controld/pppoe/cookie.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <sys/random.h>

#define SECOND_NS  1000000000ull
#define NO_KEY     2
#define KEY_SHIFT  31
#define STAMP_MASK 0x7fffffffu

void cookie_keys_turn(struct cookie_keys *keys, uint64_t now_ns)
{
	uint32_t next = keys->current == 0;
	size_t got = 0;

	if (keys->current < NO_KEY && now_ns - keys->made_ns < COOKIE_KEY_SECONDS * SECOND_NS)
		return;
	while (got < sizeof(keys->key[next])) {
		ssize_t chunk = getrandom(keys->key[next] + got, sizeof(keys->key[next]) - got, 0);

		got += chunk > 0 ? (size_t)chunk : 0;
	}
	keys->made_ns = now_ns;
	__atomic_store_n(&keys->current, next, __ATOMIC_RELEASE);
}

static void sign(const uint8_t key[static 32], uint32_t stamp, const struct session_client *client,
		 const struct pppoe_bytes *service, uint8_t digest[static 32])
{
	uint8_t text[16 + PPPOE_DISCOVERY_MAX] = {
		(uint8_t)(stamp >> 24),     (uint8_t)(stamp >> 16),
		(uint8_t)(stamp >> 8),      (uint8_t)stamp,
		(uint8_t)client->interface, (uint8_t)(client->outer_vid >> 8),
		(uint8_t)client->outer_vid, (uint8_t)(client->inner_vid >> 8),
		(uint8_t)client->inner_vid,
	};
	size_t length = service->length < PPPOE_DISCOVERY_MAX ? service->length : PPPOE_DISCOVERY_MAX;
	unsigned size = 32;

	memcpy(text + 10, client->mac, 6);
	if (length)
		memcpy(text + 16, service->data, length);
	HMAC(EVP_sha256(), key, 32, text, 16 + length, digest, &size);
}

void cookie_make(const struct cookie_keys *keys, const struct session_client *client,
		 const struct pppoe_bytes *service, uint64_t now_ns, uint8_t cookie[static COOKIE_BYTES])
{
	uint32_t stamp = ((uint32_t)(now_ns / SECOND_NS) & STAMP_MASK) | keys->current << KEY_SHIFT;
	uint8_t digest[32];

	sign(keys->key[keys->current & 1], stamp, client, service, digest);
	for (int i = 0; i < 4; i++)
		cookie[i] = (uint8_t)(stamp >> (24 - 8 * i));
	memcpy(cookie + 4, digest, COOKIE_BYTES - 4);
}

static bool is_signed(const struct cookie_keys *keys, uint32_t stamp, const struct session_client *client,
		      const struct pppoe_bytes *service, const struct pppoe_bytes *cookie)
{
	uint8_t digest[32];

	sign(keys->key[stamp >> KEY_SHIFT], stamp, client, service, digest);
	return !CRYPTO_memcmp(digest, cookie->data + 4, COOKIE_BYTES - 4);
}

bool cookie_is_good(const struct cookie_keys *keys, const struct session_client *client,
		    const struct pppoe_bytes *service, uint64_t now_ns, const struct pppoe_bytes *cookie)
{
	static const struct pppoe_bytes any = {NULL, 0};
	uint32_t stamp, age;

	if (cookie->length != COOKIE_BYTES || keys->current >= NO_KEY)
		return false;
	stamp = (uint32_t)cookie->data[0] << 24 | (uint32_t)cookie->data[1] << 16 |
		(uint32_t)cookie->data[2] << 8 | cookie->data[3];
	age = ((uint32_t)(now_ns / SECOND_NS) - stamp) & STAMP_MASK;
	if (age > COOKIE_SECONDS)
		return false;
	return is_signed(keys, stamp, client, service, cookie) ||
	       (service->length && is_signed(keys, stamp, client, &any, cookie));
}
