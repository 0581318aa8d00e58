/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Upgrades: the daemon tells each step as it ends, the report comes last. The
 * last line says hitless, or what was lost; so does the exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "lib/file.h"
#include "print.h"
#include "run.h"

#define GREEN         "\033[32m"
#define RED           "\033[31m"
#define PLAIN         "\033[0m"
#define HASH_SHOWN    8 /* digits */
#define DETAIL_WIDTH  64
#define DETAIL_COLUMN 24 /* behind "[ ok ] " and the step */

/* How much of the text goes on this line: up to the last blank that fits. */
static size_t line_length(const char *text)
{
	size_t length = strlen(text);

	if (length <= DETAIL_WIDTH)
		return length;
	for (length = DETAIL_WIDTH; length && text[length] != ' '; length--)
		continue;
	return length ? length : strcspn(text, " ");
}

void issu_step(const struct cli *cli, const json_t *params)
{
	const char *detail = member_text(params, "detail");
	bool ok = strcmp(member_string(params, "outcome"), "ok") == 0;
	char ms[32];

	value_text(cli, json_object_get(params, "ms"), COLUMN_TEXT, ms, sizeof(ms));
	size_t length = line_length(detail);
	printf("  [%s%s%s] %-16s %-*.*s %9s ms\n", cli->color ? (ok ? GREEN : RED) : "", ok ? " ok " : "fail",
	       cli->color ? PLAIN : "", member_string(params, "step"), DETAIL_WIDTH, (int)length, detail, ms);
	while (detail += length, *detail) {
		detail += *detail == ' ';
		length = line_length(detail);
		printf("  %*s%.*s\n", DETAIL_COLUMN, "", (int)length, detail);
	}
	fflush(stdout);
}

static void on_step(const char *method, const json_t *params, void *context)
{
	call_heard();
	if (!strcmp(method, "issu.step"))
		issu_step(context, params);
}

static const char *digest_of(const json_t *digest, const char *when, const char *part)
{
	return member_string(json_object_get(json_object_get(digest, when), part), "sha256");
}

static bool digest_is_same(const json_t *digest, const char *part)
{
	return strcmp(digest_of(digest, "before", part), digest_of(digest, "after", part)) == 0;
}

static void print_digests(const json_t *digest, const char *part)
{
	printf("%s %.*s... -> %.*s...", part, HASH_SHOWN, digest_of(digest, "before", part), HASH_SHOWN,
	       digest_of(digest, "after", part));
}

/* Flows come and go meanwhile; then the digests differ though nothing was lost. */
static void print_kept(const struct cli *cli, const json_t *digest)
{
	const json_t *after = json_object_get(digest, "after");
	const json_t *mappings = json_object_get(after, "mappings"),
		     *sessions = json_object_get(after, "sessions");
	char session_count[32], mapping_count[32];

	if (!digest_is_same(digest, "sessions") || !digest_is_same(digest, "mappings")) {
		printf("All sessions and mappings kept; subscribers opened or ended some meanwhile (sha256 "
		       "of ");
		print_digests(digest, "sessions");
		printf(", ");
		print_digests(digest, "mappings");
		printf(").\n");
		return;
	}
	printf("%s sessions, %s mappings and their public ports before = after (sha256 %.*s...).\n",
	       count_text(cli, member_integer(sessions, "count"), session_count, sizeof(session_count)),
	       count_text(cli, member_integer(mappings, "count"), mapping_count, sizeof(mapping_count)),
	       HASH_SHOWN, member_string(mappings, "sha256"));
}

/* {received, forwarded, dropped, lost, uncertain, overrun, reasons}. */
static void print_traffic(const struct cli *cli, const json_t *traffic, bool with_reasons)
{
	const char *name;
	json_t *packets;
	char a[32], b[32], c[32], d[32];

	if (!traffic)
		return;
	printf("  Packets: %s received, %s forwarded, %s dropped by name, %s lost",
	       count_text(cli, member_integer(traffic, "received"), a, sizeof(a)),
	       count_text(cli, member_integer(traffic, "forwarded"), b, sizeof(b)),
	       count_text(cli, member_integer(traffic, "dropped"), c, sizeof(c)),
	       value_text(cli, json_object_get(traffic, "lost"), COLUMN_COUNT, d, sizeof(d)));
	printf(" (a loss of fewer than %s is not told from packets under way)",
	       count_text(cli, member_integer(traffic, "uncertain"), a, sizeof(a)));
	if (member_integer(traffic, "overrun"))
		printf(", %s more than interfaces could take",
		       count_text(cli, member_integer(traffic, "overrun"), a, sizeof(a)));
	printf(".\n");
	if (!with_reasons)
		return;
	json_object_foreach(json_object_get(traffic, "reasons"), name, packets)
		printf("    %s %s\n", name, value_text(cli, packets, COLUMN_COUNT, a, sizeof(a)));
}

int issu_report(const struct cli *cli, const char *what, const json_t *report)
{
	const json_t *swap = json_object_get(report, "swap");
	char packets[32];

	print_traffic(cli, json_object_get(report, "traffic"), false);
	if (!json_is_true(json_object_get(report, "hitless"))) {
		printf("  %s: NOT hitless: lost %s\n", what, member_string(report, "lost"));
		return CLI_NOT_HITLESS;
	}
	printf("  %s: hitless. Forwarded meanwhile %s packets, lost 0, longest gap %.1f ms. ", what,
	       count_text(cli, member_integer(swap, "packets"), packets, sizeof(packets)),
	       json_number_value(json_object_get(swap, "longest_gap_us")) / 1000);
	print_kept(cli, json_object_get(report, "digest"));
	return CLI_OK;
}

static int print_upgraded(const struct cli *cli, const json_t *report)
{
	return issu_report(cli, "UPGRADE", report);
}

static int print_rolled_back(const struct cli *cli, const json_t *report)
{
	if (json_object_get(report, "canary_ended")) {
		printf("The canary of generation %lld has ended: generation %lld serves everybody.\n",
		       (long long)member_integer(report, "canary_ended"),
		       (long long)member_integer(report, "generation"));
		return CLI_OK;
	}
	return issu_report(cli, "ROLLBACK", report);
}

/* The differences are a table, and what came of a canary is in the refusal's words. */
static bool show_refused(const struct cli *cli, const char *member, const json_t *value)
{
	if (strcmp(member, "verify") == 0)
		print_differences(cli, value);
	return strcmp(member, "verify") == 0 || strcmp(member, "canary") == 0;
}

int issu_call(struct cli *cli, const char *method, json_t *params, const int *fds, size_t fd_count,
	      json_t **report)
{
	struct rpc_client *client;
	int status = call_open(cli, SERVER_CONTROLD, UPGRADE_TIMEOUT_MS, &client);

	if (status) {
		json_decref(params);
		return status;
	}
	cli->show_refused = show_refused;
	if (!cli->json)
		rpc_client_watch(client, on_step, cli);
	status = call_method(cli, client, method, params, fds, fd_count, report);
	rpc_client_close(client);
	return status;
}

static int run_swap(struct cli *cli, const char *method, int (*print)(const struct cli *, const json_t *),
		    json_t *params, const int *fds, size_t fd_count)
{
	json_t *report;
	int status = issu_call(cli, method, params, fds, fd_count, &report);

	if (status)
		return status;
	if (cli->json) {
		print_json(report);
		status = json_is_true(json_object_get(report, "hitless")) ||
					 json_object_get(report, "canary_ended")
				 ? CLI_OK
				 : CLI_NOT_HITLESS;
	} else {
		status = print(cli, report);
	}
	json_decref(report);
	return status;
}

/* The text of --signature, else of FILE.minisig if that is there. CLI_OK, or an exit status. */
static int add_signature(const struct cli *cli, const struct invocation *invocation, const char *file,
			 json_t *params)
{
	const char *given = invocation_value(invocation, "--signature");
	char path[PATH_MAX], *text = NULL;

	snprintf(path, sizeof(path), "%s%s", given ? given : file, given ? "" : ".minisig");
	int error = file_read_text(path, RPC_TEXT_MAX, &text);
	if (error == -ENOENT && !given)
		return CLI_OK;
	if (error) {
		fprintf(stderr, "%s: cannot read the signature %s: %s\n", cli->name, path, strerror(-error));
		return CLI_USAGE;
	}
	json_object_set_new(params, "signature", rpc_text(text));
	free(text);
	return CLI_OK;
}

int issu_file(const struct cli *cli, const struct invocation *invocation, const char *file, json_t **params)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char name[256];

	if (fd < 0) {
		fprintf(stderr, "%s: cannot open %s: %s\n", cli->name, file, strerror(errno));
		return -1;
	}
	snprintf(name, sizeof(name), "%s", file);
	*params = json_pack("{s:s}", "name", basename(name));
	if (!add_signature(cli, invocation, file, *params))
		return fd;
	json_decref(*params);
	close(fd);
	return -1;
}

int issu_object(const struct cli *cli, const struct invocation *invocation, json_t **params)
{
	int fd = issu_file(cli, invocation, invocation_value(invocation, "FILE"), params);
	json_t *names = json_array();

	for (const char *allowed;
	     (allowed = invocation_repeated(invocation, "--allow-diff", json_array_size(names)));)
		json_array_append_new(names, json_string(allowed));
	if (fd >= 0)
		json_object_set(*params, "allow_diff", names);
	json_decref(names);
	return fd;
}

int run_upgrade(struct cli *cli, const struct invocation *invocation)
{
	json_t *params;
	int fd = issu_object(cli, invocation, &params);

	if (fd < 0)
		return CLI_USAGE;
	if (canary_params(cli, invocation, params)) {
		json_decref(params);
		close(fd);
		return CLI_USAGE;
	}
	if (!cli->timeout_ms)
		cli->timeout_ms = UPGRADE_TIMEOUT_MS + 1000 * canary_seconds(params);
	json_t *confirm = invocation_object(invocation, NULL);
	if (json_object_get(confirm, "confirm"))
		json_object_set(params, "confirm_s", json_object_get(confirm, "confirm"));
	if (invocation_value(invocation, "--no-verify"))
		json_object_set_new(params, "no_verify", json_true());
	int status = run_swap(cli, "issu.upgrade", print_upgraded, params, &fd, 1);
	if (!status && !cli->json && json_object_get(confirm, "confirm"))
		printf("  On trial: \"%s issu confirm\" within %s keeps it, else it goes back by itself.\n",
		       cli->name, invocation_value(invocation, "--confirm"));
	json_decref(confirm);
	close(fd);
	return status;
}

int run_rollback(struct cli *cli, const struct invocation *invocation)
{
	return run_swap(cli, "issu.rollback", print_rolled_back, invocation_object(invocation, NULL), NULL,
			0);
}

static int print_verified(const struct cli *cli, const json_t *report)
{
	print_traffic(cli, json_object_get(report, "traffic"), true);
	if (!json_is_true(json_object_get(report, "hitless"))) {
		printf("  VERIFY: NOT hitless: lost %s\n", member_string(report, "lost"));
		return CLI_NOT_HITLESS;
	}
	printf("  VERIFY: nothing lost in %lld s, longest gap %.1f ms. ",
	       (long long)member_integer(report, "seconds"),
	       json_number_value(json_object_get(report, "longest_gap_us")) / 1000);
	print_kept(cli, json_object_get(report, "digest"));
	return CLI_OK;
}

int run_verify(struct cli *cli, const struct invocation *invocation)
{
	return run_swap(cli, "issu.verify", print_verified, invocation_object(invocation, NULL), NULL, 0);
}

int print_confirmed(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)cli;
	(void)result;
	(void)invocation;
	printf("Confirmed: it stays.\n");
	return CLI_OK;
}

static void state_text(const struct cli *cli, const json_t *generation, char *out, size_t size)
{
	(void)cli;
	snprintf(out, size, "%s%s", member_string(generation, "state"),
		 json_is_true(json_object_get(generation, "bridge")) ? " bridge" : "");
}

static void programs_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	const json_t *program;
	size_t i, used = 0;

	(void)cli;
	json_array_foreach(json_object_get(object, "programs"), i, program)
	{
		used += (size_t)snprintf(out + used, size - used, "%s%s %lld", i ? ", " : "",
					 member_string(program, "name"),
					 (long long)member_integer(program, "id"));
		if (used >= size)
			return;
	}
}

int print_issu_status(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column generations[] = {
		{"GENERATION", "generation", COLUMN_NUMBER, NULL},
		{"STATE", NULL, COLUMN_TEXT, state_text},
		{"NAME", "name", COLUMN_TEXT, NULL},
		{"PROGRAMS", NULL, COLUMN_TEXT, programs_text},
		{0},
	};
	static const struct column links[] = {
		{"INTERFACE", "interface", COLUMN_TEXT, NULL},
		{"ROLE", "role", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"PROGRAM", "program_id", COLUMN_NUMBER, NULL},
		{"GENERATION", "generation", COLUMN_NUMBER, NULL},
		{0},
	};
	int status = print_table(cli, json_object_get(result, "generations"), generations);

	const json_t *trial = json_object_get(result, "trial");

	(void)invocation;
	if (json_is_object(trial))
		printf("\nGeneration %lld is on trial: back to %lld in %lld s unless confirmed.\n",
		       (long long)member_integer(trial, "generation"),
		       (long long)member_integer(trial, "back"),
		       (long long)member_integer(trial, "left_ms") / 1000);
	print_canary(cli, json_object_get(result, "canary"));
	print_migration(cli, result);
	putchar('\n');
	return status ? status : print_table(cli, json_object_get(result, "links"), links);
}

json_t *params_orphans(const struct invocation *invocation)
{
	return json_pack("{s:b}", "dry_run", invocation_value(invocation, "--dry-run") != NULL);
}

int print_orphans(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"KIND", "kind", COLUMN_TEXT, NULL},
		{"ID", "id", COLUMN_NUMBER, NULL},
		{"NAME", "name", COLUMN_TEXT, NULL},
		{"WHOSE", "class", COLUMN_TEXT, NULL},
		{"REMOVED", "removed", COLUMN_TEXT, NULL},
		{"WHY", "why", COLUMN_TEXT, NULL},
		{0},
	};
	bool all = strcmp(invocation->command->path, "issu orphans") == 0 &&
		   invocation_value(invocation, "--all");
	bool only_ours = strcmp(invocation->command->path, "issu orphans") != 0;
	const json_t *rows = json_object_get(result, "orphans");
	json_t *shown = json_array(), *row;
	size_t i, live = 0;

	json_array_foreach(rows, i, row)
	{
		bool is_live = strcmp(member_string(row, "class"), "ours-live") == 0;
		bool is_stale = strcmp(member_string(row, "class"), "ours-stale") == 0;

		live += is_live;
		if (all || is_stale || (!is_live && !only_ours))
			json_array_append(shown, row);
	}
	int status = json_array_size(shown) ? print_table(cli, shown, columns) : CLI_OK;
	if (!json_array_size(shown))
		puts(only_ours ? "nothing of ours is stale" : "no orphans");
	if (!all)
		printf("%zu objects in use are not shown\n", live);
	json_decref(shown);
	return status;
}
