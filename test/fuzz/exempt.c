/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text as a file of exempt destinations: refused with the line's number, or a
 * sorted list of prefixes and ports, none twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/exempt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_exempt *list = NULL;
	char error[CONFIG_ERROR_TEXT] = "";
	size_t count = 0;

	if (exempt_parse((const char *)data, size, "fuzz", &list, &count, error, sizeof(error))) {
		if (list || count || strncmp(error, "fuzz line ", 10))
			abort();
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		const struct config_prefix *prefix = &list[i].prefix;
		uint32_t host = prefix->length == 32 ? 0 : UINT32_MAX >> prefix->length;

		if (prefix->first & host || prefix->last != (prefix->first | host))
			abort();
		if (!list[i].protocol != !list[i].port || list[i].protocol > BNG_PROTOCOL_TCP)
			abort();
		if (i && exempt_compare(&list[i - 1], &list[i]) >= 0)
			abort();
	}
	free(list);
	return 0;
}
