/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of FTP commands: the input is a frame. What is rewritten is read again as
 * the same command with the new address, and is as much longer as the entry says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/alg/rewrite.h"

#define PUBLIC_BE 0x077100cbu
#define PORT      40001

/* As the rewritten frame comes back: from the public address, so that it is a command. */
static void check(const uint8_t *out, size_t written, const struct command *command)
{
	struct segment segment;
	struct ftp_command ftp;

	if (segment_parse(out, written, &segment) ||
	    ftp_command_parse(out + segment.payload, segment.end - segment.payload, &ftp))
		abort();
	if (ftp.address_be != PUBLIC_BE || ftp.port != PORT || memcmp(ftp.word, command->ftp.word, 5))
		abort();
	if (segment.end - segment.payload - ftp.length !=
	    command->segment.end - command->segment.payload - command->ftp.length)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bng_alg entry = {.flags = BNG_ALG_PENDING};
	uint8_t out[SEGMENT_FRAME_MAX];
	struct segment segment;
	struct command command;
	size_t written;

	if (segment_parse(data, size, &segment) || command_parse(data, &segment, &command))
		return 0;
	entry.position = segment.sequence;
	written = command_rewrite(&command, data, PUBLIC_BE, PORT, &entry, out);
	if (!written)
		return 0;
	if ((int64_t)written - (int64_t)segment.end != entry.after)
		abort();
	check(out, written, &command);
	return 0;
}
