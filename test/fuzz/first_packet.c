/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of sessions by first packet: the input is a list of frames from a
 * subscriber, each behind two bytes: what happens after it (an answer, time, a restart),
 * and its length.
 *
 * Whatever comes, a session that opens is of a host's address inside a prefix of ours,
 * bound to a station's MAC, and every frame is counted once.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/first_packet/server.h"
#include "test/unit/dhcp4_double.h"

enum after {
	AFTER_NOTHING,
	AFTER_GRANT,
	AFTER_DENY,
	AFTER_SILENCE,
	AFTER_SECONDS,
	AFTER_RESTART,
	AFTER_NOBODY, /* from here on nobody is to be asked */
	AFTERS,
};

#define FRAMES_MAX 16
#define FIRST      0xac140000u /* 172.20.0.0/16 */
#define LAST       0xac14ffffu

static struct config_first_packet rules[2];
static struct first_packet *server;

static void start(void)
{
	first_packet_free(server);
	if (first_packet_new(&world.controld, &server))
		abort();
	server->config = &world.config;
	world.controld.first_packet = server;
}

/* The second rule: all there is, so that only what is no host is left out. */
static void begin(size_t rule_count)
{
	if (!world.dhcp4)
		world_init();
	rules[0] = (struct config_first_packet){.interface = "access0",
						.prefix = {FIRST, LAST, 16},
						.nat_pool = "default",
						.idle_timeout_s = 600};
	rules[1] = (struct config_first_packet){.interface = "access0", .prefix = {0, UINT32_MAX, 0}};
	world.config.first_packets = rules;
	world.config.first_packet_count = rule_count;
	world.handler = first_packet_on_answer;
	world.ask_error = 0;
	world.asked = 0;
	world.opening = 0;
	memset(world.record, 0, sizeof(world.record));
	start();
}

static void happen(unsigned what)
{
	static const enum authorise_outcome outcomes[AFTERS] = {[AFTER_GRANT] = AUTHORISE_GRANTED,
								[AFTER_DENY] = AUTHORISE_DENIED,
								[AFTER_SILENCE] = AUTHORISE_UNANSWERED};

	if (what >= AFTER_GRANT && what <= AFTER_SILENCE && world.asked)
		world_answer(outcomes[what], NULL);
	else if (what == AFTER_SECONDS)
		world_seconds(FIRST_PACKET_HELD_SECONDS);
	else if (what == AFTER_RESTART)
		start();
	else if (what == AFTER_NOBODY)
		world.ask_error = -ENOTSUP;
}

static void check_counts(void)
{
	uint64_t asked = server->stats.asked + server->stats.malformed + server->stats.elsewhere +
			 server->stats.repeated + server->stats.held;

	if (!world.ask_error && asked != server->stats.received)
		abort();
}

static void check_sessions(size_t rule_count)
{
	for (int slot = 1; slot < DOUBLE_SLOTS; slot++) {
		const struct bng_subscriber *record = &world.record[slot];
		uint32_t address = ntohl(record->address_be);

		if (record->state != BNG_SUBSCRIBER_ACTIVE)
			continue;
		if (record->mac[0] & 1 || address >> 24 == 0 || address >> 24 == 127 || address >> 28 >= 14)
			abort();
		if (rule_count == 1 && (address < FIRST || address > LAST))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t rule_count = size && data[0] & 0x80 ? 2 : 1;

	begin(rule_count);
	for (int i = 0; i < FRAMES_MAX && size >= 2; i++) {
		unsigned what = (data[0] & 0x7f) % AFTERS;
		size_t length = data[1] < size - 2 ? data[1] : size - 2;
		uint8_t *frame = malloc(length ? length : 1); /* so that the sanitizer sees its end */

		if (!frame)
			abort();
		memcpy(frame, data + 2, length);
		first_packet_serve(server, 1, frame, length, world.now_ns);
		free(frame);
		world_durable();
		check_counts();
		happen(what);
		check_sessions(rule_count);
		data += 2 + length;
		size -= 2 + length;
	}
	return 0;
}
