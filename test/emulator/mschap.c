/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * MS-CHAPv2 (RFC 2759): MD4 and DES come from OpenSSL's legacy provider.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <string.h>

#include "test/emulator/ppp.h"

#define HASH      16
#define SHA1      20
#define CHALLENGE 8

static OSSL_LIB_CTX *library;
static EVP_MD *md4;
static EVP_CIPHER *des;

static int load(void)
{
	if (des)
		return 0;
	library = OSSL_LIB_CTX_new();
	if (!library || !OSSL_PROVIDER_load(library, "legacy") || !OSSL_PROVIDER_load(library, "default"))
		return -ENOTSUP;
	md4 = EVP_MD_fetch(library, "MD4", NULL);
	des = EVP_CIPHER_fetch(library, "DES-ECB", NULL);
	return md4 && des ? 0 : -ENOTSUP;
}

/* SHA-1 of up to three pieces. */
struct piece {
	const void *data;
	size_t length;
};

static void sha1(const struct piece *pieces, size_t count, uint8_t *digest)
{
	uint8_t text[512];
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		memcpy(text + length, pieces[i].data, pieces[i].length);
		length += pieces[i].length;
	}
	EVP_Digest(text, length, digest, NULL, EVP_sha1(), NULL);
}

/* 56 bits of key spread over eight bytes; the parity bits are not looked at. */
static bool des_block(const uint8_t *key, const uint8_t *block, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint64_t bits = 0;
	uint8_t spread[8];
	int length = 0;
	bool made;

	for (int i = 0; i < 7; i++)
		bits = bits << 8 | key[i];
	for (int i = 0; i < 8; i++)
		spread[i] = (uint8_t)((bits >> (49 - 7 * i) & 0x7f) << 1);
	made = context && EVP_EncryptInit_ex2(context, des, spread, NULL, NULL) &&
	       EVP_CIPHER_CTX_set_padding(context, 0) &&
	       EVP_EncryptUpdate(context, out, &length, block, CHALLENGE) && length == CHALLENGE;
	EVP_CIPHER_CTX_free(context);
	return made;
}

static bool password_hash(const char *password, uint8_t *hash)
{
	uint8_t text[2 * NAME_MAX_LENGTH];
	size_t length = 0;

	for (; *password; password++) {
		text[length++] = (uint8_t)*password;
		text[length++] = 0;
	}
	return EVP_Digest(text, length, hash, NULL, md4, NULL);
}

static void authenticator(struct mschap2 *exchange, const uint8_t *hash, const uint8_t *challenge)
{
	static const char first[] = "Magic server to client signing constant";
	static const char second[] = "Pad to make it do more than one iteration";
	uint8_t hash_hash[HASH], digest[SHA1];

	EVP_Digest(hash, HASH, hash_hash, NULL, md4, NULL);
	sha1((struct piece[]){{hash_hash, HASH},
			      {exchange->response, sizeof(exchange->response)},
			      {first, sizeof(first) - 1}},
	     3, digest);
	sha1((struct piece[]){{digest, SHA1}, {challenge, CHALLENGE}, {second, sizeof(second) - 1}}, 3,
	     exchange->authenticator);
}

int mschap2_respond(struct mschap2 *exchange, const char *user, const char *password)
{
	uint8_t digest[SHA1], hash[21] = {0};
	int error = load();

	if (error)
		return error;
	sha1((struct piece[]){{exchange->peer_challenge, sizeof(exchange->peer_challenge)},
			      {exchange->server_challenge, sizeof(exchange->server_challenge)},
			      {user, strlen(user)}},
	     3, digest);
	if (!password_hash(password, hash))
		return -ENOTSUP;
	for (int i = 0; i < 3; i++) {
		if (!des_block(hash + 7 * i, digest, exchange->response + 8 * i))
			return -ENOTSUP;
	}
	authenticator(exchange, hash, digest);
	return 0;
}
