/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The functions of controld that PPPoE calls. The fuzzer uses this file, too, outside of
 * any Check test.
 */
#include "pppoe_double.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/punt/punt.h"
#include "dataplane/abi/meta.h"
#include "lib/clock.h"

#define SECOND_NS 1000000000ull

struct double_world world;
extern const struct bng_feature pppoe_feature;
const struct rpc_method pppoe_methods[] = {{0}}; /* the counters are looked at directly */
static struct maps maps;
static struct names names;
static struct bng_interface interfaces[BNG_INTERFACES];
static struct bng_pppoe_limit limits[BNG_PPPOE_LIMITS];
static char served[1][IF_NAMESIZE] = {"access0"};

static void must(bool truth)
{
	if (!truth)
		abort();
}

static uint32_t address(const char *text)
{
	return ntohl(inet_addr(text));
}

/* ---- The world ---------------------------------------------------------------------------- */

static void start(void)
{
	world.controld.base = event_base_new();
	must(pppoe_feature.init(&world.controld) == 0);
	world.pppoe = world.controld.pppoe;
	must(pppoe_feature.apply(&world.controld, NULL, &world.config) == 0);
}

static void stop(void)
{
	pppoe_feature.free(&world.controld);
	event_base_free(world.controld.base);
}

void world_init(void)
{
	memset(&world, 0, sizeof(world));
	memset(&names, 0, sizeof(names));
	strcpy(names.interface[1], "access0");
	strcpy(names.interface[2], "access1");
	strcpy(names.pool[5], "default");
	memcpy(interfaces[1].mac, "\x02\0\0\0\0\xfe", 6);
	interfaces[1].mtu = 1508;
	interfaces[1].role = interfaces[2].role = BNG_ROLE_ACCESS;
	maps.interface = interfaces;
	maps.subscriber = world.record;
	maps.pppoe_limit = limits;
	world.kept = -1;
	world.controld.maps = &maps;
	world.controld.names = &names;
	world.controld.holder = (struct holder *)&world; /* see holder_keep */
	world.now_ns = 1000 * SECOND_NS;
	world.next_id = 100;
	world.pool[0] = (struct config_pppoe_pool){
		.name = "dsl",
		.prefix = {address("10.64.0.0"), address("10.64.0.255"), 24},
		.first = address("10.64.0.10"),
		.last = address("10.64.0.13"),
		.gateway_be = inet_addr("10.64.0.1"),
		.dns_be = {inet_addr("192.0.2.53"), inet_addr("192.0.2.54")},
		.dns_count = 2,
		.nat_pool = "default",
	};
	world.pool[1] = world.pool[0];
	strcpy(world.pool[1].name, "other");
	world.pool[1].prefix = (struct config_prefix){address("10.65.0.0"), address("10.65.0.255"), 24};
	world.pool[1].first = address("10.65.0.10");
	world.pool[1].last = address("10.65.0.20");
	world.pool[1].gateway_be = inet_addr("10.65.0.1");
	world.gateway = (struct config_gateway){"access0", inet_addr("10.64.0.1")};
	world.config.gateways = &world.gateway;
	world.config.gateway_count = 1;
	world.config.pppoe = (struct config_pppoe){
		.on = true,
		.interfaces = served,
		.interface_count = 1,
		.ac_name = "holdfast",
		.mru = 1492,
		.auth = {CREDENTIAL_PAP},
		.pools = world.pool,
		.pool_count = 2,
		.max_sessions_per_mac = 1,
		.max_sessions_per_vlan = 1000,
		.max_setup = 8,
		.setup_s = 60,
		.keepalive_s = 10,
		.keepalive_missed = 3,
	};
	start();
}

void world_free(void)
{
	stop();
	for (int i = 0; i < DOUBLE_SLOTS; i++)
		session_detail_free(world.detail[i]);
	if (world.opening.is_waiting)
		session_detail_free(world.opening.detail);
	if (world.kept >= 0)
		close(world.kept);
}

void world_restart(void)
{
	stop();
	if (world.opening.is_waiting)
		session_detail_free(world.opening.detail);
	world.opening.is_waiting = false;
	start();
}

void world_seconds(double seconds)
{
	struct peer *peer, *next;

	world.now_ns += (uint64_t)(seconds * 1e9);
	for (peer = TAILQ_FIRST(&world.pppoe->peers); peer; peer = next) {
		next = TAILQ_NEXT(peer, order);
		if (peer->timer)
			event_active(peer->timer, EV_TIMEOUT, 0);
	}
	event_base_loop(world.controld.base, EVLOOP_NONBLOCK);
}

void world_release(void)
{
	for (int i = 1; i < DOUBLE_SLOTS; i++)
		if (world.record[i].state == BNG_SUBSCRIBER_CLOSING)
			world.record[i].state = BNG_SUBSCRIBER_FREE;
}

uint64_t clock_boottime_ns(void)
{
	return world.now_ns;
}

char *clock_format(uint64_t boottime_ns, char text[static CLOCK_TEXT])
{
	(void)boottime_ns;
	return strcpy(text, "now");
}

uint32_t maps_tick(const struct maps *ours)
{
	(void)ours;
	return (uint32_t)(world.now_ns >> BNG_TICK_SHIFT);
}

int holder_take(struct holder *holder, const char *name, int *fd)
{
	(void)holder;
	(void)name;
	if (world.kept < 0)
		return -ENOENT;
	*fd = dup(world.kept);
	return 0;
}

int holder_keep(struct holder *holder, const char *name, int fd)
{
	(void)holder;
	(void)name;
	if (world.kept >= 0)
		close(world.kept);
	world.kept = dup(fd);
	return 0;
}

void punt_register(struct controld *controld, enum bng_punt_reason reason, punt_handler *handler,
		   void *context)
{
	(void)controld;
	(void)reason;
	(void)handler;
	(void)context;
}

void punt_limit(struct controld *controld, enum bng_punt_reason reason, uint32_t rate, uint32_t burst)
{
	(void)controld;
	(void)reason;
	(void)rate;
	(void)burst;
}

int punt_send(struct controld *controld, uint16_t interface, const uint8_t *frame, size_t length)
{
	struct double_frame *to = &world.frame[world.frames % DOUBLE_FRAMES];

	(void)controld;
	must(interface == 1 && length <= sizeof(to->bytes));
	memcpy(to->bytes, frame, length);
	to->length = length;
	world.frames++;
	return 0;
}

/* ---- Sessions ------------------------------------------------------------------------------ */

uint64_t session_new_id(struct controld *controld)
{
	(void)controld;
	return world.next_id++;
}

struct session_client session_client_of(const struct bng_subscriber *record)
{
	struct session_client client = {.interface = record->interface,
					.outer_vid = record->outer_vid,
					.inner_vid = record->inner_vid,
					.pppoe_session = record->pppoe_session};

	memcpy(client.mac, record->mac, sizeof(client.mac));
	return client;
}

bool session_by_client(struct controld *controld, const struct session_client *client,
		       struct session *session)
{
	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++) {
		struct session_client other = session_client_of(&world.record[i]);

		if (world.record[i].state != BNG_SUBSCRIBER_ACTIVE ||
		    memcmp(&other, client, sizeof(other)) != 0)
			continue;
		*session = (struct session){i, &world.record[i]};
		return true;
	}
	return false;
}

bool session_by_address(struct controld *controld, uint32_t address_be, struct session *session)
{
	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++) {
		if (world.record[i].state != BNG_SUBSCRIBER_ACTIVE ||
		    world.record[i].address_be != address_be)
			continue;
		*session = (struct session){i, &world.record[i]};
		return true;
	}
	return false;
}

bool session_address_free(struct controld *controld, uint32_t address_be)
{
	(void)controld;
	for (uint32_t i = 1; i < DOUBLE_SLOTS; i++)
		if (world.record[i].state != BNG_SUBSCRIBER_FREE && world.record[i].address_be == address_be)
			return false;
	return true;
}

bool session_next(struct controld *controld, uint32_t *slot, struct session *session)
{
	(void)controld;
	for (uint32_t i = *slot ? *slot : 1; i < DOUBLE_SLOTS; i++) {
		if (world.record[i].state != BNG_SUBSCRIBER_ACTIVE)
			continue;
		*slot = i + 1;
		*session = (struct session){i, &world.record[i]};
		return true;
	}
	return false;
}

struct session_detail *session_detail(struct controld *controld, const struct session *session)
{
	(void)controld;
	return world.detail[session->slot];
}

struct session_detail *session_detail_new(uint64_t session_id)
{
	struct session_detail *detail = calloc(1, sizeof(*detail));

	must(detail);
	detail->session_id = session_id;
	return detail;
}

void session_detail_free(struct session_detail *detail)
{
	if (!detail)
		return;
	profile_done(&detail->profile);
	free(detail->user);
	free(detail->source);
	free(detail->line.circuit_id);
	free(detail->line.remote_id);
	free(detail);
}

int session_open_durable(struct controld *controld, const struct session_spec *spec,
			 struct session_detail *detail, session_opened *opened, void *context)
{
	int failure = world.open_error;

	if (!failure && !session_address_free(controld, spec->address_be))
		failure = -EADDRINUSE;
	must(!world.opening.is_waiting);
	if (failure)
		session_detail_free(detail);
	else
		world.opening = (struct double_opening){true, *spec, detail, opened, context};
	return failure;
}

void session_open_cancel(struct controld *controld, uint64_t session_id)
{
	struct double_opening opening = world.opening;

	if (!opening.is_waiting || opening.detail->session_id != session_id)
		return;
	world.opening.is_waiting = false;
	session_detail_free(opening.detail);
	opening.opened(controld, -ECANCELED, NULL, opening.context);
}

void world_durable(void)
{
	struct double_opening opening = world.opening;
	const struct session_spec *spec = &opening.spec;
	uint32_t slot = 1;

	must(opening.is_waiting);
	world.opening.is_waiting = false;
	while (world.record[slot].state != BNG_SUBSCRIBER_FREE)
		must(++slot < DOUBLE_SLOTS);
	world.record[slot] = (struct bng_subscriber){
		.address_be = spec->address_be,
		.interface = spec->client.interface,
		.pppoe_session = spec->client.pppoe_session,
		.outer_vid = spec->client.outer_vid,
		.inner_vid = spec->client.inner_vid,
		.state = BNG_SUBSCRIBER_ACTIVE,
		.flags = spec->flags,
		.kind = spec->kind,
		.pool = spec->pool,
		.mss = spec->mss,
		.mtu = spec->mtu,
		.ppp_magic = spec->ppp_magic,
		.session_id = opening.detail->session_id,
		.opened_ns = world.now_ns,
		.last_up_tick = maps_tick(&maps),
		.ppp_alive = bng_ppp_alive(maps_tick(&maps)),
	};
	memcpy(world.record[slot].mac, spec->client.mac, 6);
	session_detail_free(world.detail[slot]);
	world.detail[slot] = opening.detail;
	opening.opened(&world.controld, 0, &(struct session){slot, &world.record[slot]}, opening.context);
}

int session_close(struct controld *controld, const struct session *session, enum session_end end,
		  const char *why)
{
	must(session->record->state == BNG_SUBSCRIBER_ACTIVE);
	pppoe_feature.hooks->down(controld, session, end, why);
	session->record->state = BNG_SUBSCRIBER_CLOSING;
	world.end = end;
	world.closed++;
	return 0;
}

void world_close(uint32_t slot, enum session_end end)
{
	session_close(&world.controld, &(struct session){slot, &world.record[slot]}, end, "by the test");
}

const char *session_end_name(enum session_end end)
{
	return end == SESSION_END_USER_REQUEST ? "user_request" : "other";
}

void session_event(struct controld *controld, uint64_t session_id, const struct session_client *client,
		   const char *format, ...)
{
	char text[512];
	va_list arguments;

	(void)controld;
	(void)session_id;
	(void)client;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (getenv("PPPOE_TRACE"))
		fprintf(stderr, "%s\n", text);
}

/* ---- Who authorises -------------------------------------------------------------------------- */

void authorise_register(struct controld *controld, enum authorise_owner owner, authorise_handler *handler)
{
	(void)controld;
	must(owner == AUTHORISE_PPPOE && handler == grant_answer);
}

int authorise_ask(struct controld *controld, const struct authorise_question *question,
		  const struct authorise_ticket *ticket)
{
	(void)controld;
	if (world.ask_error)
		return world.ask_error;
	world.asked++;
	world.question = *question;
	world.ticket = *ticket;
	snprintf(world.user, sizeof(world.user), "%s", question->user ? question->user : "");
	snprintf(world.password, sizeof(world.password), "%.*s", (int)question->credentials.response_length,
		 (const char *)question->credentials.response);
	return 0;
}

void world_grant(const char *given, const char *pool)
{
	struct session_profile profile = {0};
	struct authorise_answer answer = {
		.outcome = AUTHORISE_GRANTED, .profile = &profile, .source = "aaa1", .message = "welcome"};

	if (given) {
		profile.given |= PROFILE_ADDRESS;
		profile.address_be = inet_addr(given);
	}
	if (pool) {
		profile.given |= PROFILE_POOL;
		snprintf(profile.pool, sizeof(profile.pool), "%s", pool);
	}
	profile.given |= PROFILE_SESSION_TIMEOUT;
	profile.session_timeout_s = 3600;
	grant_answer(&world.controld, &answer, &world.ticket);
	profile_done(&profile);
}

void world_deny(const char *message)
{
	struct authorise_answer answer = {.outcome = AUTHORISE_DENIED, .source = "aaa1", .message = message};

	grant_answer(&world.controld, &answer, &world.ticket);
}
