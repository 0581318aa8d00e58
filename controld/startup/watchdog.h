/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A deadline that also fires while the main thread hangs in a call: a thread waits for it.
 */
#ifndef BNG_CONTROLD_STARTUP_WATCHDOG_H
#define BNG_CONTROLD_STARTUP_WATCHDOG_H

struct watchdog;

/* Runs on the watchdog's thread, and is to end the process; whoever arms or stops the
 * watchdog meanwhile waits. */
typedef void watchdog_expired(void *context);

/* 0 or -errno. */
int watchdog_new(watchdog_expired *expired, void *context, struct watchdog **watchdog);
/* From now on so long, in place of what was said before. */
void watchdog_arm(struct watchdog *watchdog, unsigned seconds);
/* Nothing expires any more; ends the thread. */
void watchdog_free(struct watchdog *watchdog);

#endif
