/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCP relay: every message of a client and of its server in every state, with what is
 * handed on, and to whom.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp4_texts.h"
#include "run.h"

enum handed { NOWHERE, UP, DOWN };

enum walk_event {
	DISCOVER,
	SELECT,
	OTHER, /* a REQUEST that chooses another server */
	REBOOT,
	RENEW,
	REBIND,
	DECLINE,
	RELEASE,
	INFORM,
	/* From the server: */
	OFFERS,
	ACKS,
	ACKS_B, /* another address than A */
	INFORMS,
	NAKS,
	EVENTS,
};

static const struct request requests[] = {
	[DISCOVER] = {.type = DHCP4_DISCOVER, .mac = MAC},
	[SELECT] = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = SERVER},
	[OTHER] = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = "10.0.0.2"},
	[REBOOT] = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A},
	[RENEW] = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER},
	[REBIND] = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A},
	[DECLINE] = {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER},
	[RELEASE] = {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER},
	[INFORM] = {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A},
};

static const struct {
	enum dhcp4_type type;
	const char *address;
	uint32_t lease_s;
} replies[EVENTS] = {
	[OFFERS] = {DHCP4_OFFER, A, 600},   [ACKS] = {DHCP4_ACK, A, 600},
	[ACKS_B] = {DHCP4_ACK, B, 600},     [INFORMS] = {DHCP4_ACK, "0.0.0.0", 0},
	[NAKS] = {DHCP4_NAK, "0.0.0.0", 0},
};

struct cell {
	enum handed handed;
	enum dhcp4_refusal refusal;
	enum dhcp4_state after;
};

#define N            DHCP4_STATE_NONE
#define Q            DHCP4_STATE_ASKED
#define G            DHCP4_STATE_GRANTED
#define O            DHCP4_STATE_OFFERED
#define P            DHCP4_STATE_OPENING
#define S            DHCP4_STATE_BOUND
#define NO_BINDING   DHCP4_REFUSED_NO_BINDING
#define OTHER_CHOSEN DHCP4_REFUSED_OTHER_SERVER

/* Nobody is to be asked here: in NONE, a client is granted at once. OFFERED is what is left
 * of an offer of our own, made before the pool was relayed. */
/* clang-format off */
static const struct cell cells[DHCP4_STATES][EVENTS] = {
	[N] = {
		[DISCOVER] = {UP, 0, G},
		[SELECT]   = {UP, 0, G},
		[OTHER]    = {NOWHERE, OTHER_CHOSEN, N},
		[REBOOT]   = {UP, 0, G},
		[RENEW]    = {UP, 0, G},
		[REBIND]   = {UP, 0, G},
		[DECLINE]  = {NOWHERE, NO_BINDING, N},
		[RELEASE]  = {NOWHERE, NO_BINDING, N},
		[INFORM]   = {UP, 0, N},
		[OFFERS]   = {DOWN, 0, N},
		[ACKS]     = {NOWHERE, NO_BINDING, N},
		[ACKS_B]   = {NOWHERE, NO_BINDING, N},
		[INFORMS]  = {DOWN, 0, N},
		[NAKS]     = {DOWN, 0, N},
	},
	[Q] = {
		[DISCOVER] = {NOWHERE, 0, Q},
		[SELECT]   = {NOWHERE, 0, Q},
		[OTHER]    = {NOWHERE, OTHER_CHOSEN, Q},
		[REBOOT]   = {NOWHERE, 0, Q},
		[RENEW]    = {NOWHERE, 0, Q},
		[REBIND]   = {NOWHERE, 0, Q},
		[DECLINE]  = {NOWHERE, NO_BINDING, Q},
		[RELEASE]  = {NOWHERE, NO_BINDING, Q},
		[INFORM]   = {UP, 0, Q},
		[OFFERS]   = {DOWN, 0, Q},
		[ACKS]     = {NOWHERE, NO_BINDING, Q},
		[ACKS_B]   = {NOWHERE, NO_BINDING, Q},
		[INFORMS]  = {DOWN, 0, Q},
		[NAKS]     = {DOWN, 0, Q},
	},
	[G] = {
		[DISCOVER] = {UP, 0, G},
		[SELECT]   = {UP, 0, G},
		[OTHER]    = {NOWHERE, OTHER_CHOSEN, G},
		[REBOOT]   = {UP, 0, G},
		[RENEW]    = {UP, 0, G},
		[REBIND]   = {UP, 0, G},
		[DECLINE]  = {UP, 0, G},
		[RELEASE]  = {NOWHERE, NO_BINDING, G},
		[INFORM]   = {UP, 0, G},
		[OFFERS]   = {DOWN, 0, G},
		[ACKS]     = {DOWN, 0, S},
		[ACKS_B]   = {DOWN, 0, S},
		[INFORMS]  = {DOWN, 0, G},
		[NAKS]     = {DOWN, 0, G},
	},
	[O] = {
		[DISCOVER] = {UP, 0, O},
		[SELECT]   = {UP, 0, O},
		[OTHER]    = {NOWHERE, OTHER_CHOSEN, O},
		[REBOOT]   = {UP, 0, O},
		[RENEW]    = {UP, 0, O},
		[REBIND]   = {UP, 0, O},
		[DECLINE]  = {UP, 0, O},
		[RELEASE]  = {NOWHERE, NO_BINDING, O},
		[INFORM]   = {UP, 0, O},
		[OFFERS]   = {DOWN, 0, O},
		[ACKS]     = {DOWN, 0, S},
		[ACKS_B]   = {DOWN, 0, S},
		[INFORMS]  = {DOWN, 0, O},
		[NAKS]     = {DOWN, 0, O},
	},
	[P] = {
		[DISCOVER] = {NOWHERE, 0, P},
		[SELECT]   = {NOWHERE, 0, P},
		[OTHER]    = {NOWHERE, OTHER_CHOSEN, P},
		[REBOOT]   = {NOWHERE, 0, P},
		[RENEW]    = {NOWHERE, 0, P},
		[REBIND]   = {NOWHERE, 0, P},
		[DECLINE]  = {NOWHERE, NO_BINDING, P},
		[RELEASE]  = {NOWHERE, NO_BINDING, P},
		[INFORM]   = {UP, 0, P},
		[OFFERS]   = {DOWN, 0, P},
		[ACKS]     = {NOWHERE, 0, P}, /* the one before waits for the session */
		[ACKS_B]   = {NOWHERE, 0, P},
		[INFORMS]  = {DOWN, 0, P},
		[NAKS]     = {DOWN, 0, P},
	},
	[S] = {
		[DISCOVER] = {UP, 0, S},
		[SELECT]   = {UP, 0, S},
		[OTHER]    = {NOWHERE, OTHER_CHOSEN, S},
		[REBOOT]   = {UP, 0, S},
		[RENEW]    = {UP, 0, S},
		[REBIND]   = {UP, 0, S},
		[DECLINE]  = {UP, 0, N},
		[RELEASE]  = {UP, 0, N},
		[INFORM]   = {UP, 0, S},
		[OFFERS]   = {DOWN, 0, S},
		[ACKS]     = {DOWN, 0, S},
		[ACKS_B]   = {NOWHERE, NO_BINDING, N}, /* not asked about: it begins anew */
		[INFORMS]  = {DOWN, 0, S},
		[NAKS]     = {DOWN, 0, N},
	},
};
/* clang-format on */

static void use_relay(size_t servers)
{
	world.pool[0].relay_be[0] = inet_addr(OTHER_SERVER);
	world.pool[0].relay_count = servers;
	world.pool[0].giaddr_be = inet_addr("198.51.100.1");
}

/* Takes the client there. What a server would reply to is in world.relayed. */
static void enter_relayed(enum dhcp4_state state)
{
	const struct session_client client = client_of(MAC);

	use_relay(1);
	ck_assert_int_eq(ask(&requests[INFORM]), DHCP4_ACCEPTED);
	if (state == O) {
		use_relay(0);
		enter(O);
		use_relay(1);
	}
	world.ask_error = state == Q ? 0 : world.ask_error;
	world.bus_is_slow = state == P;
	if (state == Q || state == G || state == P || state == S)
		ck_assert_int_eq(ask(&requests[DISCOVER]), DHCP4_ACCEPTED);
	if (state == P || state == S)
		ck_assert_int_eq(server_says(DHCP4_ACK, A, 300), DHCP4_ACCEPTED);
	ck_assert_int_eq(dhcp4_state_of(world.dhcp4, &client, world.now_ns), state);
}

START_TEST(every_message_in_every_state)
{
	enum dhcp4_state before = (enum dhcp4_state)(_i / EVENTS);
	enum walk_event event = (enum walk_event)(_i % EVENTS);
	const struct cell *want = &cells[before][event];
	const struct session_client client = client_of(MAC);
	enum dhcp4_refusal why;

	world_init();
	enter_relayed(before);
	unsigned frames = world.frames, relays = world.relays, asked = world.asked;
	if (event < OFFERS)
		why = ask(&requests[event]);
	else
		why = server_says(replies[event].type, replies[event].address, replies[event].lease_s);
	ck_assert_msg(why == want->refusal, "state %d, event %d: refusal %d", before, event, why);
	ck_assert_msg(world.relays - relays == (want->handed == UP), "state %d, event %d: up", before, event);
	ck_assert_msg(world.frames - frames == (want->handed == DOWN), "state %d, event %d: down", before,
		      event);
	ck_assert_msg(dhcp4_state_of(world.dhcp4, &client, world.now_ns) == want->after,
		      "state %d, event %d: state", before, event);
	ck_assert_uint_eq(world.asked, asked);
	if (want->after == S)
		ck_assert_ptr_nonnull(world_session(event == ACKS_B ? B : A));
	else
		ck_assert_ptr_null(world_session(A));
	if (before == S && event == ACKS)
		ck_assert_uint_eq(world_session(A)->lease_seconds, 600);
	world_free();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 relay walk");
	TCase *tests = tcase_create("walk");

	tcase_add_loop_test(tests, every_message_in_every_state, 0, DHCP4_STATES * EVENTS);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
