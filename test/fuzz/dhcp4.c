/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of the DHCP server: the input is a frame from a subscriber, served
 * as it is, and more often with its checksums made right, so that mutations reach
 * the message and the states behind it, whether nobody is asked (a frame whose last
 * byte is odd) or somebody is. A reply must be a frame that the parser
 * reads.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/dhcp4/relayed.h"
#include "test/unit/dhcp4_double.h"

#define TABLE  16
#define ROUNDS 3 /* the same again: an offer, then what is known of it */

static uint16_t fold(const uint8_t *data, size_t length, uint32_t sum)
{
	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Where the ethertype behind the tags is. */
static size_t skip_tags(const uint8_t *frame, size_t length)
{
	size_t at = 12;

	while (at + 4 < length && at < 20 &&
	       (memcmp(frame + at, "\x81\x00", 2) == 0 || memcmp(frame + at, "\x88\xa8", 2) == 0))
		at += 4;
	return at;
}

/* Header checksum right, no UDP checksum: where there is an IPv4 header at all. */
static void repair(uint8_t *frame, size_t length)
{
	size_t at = skip_tags(frame, length);
	uint8_t *ip = frame + at + 2;
	if (at + 2 + 20 > length)
		return;
	size_t header = (ip[0] & 15) * 4u;
	if (header < 20 || at + 2 + header + 8 > length)
		return;
	memset(ip + 10, 0, 2);
	uint16_t sum = fold(ip, header, 0);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	memset(ip + header + 6, 0, 2);
}

/* A reply is for a client's port, which the parser would refuse. */
static void check_reply(void)
{
	struct dhcp4_packet reply;

	if (!world.length)
		return;
	uint8_t *udp = world.frame + skip_tags(world.frame, world.length) + 2 + 20;
	if (memcmp(udp, "\0\x43\0\x44", 4) != 0)
		abort();
	udp[3] = 67;
	memset(udp + 6, 0, 2);
	if (dhcp4_packet_parse(world.frame, world.length, &reply) ||
	    reply.message.header.op != DHCP4_OP_REPLY)
		abort();
}

/* Served, and the answer to the question that it may have been. */
static void serve_and_answer(const uint8_t *frame, size_t length)
{
	unsigned asked = world.asked;

	serve(frame, length);
	check_reply();
	if (world.asked == asked)
		return;
	world_answer(length & 1 ? AUTHORISE_DENIED : AUTHORISE_GRANTED, NULL);
	check_reply();
}

/* The message as a relay takes it, and what it hands on as a server's reply. */
static void relay(const uint8_t *frame, size_t length)
{
	const struct relayed_client from = {.client = client_of(10), .tags = 2};
	const struct relayed_way way = {
		.giaddr_be = 1, .router_be = 2, .circuit = "access0:100.7", .keeps_line = length & 1};
	size_t at = skip_tags(frame, length) + 2 + 28;
	uint8_t up[RELAYED_MAX], down[RELAYED_MAX];

	if (at >= length)
		return;
	dhcp4_relay_back(world.dhcp4, 0, frame + at, length - at, world.now_ns);
	relayed_down(frame + at, length - at, 2, 60, down);
	size_t used = relayed_up(frame + at, length - at, &from, &way, up);
	if (!used)
		return;
	up[0] = DHCP4_OP_REPLY;
	dhcp4_relay_back(world.dhcp4, 0, up, used, world.now_ns);
	if (!relayed_down(up, used, 2, 60, down))
		abort();
}

static void renew_table(struct reservations **table, uint64_t seconds)
{
	reservations_free(*table);
	*table = reservations_new(TABLE, seconds * 1000000000ULL);
}

/* The world as it was at first, without the cost of tables of full size. */
static void begin(void)
{
	static const uint32_t lifetime_s[SETUP_STATES] = {60, 60};

	if (!world.dhcp4)
		world_init();
	renew_table(&world.dhcp4->offers, DHCP4_OFFER_SECONDS);
	renew_table(&world.dhcp4->declined, DHCP4_DECLINE_SECONDS);
	renew_table(&world.dhcp4->previous, DHCP4_PREVIOUS_SECONDS);
	setups_free(world.dhcp4->setups);
	world.dhcp4->setups = setups_new(TABLE, lifetime_s);
	world.config.option82.policy = OPTION82_ACCEPT;
	world.opening = 0;
	memset(world.record, 0, sizeof(world.record));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *frame = malloc(size ? size : 1);

	if (!frame || size > 4096) {
		free(frame);
		return 0;
	}
	begin();
	world.ask_error = size && data[size - 1] & 1 ? -ENOTSUP : 0;
	memcpy(frame, data, size);
	serve_and_answer(frame, size);
	repair(frame, size);
	for (int i = 0; i < ROUNDS; i++)
		serve_and_answer(frame, size);
	relay(frame, size);
	free(frame);
	return 0;
}
