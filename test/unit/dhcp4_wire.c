/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A client's view of the wire: requests built and replies read without the code under
 * test.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dhcp4_double.h"

static uint32_t address_be(const char *text)
{
	return text ? inet_addr(text) : 0;
}

struct bytes {
	uint8_t *at;
};

static void add(struct bytes *bytes, const void *data, size_t length)
{
	memcpy(bytes->at, data, length);
	bytes->at += length;
}

static void add_hex(struct bytes *bytes, const char *hex)
{
	for (unsigned byte; hex && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*bytes->at++ = (uint8_t)byte;
}

static void add_address_option(struct bytes *bytes, uint8_t code, const char *text)
{
	uint32_t value_be = address_be(text);

	if (!text)
		return;
	add(bytes, (uint8_t[]){code, 4}, 2);
	add(bytes, &value_be, 4);
}

static uint16_t sum16(const uint8_t *data, size_t length, uint64_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? data[i] : (uint64_t)data[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint64_t pseudo_sum(const uint8_t *ip, size_t udp_length)
{
	return sum16(ip + 12, 8, 17 + udp_length);
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t message_build(const struct request *request, uint8_t *message)
{
	struct bytes bytes = {message + 240};
	uint32_t ciaddr = address_be(request->ciaddr), giaddr = address_be(request->giaddr);

	memset(message, 0, 300);
	memcpy(message, "\x01\x01\x06\x00\x12\x34\x56\x78", 8);
	set16(message + 10, request->flags);
	memcpy(message + 12, &ciaddr, 4);
	memcpy(message + 24, &giaddr, 4);
	message[28] = 2;
	message[33] = request->chaddr ? request->chaddr : request->mac;
	memcpy(message + 236, "\x63\x82\x53\x63", 4);
	if (request->type)
		add(&bytes, (uint8_t[]){53, 1, (uint8_t)request->type}, 3);
	add_address_option(&bytes, 50, request->requested);
	add_address_option(&bytes, 54, request->server);
	add_hex(&bytes, request->options);
	*bytes.at++ = 255;
	return (size_t)(bytes.at - message) < 300 ? 300 : (size_t)(bytes.at - message);
}

size_t request_build(const struct request *request, uint8_t frame[static 2048])
{
	struct bytes bytes = {frame};
	uint8_t message[1024];
	size_t length = message_build(request, message);
	uint32_t source = address_be(request->ciaddr);
	uint32_t destination = request->destination ? address_be(request->destination) : 0xffffffff;

	add_hex(&bytes, request->unicast_mac ? "0200000000fe" : "ffffffffffff");
	add(&bytes, (uint8_t[]){2, 0, 0, 0, 0, request->mac}, 6);
	if (!request->untagged)
		add_hex(&bytes, "88a8e064"
				"81000007");
	add_hex(&bytes, "0800");
	uint8_t *ip = bytes.at;
	add_hex(&bytes, "4500"
			"0000"
			"0000"
			"0000"
			"4011"
			"0000");
	add(&bytes, &source, 4);
	add(&bytes, &destination, 4);
	set16(ip + 2, (uint16_t)(28 + length));
	set16(ip + 10, (uint16_t)~sum16(ip, 20, 0));
	uint8_t *udp = bytes.at;
	add_hex(&bytes, "00440043"
			"0000"
			"0000");
	set16(udp + 4, (uint16_t)(8 + length));
	add(&bytes, message, length);
	if (!request->no_udp_checksum)
		set16(udp + 6, (uint16_t)~sum16(udp, 8 + length, pseudo_sum(ip, 8 + length)));
	return (size_t)(bytes.at - frame);
}

/* ---- Reading a reply ------------------------------------------------------------------ */

static char text[4096];

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - used, format, arguments);
	va_end(arguments);
}

static const char *dotted(const uint8_t *at)
{
	static char out[4][16];
	static unsigned turn;
	char *here = out[turn++ % 4];

	sprintf(here, "%u.%u.%u.%u", at[0], at[1], at[2], at[3]);
	return here;
}

static void say_options(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != 255) {
		ck_assert(at + 2 + at[1] <= end);
		say(" %u=", at[0]);
		for (unsigned i = 0; i < at[1]; i++)
			say("%02x", at[2 + i]);
		at += 2 + at[1];
	}
	ck_assert_msg(at < end, "no end option");
	while (++at < end)
		ck_assert_uint_eq(*at, 0);
}

const char *answer(void)
{
	const uint8_t *at = world.frame;

	text[0] = '\0';
	if (!world.length)
		return "none";
	ck_assert(memcmp(at + 6, "\x02\0\0\0\0\xfe", 6) == 0);
	say("%s", at[0] == 0xff ? "all" : "client");
	if (at[0] != 0xff)
		ck_assert(memcmp(at, "\x02\0\0\0\0", 5) == 0);
	for (at += 12; at[0] != 0x08; at += 4)
		say(" %02x%02x:%02x%02x", at[0], at[1], at[2], at[3]);
	const uint8_t *ip = at + 2, *udp = ip + 20, *message = udp + 8;
	size_t ip_length = (size_t)ip[2] << 8 | ip[3], udp_length = (size_t)udp[4] << 8 | udp[5];
	ck_assert_ptr_eq(ip + ip_length, world.frame + world.length);
	ck_assert_uint_eq(udp_length + 20, ip_length);
	ck_assert_uint_eq(sum16(ip, 20, 0), 0xffff);
	ck_assert_uint_eq(sum16(udp, udp_length, pseudo_sum(ip, udp_length)), 0xffff);
	ck_assert(memcmp(message, "\x02\x01\x06\x00\x12\x34\x56\x78\0\0", 10) == 0);
	ck_assert(memcmp(message + 28, "\x02\0\0\0\0", 5) == 0);
	ck_assert(memcmp(message + 236, "\x63\x82\x53\x63", 4) == 0);
	say(" %s:%u>%s:%u", dotted(ip + 12), udp[0] << 8 | udp[1], dotted(ip + 16), udp[2] << 8 | udp[3]);
	say(" flags %02x%02x ci %s yi %s", message[10], message[11], dotted(message + 12),
	    dotted(message + 16));
	say_options(message + 240, udp + udp_length);
	return text;
}

/* ---- Another server ----------------------------------------------------------------- */

const uint8_t *message_option(const uint8_t *message, size_t length, uint8_t code)
{
	for (size_t at = 240; at + 2 <= length && message[at] != 255;
	     at += message[at] ? 2u + message[at + 1] : 1)
		if (message[at] == code)
			return message + at;
	return NULL;
}

size_t server_reply(enum dhcp4_type type, const char *address, uint32_t lease_s, const char *server,
		    uint8_t out[static 1024])
{
	struct dhcp4_header header;
	struct dhcp4_writer writer;
	uint8_t kind = (uint8_t)type;
	const uint8_t *agent = message_option(world.relayed, world.relayed_length, 82);

	if (!agent)
		abort();
	memcpy(&header, world.relayed, sizeof(header));
	header.op = DHCP4_OP_REPLY;
	header.hops = 0;
	header.yiaddr_be = inet_addr(address);
	dhcp4_writer_init(&writer, &header, out, 1024);
	dhcp4_put(&writer, 53, &kind, 1);
	dhcp4_put_be32(&writer, 54, inet_addr(server));
	if (lease_s)
		dhcp4_put_be32(&writer, 51, htonl(lease_s));
	dhcp4_put(&writer, 82, agent + 2, agent[1]);
	return dhcp4_writer_finish(&writer);
}

enum dhcp4_refusal server_says(enum dhcp4_type type, const char *address, uint32_t lease_s)
{
	uint8_t data[1024];
	size_t length = server_reply(type, address, lease_s, OTHER_SERVER, data);
	enum dhcp4_refusal why;

	world.length = 0;
	world.told[0] = '\0';
	why = dhcp4_relay_back(world.dhcp4, inet_addr(OTHER_SERVER), data, length, world.now_ns);
	if (!world.bus_is_slow)
		world_durable();
	return why;
}
