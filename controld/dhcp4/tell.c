/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a client says and gets, packet by packet, for who traces it.
 */
#include "controld/session/detail.h"
#include "lib/address.h"
#include "server.h"

static const char *type_name(enum dhcp4_type type)
{
#define NAME_OF(type, name) [DHCP4_##type] = #type,
	static const char *const names[] = {DHCP4_RECEIVED(NAME_OF) DHCP4_SENT(NAME_OF)};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "message";
}

static const char *reason_name(enum dhcp4_refusal why)
{
#define REASON_OF(reason, name) [DHCP4_REFUSED_##reason] = #name,
	static const char *const names[DHCP4_REFUSAL_COUNT] = {DHCP4_REFUSALS(REASON_OF)};

	return names[why];
}

/* Of its session, or of the one that it will have; 0: none yet. */
static uint64_t session_of(const struct dhcp4_exchange *exchange)
{
	if (exchange->state == DHCP4_STATE_BOUND)
		return exchange->session.record->session_id;
	return exchange->setup ? exchange->setup->session_id : 0;
}

void dhcp4_tell_sent(const struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be)
{
	char address[ADDRESS_TEXT];

	session_tell(exchange->dhcp4->controld, session_of(exchange), &exchange->client, "DHCP: %s sent%s%s",
		     type_name(type), yiaddr_be ? ", " : "",
		     yiaddr_be ? address_format(yiaddr_be, address) : "");
}

void dhcp4_tell_received(const struct dhcp4_exchange *exchange, enum dhcp4_refusal why)
{
	session_tell(exchange->dhcp4->controld, session_of(exchange), &exchange->client, "DHCP: %s %s%s",
		     type_name(exchange->packet.message.type), why ? "refused: " : "received",
		     why ? reason_name(why) : "");
}
