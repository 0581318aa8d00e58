/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading what nobody may be shown. It leaves the document as soon as it is read: what is
 * shown in its place changes when it does, and says nothing to who does not know this
 * process's key.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/parse.h"

#define HIDDEN "(hidden"

/* "(hidden, 1f0c23ab)" */
static json_t *mark_of(const char *secret)
{
	static unsigned char key[32];
	static bool has_key;
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};

	if (!has_key)
		has_key = RAND_bytes(key, sizeof(key)) == 1;
	if (!has_key || !HMAC(EVP_sha256(), key, sizeof(key), (const unsigned char *)secret, strlen(secret),
			      digest, NULL))
		return json_string(HIDDEN ")");
	return json_sprintf(HIDDEN ", %02x%02x%02x%02x)", digest[0], digest[1], digest[2], digest[3]);
}

void config_secret(struct json_reader *reader, json_t *object, const char *member, char *secret, size_t size)
{
	json_t *value = json_enter(reader, object, member);
	const char *text = json_string_value(value);

	if (!text || !text[0] || json_string_length(value) != strlen(text) || strlen(text) >= size)
		json_reader_fail(reader, value, "must be a text of 1-%zu bytes", size - 1);
	/* Somebody made a file of what config.show says. */
	if (text && !strncmp(text, HIDDEN, strlen(HIDDEN)))
		json_reader_fail(reader, value, "must be the secret itself, not what is shown in its place");
	json_leave(reader);
	if (!json_reader_ok(reader))
		return;
	snprintf(secret, size, "%s", text);
	json_object_set_new(object, member, mark_of(text));
}

void config_secret_or_file(struct json_reader *reader, json_t *object, char *secret, size_t secret_size,
			   char *file, size_t file_size)
{
	bool is_here = json_object_get(object, "secret");
	const char *path;

	if (json_reader_ok(reader) && is_here == (json_object_get(object, "secret_file") != NULL))
		json_reader_fail(reader, NULL, "give either secret or secret_file");
	if (is_here) {
		config_secret(reader, object, "secret", secret, secret_size);
		return;
	}
	path = config_string(reader, object, "secret_file", NULL);
	if (path && (path[0] != '/' || strlen(path) >= file_size)) {
		json_reader_fail(reader, json_enter(reader, object, "secret_file"),
				 "must be an absolute path, not too long");
		json_leave(reader);
	} else if (path) {
		snprintf(file, file_size, "%s", path);
	}
}
