/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * See the header. A command that is sent again must come out as it did the first time,
 * or the server's stream would be torn.
 */
#include "rewrite.h"

#include <errno.h>

int command_parse(const uint8_t *frame, const struct segment *segment, struct command *command)
{
	struct command found = {.segment = *segment};

	if (ftp_command_parse(frame + segment->payload, segment->end - segment->payload, &found.ftp) ||
	    found.ftp.address_be != segment->source_be)
		return -EBADMSG;
	*command = found;
	return 0;
}

size_t command_rewrite(const struct command *command, const uint8_t *frame, uint32_t public_be, uint16_t port,
		       struct bng_alg *entry, uint8_t out[static SEGMENT_FRAME_MAX])
{
	char text[FTP_COMMAND_MAX];
	size_t length = ftp_command_build(&command->ftp, public_be, port, text), written;
	int32_t grown = (int32_t)length - (int32_t)command->ftp.length;

	if (entry->position != command->segment.sequence)
		return 0;
	if (!(entry->flags & BNG_ALG_PENDING) && entry->after - entry->before != grown)
		return 0;
	written = segment_replace(frame, &command->segment, command->ftp.length, text, length, out);
	if (!written)
		return 0;
	entry->after = entry->before + grown;
	entry->flags &= (uint8_t)~BNG_ALG_PENDING;
	return written;
}

bool command_give_up(const struct segment *segment, struct bng_alg *entry)
{
	if (!(entry->flags & BNG_ALG_PENDING) || entry->position != segment->sequence)
		return false;
	entry->after = entry->before;
	entry->flags &= (uint8_t)~BNG_ALG_PENDING;
	return true;
}
