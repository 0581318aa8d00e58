/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who the subscriber is: PAP (RFC 1334), CHAP with MD5 (RFC 1994), MS-CHAPv2 (RFC 2759).
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "test/emulator/ppp.h"

#define MD5_LENGTH       16
#define MSCHAP2_RESPONSE 49
#define SUCCESS_TEXT     42 /* S= and 40 digits */

enum chap_code {
	CHAP_CHALLENGE = 1,
	CHAP_RESPONSE = 2,
	CHAP_SUCCESS = 3,
	CHAP_FAILURE = 4,
};

enum pap_code {
	PAP_REQUEST = 1,
	PAP_ACK = 2,
	PAP_NAK = 3,
};

enum chap_algorithm {
	ALGORITHM_MD5 = 5,
	ALGORITHM_MSCHAP2 = 0x81,
};

static const struct method {
	uint8_t method; /* enum auth */
	uint16_t protocol;
	uint8_t algorithm; /* 0: the option has none */
} methods[] = {
	{AUTH_MSCHAP2, PPP_CHAP, ALGORITHM_MSCHAP2},
	{AUTH_CHAP_MD5, PPP_CHAP, ALGORITHM_MD5},
	{AUTH_PAP, PPP_PAP, 0},
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

bool auth_accept(struct subscriber *subscriber, const struct ppp_option *option)
{
	for (size_t i = 0; i < METHODS; i++) {
		size_t length = methods[i].algorithm ? 3 : 2;
		if (!(subscriber->group->auth & methods[i].method) || option->length != length ||
		    read16(option->value) != methods[i].protocol ||
		    (methods[i].algorithm && option->value[2] != methods[i].algorithm))
			continue;
		subscriber->pppoe.auth_protocol = methods[i].protocol;
		subscriber->pppoe.auth_algorithm = methods[i].algorithm;
		return true;
	}
	return false;
}

void auth_put_preferred(const struct subscriber *subscriber, struct writer *writer)
{
	size_t i = 0;

	while (i < METHODS - 1 && !(subscriber->group->auth & methods[i].method))
		i++;
	put8(writer, 3);
	put8(writer, methods[i].algorithm ? 5 : 4);
	put16(writer, methods[i].protocol);
	if (methods[i].algorithm)
		put8(writer, methods[i].algorithm);
}

/* ---- PAP ------------------------------------------------------------------------- */

static void pap_request(struct emulator *emulator, struct subscriber *subscriber)
{
	const struct group *group = subscriber->group;
	char user[NAME_MAX_LENGTH], password[NAME_MAX_LENGTH];
	size_t user_length = subscriber_text(subscriber, group->user, user, sizeof(user));
	size_t password_length = subscriber_text(subscriber, group->password, password, sizeof(password));
	struct writer data = {.length = 0};

	put8(&data, (uint8_t)user_length);
	put_bytes(&data, user, user_length);
	put8(&data, (uint8_t)password_length);
	put_bytes(&data, password, password_length);
	ppp_control(emulator, subscriber, PPP_PAP,
		    &(struct ppp_packet){PAP_REQUEST, subscriber->pppoe.auth_id, data.data, data.length});
}

void auth_begin(struct emulator *emulator, struct subscriber *subscriber)
{
	subscriber_go(emulator, subscriber, STATE_AUTH);
	subscriber->pppoe.auth_id = (uint8_t)emulator_random(emulator);
	if (subscriber->pppoe.auth_protocol == PPP_PAP)
		pap_request(emulator, subscriber);
	subscriber_wait(emulator, subscriber, false);
}

/* With CHAP it is the server who sends again; the client only does not wait for ever. */
void auth_timeout(struct emulator *emulator, struct subscriber *subscriber)
{
	bool pap = subscriber->pppoe.auth_protocol == PPP_PAP;

	if (!subscriber_try(emulator, subscriber, PPP_TRIES, FAILURE_AUTH_UNANSWERED))
		return;
	if (pap)
		pap_request(emulator, subscriber);
	else
		emulator->counts.retransmitted--;
	subscriber_wait(emulator, subscriber, false);
}

static void auth_succeeded(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->state == STATE_AUTH)
		negotiation_begin(emulator, subscriber, &ppp_ipcp);
}

static void auth_rejected(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->state != STATE_AUTH)
		return;
	ppp_terminate(emulator, subscriber);
	subscriber_failed(emulator, subscriber, FAILURE_AUTH_REJECTED);
}

void pap_input(struct emulator *emulator, struct subscriber *subscriber, const struct ppp_packet *packet)
{
	if (subscriber->pppoe.auth_protocol != PPP_PAP ||
	    (packet->code != PAP_ACK && packet->code != PAP_NAK))
		emulator_fault(emulator, FAULT_AUTH_METHOD);
	else if (packet->length < 1 || packet->data[0] != packet->length - 1)
		emulator_fault(emulator, FAULT_AUTH_LENGTH);
	else if (packet->id != subscriber->pppoe.auth_id)
		return; /* the reply to another request */
	else if (packet->code == PAP_ACK)
		auth_succeeded(emulator, subscriber);
	else
		auth_rejected(emulator, subscriber);
}

/* ---- CHAP ------------------------------------------------------------------------ */

static bool md5_respond(uint8_t id, const char *password, const uint8_t *challenge, size_t length,
			struct writer *response)
{
	uint8_t text[1 + NAME_MAX_LENGTH + 255], digest[MD5_LENGTH];
	size_t size = strlen(password);

	text[0] = id;
	memcpy(text + 1, password, size);
	memcpy(text + 1 + size, challenge, length);
	if (!EVP_Digest(text, 1 + size + length, digest, NULL, EVP_md5(), NULL))
		return false;
	put8(response, MD5_LENGTH);
	put_bytes(response, digest, MD5_LENGTH);
	return true;
}

static bool mschap_response(struct emulator *emulator, struct subscriber *subscriber, const char *user,
			    const char *password, const uint8_t *challenge, struct writer *response)
{
	struct mschap2 exchange;

	memcpy(exchange.server_challenge, challenge, sizeof(exchange.server_challenge));
	for (size_t i = 0; i < sizeof(exchange.peer_challenge); i++)
		exchange.peer_challenge[i] = (uint8_t)emulator_random(emulator);
	if (mschap2_respond(&exchange, user, password))
		return false;
	memcpy(subscriber->pppoe.expected, exchange.authenticator, sizeof(exchange.authenticator));
	put8(response, MSCHAP2_RESPONSE);
	put_bytes(response, exchange.peer_challenge, sizeof(exchange.peer_challenge));
	put_zeros(response, 8);
	put_bytes(response, exchange.response, sizeof(exchange.response));
	put8(response, 0);
	return true;
}

static void on_challenge(struct emulator *emulator, struct subscriber *subscriber,
			 const struct ppp_packet *packet)
{
	bool mschap = subscriber->pppoe.auth_algorithm == ALGORITHM_MSCHAP2;
	size_t size = packet->length ? packet->data[0] : 0;
	char user[NAME_MAX_LENGTH], password[NAME_MAX_LENGTH];
	struct writer data = {.length = 0};
	bool made;

	if (!size || size > packet->length - 1 || (mschap && size != 16)) {
		emulator_fault(emulator, FAULT_AUTH_LENGTH);
		return;
	}
	subscriber_text(subscriber, subscriber->group->user, user, sizeof(user));
	subscriber_text(subscriber, subscriber->group->password, password, sizeof(password));
	subscriber->pppoe.auth_id = packet->id;
	if (mschap)
		made = mschap_response(emulator, subscriber, user, password, packet->data + 1, &data);
	else
		made = md5_respond(packet->id, password, packet->data + 1, size, &data);
	if (!made) {
		subscriber_failed(emulator, subscriber, FAILURE_AUTH_UNANSWERED);
		return;
	}
	put_bytes(&data, user, strlen(user));
	ppp_control(emulator, subscriber, PPP_CHAP,
		    &(struct ppp_packet){CHAP_RESPONSE, packet->id, data.data, data.length});
}

/* RFC 2759 section 5: the server proves that it knows the password, too. */
static bool server_proved(const struct subscriber *subscriber, const struct ppp_packet *packet)
{
	char text[SUCCESS_TEXT + 1] = "S=";

	if (subscriber->pppoe.auth_algorithm != ALGORITHM_MSCHAP2)
		return true;
	for (size_t i = 0; i < sizeof(subscriber->pppoe.expected); i++)
		snprintf(text + 2 + 2 * i, 3, "%02X", subscriber->pppoe.expected[i]);
	return packet->length >= SUCCESS_TEXT && !memcmp(packet->data, text, SUCCESS_TEXT);
}

void chap_input(struct emulator *emulator, struct subscriber *subscriber, const struct ppp_packet *packet)
{
	if (subscriber->pppoe.auth_protocol != PPP_CHAP) {
		emulator_fault(emulator, FAULT_AUTH_METHOD);
		return;
	}
	if (packet->code == CHAP_CHALLENGE) {
		on_challenge(emulator, subscriber, packet);
		return;
	}
	if (packet->id != subscriber->pppoe.auth_id)
		return;
	if (packet->code == CHAP_FAILURE) {
		auth_rejected(emulator, subscriber);
	} else if (packet->code != CHAP_SUCCESS) {
		emulator_fault(emulator, FAULT_PPP_CODE);
	} else if (server_proved(subscriber, packet)) {
		auth_succeeded(emulator, subscriber);
	} else {
		emulator_fault(emulator, FAULT_AUTH_SUCCESS);
		auth_rejected(emulator, subscriber);
	}
}
