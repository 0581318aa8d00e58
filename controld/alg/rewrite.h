/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One command on its way: from the frame that the data plane handed over to the one it
 * gets back. A pure function of the frame, the ports found and the connection's entry
 * (dataplane/abi/alg.h).
 */
#ifndef BNG_ALG_REWRITE_H
#define BNG_ALG_REWRITE_H

#include <stdbool.h>

#include "dataplane/abi/alg.h"
#include "ftp.h"
#include "segment.h"

/* A frame with a command that names the subscriber's own address. */
struct command {
	struct segment segment;
	struct ftp_command ftp;
};

/* Of a frame whose segment is known: 0, or -EBADMSG: what cannot be, or is not to be,
 * rewritten. */
int command_parse(const uint8_t *frame, const struct segment *segment, struct command *command);

/* Rewrites the command to `public_be` and `port`, and *entry to what it does to the
 * sequence numbers: bytes written to `out`. 0: that cannot be, as the entry is about
 * another command, or about this one with another length. */
size_t command_rewrite(const struct command *command, const uint8_t *frame, uint32_t public_be, uint16_t port,
		       struct bng_alg *entry, uint8_t out[static SEGMENT_FRAME_MAX]);

/* The command goes out as it is: *entry no longer waits for it. False: it did not. */
bool command_give_up(const struct segment *segment, struct bng_alg *entry);

#endif
