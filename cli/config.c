/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The configuration. A file is checked by the program that will read it,
 * bng-controld --check, which needs no running daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "print.h"
#include "run.h"

#define CONTROLD    "bng-controld"
#define NOT_STARTED 127
#define ERROR_TEXT  2048

/* Beside this program, or in the sbin next to its bin. */
static int find_controld(char *path, size_t size)
{
	static const char *const places[] = {"", "../sbin/"};
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length <= 0)
		return -ENOENT;
	self[length] = '\0';
	*(strrchr(self, '/') + 1) = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (snprintf(path, size, "%s%s%s", self, places[i], CONTROLD) < (int)size &&
		    access(path, X_OK) == 0)
			return 0;
	return -ENOENT;
}

static void read_all(int fd, char *text, size_t size)
{
	size_t used = 0;
	char rest[256];
	ssize_t count;

	while (used + 1 < size && (count = read(fd, text + used, size - used - 1)) > 0)
		used += (size_t)count;
	text[used] = '\0';
	while (read(fd, rest, sizeof(rest)) > 0)
		continue;
	while (used && text[used - 1] == '\n')
		text[--used] = '\0';
}

/* Runs the check: its exit status and what it said. */
static int check_file(const char *program, const char *file, char *said, size_t size)
{
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC))
		return NOT_STARTED;
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl(program, CONTROLD, "--check", file, (char *)NULL);
		_exit(NOT_STARTED);
	}
	close(ends[1]);
	read_all(ends[0], said, size);
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return NOT_STARTED;
	return WEXITSTATUS(status);
}

static int report(const struct cli *cli, const char *file, const char *said, int status)
{
	if (cli->json) {
		json_t *result = status ? json_pack("{s:b, s:s}", "ok", 0, "error", said)
					: json_pack("{s:b}", "ok", 1);
		print_json(result);
		json_decref(result);
	} else if (status) {
		fprintf(stderr, "%s\n", said);
	} else {
		printf("%s: no errors\n", file);
	}
	return status ? CLI_REFUSED : CLI_OK;
}

int run_config_check(struct cli *cli, const struct invocation *invocation)
{
	const char *file = invocation_value(invocation, "FILE");
	char program[PATH_MAX], said[ERROR_TEXT];

	if (find_controld(program, sizeof(program))) {
		fprintf(stderr, "%s: cannot check %s: %s, which does it, is not installed beside %s\n",
			cli->name, file, CONTROLD, cli->name);
		return CLI_UNREACHABLE;
	}
	int status = check_file(program, file, said, sizeof(said));
	if (status == NOT_STARTED) {
		fprintf(stderr, "%s: cannot run %s --check %s\n", cli->name, program, file);
		return CLI_UNREACHABLE;
	}
	return report(cli, file, said, status);
}

int print_config(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)cli;
	(void)invocation;
	print_json(result);
	return CLI_OK;
}

json_t *params_reload(const struct invocation *invocation)
{
	return invocation_value(invocation, "--accept-empty") ? json_pack("{s:b}", "accept_empty", 1) : NULL;
}

int print_reloaded(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	const json_t *change;
	size_t i;

	(void)cli;
	(void)invocation;
	if (!json_is_true(json_object_get(result, "changed")))
		printf("nothing changed\n");
	json_array_foreach(json_object_get(result, "applied"), i, change)
	{
		printf("%s\n", json_string_value(change));
	}
	return CLI_OK;
}
