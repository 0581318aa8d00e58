/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text as the record of failed starts: it says which version comes next, and is written
 * and read again with the same counts.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/startup/attempt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attempt_record record, again;
	char *text;

	attempt_parse((const char *)data, size, &record);
	text = attempt_format(&record);
	if (!text)
		abort();
	attempt_parse(text, strlen(text), &again);
	free(text);
	if (record.failures != again.failures || record.previous_failures != again.previous_failures ||
	    record.starts != again.starts)
		abort();
	if (attempt_choose(&record, "p", "v", false) != ATTEMPT_THIS || attempt_pause_s(&record) > 5)
		abort();
	return 0;
}
