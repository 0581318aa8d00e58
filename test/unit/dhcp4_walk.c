/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The DHCP server: every message in every state, with the reply byte for byte.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp4_texts.h"
#include "run.h"

struct row {
	const char *what;
	enum dhcp4_state before;
	struct request request;
	enum dhcp4_refusal refusal;
	enum dhcp4_state after;
	const char *reply;
};

#define N DHCP4_STATE_NONE
#define Q DHCP4_STATE_ASKED
#define G DHCP4_STATE_GRANTED
#define O DHCP4_STATE_OFFERED
#define P DHCP4_STATE_OPENING
#define S DHCP4_STATE_BOUND
#define REQUEST(...)                                                                                         \
	{                                                                                                    \
		.type = DHCP4_REQUEST, .mac = MAC, __VA_ARGS__                                               \
	}

/* clang-format off */
static const struct row rows[] = {
	{"discover, nothing known", N, {.type = DHCP4_DISCOVER, .mac = MAC, .requested = A}, 0, O, OFFER_A},
	{"discover, offered", O, {.type = DHCP4_DISCOVER, .mac = MAC}, 0, O, OFFER_A},
	{"discover, offered, wants another", O, {.type = DHCP4_DISCOVER, .mac = MAC, .requested = B}, 0, O, OFFER_A},
	{"discover, bound", S, {.type = DHCP4_DISCOVER, .mac = MAC}, 0, S, OFFER_A},
	{"discover, bound, wants another", S, {.type = DHCP4_DISCOVER, .mac = MAC, .requested = B}, 0, S, OFFER_A},

	{"select, offer forgotten", N, REQUEST(.requested = A, .server = SERVER), 0, S, ACK_A},
	{"select, outside the pool", N, REQUEST(.requested = "10.0.0.99", .server = SERVER),
	 DHCP4_REFUSED_ADDRESS_TAKEN, G, NAK NOT_FREE},
	{"select, the router's address", N, REQUEST(.requested = SERVER, .server = SERVER),
	 DHCP4_REFUSED_ADDRESS_TAKEN, G, NAK NOT_FREE},
	{"select, offered", O, REQUEST(.requested = A, .server = SERVER), 0, S, ACK_A},
	{"select, not what was offered", O, REQUEST(.requested = B, .server = SERVER),
	 DHCP4_REFUSED_WRONG_ADDRESS, G, NAK NOT_YOURS},
	{"select again, bound", S, REQUEST(.requested = A, .server = SERVER), 0, S, ACK_A},
	{"select another, bound", S, REQUEST(.requested = B, .server = SERVER),
	 DHCP4_REFUSED_WRONG_ADDRESS, S, NAK NOT_YOURS},

	{"another server, nothing known", N, REQUEST(.requested = A, .server = "10.0.0.2"),
	 DHCP4_REFUSED_OTHER_SERVER, N, "none"},
	{"another server, offered", O, REQUEST(.requested = A, .server = "10.0.0.2"),
	 DHCP4_REFUSED_OTHER_SERVER, N, "none"},
	{"another server, bound", S, REQUEST(.requested = A, .server = "10.0.0.2"),
	 DHCP4_REFUSED_OTHER_SERVER, S, "none"},

	{"reboot, unknown client: silent", N, REQUEST(.requested = A), DHCP4_REFUSED_NO_BINDING, N, "none"},
	{"reboot, wrong network", N, REQUEST(.requested = "192.168.1.5"),
	 DHCP4_REFUSED_WRONG_NETWORK, N, NAK OTHER_NETWORK},
	{"reboot, offered", O, REQUEST(.requested = A), 0, S, ACK_A},
	{"reboot, offered another", O, REQUEST(.requested = B), DHCP4_REFUSED_WRONG_ADDRESS, G, NAK NOT_YOURS},
	{"reboot, bound", S, REQUEST(.requested = A), 0, S, ACK_A},
	{"reboot, bound to another", S, REQUEST(.requested = B), DHCP4_REFUSED_WRONG_ADDRESS, S, NAK NOT_YOURS},

	{"renew, nothing known", N, REQUEST(.ciaddr = A, .destination = SERVER), DHCP4_REFUSED_NO_BINDING, N, NAK NO_LEASE},
	{"renew, offered", O, REQUEST(.ciaddr = A, .destination = SERVER), DHCP4_REFUSED_NO_BINDING, O, NAK NO_LEASE},
	{"renew, bound", S, REQUEST(.ciaddr = A, .destination = SERVER, .unicast_mac = true), 0, S, RENEW_A},
	{"renew another, bound", S, REQUEST(.ciaddr = B, .destination = SERVER),
	 DHCP4_REFUSED_WRONG_ADDRESS, S, NAK NOT_YOURS},

	{"rebind, nothing known", N, REQUEST(.ciaddr = A), DHCP4_REFUSED_NO_BINDING, N, NAK NO_LEASE},
	{"rebind, offered", O, REQUEST(.ciaddr = A), DHCP4_REFUSED_NO_BINDING, O, NAK NO_LEASE},
	{"rebind, bound", S, REQUEST(.ciaddr = A), 0, S, RENEW_A},
	{"rebind another, bound", S, REQUEST(.ciaddr = B), DHCP4_REFUSED_WRONG_ADDRESS, S, NAK NOT_YOURS},

	{"decline, nothing known", N, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, N, "none"},
	{"decline, offered", O, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER}, 0, G, "none"},
	{"decline, offered another", O, {.type = DHCP4_DECLINE, .mac = MAC, .requested = B, .server = SERVER},
	 DHCP4_REFUSED_WRONG_ADDRESS, O, "none"},
	{"decline, bound", S, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER}, 0, N, "none"},
	{"decline another, bound", S, {.type = DHCP4_DECLINE, .mac = MAC, .requested = B, .server = SERVER},
	 DHCP4_REFUSED_WRONG_ADDRESS, S, "none"},
	{"decline at another server", S, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = "10.0.0.2"},
	 DHCP4_REFUSED_OTHER_SERVER, S, "none"},

	{"release, nothing known", N, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, N, "none"},
	{"release, offered", O, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, O, "none"},
	{"release, bound", S, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER}, 0, N, "none"},
	{"release another, bound", S, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = B, .server = SERVER},
	 DHCP4_REFUSED_WRONG_ADDRESS, S, "none"},

	{"inform, nothing known", N, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A}, 0, N, INFO_A},
	{"inform, offered", O, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A}, 0, O, INFO_A},
	{"inform, bound", S, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A}, 0, S, INFO_A},
	{"inform without address", N, {.type = DHCP4_INFORM, .mac = MAC}, DHCP4_REFUSED_MALFORMED, N, "none"},
	{"inform from elsewhere", N, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = "192.168.1.5"},
	 DHCP4_REFUSED_NO_POOL, N, "none"},

	{"discover, asked", Q, {.type = DHCP4_DISCOVER, .mac = MAC, .requested = A},
	 0, Q, "none"},
	{"select, asked", Q, REQUEST(.requested = A, .server = SERVER),
	 0, Q, "none"},
	{"another server, asked", Q, REQUEST(.requested = A, .server = "10.0.0.2"),
	 DHCP4_REFUSED_OTHER_SERVER, Q, "none"},
	{"reboot, asked", Q, REQUEST(.requested = A),
	 0, Q, "none"},
	{"renew, asked", Q, REQUEST(.ciaddr = A, .destination = SERVER),
	 DHCP4_REFUSED_NO_BINDING, Q, NAK NO_LEASE},
	{"rebind, asked", Q, REQUEST(.ciaddr = A),
	 DHCP4_REFUSED_NO_BINDING, Q, NAK NO_LEASE},
	{"decline, asked", Q, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, Q, "none"},
	{"release, asked", Q, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, Q, "none"},
	{"inform, asked", Q, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A},
	 0, Q, INFO_A},

	{"discover, granted", G, {.type = DHCP4_DISCOVER, .mac = MAC, .requested = A},
	 0, O, OFFER_A},
	{"select, granted", G, REQUEST(.requested = A, .server = SERVER),
	 0, S, ACK_A},
	{"select what is not free, granted", G, REQUEST(.requested = "10.0.0.99", .server = SERVER),
	 DHCP4_REFUSED_ADDRESS_TAKEN, G, NAK NOT_FREE},
	{"another server, granted", G, REQUEST(.requested = A, .server = "10.0.0.2"),
	 DHCP4_REFUSED_OTHER_SERVER, N, "none"},
	{"reboot, granted", G, REQUEST(.requested = A),
	 DHCP4_REFUSED_NO_BINDING, G, "none"},
	{"reboot, wrong network, granted", G, REQUEST(.requested = "192.168.1.5"),
	 DHCP4_REFUSED_WRONG_NETWORK, G, NAK OTHER_NETWORK},
	{"renew, granted", G, REQUEST(.ciaddr = A, .destination = SERVER),
	 DHCP4_REFUSED_NO_BINDING, G, NAK NO_LEASE},
	{"rebind, granted", G, REQUEST(.ciaddr = A),
	 DHCP4_REFUSED_NO_BINDING, G, NAK NO_LEASE},
	{"decline, granted", G, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, G, "none"},
	{"release, granted", G, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, G, "none"},
	{"inform, granted", G, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A},
	 0, G, INFO_A},

	{"discover, opening", P, {.type = DHCP4_DISCOVER, .mac = MAC, .requested = A},
	 0, P, "none"},
	{"select, opening", P, REQUEST(.requested = A, .server = SERVER),
	 0, P, "none"},
	{"another server, opening", P, REQUEST(.requested = A, .server = "10.0.0.2"),
	 DHCP4_REFUSED_OTHER_SERVER, P, "none"},
	{"reboot, opening", P, REQUEST(.requested = A),
	 0, P, "none"},
	{"renew, opening", P, REQUEST(.ciaddr = A, .destination = SERVER),
	 0, P, "none"},
	{"rebind, opening", P, REQUEST(.ciaddr = A),
	 0, P, "none"},
	{"decline, opening", P, {.type = DHCP4_DECLINE, .mac = MAC, .requested = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, P, "none"},
	{"release, opening", P, {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER},
	 DHCP4_REFUSED_NO_BINDING, P, "none"},
	{"inform, opening", P, {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = A},
	 0, P, INFO_A},

	{"request that asks for nothing", S, REQUEST(), DHCP4_REFUSED_MALFORMED, S, "none"},
	{"a server's message", N, {.type = DHCP4_ACK, .mac = MAC}, DHCP4_REFUSED_NOT_FOR_SERVER, N, "none"},
	{"BOOTP", N, {.type = DHCP4_NONE, .mac = MAC}, DHCP4_REFUSED_NOT_FOR_SERVER, N, "none"},
	{"through a relay", N, {.type = DHCP4_DISCOVER, .mac = MAC, .giaddr = "10.0.0.2"}, DHCP4_REFUSED_RELAYED, N, "none"},
	{"for another MAC", N, {.type = DHCP4_DISCOVER, .mac = MAC, .chaddr = 0x0b}, DHCP4_REFUSED_MAC, N, "none"},
};
/* clang-format on */

START_TEST(rfc2131_s4_3_2_rfc2131_s4_3_3_rfc2131_s4_3_4_rfc2131_s4_3_5_every_message_in_every_state)
{
	const struct row *row = &rows[_i];
	uint64_t refused_before;

	world_init();
	enter(row->before);
	unsigned frames = world.frames, asked = world.asked;
	refused_before = world.dhcp4->stats.refused[row->refusal];
	ck_assert_msg(ask(&row->request) == row->refusal, "%s: refusal", row->what);
	ck_assert_msg(strcmp(answer(), row->reply) == 0, "%s:\n got %s\nwant %s", row->what, answer(),
		      row->reply);
	ck_assert_uint_eq(world.frames - frames, strcmp(row->reply, "none") != 0);
	struct session_client client = client_of(MAC);
	ck_assert_msg(dhcp4_state_of(world.dhcp4, &client, world.now_ns) == row->after, "%s: state",
		      row->what);
	ck_assert_uint_eq(world.dhcp4->stats.refused[row->refusal] - refused_before, row->refusal != 0);
	ck_assert_msg(world.asked == asked, "%s: asked again", row->what);
	world_free();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 walk");
	TCase *tests = tcase_create("walk");

	tcase_add_loop_test(
		tests,
		rfc2131_s4_3_2_rfc2131_s4_3_3_rfc2131_s4_3_4_rfc2131_s4_3_5_every_message_in_every_state, 0,
		sizeof(rows) / sizeof(rows[0]));
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
