/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The automaton against the table that RFC 1661 prints in section 4.1: each state, each
 * event. What the table marks with r, p and x are options we do not take.
 */
#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "controld/pppoe/ppp_fsm.h"
#include "run.h"

static const char *const low[] = {
	"Up    2        irc,scr/6  -          -               -      -",
	"Down  -        -          0          tls/1           0      1",
	"Open  tls/1    1          irc,scr/6  3r              5r     5r",
	"Close 0        tlf/0      2          2               4      4",
	"TO+   -        -          -          -               str/4  str/5",
	"TO-   -        -          -          -               tlf/2  tlf/3",
	"RCR+  -        -          sta/2      irc,scr,sca/8   4      5",
	"RCR-  -        -          sta/2      irc,scr,scn/6   4      5",
	"RCA   -        -          sta/2      sta/3           4      5",
	"RCN   -        -          sta/2      sta/3           4      5",
	"RTR   -        -          sta/2      sta/3           sta/4  sta/5",
	"RTA   -        -          2          3               tlf/2  tlf/3",
	"RUC   -        -          scj/2      scj/3           scj/4  scj/5",
	"RXJ+  -        -          2          3               4      5",
	"RXJ-  -        -          tlf/2      tlf/3           tlf/2  tlf/3",
	"RXR   -        -          2          3               4      5",
};
static const char *const high[] = {
	"Up    -         -          -          -",
	"Down  1         1          1          tld/1",
	"Open  6         7          8          9r",
	"Close irc,str/4 irc,str/4  irc,str/4  tld,irc,str/4",
	"TO+   scr/6     scr/6      scr/8      -",
	"TO-   tlf/3p    tlf/3p     tlf/3p     -",
	"RCR+  sca/8     sca,tlu/9  sca/8      tld,scr,sca/8",
	"RCR-  scn/6     scn/7      scn/6      tld,scr,scn/6",
	"RCA   irc/7     scr/6x     irc,tlu/9  tld,scr/6x",
	"RCN   irc,scr/6 scr/6x     irc,scr/8  tld,scr/6x",
	"RTR   sta/6     sta/6      sta/6      tld,zrc,sta/5",
	"RTA   6         6          8          tld,scr/6",
	"RUC   scj/6     scj/7      scj/8      scj/9",
	"RXJ+  6         6          8          9",
	"RXJ-  tlf/3     tlf/3      tlf/3      tld,irc,str/5",
	"RXR   6         7          8          ser/9",
};

static uint32_t action_of(const char *name)
{
	static const char names[][4] = {"tld", "irc", "zrc", "scr", "str", "sca", "scn",
					"sta", "scj", "ser", "tls", "tlu", "tlf"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name, names[i], 3))
			return 1U << i;
	ck_abort_msg("no action: %s", name);
}

static void check_cell(unsigned event, unsigned state, const char *cell)
{
	struct ppp_fsm fsm = {.state = (uint8_t)state, .id = 7, .restarts = 3}, expected = fsm;
	uint32_t wanted = 0;

	for (; isalpha((unsigned char)*cell); cell += 3 + (cell[3] != '\0'))
		wanted |= action_of(cell);
	if (*cell != '-')
		expected.state = (uint8_t)(*cell - '0');
	uint32_t found = ppp_fsm_step(&fsm, event);
	ck_assert_msg(found == wanted && fsm.state == expected.state, "%s in %s: actions %#x/%u, not %#x/%u",
		      ppp_event_name(event), ppp_state_name(state), found, fsm.state, wanted, expected.state);
	ck_assert_mem_eq(&fsm, &expected, sizeof(fsm));
}

START_TEST(rfc1661_s4_1_rfc1332_s2_every_state_and_event_is_as_printed)
{
	static const struct {
		const char *const *rows;
		unsigned first, last;
	} parts[] = {{low, 0, 5}, {high, 6, 9}};
	unsigned cells = 0;

	ck_assert_uint_eq(PPP_EVENTS, sizeof(low) / sizeof(low[0]));
	for (unsigned part = 0; part < 2; part++)
		for (unsigned event = 0; event < PPP_EVENTS; event++) {
			char row[128], *rest = NULL;
			unsigned state = parts[part].first;

			strcpy(row, parts[part].rows[event]);
			strtok_r(row, " ", &rest);
			for (char *cell; (cell = strtok_r(NULL, " ", &rest)); cells++)
				check_cell(event, state++, cell);
			ck_assert_uint_eq(state, parts[part].last + 1);
		}
	ck_assert_uint_eq(cells, PPP_EVENTS * PPP_STATES);
}
END_TEST

/* Section 4.6. */
START_TEST(rfc1661_s4_6_restart_timer_runs_where_an_answer_is_awaited)
{
	static const bool is_timed[PPP_STATES] = {
		[PPP_CLOSING] = true,  [PPP_STOPPING] = true, [PPP_REQ_SENT] = true,
		[PPP_ACK_RCVD] = true, [PPP_ACK_SENT] = true,
	};

	for (unsigned state = 0; state < PPP_STATES; state++) {
		struct ppp_fsm fsm = {.state = (uint8_t)state};

		ck_assert_int_eq(ppp_fsm_is_timed(&fsm), is_timed[state]);
	}
}
END_TEST

START_TEST(names_are_told_apart)
{
	for (unsigned i = 0; i < PPP_STATES; i++)
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(ppp_state_name(i), ppp_state_name(j));
	for (unsigned i = 0; i < PPP_EVENTS; i++)
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(ppp_event_name(i), ppp_event_name(j));
	ck_assert_str_eq(ppp_state_name(PPP_STATES), "?");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ppp_fsm");
	TCase *tests = tcase_create("ppp_fsm");

	tcase_add_test(tests, rfc1661_s4_1_rfc1332_s2_every_state_and_event_is_as_printed);
	tcase_add_test(tests, rfc1661_s4_6_restart_timer_runs_where_an_answer_is_awaited);
	tcase_add_test(tests, names_are_told_apart);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
