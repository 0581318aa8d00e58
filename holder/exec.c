/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The holder replaces itself. First the new binary runs beside it (--check): it reads
 * journal, pins and the state that it will be handed, changes nothing, and says whether
 * it can go on with them. Then exec: same process, lock, listener and sockets; clients
 * connect again. Until exec has happened the old one goes on, whatever fails; one that
 * dies after it is a holder that died, and its pins keep everything.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/program.h"
#include "lib/rpc.h"

#define ARGUMENTS_MAX   64
#define CHECK_MS        5000
#define REPLY_US        100000 /* for the answer to get out */
#define STATE_BYTES_MAX (1u << 20)
#define STATE_VERSION   1
#define CAN_GO_ON       "it can go on" /* said by no other program that ends well */

static json_t *sockets(const struct holder *holder)
{
	json_t *list = json_array();
	for (int i = 0; i < FDSTORE_MAX; i++) {
		if (holder->store.places[i].name[0])
			json_array_append_new(list,
					      json_pack("{s:s, s:i}", "name", holder->store.places[i].name,
							"fd", holder->store.places[i].fd));
	}
	return list;
}

/* A file of memory that says what is handed over. Its descriptor or -errno. */
static int write_state(const struct holder *holder)
{
	json_t *state = json_pack(
		"{s:i, s:i, s:i, s:i, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state", STATE_VERSION,
		"execs", holder->execs + 1, "lock", holder->lock_fd, "listener", holder->listener_fd,
		"sockets", sockets(holder), "controller", holder->controller.version, "epoch",
		holder->controller.epoch, "sweep_runs", (json_int_t)holder->sweep.runs, "sweep_errors",
		(json_int_t)holder->sweep.errors, "good", (json_int_t)holder->signing.good, "refused",
		(json_int_t)holder->signing.refused, "ignored", (json_int_t)holder->signing.ignored,
		"began_ns", (json_int_t)clock_boottime_ns());
	char *text = state ? json_dumps(state, JSON_COMPACT) : NULL;
	json_decref(state);
	int fd = text ? memfd_create("holder-state", MFD_CLOEXEC) : -1;
	int error = fd < 0 ? -ENOMEM : file_write(fd, text, strlen(text));
	free(text);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

/* The descriptors that go along: kept open by exec, or not. */
static void hand_over(const struct holder *holder, int state_fd, bool open)
{
	int flags = open ? 0 : FD_CLOEXEC;
	fcntl(state_fd, F_SETFD, flags);
	fcntl(holder->lock_fd, F_SETFD, flags);
	fcntl(holder->listener_fd, F_SETFD, flags);
	for (int i = 0; i < FDSTORE_MAX; i++) {
		if (holder->store.places[i].name[0])
			fcntl(holder->store.places[i].fd, F_SETFD, flags);
	}
}

/* As this one was started, with other words at the end. */
static void arguments(const struct holder *holder, char *list[static ARGUMENTS_MAX], char *resume,
		      char *check)
{
	size_t count = 0;
	for (char **argument = holder->arguments; *argument && count < ARGUMENTS_MAX - 4; argument++) {
		if (strncmp(*argument, "--resume=", 9))
			list[count++] = *argument;
	}
	list[count++] = resume;
	list[count++] = check;
	list[count] = NULL;
}

/* ---- Beside: --check ---------------------------------------------------------- */

static int check(const struct holder *holder, int binary, int state_fd, char *says, size_t size)
{
	char resume[32], *list[ARGUMENTS_MAX];
	snprintf(resume, sizeof(resume), "--resume=%d", state_fd);
	arguments(holder, list, resume, "--check");
	return program_run(&(struct program_order){binary, list, state_fd, CHECK_MS}, says, size);
}

static void check_link(struct holder *holder, const char *path, int *wrong)
{
	if (link_load(holder, bpffs_name(path)))
		(*wrong)++;
}

/* In the new binary: all that a start will need is there and can be read. */
int exec_check(struct holder *holder)
{
	char path[PIN_TEXT];
	glob_t found;
	int wrong = 0, links = 0, kept = 0;
	if (journal_load(holder))
		return -EINVAL;
	holder->current = pinned_generation(holder, "current");
	bpffs_list(pin_path(holder, path, "if/*"), &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_link(holder, found.gl_pathv[i], &wrong);
	globfree(&found);
	for_each_link(link, holder)
	{
		links++;
		wrong += !role_id(holder, holder->current, link->role);
	}
	for (int i = 0; i < FDSTORE_MAX; i++)
		kept += holder->store.places[i].name[0] != '\0';
	printf("bpfholder %s: %s: generation %u, %d links, %d descriptors\n", BNG_VERSION,
	       wrong ? "it cannot go on" : CAN_GO_ON, holder->current, links, kept);
	return wrong ? -EINVAL : 0;
}

/* ---- Over ---------------------------------------------------------------------- */

/* What the old one wrote, in the new one. `used`: its descriptors are ours now. */
int exec_resume(struct holder *holder, int state_fd, bool used)
{
	char *text = NULL;
	size_t size = 0, i;
	json_t *list, *row;
	const char *version, *name;
	json_int_t runs, errors, good, refused, ignored, began_ns;
	int number = 0, fd;
	int error = file_read(state_fd, STATE_BYTES_MAX, &text, &size);
	json_t *state = error ? NULL : json_loadb(text, size, 0, NULL);
	free(text);
	if (!state ||
	    json_unpack(state, "{s:i, s:i, s:i, s:i, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
			&number, "execs", &holder->execs, "lock", &holder->lock_fd, "listener",
			&holder->listener_fd, "sockets", &list, "controller", &version, "epoch",
			&holder->controller.epoch, "sweep_runs", &runs, "sweep_errors", &errors, "good",
			&good, "refused", &refused, "ignored", &ignored, "began_ns", &began_ns) ||
	    number != STATE_VERSION || json_array_size(list) > FDSTORE_MAX)
		error = -EPROTO;
	json_array_foreach(error ? NULL : list, i, row)
	{
		if (json_unpack(row, "{s:s, s:i}", "name", &name, "fd", &fd) || strlen(name) >= FDSTORE_NAME)
			error = -EPROTO;
		else
			holder->store.places[i].fd = fd, strcpy(holder->store.places[i].name, name);
	}
	if (!error) {
		snprintf(holder->controller.version, NAME_TEXT, "%s", version);
		holder->controller.left_ns = (uint64_t)began_ns;
		holder->sweep.runs = (uint64_t)runs;
		holder->sweep.errors = (uint64_t)errors;
		holder->signing.good = (uint64_t)good;
		holder->signing.refused = (uint64_t)refused;
		holder->signing.ignored = (uint64_t)ignored;
	}
	if (!error && used) {
		step("exec_resume");
		hand_over(holder, state_fd, false);
		prctl(PR_SET_NAME, "bpfholder");
		log_notice("bpfholder %s goes on as process %d: exec took %.1f ms", BNG_VERSION, getpid(),
			   (double)(clock_boottime_ns() - (uint64_t)began_ns) / 1e6);
		close(state_fd);
	}
	json_decref(state);
	return error;
}

static void on_time(evutil_socket_t fd, short events, void *context)
{
	struct holder *holder = context;
	char resume[32], *list[ARGUMENTS_MAX];
	(void)fd;
	(void)events;
	int state_fd = write_state(holder), error = state_fd < 0 ? state_fd : 0;
	if (!error) {
		snprintf(resume, sizeof(resume), "--resume=%d", state_fd);
		arguments(holder, list, resume, NULL);
		hand_over(holder, state_fd, true);
		step("exec_now");
		fexecve(holder->exec_fd, list, environ);
		error = -errno;
		hand_over(holder, state_fd, false);
		close(state_fd);
	}
	close(holder->exec_fd);
	holder->exec_fd = 0;
	log_error("replacing bpfholder: %s: the old one goes on", strerror(-error));
	holder_event(holder, json_pack("{s:s, s:s}", "type", "exec_failed", "reason", strerror(-error)));
}

int exec_begin(struct holder *holder, int binary, json_t **result, struct problem *problem)
{
	static const struct timeval soon = {.tv_usec = REPLY_US};
	char magic[4] = "", says[512] = "";
	problem_context(problem, "replace bpfholder");
	const char *busy = holder->exec_fd            ? "it is being replaced"
			   : holder->journal.canary   ? "a canary runs"
			   : bridge_is_moving(holder) ? "a bridge moves entries"
						      : NULL;
	if (busy)
		return refuse(problem, RPC_CONFLICT, NULL, "%s: wait for its end", busy);
	if (pread(binary, magic, 4, 0) != 4 || memcmp(magic, "\177ELF", 4))
		return refuse(problem, RPC_INVALID_PARAMS, NULL, "the descriptor is not of a program (ELF)");
	int state_fd = write_state(holder);
	if (state_fd < 0)
		return refuse_errno(problem, state_fd, "writing the state to hand over");
	step("exec_check");
	int error = check(holder, binary, state_fd, says, sizeof(says));
	close(state_fd);
	if (error || !strstr(says, CAN_GO_ON))
		return refuse(problem, RPC_INCOMPATIBLE, json_pack("{s:o}", "says", rpc_text(says)),
			      "the new one, started beside this one with --check, did not say that it can go "
			      "on; this one does. It said: %s",
			      says[0] ? says : "(nothing)");
	holder->exec_fd = fcntl(binary, F_DUPFD_CLOEXEC, 3);
	if (holder->exec_fd < 0 || event_base_once(holder->base, -1, EV_TIMEOUT, on_time, holder, &soon)) {
		holder->exec_fd = 0;
		return refuse_errno(problem, ENOMEM, "going on");
	}
	*result = json_pack("{s:i, s:i, s:o}", "pid", getpid(), "execs", holder->execs + 1, "says",
			    rpc_text(says));
	return 0;
}
