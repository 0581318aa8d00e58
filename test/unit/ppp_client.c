/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client's side of a PPP link as a script of bytes.
 */
#include "ppp_client.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS UINT64_C(1000000)

/* ---- Who uses the engine ---------------------------------------------------------- */

static void on_random(void *context, void *bytes, size_t length)
{
	struct client *client = context;

	memset(bytes, (int)(0x11 * ++client->draws), length);
}

static void on_send(void *context, const uint8_t *frame, size_t length)
{
	struct client *client = context;

	ck_assert_uint_lt(client->sent, CLIENT_FRAMES);
	ck_assert_uint_le(length, PPP_FRAME_MAX);
	client->frames[client->sent].length = length;
	memcpy(client->frames[client->sent++].bytes, frame, length);
}

static void on_authenticate(void *context, const char *user, const struct credentials *credentials)
{
	struct client *client = context;

	client->asked++;
	snprintf(client->user, sizeof(client->user), "%s", user ? user : "(nobody)");
	client->kind = credentials->kind;
	client->id = credentials->id;
	client->challenge_length = credentials->challenge_length;
	client->response_length = credentials->response_length;
	ck_assert_uint_le(credentials->challenge_length, sizeof(client->challenge));
	memcpy(client->challenge, credentials->challenge, credentials->challenge_length);
	if (credentials->response_length)
		memcpy(client->response, credentials->response, credentials->response_length);
}

static void on_up(void *context)
{
	((struct client *)context)->up++;
}

static void on_down(void *context, enum session_end cause, const char *text)
{
	struct client *client = context;

	client->down++;
	client->cause = cause;
	snprintf(client->text, sizeof(client->text), "%s", text);
}

static void on_ended(void *context, enum session_end cause, const char *text)
{
	struct client *client = context;

	client->ended++;
	client->cause = cause;
	snprintf(client->text, sizeof(client->text), "%s", text);
}

static void on_trace(void *context, const char *text)
{
	struct client *client = context;
	size_t used = strlen(client->traced);

	snprintf(client->traced + used, sizeof(client->traced) - used, "%s\n", text);
}

struct client *client_new(const struct ppp_params *params)
{
	struct client *client = calloc(1, sizeof(*client));

	ck_assert_ptr_nonnull(client);
	client->ppp = malloc(sizeof(*client->ppp));
	ck_assert_ptr_nonnull(client->ppp);
	memset(client->ppp, 0x5a, sizeof(*client->ppp));
	client->out = (struct ppp_out){
		client, 1000 * MS, on_random, on_send, on_authenticate, on_up, on_down, on_ended, on_trace,
	};
	ppp_start(client->ppp, params, &client->out);
	return client;
}

void client_free(struct client *client)
{
	free(client->ppp);
	free(client);
}

/* Found by another process. */
static void restart(struct client *client)
{
	struct ppp *found = malloc(sizeof(*found));

	ck_assert_ptr_nonnull(found);
	memcpy(found, client->ppp, sizeof(*found));
	memset(client->ppp, 0x5a, sizeof(*client->ppp));
	free(client->ppp);
	client->ppp = found;
	ck_assert(ppp_is_whole(found) || found->phase == PPP_DEAD);
}

/* ---- The script --------------------------------------------------------------------- */

size_t client_hex(const char *text, uint8_t *bytes)
{
	size_t length = 0;
	unsigned byte;
	int used;

	for (; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
		bytes[length++] = (uint8_t)byte;
	ck_assert_msg(!text[strspn(text, " ")], "not hexadecimal: %s", text);
	return length;
}

static size_t frame_of(uint8_t *frame, uint16_t protocol, uint8_t code, uint8_t id, const char *data)
{
	size_t length = 4 + client_hex(data, frame + 6);

	frame[0] = (uint8_t)(protocol >> 8);
	frame[1] = (uint8_t)protocol;
	frame[2] = code;
	frame[3] = id;
	frame[4] = (uint8_t)(length >> 8);
	frame[5] = (uint8_t)length;
	return length + 2;
}

/* From memory of exactly its size. */
static void input(struct client *client, const uint8_t *frame, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1);

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, frame, length);
	restart(client);
	ppp_input(client->ppp, exact, length, &client->out);
	free(exact);
}

void client_says(struct client *client, uint16_t protocol, uint8_t code, uint8_t id, const char *data)
{
	uint8_t frame[4096];

	input(client, frame, frame_of(frame, protocol, code, id, data));
}

void client_says_raw(struct client *client, const char *frame)
{
	uint8_t bytes[4096];

	input(client, bytes, client_hex(frame, bytes));
}

static void print(char *text, size_t size, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length && 2 * i + 3 < size; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

void client_hears(struct client *client, uint16_t protocol, uint8_t code, uint8_t id, const char *data)
{
	uint8_t frame[4096];
	size_t length = frame_of(frame, protocol, code, id, data);
	char expected[8192] = "", found[8192] = "nothing";

	print(expected, sizeof(expected), frame, length);
	if (client->heard < client->sent)
		print(found, sizeof(found), client->frames[client->heard].bytes,
		      client->frames[client->heard].length);
	ck_assert_str_eq(found, expected);
	client->heard++;
}

void client_hears_nothing(struct client *client)
{
	char found[8192] = "nothing";

	if (client->heard < client->sent)
		print(found, sizeof(found), client->frames[client->heard].bytes,
		      client->frames[client->heard].length);
	ck_assert_str_eq(found, "nothing");
}

void client_waits(struct client *client, uint64_t ms)
{
	restart(client);
	ck_assert_uint_eq(ppp_deadline(client->ppp), client->out.now_ns + ms * MS);
	client->out.now_ns += ms * MS - 1;
	ppp_timer(client->ppp, &client->out);
	client_hears_nothing(client);
	client->out.now_ns++;
	ppp_timer(client->ppp, &client->out);
}

void client_granted(struct client *client, const char *mschap2)
{
	struct ppp_verdict verdict = {
		.is_granted = true,
		.mschap2 = mschap2,
		.address_be = htonl(0x0a000007),
		.gateway_be = htonl(0x0a000001),
		.dns_be = {htonl(0x08080808), htonl(0x01010101)},
	};

	restart(client);
	ppp_authorised(client->ppp, &verdict, &client->out);
}

void client_denied(struct client *client, const char *message, const char *mschap2, enum session_end cause)
{
	struct ppp_verdict verdict = {.message = message, .mschap2 = mschap2, .cause = cause};

	restart(client);
	ppp_authorised(client->ppp, &verdict, &client->out);
}

void client_ready(struct client *client)
{
	restart(client);
	ppp_network_ready(client->ppp, &client->out);
}

void client_closed(struct client *client, enum session_end cause, const char *why)
{
	restart(client);
	ppp_close(client->ppp, cause, why, &client->out);
}

/* ---- Stages ------------------------------------------------------------------------- */

void client_to_lcp(struct client *client)
{
	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 1, 1, "0104 05d4 0506 c0ffee00");
	client_hears(client, PPP_LCP, 2, 1, "0104 05d4 0506 c0ffee00");
	client_says(client, PPP_LCP, 2, 1, "0104 05d4 0304 c023 0506 11111111");
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_AUTHENTICATE);
}

void client_to_asked(struct client *client)
{
	client_to_lcp(client);
	client_says(client, PPP_PAP, 1, 1, "05 616c696365 06 736563726574"); /* alice, secret */
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_AUTHORISE);
	ck_assert_uint_eq(client->asked, 1);
}

void client_to_network(struct client *client)
{
	client_to_asked(client);
	client_granted(client, NULL);
	client_hears(client, PPP_PAP, 2, 1, "00");
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_NETWORK);
}

void client_to_prepare(struct client *client)
{
	client_to_network(client);
	client_says(client, PPP_IPCP, 2, 1, "0306" GATEWAY);
	ck_assert_uint_eq(client->ppp->phase, PPP_NETWORK);
	client_says(client, PPP_IPCP, 1, 1, "0306 00000000 8106 00000000 8306 00000000");
	client_hears(client, PPP_IPCP, 3, 1, "0306" ADDRESS "8106" DNS_1 "8306" DNS_2);
	client_says(client, PPP_IPCP, 1, 2, "0306" ADDRESS "8106" DNS_1 "8306" DNS_2);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_PREPARE);
	ck_assert_uint_eq(client->up, 1);
}

void client_to_open(struct client *client)
{
	client_to_prepare(client);
	client_ready(client);
	client_hears(client, PPP_IPCP, 2, 2, "0306" ADDRESS "8106" DNS_1 "8306" DNS_2);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_OPEN);
	ck_assert_uint_eq(client->ppp->ipcp.state, PPP_OPENED);
	ck_assert_uint_eq(ppp_deadline(client->ppp), 0);
	ck_assert_uint_eq(client->down + client->ended, 0);
}
