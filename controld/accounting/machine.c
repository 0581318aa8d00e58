/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The table, see the header.
 */
#include "controld/accounting/machine.h"

/* clang-format off */
static const struct accounting_step steps[ACCOUNTING_STATES][ACCOUNTING_EVENTS] = {
	[ACCOUNTING_NONE] = {
		[ACCOUNTING_BEGIN] =     {ACCOUNTING_MAKE_START,   ACCOUNTING_OWED},
		[ACCOUNTING_DELIVERED] = {ACCOUNTING_NOTHING,      ACCOUNTING_STARTED},
		[ACCOUNTING_DUE] =       {ACCOUNTING_NOTHING,      ACCOUNTING_NONE},
		[ACCOUNTING_END] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
		[ACCOUNTING_OFF] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
	},
	[ACCOUNTING_OWED] = {
		[ACCOUNTING_BEGIN] =     {ACCOUNTING_MAKE_START,   ACCOUNTING_OWED},
		[ACCOUNTING_DELIVERED] = {ACCOUNTING_NOTHING,      ACCOUNTING_STARTED},
		[ACCOUNTING_DUE] =       {ACCOUNTING_MAKE_INTERIM, ACCOUNTING_OWED},
		[ACCOUNTING_END] =       {ACCOUNTING_MAKE_BOTH,    ACCOUNTING_STOPPED},
		[ACCOUNTING_OFF] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
	},
	[ACCOUNTING_STARTED] = {
		[ACCOUNTING_BEGIN] =     {ACCOUNTING_NOTHING,      ACCOUNTING_STARTED},
		[ACCOUNTING_DELIVERED] = {ACCOUNTING_NOTHING,      ACCOUNTING_STARTED},
		[ACCOUNTING_DUE] =       {ACCOUNTING_MAKE_INTERIM, ACCOUNTING_STARTED},
		[ACCOUNTING_END] =       {ACCOUNTING_MAKE_STOP,    ACCOUNTING_STOPPED},
		[ACCOUNTING_OFF] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
	},
	[ACCOUNTING_STOPPED] = {
		[ACCOUNTING_BEGIN] =     {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
		[ACCOUNTING_DELIVERED] = {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
		[ACCOUNTING_DUE] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
		[ACCOUNTING_END] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
		[ACCOUNTING_OFF] =       {ACCOUNTING_NOTHING,      ACCOUNTING_STOPPED},
	},
};
/* clang-format on */

struct accounting_step accounting_step(enum accounting_state state, enum accounting_event event)
{
	/* What the bus kept may say anything. */
	if (state >= ACCOUNTING_STATES || event >= ACCOUNTING_EVENTS)
		return (struct accounting_step){ACCOUNTING_NOTHING, ACCOUNTING_STOPPED};
	return steps[state][event];
}

const char *accounting_state_name(enum accounting_state state)
{
	static const char *const names[] = {"none", "owed", "started", "stopped"};

	return state < ACCOUNTING_STATES ? names[state] : "stopped";
}
