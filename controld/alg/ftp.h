/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The two FTP commands that name an address and a port: PORT (RFC 959) and EPRT (RFC
 * 2428, IPv4).
 */
#ifndef BNG_ALG_FTP_H
#define BNG_ALG_FTP_H

#include <stddef.h>
#include <stdint.h>

#define FTP_COMMAND_MAX 64 /* bytes, line end included */

struct ftp_command {
	char word[5];   /* as it was written, blank included */
	char delimiter; /* of EPRT; 0: PORT */
	uint32_t address_be;
	uint16_t port;
	size_t length; /* of the line, its end included */
};

/* The line that begins at `text`: 0, or -EBADMSG and *command untouched. */
int ftp_command_parse(const uint8_t *text, size_t length, struct ftp_command *command);
/* The same command with another address and port: bytes written, at most
 * FTP_COMMAND_MAX. */
size_t ftp_command_build(const struct ftp_command *command, uint32_t address_be, uint16_t port,
			 char out[static FTP_COMMAND_MAX]);

#endif
