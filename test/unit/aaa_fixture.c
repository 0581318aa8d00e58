/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * RADIUS and authorisation in one process, see the header.
 */
#include "aaa_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/feature.h"
#include "controld/maps/names.h"
#include "controld/radius/seal.h"
#include "controld/session/sessions.h"
#include "lib/clock.h"

#define SECRET "hush"

extern const struct bng_feature radius_feature, aaa_feature;

struct world world;
static struct sessions sessions;
static struct names names;
static int server = -1;
static struct event *readable;
static uint16_t port;

static const char *configured; /* the last /aaa */
static unsigned timeout_ms;

/* ---- The server ------------------------------------------------------------------------ */

/* Silence is found out soon; whoever answers may be slow. */
void reply_with(uint8_t code)
{
	unsigned wait_ms = code ? 30000 : 60;

	world.reply = (struct server_reply){.code = code};
	if (wait_ms == timeout_ms)
		return;
	timeout_ms = wait_ms;
	world_configure(configured);
}

void reply_add(uint32_t vendor, uint8_t type, const void *value, size_t length)
{
	uint8_t data[RADIUS_PACKET_MAX];
	struct radius_builder builder;
	size_t size;

	radius_begin(&builder, data, sizeof(data), RADIUS_ACCESS_ACCEPT);
	if (vendor)
		radius_add_vendor(&builder, vendor, type, value, length);
	else
		radius_add(&builder, type, value, length);
	size = radius_end(&builder) - RADIUS_HEADER;
	ck_assert_uint_le(world.reply.length + size, sizeof(world.reply.attributes));
	memcpy(world.reply.attributes + world.reply.length, data + RADIUS_HEADER, size);
	world.reply.length += size;
}

void reply_add_text(uint32_t vendor, uint8_t type, const char *text)
{
	reply_add(vendor, type, text, strlen(text));
}

void reply_add_number(uint32_t vendor, uint8_t type, uint32_t number)
{
	uint32_t number_be = htonl(number);

	reply_add(vendor, type, &number_be, sizeof(number_be));
}

static void respond(const struct sockaddr_in *to)
{
	uint8_t data[RADIUS_PACKET_MAX] = {world.reply.code, world.request[RADIUS_AT_ID]};
	size_t length = RADIUS_HEADER + world.reply.length;
	uint16_t length_be = htons((uint16_t)length);
	unsigned size = 0;

	memcpy(data + RADIUS_AT_LENGTH, &length_be, sizeof(length_be));
	memcpy(data + RADIUS_AT_AUTHENTICATOR, world.request + RADIUS_AT_AUTHENTICATOR, RADIUS_DIGEST);
	memcpy(data + RADIUS_HEADER, world.reply.attributes, world.reply.length);
	memcpy(data + length, SECRET, strlen(SECRET));
	EVP_Digest(data, length + strlen(SECRET), data + RADIUS_AT_AUTHENTICATOR, &size, EVP_md5(), NULL);
	sendto(server, data, length, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void on_request(evutil_socket_t fd, short what, void *context)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(fd, world.request, sizeof(world.request), 0, (struct sockaddr *)&from, &size);

	(void)what;
	(void)context;
	ck_assert_int_ge(got, RADIUS_HEADER);
	world.request_length = radius_length(world.request, (size_t)got);
	ck_assert_uint_eq(world.request_length, (size_t)got);
	world.heard++;
	if (world.reply.code)
		respond(&from);
}

static void listen_somewhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);

	server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert(!bind(server, (struct sockaddr *)&address, size));
	ck_assert(!getsockname(server, (struct sockaddr *)&address, &size));
	port = ntohs(address.sin_port);
	readable = event_new(world.controld.base, server, EV_READ | EV_PERSIST, on_request, NULL);
	event_add(readable, NULL);
}

/* ---- What it heard ----------------------------------------------------------------------- */

int heard_attribute(uint32_t vendor, uint8_t type, uint8_t value[static RADIUS_VALUE_MAX])
{
	struct radius_cursor cursor = radius_attributes(world.request, world.request_length);
	struct radius_attribute attribute;

	while (radius_next(&cursor, &attribute)) {
		if (attribute.vendor != vendor || attribute.type != type)
			continue;
		memcpy(value, attribute.value, attribute.length);
		return attribute.length;
	}
	return -1;
}

const char *heard_text(uint32_t vendor, uint8_t type)
{
	static uint8_t text[RADIUS_VALUE_MAX + 1];
	int length = heard_attribute(vendor, type, text);

	if (length < 0)
		return "(none)";
	text[length] = '\0';
	return (const char *)text;
}

uint32_t heard_number(uint32_t vendor, uint8_t type)
{
	uint8_t value[RADIUS_VALUE_MAX];
	uint32_t number_be;

	ck_assert_int_eq(heard_attribute(vendor, type, value), sizeof(number_be));
	memcpy(&number_be, value, sizeof(number_be));
	return ntohl(number_be);
}

const char *heard_password(void)
{
	static uint8_t open[RADIUS_PACKET_MAX];
	static char text[RADIUS_PASSWORD_MAX + 1];
	struct radius_secret secret = {SECRET, strlen(SECRET)};
	size_t length;
	uint8_t *value;

	memcpy(open, world.request, world.request_length);
	ck_assert_int_eq(radius_open(open, world.request_length, &secret), 0);
	value = radius_find(open, world.request_length, RADIUS_USER_PASSWORD, &length);
	if (!value)
		return "(none)";
	snprintf(text, sizeof(text), "%.*s", (int)length, value);
	return text;
}

/* ---- Who asks -------------------------------------------------------------------------------- */

static void keep(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "(none)");
}

static void on_answer(struct controld *controld, const struct authorise_answer *answer,
		      const struct authorise_ticket *ticket)
{
	(void)controld;
	world.answers++;
	world.outcome = answer->outcome;
	world.ticket = *ticket;
	keep(world.source, sizeof(world.source), answer->source);
	ck_assert_ptr_nonnull(answer->message);
	keep(world.message, sizeof(world.message), answer->message);
	keep(world.success, sizeof(world.success), answer->mschap2_success);
	keep(world.error, sizeof(world.error), answer->mschap2_error);
	profile_done(&world.profile);
	world.profile = (struct session_profile){0};
	ck_assert_int_eq(!answer->profile, answer->outcome != AUTHORISE_GRANTED);
	if (answer->profile) {
		world.profile = *answer->profile;
		*answer->profile = (struct session_profile){0};
	}
}

void world_configure(const char *aaa)
{
	struct config *next = NULL;
	char text[4096], error[CONFIG_ERROR_TEXT] = "";
	const struct config *old = world.config;

	configured = aaa;
	snprintf(text, sizeof(text),
		 "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"gateways\": [{\"interface\": "
		 "\"a\", \"address\": \"10.0.0.1\"}], \"dhcp4\": {\"pools\": [{\"name\": \"homes\", "
		 "\"interfaces\": [\"a\"], \"prefix\": \"10.0.0.0/24\", \"first\": \"10.0.0.10\", \"last\": "
		 "\"10.0.0.99\", \"router\": \"10.0.0.1\"}]}, \"cgnat\": {\"pools\": [{\"name\": \"gold\", "
		 "\"prefixes\": [\"203.0.113.0/29\"]}]}, \"radius\": {\"servers\": [{\"name\": \"one\", "
		 "\"address\": \"127.0.0.1\", \"port\": %u, \"secret\": \"" SECRET "\", \"timeout_ms\": %u, "
		 "\"retries\": 0, \"require_message_authenticator\": false}], \"nas_identifier\": \"bng\", "
		 "\"nas_address\": \"192.0.2.1\", \"dictionary\": \"%s\", \"queue\": 8, \"dead_seconds\": "
		 "60}, "
		 "\"aaa\": %s}",
		 port, timeout_ms, DICTIONARY, aaa);
	ck_assert_msg(!config_parse(text, strlen(text), "test", &next, error, sizeof(error)), "%s", error);
	ck_assert_msg(!radius_feature.check(&world.controld, old, next, error, sizeof(error)), "%s", error);
	ck_assert_int_eq(radius_feature.apply(&world.controld, old, next), 0);
	ck_assert_int_eq(aaa_feature.apply(&world.controld, old, next), 0);
	config_free(world.config);
	world.config = world.controld.config = next;
}

void world_start(void)
{
	world = (struct world){.controld.base = event_base_new()};
	sessions = (struct sessions){0};
	names = (struct names){0};
	world.controld.sessions = &sessions;
	world.controld.names = &names;
	snprintf(names.interface[3], sizeof(names.interface[3]), "access0");
	listen_somewhere();
	ck_assert(!radius_feature.init(&world.controld));
	ck_assert(!aaa_feature.init(&world.controld));
	for (unsigned owner = 0; owner < AUTHORISE_OWNERS; owner++)
		authorise_register(&world.controld, owner, on_answer);
	configured = "{\"ipoe\": {\"method\": \"radius\"}}";
	timeout_ms = 0;
	reply_with(RADIUS_ACCESS_ACCEPT);
}

void world_stop(void)
{
	profile_done(&world.profile);
	aaa_feature.free(&world.controld);
	radius_feature.free(&world.controld);
	config_free(world.config);
	event_free(readable);
	close(server);
	event_base_free(world.controld.base);
}

void run_until(unsigned answers)
{
	uint64_t end_ns = clock_boottime_ns() + 60000000000ull;

	while (world.answers < answers && clock_boottime_ns() < end_ns)
		event_base_loop(world.controld.base, EVLOOP_ONCE);
	ck_assert_uint_eq(world.answers, answers);
}

struct authorise_question line_question(void)
{
	return (struct authorise_question){
		.kind = BNG_SESSION_DHCP,
		.client = {.interface = 3, .outer_vid = 100, .inner_vid = 7, .mac = {2, 0, 0, 0, 0, 9}},
		.credentials = {.kind = CREDENTIAL_LINE},
	};
}

int ask(const struct authorise_question *question, uint8_t mark)
{
	struct authorise_ticket ticket = {.owner = question->kind == BNG_SESSION_PPPOE ? AUTHORISE_PPPOE
										       : AUTHORISE_DHCP4,
					  .context = {[0] = mark, [AUTHORISE_TICKET - 1] = mark}};

	return authorise_ask(&world.controld, question, &ticket);
}

struct aaa_counts counts(void)
{
	return world.controld.aaa->kept->counts;
}
