/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sub-options are type, length, value, like options, but nothing ends or pads them. Of
 * one that comes twice the first counts; those we do not know are skipped.
 */
#include "option82.h"

#include <errno.h>

static void keep(uint8_t **id, uint16_t *id_length, uint8_t *data, uint8_t length)
{
	if (*id || !length)
		return;
	*id = data;
	*id_length = length;
}

int option82_parse(struct dhcp4_bytes *option, struct session_line *line)
{
	struct session_line found = {0};
	uint16_t at = 0;

	*line = found;
	while (at < option->length) {
		uint8_t *sub = option->data + at;

		if (option->length - at < 2 || sub[1] > option->length - at - 2)
			return -EBADMSG;
		if (sub[0] == OPTION82_CIRCUIT_ID)
			keep(&found.circuit_id, &found.circuit_id_length, sub + 2, sub[1]);
		else if (sub[0] == OPTION82_REMOTE_ID)
			keep(&found.remote_id, &found.remote_id_length, sub + 2, sub[1]);
		at = (uint16_t)(at + 2 + sub[1]);
	}
	*line = found;
	return 0;
}
