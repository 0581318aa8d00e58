/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One message is one line and one write, so that lines of several processes
 * never mix.
 */
#include "lib/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/clock.h"

#define LINE_MAX_BYTES 2048

static const char *log_program = "";
static enum log_level log_level = LOG_LEVEL_INFO;
static bool log_to_journal;
static char last_error[512];

/* systemd names the journal's socket as device:inode of the descriptor it gave us. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st))
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_level = level;
	log_to_journal = stderr_is_journal();
}

static int write_prefix(char *line, size_t size, enum log_level level)
{
	char now[CLOCK_TEXT];
	if (log_to_journal)
		return snprintf(line, size, "<%d>", level);
	return snprintf(line, size, "%s %s: ", clock_format(clock_boottime_ns(), now), log_program);
}

void log_write(enum log_level level, const char *format, ...)
{
	if (level > log_level)
		return;
	char line[LINE_MAX_BYTES];
	int prefix = write_prefix(line, sizeof(line), level);
	va_list arguments;
	va_start(arguments, format);
	int body = vsnprintf(line + prefix, sizeof(line) - prefix, format, arguments);
	va_end(arguments);
	if (body < 0)
		return;
	size_t length = (size_t)prefix + (size_t)body;
	if (length > sizeof(line) - 1)
		length = sizeof(line) - 1;
	for (size_t i = 0; i < length; i++) {
		if (line[i] == '\n' || line[i] == '\r')
			line[i] = ' ';
	}
	line[length] = '\0';
	if (level == LOG_LEVEL_ERROR)
		snprintf(last_error, sizeof(last_error), "%s", line + prefix);
	line[length] = '\n';
	/* Standard error may be gone; there is nobody left to tell. */
	ssize_t ignored = write(STDERR_FILENO, line, length + 1);
	(void)ignored;
}

const char *log_last_error(void)
{
	return last_error;
}
