/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of the PPP engine: the input is what happens to one link, frame by frame.
 * Whatever it is: what is kept stays whole, what is sent is well formed and fits, a
 * network goes down as often as it was up, an end is the end, and a link that nobody
 * speaks to any more comes to one or stays open: none is forgotten in between.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/pppoe/ppp_run.h"

#define SECRET "a secret of some length"

static struct {
	unsigned up, down, ended;
	uint8_t draws;
	struct ppp *ppp;
} seen;

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void on_random(void *context, void *bytes, size_t length)
{
	(void)context;
	memset(bytes, ++seen.draws, length);
}

static void on_send(void *context, const uint8_t *frame, size_t length)
{
	(void)context;
	must(length >= 6 && length <= PPP_FRAME_MAX && length <= 2U + seen.ppp->mtu);
	must((size_t)(frame[4] << 8 | frame[5]) == length - 2);
	must(!seen.ended);
}

static void on_authenticate(void *context, const char *user, const struct credentials *credentials)
{
	(void)context;
	must(seen.ppp->phase == PPP_AUTHORISE);
	must(!user == (credentials->kind == CREDENTIAL_LINE));
	/* A password is kept nowhere; that somebody is called so is nobody's secret. */
	must((user && strstr(user, SECRET)) || !memmem(seen.ppp, sizeof(*seen.ppp), SECRET, strlen(SECRET)));
	must(!seen.ended);
}

static void on_up(void *context)
{
	(void)context;
	must(seen.ppp->phase == PPP_PREPARE && seen.up == seen.down && !seen.ended);
	seen.up++;
}

static void on_down(void *context, enum session_end cause, const char *text)
{
	(void)context;
	must(cause && *text && seen.up == seen.down + 1 && !seen.ended);
	seen.down++;
}

static void on_ended(void *context, enum session_end cause, const char *text)
{
	(void)context;
	must(cause && *text && !seen.ended && seen.ppp->phase == PPP_DEAD);
	seen.ended++;
}

static void on_trace(void *context, const char *text)
{
	(void)context;
	must(strlen(text) < 160);
}

static struct ppp_out out = {NULL,  1,       on_random, on_send, on_authenticate,
			     on_up, on_down, on_ended,  on_trace};

static void check(const struct ppp *ppp)
{
	bool is_open = ppp->phase == PPP_OPEN && ppp->ipcp.state == PPP_OPENED;

	must(ppp->phase == PPP_DEAD || ppp_is_whole(ppp));
	must((ppp->phase == PPP_DEAD) == (seen.ended == 1));
	must(!ppp_deadline(ppp) == (is_open || ppp->phase == PPP_DEAD));
	must((ppp->phase == PPP_PREPARE || ppp->phase == PPP_OPEN) == (seen.up == seen.down + 1));
}

static void verdict(struct ppp *ppp, bool is_granted, uint8_t shape)
{
	struct ppp_verdict verdict = {
		.is_granted = is_granted,
		.message = shape & 1 ? "hello" : NULL,
		.mschap2 = shape & 2 ? "S=0123456789ABCDEF0123456789ABCDEF01234567" : "E=691 R=1",
		.address_be = shape & 4 ? 0 : 0x0100000a,
		.gateway_be = shape & 8 ? 0 : 0x0200000a,
		.dns_be = {shape & 16 ? 0 : 0x08080808, shape & 32 ? 0 : 0x01010101},
	};

	ppp_authorised(ppp, &verdict, &out);
}

/* In memory of exactly its size. */
static void frame(struct ppp *ppp, const uint8_t *data, size_t length)
{
	uint8_t *exact = malloc(length ? length : 1);

	must(exact);
	memcpy(exact, data, length);
	ppp_input(ppp, exact, length, &out);
	free(exact);
}

/* One step: what, how long or in which shape, and for a frame its bytes. What it took. */
static size_t step(struct ppp *ppp, const uint8_t *data, size_t size)
{
	size_t length = data[1];

	switch (data[0] % 7) {
	case 0:
		out.now_ns += data[1] * UINT64_C(100000000);
		ppp_timer(ppp, &out);
		return 2;
	case 1:
		verdict(ppp, true, data[1]);
		return 2;
	case 2:
		verdict(ppp, false, data[1]);
		return 2;
	case 3:
		ppp_network_ready(ppp, &out);
		return 2;
	case 4:
		/* Who closes knows that the network is down. */
		seen.down = ppp->phase == PPP_DEAD || ppp->phase == PPP_TERMINATE ? seen.down : seen.up;
		ppp_close(ppp, SESSION_END_ADMIN_RESET, "closed", &out);
		return 2;
	default:
		length = length < size - 2 ? length : size - 2;
		frame(ppp, data + 2, length);
		return 2 + length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ppp_params params = {.name = "bng"};
	struct ppp *ppp = malloc(sizeof(*ppp));

	must(ppp);
	memset(&seen, 0, sizeof(seen));
	seen.ppp = ppp;
	if (size < 3)
		size = 0;
	for (size_t i = 0; i < PPP_AUTHS && size; i++)
		params.auth[i] = data[i] % 4;
	out.now_ns = 1;
	ppp_start(ppp, &params, &out);
	for (size_t at = 3; at + 2 <= size; at += step(ppp, data + at, size - at))
		check(ppp);
	for (unsigned i = 0; ppp_deadline(ppp); i++) {
		check(ppp);
		must(i < 100);
		out.now_ns = ppp_deadline(ppp);
		ppp_timer(ppp, &out);
	}
	check(ppp);
	free(ppp);
	return 0;
}
