/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PCP messages, see the header: one fixed layout for each opcode, then options. The
 * order of the checks is that of RFC 6887 section 8.2.
 */
#include "controld/pcp/message.h"

#include <arpa/inet.h>
#include <string.h>

#define RESPONSE_BIT 0x80
#define OPTIONAL_BIT 0x80 /* of an option's code: who does not know it goes on */

/* clang-format off */
enum layout {
	HEADER_VERSION = 0, HEADER_OPCODE = 1, HEADER_RESULT = 3, HEADER_LIFETIME = 4,
	HEADER_CLIENT = 8, /* request */
	HEADER_EPOCH = 8,  /* response */
	HEADER_SIZE = 24,
	DATA_NONCE = 24, DATA_PROTOCOL = 36, DATA_INNER_PORT = 40, DATA_PUBLIC_PORT = 42, DATA_PUBLIC = 44,
	MAP_SIZE = 60,
	PEER_PORT = 60, PEER_ADDRESS = 64,
	PEER_SIZE = 80,
	OPTION_SIZE = 4,
};
/* clang-format on */

enum option {
	OPTION_THIRD_PARTY = 1,
	OPTION_PREFER_FAILURE = 2,
	OPTION_FILTER = 3,
};

static const uint16_t sizes[PCP_OPCODES] = {
	[PCP_ANNOUNCE] = HEADER_SIZE,
	[PCP_MAP] = MAP_SIZE,
	[PCP_PEER] = PEER_SIZE,
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

bool pcp_address_v4(const struct pcp_address *address, uint32_t *address_be)
{
	memcpy(address_be, address->bytes + sizeof(v4_prefix), sizeof(*address_be));
	return !memcmp(address->bytes, v4_prefix, sizeof(v4_prefix));
}

bool pcp_address_is_any(const struct pcp_address *address)
{
	static const uint8_t none[16];
	uint32_t address_be;

	return !memcmp(address->bytes, none, sizeof(none)) ||
	       (pcp_address_v4(address, &address_be) && !address_be);
}

/* One option: THIRD_PARTY and FILTER are not offered, and PREFER_FAILURE is for a MAP
 * that asks for something (section 13.2). */
static enum pcp_result take_option(struct pcp_request *request, uint8_t code, uint16_t length)
{
	if (code != OPTION_PREFER_FAILURE)
		return code & OPTIONAL_BIT ? PCP_SUCCESS : PCP_UNSUPP_OPTION;
	if (length || request->opcode != PCP_MAP || !request->lifetime || request->prefer_failure)
		return PCP_MALFORMED_OPTION;
	request->prefer_failure = true;
	return PCP_SUCCESS;
}

static enum pcp_result parse_options(const uint8_t *data, size_t length, struct pcp_request *request)
{
	enum pcp_result result = PCP_SUCCESS;

	while (result == PCP_SUCCESS && length) {
		size_t size = OPTION_SIZE + (((size_t)get16(data + 2) + 3) & ~(size_t)3);

		if (size > length)
			return PCP_MALFORMED_OPTION;
		result = take_option(request, data[0], get16(data + 2));
		data += size;
		length -= size;
	}
	return result;
}

static void parse_data(const uint8_t *data, struct pcp_request *request)
{
	memcpy(request->nonce, data + DATA_NONCE, sizeof(request->nonce));
	request->protocol = data[DATA_PROTOCOL];
	request->inner_port = get16(data + DATA_INNER_PORT);
	request->public_port = get16(data + DATA_PUBLIC_PORT);
	memcpy(request->public_address.bytes, data + DATA_PUBLIC, 16);
	if (request->opcode == PCP_PEER) {
		request->peer_port = get16(data + PEER_PORT);
		memcpy(request->peer_address.bytes, data + PEER_ADDRESS, 16);
	}
}

/* Sections 11.1 and 12.1: what can mean nothing. */
static bool makes_sense(const struct pcp_request *request)
{
	uint32_t peer_be;

	switch (request->opcode) {
	case PCP_MAP:
		return request->protocol != PCP_PROTOCOL_ALL || !request->inner_port;
	case PCP_PEER:
		return request->protocol != PCP_PROTOCOL_ALL && request->inner_port && request->peer_port &&
		       pcp_address_v4(&request->peer_address, &peer_be) && peer_be;
	default:
		return true;
	}
}

enum pcp_result pcp_parse(const uint8_t *data, size_t length, uint32_t source_be, struct pcp_request *request)
{
	struct pcp_address client;
	uint32_t client_be;

	*request = (struct pcp_request){0};
	if (length < 2 || data[HEADER_OPCODE] & RESPONSE_BIT)
		return PCP_DROP;
	if (data[HEADER_VERSION] != PCP_VERSION)
		return PCP_UNSUPP_VERSION;
	if (length < HEADER_SIZE)
		return PCP_DROP;
	if (length > PCP_MESSAGE_MAX || length % 4)
		return PCP_MALFORMED_REQUEST;
	memcpy(client.bytes, data + HEADER_CLIENT, sizeof(client.bytes));
	if (!pcp_address_v4(&client, &client_be) || client_be != source_be)
		return PCP_ADDRESS_MISMATCH;
	if (data[HEADER_OPCODE] >= PCP_OPCODES)
		return PCP_UNSUPP_OPCODE;
	request->opcode = data[HEADER_OPCODE];
	request->lifetime = get32(data + HEADER_LIFETIME);
	if (length < sizes[request->opcode])
		return PCP_MALFORMED_REQUEST;
	if (request->opcode != PCP_ANNOUNCE)
		parse_data(data, request);
	if (!makes_sense(request))
		return PCP_MALFORMED_REQUEST;
	return parse_options(data + sizes[request->opcode], length - sizes[request->opcode], request);
}

static void put_header(uint8_t *out, uint8_t opcode, enum pcp_result result, uint32_t lifetime,
		       uint32_t epoch)
{
	memset(out, 0, HEADER_SIZE);
	out[HEADER_VERSION] = PCP_VERSION;
	out[HEADER_OPCODE] = opcode | RESPONSE_BIT;
	out[HEADER_RESULT] = (uint8_t)result;
	put32(out + HEADER_LIFETIME, lifetime);
	put32(out + HEADER_EPOCH, epoch);
}

size_t pcp_build_success(const uint8_t *data, const struct pcp_request *request,
			 const struct pcp_answer *answer, uint32_t epoch, uint8_t *out)
{
	size_t length = sizes[request->opcode];

	memcpy(out, data, length);
	put_header(out, (uint8_t)request->opcode, PCP_SUCCESS, answer->lifetime, epoch);
	if (request->opcode == PCP_ANNOUNCE)
		return length;
	memset(out + DATA_PROTOCOL + 1, 0, DATA_INNER_PORT - DATA_PROTOCOL - 1);
	put16(out + DATA_PUBLIC_PORT, answer->public_port);
	memcpy(out + DATA_PUBLIC, v4_prefix, sizeof(v4_prefix));
	memcpy(out + DATA_PUBLIC + sizeof(v4_prefix), &answer->public_be, sizeof(answer->public_be));
	if (request->prefer_failure) {
		memset(out + length, 0, OPTION_SIZE);
		out[length] = OPTION_PREFER_FAILURE;
		length += OPTION_SIZE;
	}
	return length;
}

size_t pcp_build_error(const uint8_t *data, size_t length, enum pcp_result result, uint32_t lifetime,
		       uint32_t epoch, uint8_t *out)
{
	size_t kept = length < PCP_MESSAGE_MAX ? length : PCP_MESSAGE_MAX, padded = (kept + 3) & ~(size_t)3;

	if (padded < HEADER_SIZE)
		padded = HEADER_SIZE;
	memset(out, 0, padded);
	memcpy(out, data, kept);
	put_header(out, data[HEADER_OPCODE], result, lifetime, epoch);
	return padded;
}

size_t pcp_build_announce(uint32_t epoch, uint8_t *out)
{
	put_header(out, PCP_ANNOUNCE, PCP_SUCCESS, 0, epoch);
	return HEADER_SIZE;
}

const char *pcp_result_name(enum pcp_result result)
{
	static const char *const names[PCP_RESULT_COUNT] = {
#define PCP_RESULT_NAME(name, text, seconds) text,
		PCP_RESULTS(PCP_RESULT_NAME)
#undef PCP_RESULT_NAME
	};

	return result < PCP_RESULT_COUNT ? names[result] : "dropped";
}

uint32_t pcp_error_seconds(enum pcp_result result)
{
	static const uint32_t all[PCP_RESULT_COUNT] = {
#define PCP_RESULT_SECONDS(name, text, seconds) seconds,
		PCP_RESULTS(PCP_RESULT_SECONDS)
#undef PCP_RESULT_SECONDS
	};

	return result < PCP_RESULT_COUNT ? all[result] : 0;
}
