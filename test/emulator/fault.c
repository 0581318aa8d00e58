/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Names and counters of faults; the first frame is kept.
 */
#include "test/emulator/fault.h"

#include <string.h>

static const char *const names[FAULT_COUNT] = {
#define FAULT_TEXT(name, text) [FAULT_##name] = #text,
	FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
};

const char *fault_name(enum fault fault)
{
	return names[fault];
}

void fault_note(struct faults *faults, enum fault fault, const uint8_t *data, size_t length)
{
	if (fault == FAULT_NONE)
		return;
	faults->count[fault]++;
	if (faults->first != FAULT_NONE)
		return;
	faults->first = fault;
	faults->first_length = length < FAULT_FRAME_KEPT ? length : FAULT_FRAME_KEPT;
	memcpy(faults->first_frame, data, faults->first_length);
}
