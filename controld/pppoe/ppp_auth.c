/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Authentication: PAP (RFC 1334), CHAP with MD5 (RFC 1994) and MS-CHAPv2 (RFC 2759). Here
 * are the formats; whether a name and its proof are right is for others to say.
 *
 * A question is asked once, however often the client repeats itself; what it was told is
 * said again when it asks again. The challenge is forgotten when it has been answered.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/pppoe/ppp_run.h"

enum pap_code { PAP_REQUEST = 1, PAP_ACK, PAP_NAK };
enum chap_code { CHAP_CHALLENGE = 1, CHAP_RESPONSE, CHAP_SUCCESS, CHAP_FAILURE };

#define CHAP_MD5      5
#define CHAP_MSCHAP2  0x81
#define LCP_AUTH_TYPE 3
#define MESSAGE_MAX   200
/* RFC 2759 section 6; no second attempt on this link. */
#define MSCHAP2_REFUSED 691

static const struct method {
	const char *name;
	uint16_t protocol;
	uint8_t algorithm;     /* of CHAP */
	uint8_t response_size; /* of CHAP */
} methods[] = {
	[CREDENTIAL_LINE] = {"line", 0, 0, 0},
	[CREDENTIAL_PAP] = {"PAP", PPP_PAP, 0, 0},
	[CREDENTIAL_CHAP] = {"CHAP", PPP_CHAP, CHAP_MD5, 16},
	[CREDENTIAL_MSCHAP2] = {"MS-CHAPv2", PPP_CHAP, CHAP_MSCHAP2, 49},
};

static const struct method *method_of(const struct ppp *ppp)
{
	return &methods[ppp->auth];
}

const char *ppp_auth_name(const struct ppp *ppp)
{
	return method_of(ppp)->name;
}

uint16_t ppp_auth_protocol(const struct ppp *ppp)
{
	return method_of(ppp)->protocol;
}

/* ---- Which one ---------------------------------------------------------------------- */

static size_t put_value(const struct method *method, uint8_t *value)
{
	value[0] = (uint8_t)(method->protocol >> 8);
	value[1] = (uint8_t)method->protocol;
	value[2] = method->algorithm;
	return method->algorithm ? 3 : 2;
}

size_t ppp_auth_option(const struct ppp *ppp, uint8_t *option)
{
	if (ppp->auth == CREDENTIAL_LINE)
		return 0;
	size_t size = put_value(method_of(ppp), option + 2);
	option[0] = LCP_AUTH_TYPE;
	option[1] = (uint8_t)(size + 2);
	return size + 2;
}

static bool is_wished(const struct method *method, const uint8_t *value, size_t size)
{
	uint8_t own[3];
	size_t own_size = put_value(method, own);

	return value && size == own_size && !memcmp(value, own, size);
}

bool ppp_auth_next(struct ppp *ppp, const uint8_t *value, size_t size)
{
	uint8_t next = CREDENTIAL_LINE;

	ppp->auth_refused |= (uint8_t)(1U << ppp->auth);
	for (size_t i = 0; i < PPP_AUTHS && ppp->params.auth[i] != CREDENTIAL_LINE; i++) {
		uint8_t auth = ppp->params.auth[i];

		if (ppp->auth_refused & 1U << auth)
			continue;
		if (!next || is_wished(&methods[auth], value, size))
			next = auth;
	}
	if (next)
		ppp->auth = next;
	return next;
}

/* ---- Asking ------------------------------------------------------------------------- */

static void send_challenge(const struct ppp_run *run)
{
	const struct ppp *ppp = run->ppp;
	uint8_t data[1 + PPP_CHALLENGE + PPP_NAME_MAX];
	size_t name = strlen(ppp->params.name);

	data[0] = PPP_CHALLENGE;
	memcpy(data + 1, ppp->challenge, PPP_CHALLENGE);
	memcpy(data + 1 + PPP_CHALLENGE, ppp->params.name, name);
	ppp_send(run, PPP_CHAP, CHAP_CHALLENGE, ppp->auth_id, data, 1 + PPP_CHALLENGE + name);
}

static void ask(struct ppp_run *run, const uint8_t *response, size_t length)
{
	struct ppp *ppp = run->ppp;

	memcpy(run->challenge, ppp->challenge, PPP_CHALLENGE);
	explicit_bzero(ppp->challenge, PPP_CHALLENGE);
	run->credentials = (struct credentials){
		.kind = ppp->auth,
		.id = run->packet.id,
		.challenge = run->challenge,
		.challenge_length = ppp_auth_protocol(ppp) == PPP_CHAP ? PPP_CHALLENGE : 0,
		.response = response,
		.response_length = length,
	};
	ppp->timer_ns = 0;
	run->due |= PPP_DUE_AUTHENTICATE;
	ppp_enter(run, PPP_AUTHORISE);
}

void ppp_auth_begin(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	ppp_auth_forget(ppp);
	ppp_enter(run, PPP_AUTHENTICATE);
	if (ppp->auth == CREDENTIAL_LINE) {
		ask(run, NULL, 0);
		return;
	}
	ppp->auth_restarts = ppp->params.max_configure;
	ppp->timer_ns = run->out->now_ns;
	if (ppp_auth_protocol(ppp) == PPP_CHAP) {
		run->out->random(run->out->context, ppp->challenge, PPP_CHALLENGE);
		ppp->auth_id++;
	}
	ppp_auth_timer(run);
}

/* A challenge is sent again as it was, so that a late response to the first is good. */
void ppp_auth_timer(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	if (!ppp->auth_restarts) {
		ppp_leave(run, SESSION_END_LOST_CARRIER, "%s: no answer", ppp_auth_name(ppp));
		return;
	}
	ppp->auth_restarts--;
	ppp->timer_ns = ppp_restart_at(run);
	if (ppp_auth_protocol(ppp) == PPP_CHAP)
		send_challenge(run);
}

void ppp_auth_forget(struct ppp *ppp)
{
	explicit_bzero(ppp->challenge, sizeof(ppp->challenge));
	memset(ppp->success, 0, sizeof(ppp->success));
	memset(ppp->user, 0, sizeof(ppp->user));
}

/* ---- The answer --------------------------------------------------------------------- */

static void say(const struct ppp_run *run, bool is_good, const char *message)
{
	uint8_t data[1 + MESSAGE_MAX];
	size_t length = strnlen(message, MESSAGE_MAX);

	data[0] = (uint8_t)length;
	memcpy(data + 1, message, length);
	if (ppp_auth_protocol(run->ppp) == PPP_PAP)
		ppp_send(run, PPP_PAP, is_good ? PAP_ACK : PAP_NAK, run->ppp->auth_id, data, length + 1);
	else if (ppp_auth_protocol(run->ppp) == PPP_CHAP)
		ppp_send(run, PPP_CHAP, is_good ? CHAP_SUCCESS : CHAP_FAILURE, run->ppp->auth_id, data + 1,
			 length);
}

/* The server may offer another attempt (R=1); it would have to wait for a whole new
 * exchange, so the client is told to call again (R=0), with a challenge as the format wants. */
static void say_failure(const struct ppp_run *run, const char *mschap2, const char *message)
{
	uint8_t challenge[PPP_CHALLENGE];
	char text[MESSAGE_MAX], digits[2 * PPP_CHALLENGE + 1];
	unsigned long error = MSCHAP2_REFUSED;

	if (run->ppp->auth != CREDENTIAL_MSCHAP2) {
		say(run, false, message);
		return;
	}
	if (mschap2 && !strncmp(mschap2, "E=", 2) && isdigit((unsigned char)mschap2[2]))
		error = strtoul(mschap2 + 2, NULL, 10) % 10000;
	run->out->random(run->out->context, challenge, sizeof(challenge));
	for (size_t i = 0; i < sizeof(challenge); i++)
		snprintf(digits + 2 * i, 3, "%02X", challenge[i]);
	snprintf(text, sizeof(text), "E=%lu R=0 C=%s V=3 M=%s", error, digits, message);
	say(run, false, text);
}

static bool refuse(struct ppp_run *run, const struct ppp_verdict *verdict, enum session_end cause,
		   const char *why)
{
	say_failure(run, verdict ? verdict->mschap2 : NULL, why);
	ppp_leave(run, cause, "%s: %s", ppp_auth_name(run->ppp), why);
	return false;
}

bool ppp_auth_verdict(struct ppp_run *run, const struct ppp_verdict *verdict)
{
	struct ppp *ppp = run->ppp;
	const char *message = verdict->message ? verdict->message : "";

	if (!verdict->is_granted)
		return refuse(run, verdict, verdict->cause ? verdict->cause : SESSION_END_USER_ERROR,
			      *message ? message : "refused");
	if (!verdict->address_be)
		return refuse(run, verdict, SESSION_END_NAS_ERROR, "no address");
	if (ppp->auth == CREDENTIAL_MSCHAP2) {
		/* The client would not believe it without. */
		if (!verdict->mschap2 || strlen(verdict->mschap2) >= sizeof(ppp->success))
			return refuse(run, NULL, SESSION_END_NAS_ERROR, "no proof of the server");
		message = verdict->mschap2;
	}
	snprintf(ppp->success, sizeof(ppp->success), "%s", message);
	say(run, true, ppp->success);
	return true;
}

/* ---- Packets ------------------------------------------------------------------------ */

static size_t utf8_length(const uint8_t *at, size_t left)
{
	size_t length = *at < 0x80 ? 1 : *at >= 0xc2 && *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	if (*at < 0x20 || *at == 0x7f || (*at >= 0x80 && *at < 0xc2) || *at > 0xf4 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than needed, half of a pair, behind the last. */
	bool is_wrong = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] >= 0xa0) ||
			(*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] >= 0x90);
	return is_wrong ? 0 : length;
}

/* It goes into records and logs: text, and not too long. */
static bool take_user(struct ppp *ppp, const uint8_t *user, size_t size)
{
	size_t length;

	if (!size || size > PPP_USER_MAX)
		return false;
	for (size_t at = 0; at < size; at += length)
		if (!(length = utf8_length(user + at, size - at)))
			return false;
	memcpy(ppp->user, user, size);
	ppp->user[size] = '\0';
	return true;
}

static void take(struct ppp_run *run, const uint8_t *user, size_t user_size, const uint8_t *response,
		 size_t length)
{
	run->ppp->auth_id = run->packet.id;
	if (take_user(run->ppp, user, user_size))
		ask(run, response, length);
	else
		refuse(run, NULL, SESSION_END_USER_ERROR, "the user name is no text");
}

static void on_pap_request(struct ppp_run *run)
{
	const uint8_t *data = run->packet.data;
	size_t length = run->packet.length;

	if (length < 1 || data[0] + 2U > length || data[0] + 2U + data[data[0] + 1] > length)
		return;
	if (run->ppp->phase == PPP_AUTHENTICATE) {
		const uint8_t *password = data + data[0] + 1;

		take(run, data + 1, data[0], password + 1, password[0]);
		return;
	}
	run->ppp->auth_id = run->packet.id;
	if (run->ppp->phase >= PPP_NETWORK)
		say(run, true, run->ppp->success);
}

static void on_chap_response(struct ppp_run *run)
{
	const struct ppp *ppp = run->ppp;
	const uint8_t *data = run->packet.data;
	size_t length = run->packet.length, size = method_of(ppp)->response_size;

	if (run->packet.id != ppp->auth_id || length < 1 + size || data[0] != size)
		return;
	if (ppp->phase == PPP_AUTHENTICATE)
		take(run, data + 1 + size, length - 1 - size, data + 1, size);
	else if (ppp->phase >= PPP_NETWORK)
		say(run, true, ppp->success);
}

void ppp_auth_input(struct ppp_run *run)
{
	const struct ppp *ppp = run->ppp;

	if (run->packet.protocol != ppp_auth_protocol(ppp) || ppp->phase < PPP_AUTHENTICATE ||
	    ppp->phase == PPP_TERMINATE)
		return;
	if (run->packet.protocol == PPP_PAP && run->packet.code == PAP_REQUEST)
		on_pap_request(run);
	else if (run->packet.protocol == PPP_CHAP && run->packet.code == CHAP_RESPONSE)
		on_chap_response(run);
}
