/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The message: a fixed header and options, which may continue in its `file` and
 * `sname` fields (option 52). One table says how long an option must be and
 * where it is kept; options it does not name are skipped.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define COOKIE      0x63825363u
#define MESSAGE_MIN 300 /* BOOTP, RFC 951 */

/* An option's bytes while parsing; parts of one option are joined (RFC 3396). */
struct collected {
	struct dhcp4_bytes type;
	struct dhcp4_bytes overload;
	struct dhcp4_bytes requested;
	struct dhcp4_bytes server_id;
	struct dhcp4_bytes max_size;
	struct dhcp4_bytes lease;
};

struct option_rule {
	uint8_t option;
	uint8_t min;
	uint8_t max;
	struct dhcp4_bytes *bytes;
};

#define RULES 9

static void rules_init(struct option_rule rules[static RULES], struct collected *collected,
		       struct dhcp4_message *message)
{
	const struct option_rule table[RULES] = {
		{DHCP4_OPTION_TYPE, 1, 1, &collected->type},
		{DHCP4_OPTION_OVERLOAD, 1, 1, &collected->overload},
		{DHCP4_OPTION_REQUESTED_ADDRESS, 4, 4, &collected->requested},
		{DHCP4_OPTION_SERVER_ID, 4, 4, &collected->server_id},
		{DHCP4_OPTION_MAX_SIZE, 2, 2, &collected->max_size},
		{DHCP4_OPTION_LEASE_TIME, 4, 4, &collected->lease},
		{DHCP4_OPTION_PARAMETERS, 1, DHCP4_OPTION_MAX, &message->parameters},
		{DHCP4_OPTION_CLIENT_ID, 2, DHCP4_OPTION_MAX, &message->client_id},
		{DHCP4_OPTION_RELAY_AGENT, 1, DHCP4_OPTION_MAX, &message->relay_agent},
	};

	memcpy(rules, table, sizeof(table));
	for (size_t i = 0; i < RULES; i++)
		rules[i].bytes->length = 0;
}

static int collect(const struct option_rule rules[static RULES], uint8_t option, const uint8_t *data,
		   size_t length)
{
	for (size_t i = 0; i < RULES; i++) {
		struct dhcp4_bytes *bytes = rules[i].bytes;
		if (rules[i].option != option)
			continue;
		if (bytes->length + length > rules[i].max)
			return -EBADMSG;
		memcpy(bytes->data + bytes->length, data, length);
		bytes->length = (uint16_t)(bytes->length + length);
	}
	return 0;
}

/* One area of options; it ends with the end option or with the area. */
static int parse_area(const struct option_rule rules[static RULES], const uint8_t *data, size_t length)
{
	size_t at = 0;

	while (at < length && data[at] != DHCP4_OPTION_END) {
		if (data[at] == DHCP4_OPTION_PAD) {
			at++;
			continue;
		}
		if (length - at < 2 || data[at + 1] > length - at - 2)
			return -EBADMSG;
		int err = collect(rules, data[at], data + at + 2, data[at + 1]);
		if (err)
			return err;
		at += 2u + data[at + 1];
	}
	return 0;
}

static int parse_overloaded(const struct option_rule rules[static RULES], const struct dhcp4_header *header,
			    uint8_t overload)
{
	int err = 0;

	if (overload > (DHCP4_OVERLOAD_FILE | DHCP4_OVERLOAD_SNAME))
		return -EBADMSG;
	if (overload & DHCP4_OVERLOAD_FILE)
		err = parse_area(rules, header->file, sizeof(header->file));
	if (!err && overload & DHCP4_OVERLOAD_SNAME)
		err = parse_area(rules, header->sname, sizeof(header->sname));
	return err;
}

static bool lengths_are_right(const struct option_rule rules[static RULES])
{
	for (size_t i = 0; i < RULES; i++)
		if (rules[i].bytes->length && rules[i].bytes->length < rules[i].min)
			return false;
	return true;
}

static uint32_t address_of(const struct dhcp4_bytes *bytes)
{
	uint32_t address_be = 0;

	if (bytes->length)
		memcpy(&address_be, bytes->data, sizeof(address_be));
	return address_be;
}

int dhcp4_message_parse(const uint8_t *data, size_t length, struct dhcp4_message *message)
{
	struct dhcp4_header *header = &message->header;
	struct option_rule rules[RULES];
	struct collected collected;

	if (length < sizeof(*header))
		return -EBADMSG;
	memcpy(header, data, sizeof(*header));
	if (ntohl(header->cookie_be) != COOKIE)
		return -EBADMSG;
	rules_init(rules, &collected, message);
	int err = parse_area(rules, data + sizeof(*header), length - sizeof(*header));
	message->overload = collected.overload.length ? collected.overload.data[0] : 0;
	if (!err && message->overload)
		err = parse_overloaded(rules, header, message->overload);
	if (err || !lengths_are_right(rules))
		return -EBADMSG;

	message->type = collected.type.length ? collected.type.data[0] : DHCP4_NONE;
	message->requested_be = address_of(&collected.requested);
	message->server_id_be = address_of(&collected.server_id);
	message->lease_seconds = ntohl(address_of(&collected.lease));
	message->max_size = 0;
	if (collected.max_size.length)
		message->max_size = (uint16_t)(collected.max_size.data[0] << 8 | collected.max_size.data[1]);
	return 0;
}

void dhcp4_writer_init(struct dhcp4_writer *writer, const struct dhcp4_header *header, uint8_t *data,
		       size_t size)
{
	struct dhcp4_header first = *header;

	first.cookie_be = htonl(COOKIE);
	memcpy(data, &first, sizeof(first));
	*writer = (struct dhcp4_writer){data, sizeof(first), size};
}

bool dhcp4_put(struct dhcp4_writer *writer, uint8_t option, const void *data, size_t length)
{
	size_t end_option = 1;

	if (length > DHCP4_OPTION_MAX || writer->used + 2 + length + end_option > writer->size)
		return false;
	writer->data[writer->used] = option;
	writer->data[writer->used + 1] = (uint8_t)length;
	memcpy(writer->data + writer->used + 2, data, length);
	writer->used += 2 + length;
	return true;
}

bool dhcp4_put_be32(struct dhcp4_writer *writer, uint8_t option, uint32_t value_be)
{
	return dhcp4_put(writer, option, &value_be, sizeof(value_be));
}

size_t dhcp4_writer_finish(struct dhcp4_writer *writer)
{
	writer->data[writer->used++] = DHCP4_OPTION_END;
	if (writer->used < MESSAGE_MIN) {
		memset(writer->data + writer->used, 0, MESSAGE_MIN - writer->used);
		writer->used = MESSAGE_MIN;
	}
	return writer->used;
}
