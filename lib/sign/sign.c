/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Two base64 lines between two comments. Nothing that was signed is looked at before
 * the signature holds, the trusted comment neither.
 */
#include "lib/sign/sign.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define KEY_BYTES       (2 + 8 + 32) /* algorithm, id, key */
#define SIGNATURE_BYTES (2 + 8 + 64)
#define UNTRUSTED       "untrusted comment: "
#define TRUSTED         "trusted comment: "

struct line {
	const char *text;
	size_t length;
};

/* The next line, without its end. False: there is none. */
static bool next_line(const char **at, const char *end, struct line *line)
{
	if (*at == end)
		return false;
	const char *stop = memchr(*at, '\n', (size_t)(end - *at));
	line->text = *at;
	line->length = (size_t)((stop ? stop : end) - *at);
	*at = stop ? stop + 1 : end;
	if (line->length && line->text[line->length - 1] == '\r')
		line->length--;
	return true;
}

static bool begins(const struct line *line, const char *prefix)
{
	return line->length >= strlen(prefix) && !memcmp(line->text, prefix, strlen(prefix));
}

/* Base64 of exactly `size` bytes, padded, no bit more than needed. */
static bool decode(const struct line *line, uint8_t *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t full = (size * 4 + 2) / 3, at = 0;
	uint32_t bits = 0, held = 0;
	if (line->length != (size + 2) / 3 * 4)
		return false;
	for (size_t i = 0; i < line->length; i++) {
		const char *digit = memchr(digits, line->text[i], 64);
		if (i >= full ? line->text[i] != '=' : !digit)
			return false;
		if (i >= full)
			continue;
		bits = (bits << 6 | (uint32_t)(digit - digits)) & 0xffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[at++] = (uint8_t)(bits >> held);
		}
	}
	return !(bits & ((1u << held) - 1));
}

static uint64_t read_id(const uint8_t *bytes)
{
	uint64_t id = 0;
	for (size_t i = 8; i > 0; i--)
		id = id << 8 | bytes[i - 1];
	return id;
}

const char *sign_key_parse(const char *text, size_t length, struct sign_key *key)
{
	const char *at = text, *end = text + length;
	uint8_t bytes[KEY_BYTES];
	struct line line;
	bool found = next_line(&at, end, &line);
	if (found && begins(&line, UNTRUSTED))
		found = next_line(&at, end, &line);
	if (!found || !decode(&line, bytes, sizeof(bytes)))
		return "it is no public key of minisign (56 characters of base64, after a comment or alone)";
	if (next_line(&at, end, &line))
		return "something follows the key";
	if (memcmp(bytes, "Ed", 2))
		return "its algorithm is not Ed25519";
	key->id = read_id(bytes + 2);
	memcpy(key->public, bytes + 10, sizeof(key->public));
	return NULL;
}

static bool is_printable(const struct line *line)
{
	for (size_t i = 0; i < line->length; i++) {
		if ((unsigned char)line->text[i] < ' ' && line->text[i] != '\t')
			return false;
	}
	return true;
}

const char *signature_parse(const char *text, size_t length, struct signature *signature)
{
	const char *at = text, *end = text + length;
	uint8_t bytes[SIGNATURE_BYTES], global[64];
	struct line line;
	if (length > SIGN_TEXT_MAX || !next_line(&at, end, &line) || !begins(&line, UNTRUSTED))
		return "it is no signature of minisign: line 1 must begin with \"" UNTRUSTED "\"";
	if (!next_line(&at, end, &line) || !decode(&line, bytes, sizeof(bytes)))
		return "line 2 of the signature must be 100 characters of base64";
	if (bytes[0] != 'E' || (bytes[1] != 'd' && bytes[1] != 'D'))
		return "line 2 of the signature: its algorithm is neither Ed nor ED (Ed25519)";
	struct line comment = {0};
	if (!next_line(&at, end, &comment) || !begins(&comment, TRUSTED) || !is_printable(&comment))
		return "line 3 of the signature must begin with \"" TRUSTED "\" and be text";
	if (!next_line(&at, end, &line) || !decode(&line, global, sizeof(global)))
		return "line 4 of the signature must be 88 characters of base64";
	if (next_line(&at, end, &line))
		return "something follows line 4 of the signature";
	*signature = (struct signature){.key_id = read_id(bytes + 2), .hashed = bytes[1] == 'D'};
	memcpy(signature->bytes, bytes + 10, sizeof(signature->bytes));
	memcpy(signature->global, global, sizeof(global));
	signature->comment = comment.text + strlen(TRUSTED);
	signature->comment_length = comment.length - strlen(TRUSTED);
	return NULL;
}

static bool holds(const struct sign_key *key, const uint8_t signature[static 64], const void *bytes,
		  size_t size)
{
	EVP_PKEY *public =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->public, sizeof(key->public));
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = public && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
		    EVP_DigestVerify(context, signature, 64, bytes, size) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(public);
	return good;
}

static bool bytes_hold(const struct sign_key *key, const struct signature *signature, const void *bytes,
		       size_t size)
{
	uint8_t hash[64];
	unsigned length = 0;
	if (!signature->hashed)
		return holds(key, signature->bytes, bytes, size);
	return EVP_Digest(bytes, size, hash, &length, EVP_blake2b512(), NULL) == 1 &&
	       length == sizeof(hash) && holds(key, signature->bytes, hash, sizeof(hash));
}

static bool comment_holds(const struct sign_key *key, const struct signature *signature)
{
	uint8_t text[64 + SIGN_TEXT_MAX];
	memcpy(text, signature->bytes, 64);
	memcpy(text + 64, signature->comment, signature->comment_length);
	return holds(key, signature->global, text, 64 + signature->comment_length);
}

const char *signature_verify(const struct sign_keys *keys, const struct signature *signature,
			     const void *bytes, size_t size)
{
	const char *wrong = "it was signed by a key that is not accepted";
	/* Two keys may have the same id. */
	for (size_t i = 0; i < keys->count; i++) {
		const struct sign_key *key = &keys->key[i];
		if (key->id != signature->key_id)
			continue;
		if (!bytes_hold(key, signature, bytes, size))
			wrong = "the signature is not of this file: one of them was changed";
		else if (!comment_holds(key, signature))
			wrong = "the trusted comment of the signature was changed";
		else
			return NULL;
	}
	return wrong;
}

const char *sign_id_format(uint64_t id, char text[static SIGN_ID_TEXT])
{
	snprintf(text, SIGN_ID_TEXT, "%" PRIX64, id);
	return text;
}
