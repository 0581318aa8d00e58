/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A cursor over one line, see the header.
 */
#include "ftp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD 5

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static bool take_char(struct cursor *cursor, char wanted)
{
	if (cursor->at == cursor->end || *cursor->at != (uint8_t)wanted)
		return false;
	cursor->at++;
	return true;
}

/* Decimal, without leading zeros beyond `digits`, at most `max`. */
static bool take_number(struct cursor *cursor, int digits, unsigned max, unsigned *number)
{
	int taken = 0;

	*number = 0;
	while (taken < digits && cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
		*number = *number * 10 + *cursor->at++ - '0';
		taken++;
	}
	return taken && *number <= max;
}

static bool take_address(struct cursor *cursor, char separator, uint32_t *address_be)
{
	uint32_t address = 0;

	for (int i = 0; i < 4; i++) {
		unsigned part;

		if ((i && !take_char(cursor, separator)) || !take_number(cursor, 3, 255, &part))
			return false;
		address = address << 8 | part;
	}
	*address_be = htonl(address);
	return true;
}

/* h1,h2,h3,h4,p1,p2 */
static bool take_port(struct cursor *cursor, struct ftp_command *command)
{
	unsigned high, low;

	if (!take_address(cursor, ',', &command->address_be) || !take_char(cursor, ',') ||
	    !take_number(cursor, 3, 255, &high) || !take_char(cursor, ',') ||
	    !take_number(cursor, 3, 255, &low))
		return false;
	command->port = (uint16_t)(high << 8 | low);
	return true;
}

/* |1|a.b.c.d|port| */
static bool take_eprt(struct cursor *cursor, struct ftp_command *command)
{
	unsigned port;

	if (cursor->at == cursor->end || *cursor->at < 33 || *cursor->at > 126)
		return false;
	command->delimiter = (char)*cursor->at++;
	if (!take_char(cursor, '1') || !take_char(cursor, command->delimiter) ||
	    !take_address(cursor, '.', &command->address_be) || !take_char(cursor, command->delimiter) ||
	    !take_number(cursor, 5, 65535, &port) || !take_char(cursor, command->delimiter))
		return false;
	command->port = (uint16_t)port;
	return true;
}

int ftp_command_parse(const uint8_t *text, size_t length, struct ftp_command *command)
{
	struct cursor cursor = {text + WORD, text + length};
	struct ftp_command found = {0};
	bool good;

	if (length <= WORD)
		return -EBADMSG;
	memcpy(found.word, text, WORD);
	if (!strncasecmp(found.word, "PORT ", WORD))
		good = take_port(&cursor, &found);
	else
		good = !strncasecmp(found.word, "EPRT ", WORD) && take_eprt(&cursor, &found);
	if (!good || !found.port || !take_char(&cursor, '\r') || !take_char(&cursor, '\n'))
		return -EBADMSG;
	found.length = (size_t)(cursor.at - text);
	*command = found;
	return 0;
}

size_t ftp_command_build(const struct ftp_command *command, uint32_t address_be, uint16_t port,
			 char out[static FTP_COMMAND_MAX])
{
	uint8_t part[4];
	char line[FTP_COMMAND_MAX], d = command->delimiter;
	int length;

	memcpy(part, &address_be, sizeof(part));
	if (d)
		length = snprintf(line, sizeof(line), "%.5s%c1%c%u.%u.%u.%u%c%u%c\r\n", command->word, d, d,
				  part[0], part[1], part[2], part[3], d, port, d);
	else
		length = snprintf(line, sizeof(line), "%.5s%u,%u,%u,%u,%u,%u\r\n", command->word, part[0],
				  part[1], part[2], part[3], port >> 8, port & 255);
	memcpy(out, line, (size_t)length);
	return (size_t)length;
}
