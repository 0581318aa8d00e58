/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Commands, a line of JSON each, and their answers (see README.md beside this).
 */
#ifndef BNG_EMULATOR_COMMAND_H
#define BNG_EMULATOR_COMMAND_H

#include <jansson.h>

#include "test/emulator/emulator.h"
#include "test/emulator/wire.h"

/* New reference: the answer, {"error": ...} if need be. */
json_t *command_run(struct emulator *emulator, struct wire *wires, const char *line);
/* Of subscribers first to first + count - 1; counters and faults are those of all. */
json_t *report_json(struct emulator *emulator, struct wire *wires, uint32_t first, uint32_t count);
json_t *sessions_json(const struct emulator *emulator, uint32_t first, uint32_t count);
void report_reset(struct emulator *emulator);

#endif
