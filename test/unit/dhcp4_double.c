/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The functions of controld/session and controld/punt that the server calls.
 */
#include "dhcp4_texts.h"

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
	strcpy(names.pool[6], "business");
	memcpy(interfaces[1].mac, "\x02\0\0\0\0\xfe", 6);
	maps.interface = interfaces;
	world.controld.maps = &maps;
	world.controld.names = &names;
	world.now_ns = 1000000000000ULL;
	world.ask_error = -ENOTSUP;
	world.next_id = 1000;
	world.handler = dhcp4_on_answer;
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
	world.controld.dhcp4 = world.dhcp4;
}

void world_free(void)
{
	dhcp4_free(world.dhcp4);
	world.controld.dhcp4 = NULL;
	for (int i = 0; i < DOUBLE_SLOTS; i++) {
		session_detail_free(world.detail[i]);
		world.detail[i] = NULL;
	}
}

void world_restart(void)
{
	dhcp4_free(world.dhcp4);
	must(dhcp4_new(&world.controld, &world.dhcp4) == 0);
	must(dhcp4_configure(world.dhcp4, &world.config) == 0);
	world.controld.dhcp4 = world.dhcp4;
}

uint64_t clock_boottime_ns(void)
{
	return world.now_ns;
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

uint64_t session_age_s(const struct session *session, uint64_t now_ns)
{
	return (now_ns - session->record->opened_ns) / 1000000000ULL;
}

uint64_t session_new_id(struct controld *controld)
{
	(void)controld;
	return world.next_id++;
}

static void fill(struct bng_subscriber *record, const struct session_spec *spec)
{
	*record = (struct bng_subscriber){
		.address_be = spec->address_be,
		.interface = spec->client.interface,
		.outer_vid = spec->client.outer_vid,
		.inner_vid = spec->client.inner_vid,
		.state = BNG_SUBSCRIBER_FREE,
		.flags = spec->flags,
		.kind = spec->kind,
		.pool = spec->pool,
		.max_blocks = spec->max_blocks,
		.max_mappings = spec->max_mappings,
		.session_id = spec->session_id,
		.opened_ns = world.now_ns,
		.lease_seconds = spec->lease_seconds,
		.lease_expires_ns = world.now_ns + spec->lease_seconds * 1000000000ULL,
	};
	memcpy(record->mac, spec->client.mac, 6);
}

int session_open_durable(struct controld *controld, const struct session_spec *spec,
			 struct session_detail *detail, session_opened *opened, void *context)
{
	struct session session;
	uint32_t slot = 1;
	bool is_taken = session_by_client(controld, &spec->client, &session) ||
			!session_address_free(controld, spec->address_be);

	must(detail->session_id == spec->session_id && spec->session_id);
	must(!world.opening);
	must(!is_taken || spec->kind == BNG_SESSION_FIRST_PACKET); /* DHCP has looked before */
	if (world.open_error || is_taken) {
		session_detail_free(detail);
		return world.open_error ? world.open_error : -EEXIST;
	}
	while (world.record[slot].state != BNG_SUBSCRIBER_FREE)
		slot++;
	must(slot < DOUBLE_SLOTS);
	fill(&world.record[slot], spec);
	session_detail_free(world.detail[slot]);
	world.detail[slot] = detail;
	world.spec = *spec;
	world.opening = slot;
	world.opened = opened;
	world.opened_context = context;
	return 0;
}

void world_durable(void)
{
	struct session session = {world.opening, &world.record[world.opening]};

	if (!world.opening)
		return;
	world.opening = 0;
	if (!world.opened_error)
		session.record->state = BNG_SUBSCRIBER_ACTIVE;
	world.opened(&world.controld, world.opened_error, world.opened_error ? NULL : &session,
		     world.opened_context);
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
	free(detail->line.circuit_id);
	free(detail->line.remote_id);
	free(detail->source);
	free(detail->user);
	free(detail);
}

struct session_detail *session_detail(struct controld *controld, const struct session *session)
{
	(void)controld;
	return world.detail[session->slot];
}

void session_event(struct controld *controld, uint64_t session_id, const struct session_client *client,
		   const char *format, ...)
{
	va_list arguments;

	(void)controld;
	must(session_id && client);
	va_start(arguments, format);
	vsnprintf(world.event, sizeof(world.event), format, arguments);
	va_end(arguments);
}

void session_tell(struct controld *controld, uint64_t session_id, const struct session_client *client,
		  const char *format, ...)
{
	char text[sizeof(world.told) / 2];
	va_list arguments;

	(void)controld;
	(void)session_id;
	must(client);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	size_t length = strlen(world.told);
	snprintf(world.told + length, sizeof(world.told) - length, "%s%s", length ? "; " : "", text);
}

/* ---- Who authorises ------------------------------------------------------------------ */

static void keep_text(char text[static 64], const uint8_t *id, size_t length)
{
	memset(text, 0, 64);
	memcpy(text, id ? id : (const uint8_t *)"", length < 63 ? length : 63);
}

int authorise_ask(struct controld *controld, const struct authorise_question *question,
		  const struct authorise_ticket *ticket)
{
	(void)controld;
	must((question->kind == BNG_SESSION_DHCP) == (ticket->owner == AUTHORISE_DHCP4));
	must(question->session_id && !question->user);
	must(question->credentials.kind == CREDENTIAL_LINE);
	if (world.ask_error)
		return world.ask_error;
	world.asked++;
	world.question = *question;
	keep_text(world.circuit, question->line.circuit_id, question->line.circuit_id_length);
	keep_text(world.remote, question->line.remote_id, question->line.remote_id_length);
	world.ticket = *ticket;
	return 0;
}

void world_answer(enum authorise_outcome outcome, const struct session_profile *given)
{
	struct session_profile profile = {0};
	struct authorise_answer answer = {
		.outcome = outcome, .source = "server", .message = "because", .profile = &profile};

	if (given)
		must(!profile_copy(given, &profile));
	world.length = 0;
	world.told[0] = '\0';
	world.handler(&world.controld, &answer, &world.ticket);
	profile_done(&profile);
	if (!world.bus_is_slow)
		world_durable();
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

int dhcp4_relay_send(struct dhcp4 *dhcp4, uint32_t giaddr_be, uint32_t server_be, const uint8_t *data,
		     size_t length)
{
	(void)dhcp4;
	must(giaddr_be == world.pool[0].giaddr_be);
	must(length <= sizeof(world.relayed));
	world.relayed_to_be = server_be;
	memcpy(world.relayed, data, length);
	world.relayed_length = length;
	world.relays++;
	return 0;
}

/* ---- Clients ------------------------------------------------------------------------ */

enum dhcp4_refusal serve(const uint8_t *frame, size_t length)
{
	uint64_t before[DHCP4_REFUSAL_COUNT];
	enum dhcp4_refusal why;

	memcpy(before, world.dhcp4->stats.refused, sizeof(before));
	world.length = 0;
	world.told[0] = '\0';
	why = dhcp4_serve(world.dhcp4, 1, frame, length, world.now_ns);
	if (!world.bus_is_slow)
		world_durable();
	for (int i = 1; !why && i < DHCP4_REFUSAL_COUNT; i++)
		if (world.dhcp4->stats.refused[i] != before[i])
			why = (enum dhcp4_refusal)i;
	return why;
}

enum dhcp4_refusal ask(const struct request *request)
{
	uint8_t frame[2048];
	size_t length = request_build(request, frame);

	return serve(frame, length);
}

/* Takes the client there, by what a client and whoever authorises do. */
void enter(enum dhcp4_state state)
{
	static const struct session_profile nothing;

	world.ask_error = state == DHCP4_STATE_ASKED || state == DHCP4_STATE_GRANTED ? 0 : -ENOTSUP;
	world.bus_is_slow = state == DHCP4_STATE_OPENING;
	if (state != DHCP4_STATE_NONE)
		ck_assert_int_eq(ask(&discover_a), DHCP4_ACCEPTED);
	if (state == DHCP4_STATE_GRANTED) {
		world_restart(); /* nobody waits for the answer any more */
		world_answer(AUTHORISE_GRANTED, &nothing);
	}
	if (state >= DHCP4_STATE_OPENING)
		ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	struct session_client client = client_of(MAC);
	ck_assert_int_eq(dhcp4_state_of(world.dhcp4, &client, world.now_ns), state);
}

struct session_client client_of(uint8_t mac)
{
	return (struct session_client){
		.interface = 1, .outer_vid = 100, .inner_vid = 7, .mac = {2, 0, 0, 0, 0, mac}};
}
