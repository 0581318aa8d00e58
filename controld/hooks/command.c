/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One command: its text lies in a memfd, so that a command that does not read it holds
 * nobody up; its end is seen by a pidfd.
 */
#include "controld/hooks/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct command {
	pid_t pid;
	int pidfd;
	int said; /* its standard error; -1: closed */
	struct event *exited;
	struct event *says;
	struct command_end end;
	size_t said_length;
	command_ended *ended;
	void *context;
};

extern char **environ;

/* ---- Starting it ------------------------------------------------------------------------ */

static int text_file(const char *text)
{
	size_t length = strlen(text);
	int fd = memfd_create("bng-hook", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, length) == (ssize_t)length && !lseek(fd, 0, SEEK_SET))
		return fd;
	close(fd);
	return -EIO;
}

static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int in, int said)
{
	sigset_t all, none;
	int failure;

	sigfillset(&all);
	sigemptyset(&none);
	failure = posix_spawn_file_actions_adddup2(actions, in, STDIN_FILENO);
	if (!failure)
		failure = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!failure)
		failure = posix_spawn_file_actions_adddup2(actions, said, STDERR_FILENO);
	if (!failure)
		failure = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (!failure)
		failure = posix_spawnattr_setpgroup(attributes, 0);
	if (!failure)
		failure = posix_spawnattr_setsigdefault(attributes, &all);
	if (!failure)
		failure = posix_spawnattr_setsigmask(attributes, &none);
	if (!failure)
		failure = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
								       POSIX_SPAWN_SETSIGMASK);
	return failure;
}

static int spawn(char *const *argv, int in, int said, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int failure = posix_spawn_file_actions_init(&actions);

	if (failure)
		return -failure;
	failure = posix_spawnattr_init(&attributes);
	if (!failure) {
		failure = prepare(&actions, &attributes, in, said);
		if (!failure)
			failure = posix_spawn(pid, argv[0], &actions, &attributes, argv, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -failure;
}

/* ---- Its end ---------------------------------------------------------------------------- */

/* What it says after its first line is read, so that it can end, and forgotten. */
static void on_says(evutil_socket_t fd, short what, void *context)
{
	struct command *command = context;
	char text[4096];
	ssize_t got = read(fd, text, sizeof(text));

	(void)what;
	if (!got || (got < 0 && errno != EAGAIN)) {
		event_del(command->says);
		return;
	}
	for (ssize_t i = 0; i < got && command->said_length < COMMAND_SAID_MAX - 1; i++)
		command->end.said[command->said_length++] = text[i];
}

static void command_done(struct command *command)
{
	if (command->exited)
		event_free(command->exited);
	if (command->says)
		event_free(command->says);
	if (command->pidfd >= 0)
		close(command->pidfd);
	if (command->said >= 0)
		close(command->said);
	free(command);
}

static void on_exited(evutil_socket_t fd, short what, void *context)
{
	struct command *command = context;

	(void)fd;
	if (what & EV_TIMEOUT) {
		command->end.timed_out = true;
		kill(-command->pid, SIGKILL);
		event_add(command->exited, NULL);
		return;
	}
	if (waitpid(command->pid, &command->end.status, WNOHANG) != command->pid) {
		event_add(command->exited, NULL);
		return;
	}
	on_says(command->said, EV_READ, command);
	command->end.said[strcspn(command->end.said, "\r\n")] = '\0';
	command->ended(&command->end, command->context);
	command_done(command);
}

static int watch(struct event_base *base, struct command *command, uint32_t timeout_s)
{
	struct timeval limit = {.tv_sec = timeout_s};

	command->pidfd = (int)syscall(SYS_pidfd_open, command->pid, 0);
	if (command->pidfd < 0)
		return -errno;
	command->exited = event_new(base, command->pidfd, EV_READ, on_exited, command);
	command->says = event_new(base, command->said, EV_READ | EV_PERSIST, on_says, command);
	return command->exited && command->says && !event_add(command->exited, &limit) &&
			       !event_add(command->says, NULL)
		       ? 0
		       : -ENOMEM;
}

int command_start(struct event_base *base, char *const *argv, const char *text, uint32_t timeout_s,
		  command_ended *ended, void *context, struct command **command)
{
	struct command *new = calloc(1, sizeof(*new));
	int in = text_file(text), said[2], failure;

	if (!new || in < 0 || pipe2(said, O_CLOEXEC)) {
		failure = !new ? -ENOMEM : in < 0 ? in : -errno;
		if (in >= 0)
			close(in);
		free(new);
		return failure;
	}
	*new = (struct command){.pidfd = -1, .said = said[0], .ended = ended, .context = context};
	fcntl(said[0], F_SETFL, O_NONBLOCK); /* our end only: the command may write as it likes */
	failure = spawn(argv, in, said[1], &new->pid);
	close(in);
	close(said[1]);
	if (!failure && watch(base, new, timeout_s)) {
		kill(-new->pid, SIGKILL); /* nobody would see its end */
		waitpid(new->pid, NULL, 0);
		failure = -ENOMEM;
	}
	if (failure)
		command_done(new);
	else
		*command = new;
	return failure;
}

void command_forget(struct command *command)
{
	command_done(command);
}
