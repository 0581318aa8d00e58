/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What accounting owes the servers for one session, as a table of state and event.
 *
 * What is OWED was made but perhaps not delivered: a Start that is on its way when
 * everything ends is made again, under the same key. STARTED is published before the
 * Start leaves the bus, so a Start is never made twice.
 */
#ifndef BNG_CONTROLD_ACCOUNTING_MACHINE_H
#define BNG_CONTROLD_ACCOUNTING_MACHINE_H

enum accounting_state {
	ACCOUNTING_NONE,    /* the servers know nothing of it */
	ACCOUNTING_OWED,    /* a Start was made */
	ACCOUNTING_STARTED, /* and delivered */
	ACCOUNTING_STOPPED, /* a Stop was made: nothing more */
	ACCOUNTING_STATES,
};

enum accounting_event {
	ACCOUNTING_BEGIN,     /* the session is up, or was found */
	ACCOUNTING_DELIVERED, /* its Start */
	ACCOUNTING_DUE,       /* an interim record */
	ACCOUNTING_END,       /* the session goes down, or went down unseen */
	ACCOUNTING_OFF,       /* the gateway goes out of service: the servers are told once, for all */
	ACCOUNTING_EVENTS,
};

enum accounting_action {
	ACCOUNTING_NOTHING,
	ACCOUNTING_MAKE_START,
	ACCOUNTING_MAKE_INTERIM,
	ACCOUNTING_MAKE_STOP,
	ACCOUNTING_MAKE_BOTH, /* the Start, unless it waits already, and the Stop */
};

struct accounting_step {
	enum accounting_action action;
	enum accounting_state next;
};

struct accounting_step accounting_step(enum accounting_state state, enum accounting_event event);
const char *accounting_state_name(enum accounting_state state);

#endif
