/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The Relay Agent Information option (RFC 3046): what an access node says of the line.
 */
#ifndef BNG_DHCP4_OPTION82_H
#define BNG_DHCP4_OPTION82_H

#include "controld/session/session.h"

#include "packet.h"

enum option82_code {
	OPTION82_CIRCUIT_ID = 1,
	OPTION82_REMOTE_ID = 2,
};

/* `line` points into `option`; absent or empty ids are NULL. 0, or -EBADMSG and *line is
 * all NULL. */
int option82_parse(struct dhcp4_bytes *option, struct session_line *line);

#endif
