/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Detached signatures of minisign's format: Ed25519 over the bytes ("Ed") or over
 * their BLAKE2b-512 ("ED"), and once more over that signature and its trusted comment.
 */
#ifndef BNG_LIB_SIGN_H
#define BNG_LIB_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_KEYS_MAX 8
#define SIGN_TEXT_MAX 16384 /* of a signature or a key */
#define SIGN_ID_TEXT  17    /* of a key's id, with the terminator */

struct sign_key {
	uint64_t id; /* chosen at random when the key was made: it names, and proves nothing */
	uint8_t public[32];
};

struct sign_keys {
	size_t count;
	struct sign_key key[SIGN_KEYS_MAX];
};

struct signature {
	uint64_t key_id;
	bool hashed;
	uint8_t bytes[64];
	uint8_t global[64];  /* over `bytes` and the comment */
	const char *comment; /* in the text that was parsed, no terminator */
	size_t comment_length;
};

/* The text of a public key's file, or its second line alone. NULL, or what is wrong. */
const char *sign_key_parse(const char *text, size_t length, struct sign_key *key);
/* The text of a signature's file. NULL, or what is wrong; then it is untouched. */
const char *signature_parse(const char *text, size_t length, struct signature *signature);
/* NULL: one of the keys signed these bytes and the comment. Else why that is not so. */
const char *signature_verify(const struct sign_keys *keys, const struct signature *signature,
			     const void *bytes, size_t size);
/* As minisign shows it. */
const char *sign_id_format(uint64_t id, char text[static SIGN_ID_TEXT]);

#endif
