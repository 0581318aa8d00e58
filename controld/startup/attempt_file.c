/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The record of failed starts in its file. It is replaced as a whole, so that it is the old
 * or the new one; memory-backed, it ends with the machine's uptime.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controld/startup/attempt.h"
#include "lib/file.h"
#include "lib/log.h"

#define RECORD_MAX 4096
#define NO_WORD    "it ended without a word: killed, or crashed"

static void load(struct attempt *attempt)
{
	int fd = open(attempt->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t length = 0;
	char *text = NULL;

	if (fd >= 0 && !file_read(fd, RECORD_MAX, &text, &length))
		attempt_parse(text, length, &attempt->record);
	free(text);
	if (fd >= 0)
		close(fd);
}

static int write_all(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	size_t length = strlen(text);
	bool is_whole;

	if (fd < 0)
		return -errno;
	is_whole = write(fd, text, length) == (ssize_t)length;
	close(fd);
	return is_whole ? 0 : -EIO;
}

static void save(const struct attempt *attempt)
{
	char next[ATTEMPT_PATH + 4], *text = attempt_format(&attempt->record);
	int failure = text ? 0 : -ENOMEM;

	snprintf(next, sizeof(next), "%s.new", attempt->file);
	if (!failure)
		failure = write_all(next, text);
	if (!failure && rename(next, attempt->file))
		failure = -errno;
	if (failure)
		log_warning("%s: writing down how the start goes failed: %s: failed starts are not counted",
			    attempt->file, strerror(-failure));
	free(text);
}

/* Whose failures are counted: what was installed in its place is another program. */
static void identify(char program[static ATTEMPT_PROGRAM])
{
	struct stat facts;

	if (stat("/proc/self/exe", &facts))
		facts = (struct stat){0};
	snprintf(program, ATTEMPT_PROGRAM, "%ju:%ju:%jd.%09ld", (uintmax_t)facts.st_dev,
		 (uintmax_t)facts.st_ino, (intmax_t)facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

static bool is_other_program(const char *path)
{
	struct stat facts, own;

	return path && !access(path, X_OK) && !stat(path, &facts) && !stat("/proc/self/exe", &own) &&
	       S_ISREG(facts.st_mode) && (facts.st_dev != own.st_dev || facts.st_ino != own.st_ino);
}

/* What is true of a start of which nothing more is heard. */
static void note(struct attempt *attempt, const char *phase, const char *reason)
{
	snprintf(attempt->record.phase, sizeof(attempt->record.phase), "%s", phase);
	snprintf(attempt->record.reason, sizeof(attempt->record.reason), "%s", reason);
	clock_format(clock_boottime_ns(), attempt->record.at);
}

static void wait_pause(const struct attempt *attempt)
{
	unsigned pause_s = attempt_pause_s(&attempt->record);

	if (!pause_s)
		return;
	log_notice("%u starts in a row got nowhere: waiting %u s", attempt->record.starts - 1, pause_s);
	sleep(pause_s);
}

enum attempt_choice attempt_begin(struct attempt *attempt, const char *state, const char *previous)
{
	char program[ATTEMPT_PROGRAM];
	enum attempt_choice choice;

	*attempt = (struct attempt){.is_in_place = getenv(ATTEMPT_ENVIRONMENT)};
	unsetenv(ATTEMPT_ENVIRONMENT);
	snprintf(attempt->file, sizeof(attempt->file), "%s/control/start.json", state);
	load(attempt);
	attempt->before = attempt->record;
	if (attempt->is_in_place)
		return ATTEMPT_THIS;
	identify(program);
	choice = attempt_choose(&attempt->record, program, BNG_VERSION, is_other_program(previous));
	if (choice == ATTEMPT_THIS)
		note(attempt, "", NO_WORD);
	wait_pause(attempt);
	save(attempt);
	return choice;
}

void attempt_phase(struct attempt *attempt, const char *phase)
{
	if (attempt->is_in_place)
		return;
	note(attempt, phase, NO_WORD);
	save(attempt);
}

void attempt_failed(struct attempt *attempt, const char *phase, const char *reason, bool is_refused)
{
	struct attempt_record *record = &attempt->record;
	unsigned *failures = attempt->is_in_place ? &record->previous_failures : &record->failures;

	if (is_refused && *failures)
		(*failures)--;
	if (!attempt->is_in_place)
		note(attempt, phase, reason);
	save(attempt);
}

void attempt_ready(struct attempt *attempt)
{
	if (!attempt->is_in_place) {
		unlink(attempt->file);
		return;
	}
	attempt->record.previous_failures = attempt->record.starts = 0;
	save(attempt);
}
