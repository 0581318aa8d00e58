/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The Configure exchange of RFC 1661, the same for LCP and IPCP: each side asks, each
 * side agrees, and when both have, the protocol is open.
 */
#include <string.h>

#include "test/emulator/ppp.h"

#define ROUNDS_MAX 10

static void request_send(struct emulator *emulator, struct subscriber *subscriber,
			 const struct ppp_protocol *protocol)
{
	struct writer options = {.length = 0};

	protocol->put(subscriber, &options);
	ppp_control(emulator, subscriber, protocol->number,
		    &(struct ppp_packet){PPP_CONFIGURE_REQUEST, protocol->negotiation(subscriber)->id,
					 options.data, options.length});
	subscriber_wait(emulator, subscriber, false);
}

static void request_anew(struct emulator *emulator, struct subscriber *subscriber,
			 const struct ppp_protocol *protocol)
{
	protocol->negotiation(subscriber)->id++;
	request_send(emulator, subscriber, protocol);
}

void negotiation_begin(struct emulator *emulator, struct subscriber *subscriber,
		       const struct ppp_protocol *protocol)
{
	*protocol->negotiation(subscriber) = (struct negotiation){.id = (uint8_t)emulator_random(emulator)};
	subscriber_go(emulator, subscriber, protocol->state);
	request_send(emulator, subscriber, protocol);
}

/* As from Ack-Rcvd: what they agreed to is asked again, too. */
void negotiation_timeout(struct emulator *emulator, struct subscriber *subscriber,
			 const struct ppp_protocol *protocol)
{
	struct negotiation *negotiation = protocol->negotiation(subscriber);

	if (!subscriber_try(emulator, subscriber, PPP_TRIES, protocol->unanswered))
		return;
	negotiation->acked = false;
	request_send(emulator, subscriber, protocol);
}

/* ---- Theirs ---------------------------------------------------------------------- */

/* The next of the options from *at; false: there is none, or it is malformed (*at is not
 * at the end then). */
static bool option_next(const struct ppp_packet *packet, size_t *at, struct ppp_option *option)
{
	size_t left = packet->length - *at;
	const uint8_t *data = packet->data + *at;

	if (left < 2 || data[1] < 2 || data[1] > left)
		return false;
	*option = (struct ppp_option){data[0], data + 2, (uint8_t)(data[1] - 2)};
	*at += data[1];
	return true;
}

static void put_option(struct writer *writer, const struct ppp_option *option)
{
	put8(writer, option->type);
	put8(writer, (uint8_t)(option->length + 2));
	put_bytes(writer, option->value, option->length);
}

/* What was settled is negotiated anew: as RFC 1661 has it for a Configure-Request in
 * state Opened, and everything above comes down with it. */
static void reopen(struct emulator *emulator, struct subscriber *subscriber,
		   const struct ppp_protocol *protocol)
{
	if (subscriber->state == STATE_UP) {
		emulator_fault(emulator, FAULT_RENEGOTIATED);
		emulator->counts.ended[END_RENEGOTIATE]++;
		subscriber->address_be = 0;
	}
	negotiation_begin(emulator, subscriber, protocol);
}

/* Rejected options first; then, if there are none, what would do instead; else agreed. */
static bool judge(struct emulator *emulator, struct subscriber *subscriber,
		  const struct ppp_protocol *protocol, const struct ppp_packet *packet,
		  struct ppp_packet *reply, struct writer *options)
{
	struct writer rejected = {.length = 0}, instead = {.length = 0};
	struct ppp_option option;
	size_t at = 0;

	while (option_next(packet, &at, &option)) {
		if (protocol->judge(emulator, subscriber, &option, &instead) == JUDGE_REJECT)
			put_option(&rejected, &option);
	}
	if (at != packet->length)
		return false;
	if (rejected.length || instead.length) {
		*options = rejected.length ? rejected : instead;
		*reply = (struct ppp_packet){rejected.length ? PPP_CONFIGURE_REJECT : PPP_CONFIGURE_NAK,
					     packet->id, options->data, options->length};
	} else {
		*reply = (struct ppp_packet){PPP_CONFIGURE_ACK, packet->id, packet->data, packet->length};
	}
	return true;
}

static void on_request(struct emulator *emulator, struct subscriber *subscriber,
		       const struct ppp_protocol *protocol, const struct ppp_packet *packet)
{
	struct negotiation *negotiation = protocol->negotiation(subscriber);
	struct ppp_packet reply;
	struct writer options;

	if (negotiation->acked && negotiation->agreed)
		reopen(emulator, subscriber, protocol);
	if (!judge(emulator, subscriber, protocol, packet, &reply, &options)) {
		emulator_fault(emulator, FAULT_PPP_OPTION);
		return;
	}
	ppp_control(emulator, subscriber, protocol->number, &reply);
	negotiation->agreed = reply.code == PPP_CONFIGURE_ACK;
	if (negotiation->agreed && negotiation->acked)
		protocol->opened(emulator, subscriber);
}

/* ---- Ours ------------------------------------------------------------------------ */

static void on_ack(struct emulator *emulator, struct subscriber *subscriber,
		   const struct ppp_protocol *protocol, const struct ppp_packet *packet)
{
	struct negotiation *negotiation = protocol->negotiation(subscriber);
	struct writer options = {.length = 0};

	protocol->put(subscriber, &options);
	if (options.length != packet->length || memcmp(options.data, packet->data, packet->length)) {
		emulator_fault(emulator, FAULT_PPP_OPTION);
		return;
	}
	if (negotiation->acked)
		return;
	negotiation->acked = true;
	if (negotiation->agreed)
		protocol->opened(emulator, subscriber);
}

static void on_correction(struct emulator *emulator, struct subscriber *subscriber,
			  const struct ppp_protocol *protocol, const struct ppp_packet *packet)
{
	struct negotiation *negotiation = protocol->negotiation(subscriber);
	struct ppp_option option;
	size_t at = 0;
	bool known = packet->length > 0;

	while (known && option_next(packet, &at, &option))
		known = protocol->correct(emulator, subscriber, &option,
					  packet->code == PPP_CONFIGURE_REJECT);
	if (!known || at != packet->length) {
		emulator_fault(emulator, FAULT_PPP_OPTION);
		return;
	}
	if (++negotiation->rounds > ROUNDS_MAX)
		subscriber_failed(emulator, subscriber, protocol->refused);
	else
		request_anew(emulator, subscriber, protocol);
}

bool negotiation_input(struct emulator *emulator, struct subscriber *subscriber,
		       const struct ppp_protocol *protocol, const struct ppp_packet *packet)
{
	const struct negotiation *negotiation = protocol->negotiation(subscriber);

	if (packet->code < PPP_CONFIGURE_REQUEST || packet->code > PPP_CONFIGURE_REJECT)
		return false;
	if (packet->code == PPP_CONFIGURE_REQUEST)
		on_request(emulator, subscriber, protocol, packet);
	else if (packet->id != negotiation->id || subscriber->state != protocol->state)
		return true; /* the reply to a request that was sent again */
	else if (packet->code == PPP_CONFIGURE_ACK)
		on_ack(emulator, subscriber, protocol, packet);
	else
		on_correction(emulator, subscriber, protocol, packet);
	return true;
}
