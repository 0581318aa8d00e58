/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Digests with the shared secret, see the header.
 */
#include "controld/radius/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "controld/radius/packet.h"

struct part {
	const void *data;
	size_t length;
};

static int md5(const struct part *parts, size_t count, uint8_t digest[static RADIUS_DIGEST])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1;

	for (size_t i = 0; good && i < count; i++)
		good = EVP_DigestUpdate(context, parts[i].data, parts[i].length) == 1;
	good = good && EVP_DigestFinal_ex(context, digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	return good ? 0 : -EIO;
}

void radius_forget(void *memory, size_t size)
{
	OPENSSL_cleanse(memory, size);
}

int radius_chap(uint8_t id, const uint8_t *challenge, size_t challenge_length, const void *password,
		size_t password_length, uint8_t answer[static 16])
{
	const struct part parts[] = {{&id, 1}, {password, password_length}, {challenge, challenge_length}};

	return md5(parts, 3, answer);
}

/* RFC 2865 section 5.2: each block is masked by the digest of the secret and what was
 * sent of the block before. */
static int mask_password(uint8_t *data, size_t length, const struct radius_secret *secret, bool hide)
{
	const uint8_t *authenticator = data + RADIUS_AT_AUTHENTICATOR;
	uint8_t before[RADIUS_DIGEST], sent[RADIUS_DIGEST], mask[RADIUS_DIGEST];
	size_t size = 0;
	uint8_t *value = radius_find(data, length, RADIUS_USER_PASSWORD, &size);

	memcpy(before, authenticator, sizeof(before));
	for (size_t at = 0; value && at + RADIUS_DIGEST <= size; at += RADIUS_DIGEST) {
		const struct part parts[] = {{secret->data, secret->length}, {before, sizeof(before)}};

		if (md5(parts, 2, mask))
			return -EIO;
		memcpy(sent, value + at, sizeof(sent));
		for (size_t i = 0; i < RADIUS_DIGEST; i++)
			value[at + i] ^= mask[i];
		memcpy(before, hide ? value + at : sent, sizeof(before));
	}
	radius_forget(mask, sizeof(mask));
	return 0;
}

/* The digest that the packet should have: over it with `authenticator` in the header
 * and no Message-Authenticator. The packet is as it was afterwards. */
static int message_digest(uint8_t *data, size_t length, const uint8_t *authenticator, uint8_t *value,
			  const struct radius_secret *secret, uint8_t digest[static RADIUS_DIGEST])
{
	uint8_t header[RADIUS_DIGEST], told[RADIUS_DIGEST];
	unsigned size = 0;
	bool good;

	memcpy(header, data + RADIUS_AT_AUTHENTICATOR, sizeof(header));
	memcpy(told, value, sizeof(told));
	memcpy(data + RADIUS_AT_AUTHENTICATOR, authenticator, RADIUS_DIGEST);
	memset(value, 0, RADIUS_DIGEST);
	good = HMAC(EVP_md5(), secret->data, (int)secret->length, data, length, digest, &size);
	memcpy(data + RADIUS_AT_AUTHENTICATOR, header, sizeof(header));
	memcpy(value, told, sizeof(told));
	return good && size == RADIUS_DIGEST ? 0 : -EIO;
}

/* RFC 2865 section 3, RFC 2866 section 3: over the packet with `authenticator` in the
 * header, then the secret. */
static int packet_digest(const uint8_t *data, size_t length, const uint8_t *authenticator,
			 const struct radius_secret *secret, uint8_t digest[static RADIUS_DIGEST])
{
	const struct part parts[] = {{data, RADIUS_AT_AUTHENTICATOR},
				     {authenticator, RADIUS_DIGEST},
				     {data + RADIUS_HEADER, length - RADIUS_HEADER},
				     {secret->data, secret->length}};

	return md5(parts, 4, digest);
}

static const uint8_t no_authenticator[RADIUS_DIGEST];

/* The digest of a request and where it belongs. NULL: it cannot be made. */
static uint8_t *request_digest(uint8_t *data, size_t length, const struct radius_secret *secret,
			       uint8_t digest[static RADIUS_DIGEST])
{
	uint8_t *place = data + RADIUS_AT_AUTHENTICATOR;
	size_t size = 0;

	if (data[RADIUS_AT_CODE] == RADIUS_ACCOUNTING_REQUEST)
		return packet_digest(data, length, no_authenticator, secret, digest) ? NULL : place;
	place = radius_find(data, length, RADIUS_MESSAGE_AUTHENTICATOR, &size);
	if (!place || size != RADIUS_DIGEST ||
	    message_digest(data, length, data + RADIUS_AT_AUTHENTICATOR, place, secret, digest))
		return NULL;
	return place;
}

int radius_seal(uint8_t *data, size_t length, uint8_t id, const struct radius_secret *secret)
{
	uint8_t digest[RADIUS_DIGEST], *place;

	data[RADIUS_AT_ID] = id;
	if (RAND_bytes(data + RADIUS_AT_AUTHENTICATOR, RADIUS_DIGEST) != 1 ||
	    mask_password(data, length, secret, true))
		return -EIO;
	place = request_digest(data, length, secret, digest);
	if (!place)
		return -EIO;
	memcpy(place, digest, sizeof(digest));
	return 0;
}

int radius_open(uint8_t *data, size_t length, const struct radius_secret *secret)
{
	uint8_t digest[RADIUS_DIGEST], *place = request_digest(data, length, secret, digest);

	if (!place)
		return -EIO;
	if (CRYPTO_memcmp(place, digest, sizeof(digest)))
		return -EBADMSG;
	return mask_password(data, length, secret, false);
}

/* Which codes answer which. */
static bool is_answer(uint8_t request, uint8_t reply)
{
	if (request == RADIUS_ACCOUNTING_REQUEST)
		return reply == RADIUS_ACCOUNTING_RESPONSE;
	return reply == RADIUS_ACCESS_ACCEPT || reply == RADIUS_ACCESS_REJECT ||
	       reply == RADIUS_ACCESS_CHALLENGE;
}

/* The one Message-Authenticator, or NULL; false: it is malformed, or not the only one. */
static bool only_message_authenticator(uint8_t *data, size_t length, uint8_t **value)
{
	size_t size = 0;
	unsigned count = 0;

	for (uint8_t *at = data + RADIUS_HEADER; at < data + length; at += at[1])
		count += at[0] == RADIUS_MESSAGE_AUTHENTICATOR;
	*value = radius_find(data, length, RADIUS_MESSAGE_AUTHENTICATOR, &size);
	return count <= 1 && (!*value || size == RADIUS_DIGEST);
}

enum radius_verdict radius_verify(uint8_t *reply, size_t *length, const uint8_t *request,
				  const struct radius_secret *secret, bool need_message_authenticator)
{
	const uint8_t *asked = request + RADIUS_AT_AUTHENTICATOR;
	uint8_t digest[RADIUS_DIGEST], *value;
	size_t told = radius_length(reply, *length);

	if (!told || !only_message_authenticator(reply, told, &value))
		return RADIUS_MALFORMED;
	*length = told;
	if (!is_answer(request[RADIUS_AT_CODE], reply[RADIUS_AT_CODE]))
		return RADIUS_WRONG_CODE;
	if (packet_digest(reply, told, asked, secret, digest) ||
	    CRYPTO_memcmp(reply + RADIUS_AT_AUTHENTICATOR, digest, sizeof(digest)))
		return RADIUS_BAD_AUTHENTICATOR;
	if (value && (message_digest(reply, told, asked, value, secret, digest) ||
		      CRYPTO_memcmp(value, digest, sizeof(digest))))
		return RADIUS_BAD_AUTHENTICATOR;
	if (!value && need_message_authenticator && request[RADIUS_AT_CODE] == RADIUS_ACCESS_REQUEST)
		return RADIUS_NO_MESSAGE_AUTHENTICATOR;
	return RADIUS_GENUINE;
}

enum radius_verdict radius_verify_request(uint8_t *request, size_t *length,
					  const struct radius_secret *secret, bool need_message_authenticator)
{
	size_t told = radius_length(request, *length);
	uint8_t digest[RADIUS_DIGEST], *value;

	if (!told || !only_message_authenticator(request, told, &value))
		return RADIUS_MALFORMED;
	*length = told;
	if (packet_digest(request, told, no_authenticator, secret, digest) ||
	    CRYPTO_memcmp(request + RADIUS_AT_AUTHENTICATOR, digest, sizeof(digest)))
		return RADIUS_BAD_AUTHENTICATOR;
	if (value && (message_digest(request, told, no_authenticator, value, secret, digest) ||
		      CRYPTO_memcmp(value, digest, sizeof(digest))))
		return RADIUS_BAD_AUTHENTICATOR;
	return value || !need_message_authenticator ? RADIUS_GENUINE : RADIUS_NO_MESSAGE_AUTHENTICATOR;
}

int radius_seal_reply(uint8_t *reply, size_t length, const uint8_t *request,
		      const struct radius_secret *secret)
{
	const uint8_t *asked = request + RADIUS_AT_AUTHENTICATOR;
	uint8_t digest[RADIUS_DIGEST], *value;

	reply[RADIUS_AT_ID] = request[RADIUS_AT_ID];
	if (!only_message_authenticator(reply, length, &value))
		return -EINVAL;
	if (value && message_digest(reply, length, asked, value, secret, digest))
		return -EIO;
	if (value)
		memcpy(value, digest, sizeof(digest));
	if (packet_digest(reply, length, asked, secret, digest))
		return -EIO;
	memcpy(reply + RADIUS_AT_AUTHENTICATOR, digest, sizeof(digest));
	return 0;
}
