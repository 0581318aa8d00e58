/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Options are copied one by one, Option 82 goes last; see the header.
 */
#include "relayed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define HOPS_MAX    16
#define ENTERPRISE  32473u /* packaging/radius/dictionary.holdfast */
#define LAYOUT      1      /* of what our sub-option holds */
#define OWN_BYTES   (4 + 1 + 1 + sizeof(struct relayed_client) + 1)
#define OWN_CIRCUIT 1 /* the circuit id is ours */

enum sub_option {
	SUB_CIRCUIT_ID = 1,
	SUB_LINK_SELECTION = 5,
	SUB_VENDOR = 9, /* RFC 4243 */
};

_Static_assert(sizeof(struct relayed_client) == 16, "part of a layout, no padding");

struct agent {
	uint8_t data[DHCP4_OPTION_MAX];
	size_t used;
	bool full;
};

static void agent_put(struct agent *agent, uint8_t code, const void *data, size_t length)
{
	if (agent->used + 2 + length > sizeof(agent->data)) {
		agent->full = true;
		return;
	}
	agent->data[agent->used] = code;
	agent->data[agent->used + 1] = (uint8_t)length;
	memcpy(agent->data + agent->used + 2, data, length);
	agent->used += 2 + length;
}

/* Ours: enterprise, length, layout, whose it is, whether the circuit id is ours, too. */
static void agent_put_own(struct agent *agent, const struct relayed_client *from, bool own_circuit)
{
	uint8_t own[OWN_BYTES];
	uint32_t enterprise_be = htonl(ENTERPRISE);

	memcpy(own, &enterprise_be, 4);
	own[4] = (uint8_t)(OWN_BYTES - 5);
	own[5] = LAYOUT;
	memcpy(own + 6, from, sizeof(*from));
	own[OWN_BYTES - 1] = own_circuit ? OWN_CIRCUIT : 0;
	agent_put(agent, SUB_VENDOR, own, sizeof(own));
}

static bool is_own(const uint8_t *sub)
{
	uint32_t enterprise_be = htonl(ENTERPRISE);

	return sub[0] == SUB_VENDOR && sub[1] == OWN_BYTES && !memcmp(sub + 2, &enterprise_be, 4) &&
	       sub[2 + 4] == OWN_BYTES - 5 && sub[2 + 5] == LAYOUT;
}

/* The sub-option at *at; NULL at the end, or where they are malformed. */
static const uint8_t *sub_next(const struct dhcp4_bytes *option, size_t *at)
{
	const uint8_t *sub = option->data + *at;

	if (option->length - *at < 2 || sub[1] > option->length - *at - 2u)
		return NULL;
	*at += 2u + sub[1];
	return sub;
}

int relayed_identify(const struct dhcp4_message *reply, struct relayed_client *to)
{
	const uint8_t *sub;
	size_t at = 0;

	while ((sub = sub_next(&reply->relay_agent, &at)))
		if (is_own(sub)) {
			memcpy(to, sub + 2 + 6, sizeof(*to));
			return to->tags <= 2 && !memcmp(to->client.mac, reply->header.chaddr, 6) ? 0
												 : -EBADMSG;
		}
	return -EBADMSG;
}

/* What is changed on the way. */
struct changes {
	uint32_t server_be;
	uint32_t lease_be;
	bool has_server; /* it is written */
	bool has_lease;
};

static bool is_changed(uint8_t code)
{
	return code == DHCP4_OPTION_RELAY_AGENT || code == DHCP4_OPTION_SERVER_ID ||
	       code == DHCP4_OPTION_LEASE_TIME;
}

static bool put_once(struct dhcp4_writer *writer, uint8_t code, uint32_t value_be, bool *has)
{
	bool had = *has;

	*has = true;
	return had || dhcp4_put_be32(writer, code, value_be);
}

static bool copy_option(const uint8_t *option, struct changes *changes, struct dhcp4_writer *writer)
{
	switch (option[0]) {
	case DHCP4_OPTION_RELAY_AGENT:
		return true;
	case DHCP4_OPTION_SERVER_ID:
		return put_once(writer, option[0], changes->server_be, &changes->has_server);
	case DHCP4_OPTION_LEASE_TIME:
		return put_once(writer, option[0], changes->lease_be, &changes->has_lease);
	default:
		return dhcp4_put(writer, option[0], option + 2, option[1]);
	}
}

/* In fields of the header that hold options, too, none is left of what is changed: as these have been
 * parsed, they are whole. */
static void clear_area(uint8_t *area, size_t length)
{
	for (size_t at = 0, size; at < length && area[at] != DHCP4_OPTION_END; at += size) {
		size = area[at] == DHCP4_OPTION_PAD ? 1 : 2u + area[at + 1];
		if (is_changed(area[at]))
			memset(area + at, DHCP4_OPTION_PAD, size);
	}
}

static void clear_overloaded(struct dhcp4_message *message)
{
	if (message->overload & DHCP4_OVERLOAD_FILE)
		clear_area(message->header.file, sizeof(message->header.file));
	if (message->overload & DHCP4_OVERLOAD_SNAME)
		clear_area(message->header.sname, sizeof(message->header.sname));
}

/* The options behind the header, but Option 82. False: malformed, or they do not fit. */
static bool copy_options(const uint8_t *data, size_t length, struct changes *changes,
			 struct dhcp4_writer *writer)
{
	size_t at = sizeof(struct dhcp4_header);

	while (at < length && data[at] != DHCP4_OPTION_END) {
		if (data[at] == DHCP4_OPTION_PAD) {
			at++;
			continue;
		}
		if (length - at < 2 || data[at + 1] > length - at - 2 ||
		    !copy_option(data + at, changes, writer))
			return false;
		at += 2u + data[at + 1];
	}
	return true;
}

/* The whole message but Option 82. False: malformed, or it does not fit. */
static bool copy_message(const uint8_t *data, size_t length, struct dhcp4_message *message,
			 struct changes *changes, struct dhcp4_writer *writer, uint8_t *out)
{
	clear_overloaded(message);
	dhcp4_writer_init(writer, &message->header, out, RELAYED_MAX);
	return copy_options(data, length, changes, writer) &&
	       (!message->server_id_be ||
		put_once(writer, DHCP4_OPTION_SERVER_ID, changes->server_be, &changes->has_server)) &&
	       (!message->lease_seconds ||
		put_once(writer, DHCP4_OPTION_LEASE_TIME, changes->lease_be, &changes->has_lease));
}

size_t relayed_up(const uint8_t *data, size_t length, const struct relayed_client *from,
		  const struct relayed_way *way, uint8_t out[static RELAYED_MAX])
{
	struct changes changes = {.server_be = way->server_be};
	struct dhcp4_message message;
	struct dhcp4_writer writer;
	struct agent agent = {0};
	bool keeps;

	if (dhcp4_message_parse(data, length, &message) || message.header.hops >= HOPS_MAX)
		return 0;
	keeps = way->keeps_line && message.relay_agent.length;
	message.header.hops++;
	message.header.giaddr_be = way->giaddr_be;
	changes.lease_be = htonl(message.lease_seconds);
	if (!copy_message(data, length, &message, &changes, &writer, out))
		return 0;
	if (keeps) {
		memcpy(agent.data, message.relay_agent.data, message.relay_agent.length);
		agent.used = message.relay_agent.length;
	} else {
		agent_put(&agent, SUB_CIRCUIT_ID, way->circuit, strlen(way->circuit));
	}
	if (way->giaddr_be != way->router_be)
		agent_put(&agent, SUB_LINK_SELECTION, &way->router_be, 4);
	agent_put_own(&agent, from, !keeps);
	if (agent.full || !dhcp4_put(&writer, DHCP4_OPTION_RELAY_AGENT, agent.data, agent.used))
		return 0;
	return dhcp4_writer_finish(&writer);
}

/* What an access node put there. */
static void agent_without_ours(const struct dhcp4_bytes *option, struct agent *agent)
{
	bool own_circuit = false;
	const uint8_t *sub;

	for (size_t at = 0; (sub = sub_next(option, &at));)
		own_circuit |= is_own(sub) && sub[2 + OWN_BYTES - 1] == OWN_CIRCUIT;
	for (size_t at = 0; (sub = sub_next(option, &at));)
		if (!is_own(sub) && sub[0] != SUB_LINK_SELECTION &&
		    !(own_circuit && sub[0] == SUB_CIRCUIT_ID))
			agent_put(agent, sub[0], sub + 2, sub[1]);
}

size_t relayed_down(const uint8_t *data, size_t length, uint32_t router_be, uint32_t lease_max,
		    uint8_t out[static RELAYED_MAX])
{
	struct changes changes = {.server_be = router_be};
	struct dhcp4_message message;
	struct dhcp4_writer writer;
	struct agent agent = {0};

	if (dhcp4_message_parse(data, length, &message))
		return 0;
	agent_without_ours(&message.relay_agent, &agent);
	changes.lease_be = htonl(message.lease_seconds < lease_max ? message.lease_seconds : lease_max);
	if (!copy_message(data, length, &message, &changes, &writer, out) ||
	    (agent.used && !dhcp4_put(&writer, DHCP4_OPTION_RELAY_AGENT, agent.data, agent.used)))
		return 0;
	return dhcp4_writer_finish(&writer);
}
