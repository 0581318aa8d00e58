/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the server remembers besides sessions, on the bus (topic `lease`): the address that a
 * client had before, and addresses that were declined. So a client gets its old address
 * after a restart of controld, and after one of the machine.
 *
 * A record is a (client, address) pair with its end: {"interface", "outer_vid", "inner_vid",
 * "mac", "address", "until"}, or {"address", "until"} of a declined one; `until` is Unix time.
 */
#ifndef BNG_DHCP4_MEMORY_H
#define BNG_DHCP4_MEMORY_H

#include "controld/sync/sync.h"
#include "server.h"

extern const struct sync_topic memory_topic;

/* From now on the tables are written to the bus as they change. */
void memory_start(struct dhcp4 *dhcp4);
/* What the bus kept goes into the tables: with the interfaces of a configuration. */
void memory_restore(struct dhcp4 *dhcp4, uint64_t now_ns);

#endif
