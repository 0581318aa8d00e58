/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The files of a rotated log, plain or compressed by gzip, line by line.
 */
#ifndef BNG_CLI_LOGFILE_H
#define BNG_CLI_LOGFILE_H

#include <jansson.h>
#include <stddef.h>

#define LOGFILE_ERROR 512

/* PATH and what rotation has made of it: PATH.1, PATH.2.gz, PATH-20261120.gz, ... Appends
 * to the array of names, none twice. 0; -errno and what is wrong: there is none at all. */
int logfile_find(const char *path, json_t *names, char error[static LOGFILE_ERROR]);

/* Calls `each` for every line, without its end. 0, or -errno and what is wrong; what came
 * before was read. A line of more than 4 MiB is handed on in part. */
int logfile_read(const char *name, void (*each)(void *context, const char *line, size_t length),
		 void *context, char error[static LOGFILE_ERROR]);

#endif
