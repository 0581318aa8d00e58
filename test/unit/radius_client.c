/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client in one process with a server on the loopback: what the network test cannot
 * reach. Accounting, another source address, and memory that was left in any state.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/radius/client.h"
#include "lib/clock.h"
#include "run.h"

extern const struct bng_feature radius_feature;

static struct world {
	struct controld controld;
	struct config *config;
	int auth, acct; /* the server's sockets */
	uint16_t port;
	struct event *readable[2];
	bool is_silent;
	unsigned heard;
	char from[INET_ADDRSTRLEN]; /* of the last request */
	unsigned answers[RADIUS_NO_SERVER + 1];
	uint8_t context; /* of the last ticket */
} world;

/* ---- The server --------------------------------------------------------------------- */

static void respond(int fd, const uint8_t *request, const struct sockaddr_in *to)
{
	uint8_t reply[64] = {request[0] == RADIUS_ACCOUNTING_REQUEST ? RADIUS_ACCOUNTING_RESPONSE
								     : RADIUS_ACCESS_ACCEPT,
			     request[1], 0, RADIUS_HEADER};
	unsigned size = 0;

	memcpy(reply + 4, request + 4, 16);
	memcpy(reply + RADIUS_HEADER, "hush", 4);
	EVP_Digest(reply, RADIUS_HEADER + 4, reply + 4, &size, EVP_md5(), NULL);
	sendto(fd, reply, RADIUS_HEADER, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void on_request(evutil_socket_t fd, short what, void *context)
{
	uint8_t request[RADIUS_PACKET_MAX];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(fd, request, sizeof(request), 0, (struct sockaddr *)&from, &size);

	(void)what;
	(void)context;
	ck_assert_int_ge(got, RADIUS_HEADER);
	ck_assert_int_eq(request[0], fd == world.acct ? RADIUS_ACCOUNTING_REQUEST : RADIUS_ACCESS_REQUEST);
	inet_ntop(AF_INET, &from.sin_addr, world.from, sizeof(world.from));
	world.heard++;
	if (!world.is_silent)
		respond(fd, request, &from);
}

static int listen_at(uint16_t *port, struct event **readable)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert(!bind(fd, (struct sockaddr *)&address, size));
	ck_assert(!getsockname(fd, (struct sockaddr *)&address, &size));
	*port = ntohs(address.sin_port);
	*readable = event_new(world.controld.base, fd, EV_READ | EV_PERSIST, on_request, NULL);
	event_add(*readable, NULL);
	return fd;
}

/* ---- The client ----------------------------------------------------------------------- */

static void on_answer(struct controld *controld, const struct radius_answer *answer,
		      const struct radius_ticket *ticket)
{
	(void)controld;
	world.answers[answer->outcome]++;
	world.context = ticket->context[0];
}

/* Who is waited for in vain is given up soon; whoever answers may be slow. */
static void configure(const char *source)
{
	static uint16_t acct;
	struct config *next = NULL;
	char text[1024], error[CONFIG_ERROR_TEXT] = "";

	if (!world.port) {
		world.auth = listen_at(&world.port, &world.readable[0]);
		world.acct = listen_at(&acct, &world.readable[1]);
	}
	snprintf(
		text, sizeof(text),
		"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"radius\": {\"servers\": "
		"[{\"name\": "
		"\"one\", \"address\": \"127.0.0.1\", \"port\": %u, \"acct_port\": %u, \"secret\": \"hush\", "
		"\"timeout_ms\": %u, \"retries\": 1, \"require_message_authenticator\": false}], "
		"\"nas_identifier\": \"x\", \"dictionary\": \"%s\", \"queue\": 8, \"source_address\": "
		"\"%s\"}}",
		world.port, acct, world.is_silent ? 300u : 30000u, DICTIONARY, source);
	ck_assert_msg(!config_parse(text, strlen(text), "test", &next, error, sizeof(error)), "%s", error);
	ck_assert_msg(!radius_feature.check(&world.controld, world.config, next, error, sizeof(error)), "%s",
		      error);
	ck_assert_int_eq(radius_feature.apply(&world.controld, world.config, next), 0);
	config_free(world.config);
	world.config = world.controld.config = next;
}

static void be_silent(void)
{
	world.is_silent = true;
	configure("127.0.0.1");
}

static void setup(void)
{
	world = (struct world){.controld.base = event_base_new()};
	ck_assert(!radius_feature.init(&world.controld));
	radius_register(world.controld.radius, RADIUS_OWNER_TEST, on_answer);
	configure("127.0.0.1");
}

static void teardown(void)
{
	radius_feature.free(&world.controld);
	config_free(world.config);
	for (int i = 0; i < 2; i++)
		event_free(world.readable[i]);
	close(world.auth);
	close(world.acct);
	event_base_free(world.controld.base);
}

static int submit(enum radius_code code, uint8_t context)
{
	struct radius_ticket ticket = {.owner = RADIUS_OWNER_TEST, .context = {context}};
	uint8_t packet[RADIUS_REQUEST_MAX];
	struct radius_builder builder;

	radius_begin(&builder, packet, sizeof(packet), code);
	radius_add_text(&builder, RADIUS_USER_NAME, "nemo");
	if (code == RADIUS_ACCESS_REQUEST)
		radius_add_password(&builder, "open sesame", 11);
	return radius_submit(world.controld.radius, packet, radius_end(&builder), &ticket);
}

/* Until so many answers of this kind have come. */
static void run_until(enum radius_outcome outcome, unsigned count)
{
	uint64_t end_ns = clock_boottime_ns() + 60000000000ull;

	while (world.answers[outcome] < count && clock_boottime_ns() < end_ns)
		event_base_loop(world.controld.base, EVLOOP_ONCE);
	ck_assert_uint_eq(world.answers[outcome], count);
}

static void run_until_heard(unsigned count)
{
	while (world.heard < count)
		event_base_loop(world.controld.base, EVLOOP_ONCE);
}

START_TEST(accounting_goes_to_its_own_port)
{
	ck_assert_int_eq(submit(RADIUS_ACCOUNTING_REQUEST, 7), 0);
	run_until(RADIUS_ACCOUNTED, 1);
	ck_assert_uint_eq(world.context, 7);
	ck_assert_int_eq(submit(RADIUS_ACCESS_REQUEST, 9), 0);
	run_until(RADIUS_ACCEPTED, 1);
	ck_assert_uint_eq(world.context, 9);
	const struct server *server = TAILQ_FIRST(&world.controld.radius->servers);
	ck_assert_uint_eq(server->state->accounted, 1);
	ck_assert_uint_eq(server->state->accepts, 1);
	ck_assert_uint_eq(server->outstanding + server->references + world.controld.radius->count, 0);
}
END_TEST

START_TEST(what_is_refused_is_counted)
{
	struct radius *radius = world.controld.radius;
	struct radius_ticket ticket = {.owner = RADIUS_OWNER_TEST};
	uint8_t big[RADIUS_REQUEST_MAX + 1] = {RADIUS_ACCESS_REQUEST};

	be_silent();
	ck_assert_int_eq(radius_submit(radius, big, sizeof(big), &ticket), -EMSGSIZE);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(submit(RADIUS_ACCESS_REQUEST, 1), 0);
	ck_assert_int_eq(submit(RADIUS_ACCESS_REQUEST, 1), -ENOBUFS);
	ck_assert_uint_eq(radius->requests->header->refused, 1);
	run_until(RADIUS_UNANSWERED, 8);
	ck_assert_uint_eq(world.heard, 16);
	ck_assert_uint_eq(radius->requests->header->unanswered, 8);
	ck_assert_int_eq(submit(RADIUS_ACCESS_REQUEST, 1), -EHOSTUNREACH);
	ck_assert_uint_eq(radius->requests->header->no_server, 1);
}
END_TEST

START_TEST(another_source_address_takes_what_is_on_its_way_along)
{
	be_silent();
	ck_assert_int_eq(submit(RADIUS_ACCESS_REQUEST, 3), 0);
	run_until_heard(1);
	ck_assert_str_eq(world.from, "127.0.0.1");
	world.is_silent = false;
	configure("127.0.0.2");
	run_until(RADIUS_ACCEPTED, 1);
	ck_assert_str_eq(world.from, "127.0.0.2");
	ck_assert_uint_eq(world.context, 3);
}
END_TEST

/* A second client over the memory of the first, as after a restart whose sockets were
 * lost: how many requests it goes on with. */
static uint32_t adopt_again(int fd)
{
	const struct config_radius *config = &world.config->radius;
	struct radius_secret secret;
	struct radius *radius;
	char error[256];

	ck_assert(!client_new(&world.controld, &radius));
	ck_assert(!requests_adopt(fd, &radius->requests));
	ck_assert(!ports_open(radius, config->ports, config->source_be));
	ck_assert(!server_secret(&config->servers[0], 0, &secret, error, sizeof(error)));
	ck_assert(!servers_change(&radius->servers, radius->requests->header, config, &secret));
	radius->config = *config;
	governor_set(&radius->governor, config->rate, config->burst);
	radius_register(radius, RADIUS_OWNER_TEST, on_answer);
	client_adopt(radius);
	world.controld.radius = radius;
	return radius->count;
}

static int leave_one_behind(void)
{
	int fd;

	be_silent();
	ck_assert_int_eq(submit(RADIUS_ACCESS_REQUEST, 5), 0);
	run_until_heard(1);
	fd = dup(world.controld.radius->requests->fd);
	radius_feature.free(&world.controld);
	return fd;
}

START_TEST(a_request_goes_on_without_its_port)
{
	ck_assert_uint_eq(adopt_again(leave_one_behind()), 1);
	world.is_silent = false;
	run_until(RADIUS_ACCEPTED, 1);
	ck_assert_uint_eq(world.context, 5);
	ck_assert_uint_eq(world.controld.radius->requests->header->adopted, 1);
}
END_TEST

/* Each byte of the record that tells where and what the request is, wrong in turn: it is
 * believed or lost, never more than one, and the client works on. */
START_TEST(no_left_over_memory_does_harm)
{
	int fd = leave_one_behind();
	struct requests *requests;
	static struct request_record whole;
	uint32_t believed = 0, at = 0;

	ck_assert(!requests_adopt(dup(fd), &requests));
	whole = requests->records[0];
	for (; at < offsetof(struct request_record, sealed) + 200; at += at < 40 ? 1 : 7) {
		requests->records[0] = whole;
		requests->header->high = 1;
		((uint8_t *)&requests->records[0])[at] ^= 0xff;
		uint32_t count = adopt_again(dup(fd));
		ck_assert_uint_le(count, 1);
		believed += count;
		event_base_loop(world.controld.base, EVLOOP_NONBLOCK);
		radius_feature.free(&world.controld);
	}
	ck_assert_uint_gt(believed, 0);
	requests->header->high = CONFIG_RADIUS_QUEUE + 1;
	struct requests *refused;
	ck_assert_int_eq(requests_adopt(dup(fd), &refused), -EINVAL);
	requests->records[0] = whole;
	requests->header->high = 1;
	/* Its password is not readable in there. */
	ck_assert_ptr_null(memmem(&requests->records[0], sizeof(whole), "open sesame", 11));
	ck_assert_uint_eq(adopt_again(fd), 1);
	requests_free(requests);
}
END_TEST

START_TEST(governor_lets_a_burst_pass_and_then_its_rate)
{
	struct governor governor = {0};
	uint64_t now_ns = 1000000000ull;

	governor_set(&governor, 100, 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(governor_wait(&governor, now_ns), 0);
		governor_take(&governor, now_ns);
	}
	ck_assert_uint_eq(governor_wait(&governor, now_ns), 10000000);
	ck_assert_uint_eq(governor_wait(&governor, now_ns + 9999999), 1);
	ck_assert_uint_eq(governor_wait(&governor, now_ns + 10000000), 0);
	governor_take(&governor, now_ns + 10000000);
	ck_assert_uint_eq(governor_wait(&governor, now_ns + 10000000), 10000000);
	ck_assert_uint_eq(governor_wait(&governor, now_ns + 1000000000), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("radius_client");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, accounting_goes_to_its_own_port);
	tcase_add_test(tcase, what_is_refused_is_counted);
	tcase_add_test(tcase, another_source_address_takes_what_is_on_its_way_along);
	tcase_add_test(tcase, a_request_goes_on_without_its_port);
	tcase_add_test(tcase, no_left_over_memory_does_harm);
	tcase_add_test(tcase, governor_lets_a_burst_pass_and_then_its_rate);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
