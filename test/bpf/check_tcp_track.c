/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Every state of a TCP mapping x every event, against a table written down by
 * hand. A state here is the state and the FINs seen; an event is a direction and
 * what of SYN, FIN and RST is set (ACK, PSH and URG must never matter).
 */
#include <check.h>
#include <stdlib.h>

#include "dataplane/cgnat_tcp.h"

enum state { PARTIAL, OPEN, OPEN_IN, OPEN_OUT, CLOSING, RST_0, RST_IN, RST_OUT, RST_BOTH, STATES };

static const struct {
	const char *name;
	struct tcp_track track;
} states[STATES] = {
	[PARTIAL] = {"partial", {BNG_MAPPING_TCP_PARTIAL, 0}},
	[OPEN] = {"established", {BNG_MAPPING_TCP_ESTABLISHED, 0}},
	[OPEN_IN] = {"established, FIN from inside", {BNG_MAPPING_TCP_ESTABLISHED, BNG_MAPPING_FIN_INSIDE}},
	[OPEN_OUT] = {"established, FIN from outside",
		      {BNG_MAPPING_TCP_ESTABLISHED, BNG_MAPPING_FIN_OUTSIDE}},
	[CLOSING] = {"closing", {BNG_MAPPING_TCP_CLOSING, FIN_BOTH}},
	[RST_0] = {"reset", {BNG_MAPPING_TCP_RESET, 0}},
	[RST_IN] = {"reset, FIN from inside", {BNG_MAPPING_TCP_RESET, BNG_MAPPING_FIN_INSIDE}},
	[RST_OUT] = {"reset, FIN from outside", {BNG_MAPPING_TCP_RESET, BNG_MAPPING_FIN_OUTSIDE}},
	[RST_BOTH] = {"reset, both FINs", {BNG_MAPPING_TCP_RESET, FIN_BOTH}},
};

/* What the flags that matter come to. */
enum event { DATA, SYN, FIN, SYN_FIN, RST, EVENTS };

static const __u8 event_flags[EVENTS] = {
	[DATA] = 0,           [SYN] = TCP_FLAG_SYN,
	[FIN] = TCP_FLAG_FIN, [SYN_FIN] = TCP_FLAG_SYN | TCP_FLAG_FIN,
	[RST] = TCP_FLAG_RST,
};

/* clang-format off */
static const enum state from_inside[STATES][EVENTS] = {
	/*              DATA      SYN       FIN       SYN_FIN   RST */
	[PARTIAL]  = {  PARTIAL,  PARTIAL,  PARTIAL,  PARTIAL,  RST_0    },
	[OPEN]     = {  OPEN,     OPEN,     OPEN_IN,  OPEN_IN,  RST_0    },
	[OPEN_IN]  = {  OPEN_IN,  OPEN_IN,  OPEN_IN,  OPEN_IN,  RST_IN   },
	[OPEN_OUT] = {  OPEN_OUT, OPEN_OUT, CLOSING,  CLOSING,  RST_OUT  },
	[CLOSING]  = {  CLOSING,  PARTIAL,  CLOSING,  PARTIAL,  RST_BOTH },
	[RST_0]    = {  OPEN,     PARTIAL,  OPEN_IN,  PARTIAL,  RST_0    },
	[RST_IN]   = {  OPEN,     PARTIAL,  OPEN_IN,  PARTIAL,  RST_IN   },
	[RST_OUT]  = {  OPEN,     PARTIAL,  OPEN_IN,  PARTIAL,  RST_OUT  },
	[RST_BOTH] = {  OPEN,     PARTIAL,  OPEN_IN,  PARTIAL,  RST_BOTH },
};

static const enum state from_outside[STATES][EVENTS] = {
	/*              DATA      SYN       FIN       SYN_FIN   RST */
	[PARTIAL]  = {  OPEN,     OPEN,     OPEN_OUT, OPEN_OUT, RST_0    },
	[OPEN]     = {  OPEN,     OPEN,     OPEN_OUT, OPEN_OUT, RST_0    },
	[OPEN_IN]  = {  OPEN_IN,  OPEN_IN,  CLOSING,  CLOSING,  RST_IN   },
	[OPEN_OUT] = {  OPEN_OUT, OPEN_OUT, OPEN_OUT, OPEN_OUT, RST_OUT  },
	[CLOSING]  = {  CLOSING,  CLOSING,  CLOSING,  CLOSING,  RST_BOTH },
	[RST_0]    = {  OPEN,     OPEN,     OPEN_OUT, OPEN_OUT, RST_0    },
	[RST_IN]   = {  OPEN,     OPEN,     OPEN_OUT, OPEN_OUT, RST_IN   },
	[RST_OUT]  = {  OPEN,     OPEN,     OPEN_OUT, OPEN_OUT, RST_OUT  },
	[RST_BOTH] = {  OPEN,     OPEN,     OPEN_OUT, OPEN_OUT, RST_BOTH },
};
/* clang-format on */

static enum event event_of(unsigned flags)
{
	if (flags & TCP_FLAG_RST)
		return RST;
	for (int event = DATA; event < RST; event++)
		if (event_flags[event] == (flags & (TCP_FLAG_SYN | TCP_FLAG_FIN)))
			return event;
	abort();
}

static void expect(enum state before, int inside, unsigned flags)
{
	struct tcp_track next = cgnat_tcp_next(states[before].track, inside, flags);
	enum state wanted = (inside ? from_inside : from_outside)[before][event_of(flags)];

	ck_assert_msg(next.state == states[wanted].track.state && next.fins == states[wanted].track.fins,
		      "%s, flags 0x%02x from %s: expected %s, found state %u fins %u", states[before].name,
		      flags, inside ? "inside" : "outside", states[wanted].name, next.state, next.fins);
}

START_TEST(rfc7857_s2_every_state_and_every_flag_byte)
{
	for (int before = 0; before < STATES; before++)
		for (unsigned flags = 0; flags < 256; flags++) {
			expect(before, 1, flags);
			expect(before, 0, flags);
		}
}
END_TEST

/* No sequence of packets leaves the table, and each of its states is met. */
START_TEST(rfc7857_s2_every_state_is_reached_and_no_other)
{
	int reached[STATES] = {[PARTIAL] = 1};

	for (int round = 0; round < STATES; round++)
		for (int before = 0; before < STATES; before++)
			for (int event = 0; reached[before] && event < EVENTS; event++) {
				reached[from_inside[before][event]] = 1;
				reached[from_outside[before][event]] = 1;
			}
	for (int state = 0; state < STATES; state++)
		ck_assert_msg(reached[state], "%s is never reached", states[state].name);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tcp_track");
	TCase *table = tcase_create("table");
	SRunner *runner;
	int failed;

	tcase_add_test(table, rfc7857_s2_every_state_and_every_flag_byte);
	tcase_add_test(table, rfc7857_s2_every_state_is_reached_and_no_other);
	suite_add_tcase(suite, table);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
