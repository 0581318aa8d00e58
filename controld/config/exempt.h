/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Exempt destinations as text: a prefix ("192.0.2.0/24", or one address), and behind it
 * a port if only that is meant ("192.0.2.0/24 tcp/443"). In a file one a line, with
 * blank lines, and comments from '#' to the end of the line.
 */
#ifndef BNG_CONTROLD_CONFIG_EXEMPT_H
#define BNG_CONTROLD_CONFIG_EXEMPT_H

#include "controld/config/config.h"

/* One of them: NULL, or what it must be. */
const char *exempt_read(const char *text, size_t length, struct config_exempt *exempt);

/* For sorting. */
int exempt_compare(const struct config_exempt *a, const struct config_exempt *b);

/* 0, *list (to be freed; sorted, none twice) and *count; or -errno and an error with file,
 * line, what was found and what was expected. `name` is what it calls the text. */
int exempt_parse(const char *text, size_t length, const char *name, struct config_exempt **list,
		 size_t *count, char *error, size_t error_size);
int exempt_load(const char *file, struct config_exempt **list, size_t *count, char *error, size_t error_size);

#endif
