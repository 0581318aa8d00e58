/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Arbitrary bytes as a signature and as a key. Whatever is accepted is a signature
 * that the one key made over "holdfast", and there are only two.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sign/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key_text[] = "RWQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47wq";
static const char *const comments[] = {"legacy one", "timestamp:1795294417\tfile:m\thashed"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sign_keys keys = {.count = 1};
	struct sign_key key;
	struct signature signature;
	if (sign_key_parse(key_text, strlen(key_text), &keys.key[0]))
		abort();
	sign_key_parse((const char *)data, size, &key);
	if (signature_parse((const char *)data, size, &signature))
		return 0;
	if (signature.comment < (const char *)data ||
	    signature.comment + signature.comment_length > (const char *)data + size)
		abort();
	if (signature_verify(&keys, &signature, "holdfast", 8))
		return 0;
	const char *comment = comments[signature.hashed];
	if (signature.comment_length != strlen(comment) ||
	    memcmp(signature.comment, comment, strlen(comment)))
		abort();
	return 0;
}
