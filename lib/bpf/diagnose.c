/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which program was refused stands in libbpf's warnings and nowhere else.
 */
#include "lib/bpf/diagnose.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc.h"

#define LOG_BYTES (4u << 20)

static struct diagnosis *collecting;

static int on_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char line[256];
	if (level != LIBBPF_WARN || !collecting)
		return 0;
	vsnprintf(line, sizeof(line), format, arguments);
	if (strstr(line, "failed to load: "))
		sscanf(line, "libbpf: prog '%63[^']", collecting->program);
	else if (!strstr(line, "LOG --"))
		snprintf(collecting->warning, sizeof(collecting->warning), "%.*s", (int)strcspn(line, "\n"),
			 line);
	return 0;
}

int diagnose_begin(struct diagnosis *diagnosis)
{
	*diagnosis = (struct diagnosis){.verifier_log = calloc(1, LOG_BYTES), .verifier_log_size = LOG_BYTES};
	libbpf_set_print(on_print);
	collecting = diagnosis;
	return diagnosis->verifier_log ? 0 : -ENOMEM;
}

void diagnose_end(struct diagnosis *diagnosis)
{
	collecting = NULL;
	free(diagnosis->verifier_log);
	diagnosis->verifier_log = NULL;
}

static json_t *last_lines(struct diagnosis *diagnosis)
{
	json_t *lines = json_array();
	char *log = diagnosis->verifier_log;
	for (char *end = log + strlen(log); end > log && json_array_size(lines) < DIAGNOSE_LINES;) {
		char *newline = memrchr(log, '\n', (size_t)(end - log));
		char *line = newline ? newline + 1 : log;
		*end = '\0';
		if (*line)
			json_array_insert_new(lines, 0, rpc_text(line));
		end = newline ? newline : log;
	}
	return lines;
}

static const char *reason(const json_t *lines)
{
	for (size_t i = json_array_size(lines); i-- > 0;) {
		const char *line = json_string_value(json_array_get(lines, i));
		if (strncmp(line, "processed ", strlen("processed ")))
			return line;
	}
	return "the verifier said nothing (a DEVMAP, CPUMAP or program array that programs of another kind "
	       "use, with "
	       "frags or without?)";
}

int diagnose_refuse(struct diagnosis *diagnosis, int error, struct problem *problem)
{
	if (!diagnosis->program[0])
		return refuse_errno(problem, error, "loading it: %s", diagnosis->warning);
	json_t *lines = last_lines(diagnosis);
	return refuse(
		problem, RPC_SYSTEM,
		json_pack("{s:s, s:o, s:i}", "program", diagnosis->program, "log", lines, "errno", -error),
		"the kernel refused program %s: %s: %s; nothing was changed", diagnosis->program,
		strerror(-error), reason(lines));
}
