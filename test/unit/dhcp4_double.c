/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The functions of controld/session and controld/punt that the server calls,
 * and a client's view of the wire.
 */
#include "dhcp4_double.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/punt/punt.h"

struct double_world world;
static struct maps maps;
static struct names names;
static struct bng_interface interfaces[BNG_INTERFACES];
static char pool_interfaces[1][IF_NAMESIZE] = {"access0"};

/* The fuzzer uses this file, too, outside of any Check test. */
static void must(bool truth)
{
	if (!truth)
		abort();
}

static uint32_t address_be(const char *text)
{
	return text ? inet_addr(text) : 0;
}

static uint32_t address(const char *text)
{
	return ntohl(inet_addr(text));
}

void world_init(void)
{
	memset(&world, 0, sizeof(world));
	memset(&names, 0, sizeof(names));
	strcpy(names.interface[1], "access0");
	strcpy(names.interface[2], "core0");
	strcpy(names.pool[5], "default");
	memcpy(interfaces[1].mac, "\x02\0\0\0\0\xfe", 6);
	maps.interface = interfaces;
	world.controld.maps = &maps;
	world.controld.names = &names;
	world.now_ns = 1000000000000ULL;
	world.pool[0] = (struct config_dhcp4_pool){
		.name = "homes",
		.interfaces = pool_interfaces,
		.interface_count = 1,
		.prefix = {address("10.0.0.0"), address("10.0.0.255"), 24},
		.first = address("10.0.0.10"),
		.last = address("10.0.0.13"),
		.router_be = address_be("10.0.0.1"),
		.dns_be = {address_be("192.0.2.53"), address_be("192.0.2.54")},
		.dns_count = 2,
		.mtu = 1492,
		.lease_seconds = 3600,
		.nat_pool = "default",
		.max_sessions_per_interface = 3,
	};
	world.gateway = (struct config_gateway){"access0", address_be("10.0.0.1")};
	world.config = (struct config){
		.dhcp4_pools = world.pool,
		.dhcp4_pool_count = 1,
		.gateways = &world.gateway,
		.gateway_count = 1,
	};
	must(dhcp4_new(&world.controld, &world.dhcp4) == 0);
	must(dhcp4_configure(world.dhcp4, &world.config) == 0);
}

void world_free(void)
{
	dhcp4_free(world.dhcp4);
}

void world_seconds(unsigned seconds)
{
	world.now_ns += seconds * 1000000000ULL;
}

void world_release(void)
{
	for (int i = 1; i < DOUBLE_SLOTS; i++)
		if (world.record[i].state == BNG_SUBSCRIBER_CLOSING)
			world.record[i].state = BNG_SUBSCRIBER_FREE;
}

/* ---- Sessions ------------------------------------------------------------------- */

static bool found(uint32_t slot, struct session *session)
{
	*session = (struct session){slot, &world.record[slot]};
	return true;
}

bool session_by_address(struct controld *controld, uint32_t wanted_be, struct session *session)
{
	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++)
		if (world.record[i].state == BNG_SUBSCRIBER_ACTIVE && world.record[i].address_be == wanted_be)
			return found(i, session);
	return false;
}

bool session_by_client(struct controld *controld, const struct session_client *client,
		       struct session *session)
{
	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++) {
		const struct bng_subscriber *record = &world.record[i];
		if (record->state == BNG_SUBSCRIBER_ACTIVE && record->interface == client->interface &&
		    record->outer_vid == client->outer_vid && record->inner_vid == client->inner_vid &&
		    memcmp(record->mac, client->mac, 6) == 0)
			return found(i, session);
	}
	return false;
}

bool session_address_free(struct controld *controld, uint32_t wanted_be)
{
	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++)
		if (world.record[i].state != BNG_SUBSCRIBER_FREE && world.record[i].address_be == wanted_be)
			return false;
	return true;
}

uint32_t session_count_interface(const struct controld *controld, uint16_t interface)
{
	uint32_t count = 0;

	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++)
		count += world.record[i].state == BNG_SUBSCRIBER_ACTIVE &&
			 world.record[i].interface == interface;
	return count;
}

bool session_next(struct controld *controld, uint32_t *slot, struct session *session)
{
	(void)controld;
	for (uint32_t i = *slot ? *slot : 1; i < DOUBLE_SLOTS; i++) {
		if (world.record[i].state != BNG_SUBSCRIBER_ACTIVE)
			continue;
		*slot = i + 1;
		return found(i, session);
	}
	return false;
}

int session_open(struct controld *controld, const struct session_spec *spec, struct session *session)
{
	uint32_t slot = 1;

	if (world.open_error)
		return world.open_error;
	must(!session_by_client(controld, &spec->client, session));
	must(session_address_free(controld, spec->address_be));
	while (world.record[slot].state != BNG_SUBSCRIBER_FREE)
		slot++;
	struct bng_subscriber *record = &world.record[slot];
	*record = (struct bng_subscriber){
		.address_be = spec->address_be,
		.interface = spec->client.interface,
		.outer_vid = spec->client.outer_vid,
		.inner_vid = spec->client.inner_vid,
		.state = BNG_SUBSCRIBER_ACTIVE,
		.flags = spec->flags,
		.kind = spec->kind,
		.pool = spec->pool,
		.lease_seconds = spec->lease_seconds,
		.lease_expires_ns = world.now_ns + spec->lease_seconds * 1000000000ULL,
	};
	memcpy(record->mac, spec->client.mac, 6);
	return found(slot, session) ? 0 : -ENOSPC;
}

void session_renew(struct controld *controld, const struct session *session, uint32_t lease_seconds)
{
	(void)controld;
	session->record->lease_seconds = lease_seconds;
	session->record->lease_expires_ns = world.now_ns + lease_seconds * 1000000000ULL;
}

struct session_client session_client_of(const struct bng_subscriber *record)
{
	struct session_client client = {record->interface, record->outer_vid, record->inner_vid, {0}, 0};

	memcpy(client.mac, record->mac, sizeof(client.mac));
	return client;
}

int session_close(struct controld *controld, const struct session *session, enum session_end end,
		  const char *why)
{
	(void)controld;
	must(end);
	must(why);
	must(session->record->state == BNG_SUBSCRIBER_ACTIVE);
	dhcp4_remember(world.dhcp4, session, world.now_ns);
	session->record->state = BNG_SUBSCRIBER_CLOSING;
	return 0;
}

struct bng_subscriber *world_session(const char *text)
{
	struct session session;

	return session_by_address(&world.controld, address_be(text), &session) ? session.record : NULL;
}

int punt_send(struct controld *controld, uint16_t interface, const uint8_t *frame, size_t length)
{
	(void)controld;
	must(interface == 1);
	must(length <= sizeof(world.frame));
	if (world.send_error)
		return world.send_error;
	memcpy(world.frame, frame, length);
	world.length = length;
	world.frames++;
	return 0;
}

/* ---- The client's wire -------------------------------------------------------------- */

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

enum dhcp4_refusal ask(const struct request *request)
{
	uint8_t frame[2048];
	size_t length = request_build(request, frame);

	world.length = 0;
	return dhcp4_serve(world.dhcp4, 1, frame, length, world.now_ns);
}

struct session_client client_of(uint8_t mac)
{
	return (struct session_client){
		.interface = 1, .outer_vid = 100, .inner_vid = 7, .mac = {2, 0, 0, 0, 0, mac}};
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
