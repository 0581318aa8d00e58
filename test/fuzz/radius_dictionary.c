/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text as a dictionary: read, or refused with the line's number; either way every
 * attribute can be described with what was read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/dictionary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dictionary *dictionary = dictionary_new();
	char error[512] = "";

	if (dictionary_parse(dictionary, (const char *)data, size, "fuzz", error, sizeof(error)) &&
	    strncmp(error, "fuzz line ", 10))
		abort();
	for (unsigned type = 0; type < 256; type++) {
		struct radius_attribute attribute = {type & 1 ? 9 : 0, (uint8_t)type, 4,
						     (const uint8_t *)"\0\0\0\1"};
		json_t *said = dictionary_describe(dictionary, &attribute);

		json_decref(said);
	}
	dictionary_free(dictionary);
	return 0;
}
