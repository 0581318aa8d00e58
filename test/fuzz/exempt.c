/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text as a file of exempt destinations: refused with the line's number, or a
 * sorted list of prefixes, none twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/exempt.h"

static int is_before(const struct config_prefix *a, const struct config_prefix *b)
{
	return a->first < b->first || (a->first == b->first && a->length < b->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_prefix *prefixes = NULL;
	char error[CONFIG_ERROR_TEXT] = "";
	size_t count = 0;

	if (exempt_parse((const char *)data, size, "fuzz", &prefixes, &count, error, sizeof(error))) {
		if (prefixes || count || strncmp(error, "fuzz line ", 10))
			abort();
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t host = prefixes[i].length == 32 ? 0 : UINT32_MAX >> prefixes[i].length;

		if (prefixes[i].first & host || prefixes[i].last != (prefixes[i].first | host))
			abort();
		if (i && !is_before(&prefixes[i - 1], &prefixes[i]))
			abort();
	}
	free(prefixes);
	return 0;
}
