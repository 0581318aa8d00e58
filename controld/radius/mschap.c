/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * MS-CHAPv2, see the header. DES is Triple-DES with one key three times: that one is in
 * OpenSSL's default module.
 */
#include "controld/radius/mschap.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "controld/radius/md4.h"

#define PASSWORD_UNITS 256 /* RFC 2759 section 8.3 */
#define SHA1_DIGEST    20
#define DES_KEY        7
#define DES_BLOCK      8

/* ---- The password --------------------------------------------------------------------- */

/* One character of UTF-8; 0 at what is none. */
static uint32_t next_character(const uint8_t **at)
{
	uint32_t character = **at;
	unsigned more = character < 0x80 ? 0 : character >> 5 == 6 ? 1 : character >> 4 == 14 ? 2 : 3;
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

	if ((more == 3 && character >> 3 != 30))
		return 0;
	if (more)
		character &= 0x3fu >> more;
	for (unsigned i = 1; i <= more; i++) {
		if ((*at)[i] >> 6 != 2)
			return 0;
		character = character << 6 | ((*at)[i] & 0x3fu);
	}
	*at += 1 + more;
	return character < least[more] || character > 0x10ffff || character >> 11 == 27 ? 0 : character;
}

static void put_unit(uint8_t *units, size_t index, uint32_t unit)
{
	units[2 * index] = (uint8_t)unit;
	units[2 * index + 1] = (uint8_t)(unit >> 8);
}

/* NtPasswordHash: MD4 of the password in UTF-16, little-endian. */
static int hash_password(const char *password, uint8_t hash[static MD4_DIGEST])
{
	uint8_t units[2 * PASSWORD_UNITS];
	const uint8_t *at = (const uint8_t *)password;
	size_t count = 0;

	while (*at) {
		uint32_t character = next_character(&at);

		if (!character || count + 2 > PASSWORD_UNITS)
			return -EINVAL;
		if (character >= 0x10000) {
			put_unit(units, count++, 0xd800 + ((character - 0x10000) >> 10));
			character = 0xdc00 + ((character - 0x10000) & 0x3ff);
		}
		put_unit(units, count++, character);
	}
	md4(units, 2 * count, hash);
	OPENSSL_cleanse(units, sizeof(units));
	return 0;
}

/* ---- Digests ------------------------------------------------------------------------------ */

struct part {
	const void *data;
	size_t length;
};

static int sha1(const struct part *parts, size_t count, uint8_t digest[static SHA1_DIGEST])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = EVP_DigestUpdate(context, parts[i].data, parts[i].length) == 1;
	good = good && EVP_DigestFinal_ex(context, digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	return good ? 0 : -EIO;
}

static int hash_challenge(const char *user, const uint8_t *challenge, const uint8_t *peer_challenge,
			  uint8_t hash[static SHA1_DIGEST])
{
	const char *domain = strchr(user, '\\');
	const char *name = domain ? domain + 1 : user;
	const struct part parts[] = {
		{peer_challenge, MSCHAP_CHALLENGE}, {challenge, MSCHAP_CHALLENGE}, {name, strlen(name)}};

	return sha1(parts, 3, hash);
}

/* 56 bits of key; the lowest bit of each byte is parity, which nobody looks at. */
static int des(const uint8_t key[static DES_KEY], const uint8_t clear[static DES_BLOCK],
	       uint8_t secret[static DES_BLOCK])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t spread[3 * DES_BLOCK], out[2 * DES_BLOCK];
	uint64_t bits = 0;
	int length = 0;
	bool good;

	for (unsigned i = 0; i < DES_KEY; i++)
		bits = bits << 8 | key[i];
	for (unsigned i = 0; i < sizeof(spread); i++)
		spread[i] = (uint8_t)(bits >> (49 - 7 * (i % DES_BLOCK)) << 1);
	good = context && EVP_EncryptInit_ex(context, EVP_des_ede3_ecb(), NULL, spread, NULL) == 1 &&
	       EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
	       EVP_EncryptUpdate(context, out, &length, clear, DES_BLOCK) == 1 && length == DES_BLOCK;
	if (good)
		memcpy(secret, out, DES_BLOCK);
	EVP_CIPHER_CTX_free(context);
	OPENSSL_cleanse(spread, sizeof(spread));
	return good ? 0 : -EIO;
}

int mschap_respond(const char *user, const char *password, const uint8_t challenge[static MSCHAP_CHALLENGE],
		   const uint8_t peer_challenge[static MSCHAP_CHALLENGE],
		   uint8_t response[static MSCHAP_RESPONSE])
{
	uint8_t keys[3 * DES_KEY] = {0}, hash[SHA1_DIGEST];
	int failure = hash_password(password, keys);

	if (!failure)
		failure = hash_challenge(user, challenge, peer_challenge, hash);
	for (unsigned i = 0; !failure && i < 3; i++)
		failure = des(keys + DES_KEY * i, hash, response + DES_BLOCK * i);
	OPENSSL_cleanse(keys, sizeof(keys));
	return failure;
}

int mschap_prove(const char *user, const char *password, const uint8_t challenge[static MSCHAP_CHALLENGE],
		 const uint8_t peer_challenge[static MSCHAP_CHALLENGE],
		 const uint8_t response[static MSCHAP_RESPONSE], char proof[static MSCHAP_PROOF])
{
	static const char first[] = "Magic server to client signing constant";
	static const char second[] = "Pad to make it do more than one iteration";
	uint8_t password_hash[MD4_DIGEST] = {0}, twice[MD4_DIGEST], digest[SHA1_DIGEST], hash[SHA1_DIGEST];
	int failure = hash_password(password, password_hash);

	md4(password_hash, sizeof(password_hash), twice);
	const struct part to_digest[] = {
		{twice, sizeof(twice)}, {response, MSCHAP_RESPONSE}, {first, sizeof(first) - 1}};
	const struct part to_proof[] = {
		{digest, sizeof(digest)}, {hash, DES_BLOCK}, {second, sizeof(second) - 1}};
	if (!failure)
		failure = sha1(to_digest, 3, digest);
	if (!failure)
		failure = hash_challenge(user, challenge, peer_challenge, hash);
	if (!failure)
		failure = sha1(to_proof, 3, digest);
	OPENSSL_cleanse(password_hash, sizeof(password_hash));
	OPENSSL_cleanse(twice, sizeof(twice));
	if (failure)
		return failure;
	snprintf(proof, MSCHAP_PROOF, "S=");
	for (unsigned i = 0; i < SHA1_DIGEST; i++)
		snprintf(proof + 2 + 2 * i, 3, "%02X", digest[i]);
	return 0;
}

void mschap_add(struct radius_builder *builder, uint8_t id, const uint8_t *challenge, size_t challenge_length,
		const uint8_t answer[static MSCHAP_ANSWER])
{
	/* Ident, Flags, Peer-Challenge, Reserved, Response */
	uint8_t value[2 + MSCHAP_ANSWER - 1] = {id, answer[MSCHAP_ANSWER - 1]};

	memcpy(value + 2, answer, MSCHAP_ANSWER - 1);
	radius_add_vendor(builder, MSCHAP_VENDOR, MSCHAP_CHALLENGE_TYPE, challenge, challenge_length);
	radius_add_vendor(builder, MSCHAP_VENDOR, MSCHAP2_RESPONSE_TYPE, value, sizeof(value));
}
