/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A file of exempt destinations: one prefix a line ("192.0.2.0/24", or one address),
 * blank lines, and comments from '#' to the end of the line.
 */
#ifndef BNG_CONTROLD_CONFIG_EXEMPT_H
#define BNG_CONTROLD_CONFIG_EXEMPT_H

#include "controld/config/config.h"

/* 0, *prefixes (to be freed; sorted, none twice) and *count; or -errno and an error with
 * file, line, what was found and what was expected. `name` is what it calls the text. */
int exempt_parse(const char *text, size_t length, const char *name, struct config_prefix **prefixes,
		 size_t *count, char *error, size_t error_size);
int exempt_load(const char *file, struct config_prefix **prefixes, size_t *count, char *error,
		size_t error_size);

#endif
