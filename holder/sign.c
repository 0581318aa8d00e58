/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which objects may be loaded: with --key, those that one of the keys signed. What is
 * looked at are the bytes that will be loaded, read once, whatever becomes of the file.
 * A key that cannot be read is one less that is accepted, never a reason to accept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "holder/holder.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/rpc.h"

void sign_add_key(struct holder *holder, const char *path)
{
	struct sign_keys *keys = &holder->signing.keys;
	char *text = NULL;
	holder->signing.required = true;
	int error = file_read_text(path, SIGN_TEXT_MAX, &text);
	const char *wrong = error ? strerror(-error)
			    : keys->count == SIGN_KEYS_MAX
				    ? "there are too many keys"
				    : sign_key_parse(text, strlen(text), &keys->key[keys->count]);
	if (wrong)
		log_error("--key %s: %s: nothing signed by it is accepted", path, wrong);
	else
		keys->count++;
	free(text);
}

static json_t *key_ids(const struct holder *holder)
{
	char id[SIGN_ID_TEXT];
	json_t *list = json_array();
	for (size_t i = 0; i < holder->signing.keys.count; i++)
		json_array_append_new(list, json_string(sign_id_format(holder->signing.keys.key[i].id, id)));
	return list;
}

static int refuse_unsigned(struct holder *holder, const char *wrong, const struct signature *signature,
			   struct problem *problem)
{
	char id[SIGN_ID_TEXT], accepted[SIGN_KEYS_MAX * (SIGN_ID_TEXT + 1) + 8] = "";
	for (size_t i = 0; i < holder->signing.keys.count; i++) {
		strcat(accepted, i ? ", " : "");
		strcat(accepted, sign_id_format(holder->signing.keys.key[i].id, id));
	}
	sign_id_format(signature ? signature->key_id : 0, id);
	holder->signing.refused++;
	refuse(problem, RPC_NOT_PERMITTED,
	       json_pack("{s:o, s:s*}", "accepted", key_ids(holder), "signed_by", signature ? id : NULL),
	       "%s (%s%s%saccepted: %s)", wrong, signature ? "signed by " : "", signature ? id : "",
	       signature ? "; " : "", accepted[0] ? accepted : "no key, none could be read");
	log_warning("%s", problem->text);
	holder_event(holder, json_pack("{s:s, s:s}", "type", "signature_refused", "reason", problem->text));
	return -EPERM;
}

int sign_check(struct holder *holder, const struct stage_order *order, const char *bytes, size_t size,
	       json_t **signed_by, struct problem *problem)
{
	struct signature signature;
	char id[SIGN_ID_TEXT];
	const char *text = order->signature;
	if (!holder->signing.required) {
		if (text)
			log_notice("%s: its signature is not looked at: no key is configured (--key)",
				   order->name);
		holder->signing.ignored += text != NULL;
		*signed_by = json_pack("{s:s}", "state", text ? "ignored" : "none");
		return 0;
	}
	if (!text)
		return refuse_unsigned(holder, "it is not signed", NULL, problem);
	const char *wrong = signature_parse(text, strlen(text), &signature);
	if (wrong)
		return refuse_unsigned(holder, wrong, NULL, problem);
	wrong = signature_verify(&holder->signing.keys, &signature, bytes, size);
	if (wrong)
		return refuse_unsigned(holder, wrong, &signature, problem);
	holder->signing.good++;
	*signed_by =
		json_pack("{s:s, s:s, s:s%}", "state", "good", "key", sign_id_format(signature.key_id, id),
			  "comment", signature.comment, signature.comment_length);
	return 0;
}

json_t *sign_status(const struct holder *holder)
{
	return json_pack("{s:b, s:o, s:I, s:I, s:I}", "required", holder->signing.required, "keys",
			 key_ids(holder), "good", (json_int_t)holder->signing.good, "refused",
			 (json_int_t)holder->signing.refused, "ignored", (json_int_t)holder->signing.ignored);
}
