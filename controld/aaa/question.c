/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From a question to an Access-Request.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controld/aaa/aaa.h"
#include "controld/config/aaa.h"
#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/radius/mschap.h"
#include "controld/radius/seal.h"
#include "controld/radius/subscriber.h"
#include "lib/address.h"

#define CHAP_ANSWER 16

const struct config_aaa_access *question_access(const struct config *config, uint8_t kind)
{
	return kind == BNG_SESSION_PPPOE ? &config->aaa.pppoe : &config->aaa.ipoe;
}

/* ---- The name ------------------------------------------------------------------------- */

/* As it is if it is text, else in hexadecimal digits; false: there is none, or no room. */
static bool put_id(char *text, size_t size, const uint8_t *id, size_t length)
{
	bool is_text = true;
	size_t used = 0;

	for (size_t i = 0; i < length; i++)
		is_text = is_text && id[i] >= ' ' && id[i] < 0x7f;
	if (!id || !length || (is_text ? length : 2 * length) >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		used += (size_t)snprintf(text + used, size - used, is_text ? "%c" : "%02x", id[i]);
	return true;
}

static bool put_part(const struct controld *controld, const struct authorise_question *question,
		     enum user_part part, char *text, size_t size)
{
	const struct session_client *client = &question->client;
	const struct session_line *line = &question->line;
	char word[ADDRESS_TEXT + MAC_TEXT];

	switch (part) {
	case USER_MAC:
		return snprintf(text, size, "%s", mac_format(client->mac, word)) < (int)size;
	case USER_INTERFACE:
		return snprintf(text, size, "%s", names_interface(controld, client->interface)) < (int)size;
	case USER_OUTER_VID:
		return snprintf(text, size, "%u", client->outer_vid) < (int)size;
	case USER_INNER_VID:
		return snprintf(text, size, "%u", client->inner_vid) < (int)size;
	case USER_CIRCUIT_ID:
		return put_id(text, size, line->circuit_id, line->circuit_id_length);
	case USER_REMOTE_ID:
		return put_id(text, size, line->remote_id, line->remote_id_length);
	case USER_ADDRESS:
		return question->address_be &&
		       snprintf(text, size, "%s", address_format(question->address_be, word)) < (int)size;
	case USER_PARTS_COUNT:
		break;
	}
	return false;
}

static int make_user(const struct controld *controld, const struct authorise_question *question,
		     const char *format, char user[static AAA_USER_TEXT])
{
	size_t used = 0;

	while (*format) {
		if (used + 1 >= AAA_USER_TEXT)
			return -EINVAL;
		if (format[0] != '%' || format[1] != '{') {
			user[used++] = *format++;
			user[used] = '\0';
			continue;
		}
		if (!put_part(controld, question, config_user_part(&format), user + used,
			      AAA_USER_TEXT - used))
			return -EINVAL;
		used += strlen(user + used);
	}
	return 0;
}

int question_user(const struct controld *controld, const struct authorise_question *question,
		  char user[static AAA_USER_TEXT], const char **why)
{
	user[0] = '\0';
	if (question->user && strlen(question->user) < AAA_USER_TEXT) {
		snprintf(user, AAA_USER_TEXT, "%s", question->user);
		return 0;
	}
	*why = question->user ? "the user's name is longer than 253 bytes"
			      : "its line does not tell what /aaa/ipoe/username is made of";
	return question->user ? -EINVAL
			      : make_user(controld, question, controld->config->aaa.ipoe.user, user);
}

/* ---- The request ------------------------------------------------------------------------ */

static bool add_line(struct radius_builder *builder, const struct authorise_question *question,
		     const char *password)
{
	(void)question;
	radius_add_password(builder, password, strlen(password));
	return true;
}

static bool add_pap(struct radius_builder *builder, const struct authorise_question *question,
		    const char *password)
{
	(void)password;
	if (question->credentials.response_length > RADIUS_PASSWORD_MAX)
		return false;
	radius_add_password(builder, question->credentials.response, question->credentials.response_length);
	return true;
}

static bool add_chap(struct radius_builder *builder, const struct authorise_question *question,
		     const char *password)
{
	const struct credentials *credentials = &question->credentials;
	uint8_t answer[1 + CHAP_ANSWER] = {credentials->id};

	(void)password;
	if (credentials->response_length != CHAP_ANSWER || !credentials->challenge_length ||
	    credentials->challenge_length > RADIUS_VALUE_MAX)
		return false;
	memcpy(answer + 1, credentials->response, CHAP_ANSWER);
	radius_add(builder, RADIUS_CHAP_PASSWORD, answer, sizeof(answer));
	radius_add(builder, RADIUS_CHAP_CHALLENGE, credentials->challenge, credentials->challenge_length);
	return true;
}

static bool add_mschap2(struct radius_builder *builder, const struct authorise_question *question,
			const char *password)
{
	const struct credentials *credentials = &question->credentials;

	(void)password;
	if (credentials->response_length != MSCHAP_ANSWER ||
	    credentials->challenge_length != MSCHAP_CHALLENGE)
		return false;
	mschap_add(builder, credentials->id, credentials->challenge, credentials->challenge_length,
		   credentials->response);
	return true;
}

static bool (*const proofs[AAA_METHODS])(struct radius_builder *builder,
					 const struct authorise_question *question, const char *password) = {
	[CREDENTIAL_LINE] = add_line,
	[CREDENTIAL_PAP] = add_pap,
	[CREDENTIAL_CHAP] = add_chap,
	[CREDENTIAL_MSCHAP2] = add_mschap2,
};

/* radius.test asks about nobody's line. */
static void add_subscriber(const struct controld *controld, struct radius_builder *builder,
			   const struct authorise_question *question)
{
	char session[RADIUS_SESSION_ID_TEXT];

	if (question->client.interface)
		radius_add_subscriber(controld, builder, &question->client);
	else
		radius_add_integer(builder, RADIUS_SERVICE_TYPE, RADIUS_SERVICE_FRAMED);
	radius_add_line(builder, &question->line);
	if (question->session_id)
		radius_add_text(builder, RADIUS_ACCT_SESSION_ID,
				radius_session_id(question->session_id, session));
	if (question->address_be)
		radius_add(builder, RADIUS_FRAMED_IP_ADDRESS, &question->address_be,
			   sizeof(question->address_be));
}

size_t question_build(const struct controld *controld, const struct authorise_question *question,
		      const char *user, uint8_t *packet, size_t size, const char **why)
{
	const struct config_aaa_access *access = question_access(controld->config, question->kind);
	struct radius_builder builder;
	size_t length;

	radius_begin(&builder, packet, size, RADIUS_ACCESS_REQUEST);
	radius_add_text(&builder, RADIUS_USER_NAME, user);
	if (!proofs[question->credentials.kind](&builder, question,
						access->password[0] ? access->password : user)) {
		*why = "its password, challenge or answer has a wrong length";
		return 0;
	}
	radius_add_nas(controld, &builder);
	add_subscriber(controld, &builder, question);
	length = radius_end(&builder);
	if (!length)
		*why = "name, password and line do not fit into a request";
	return length;
}
