/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The gateway as a whole: who runs, what it serves, what becomes of packets, how
 * full the maps are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "run.h"

static const char *count_of(const struct cli *cli, const json_t *object, const char *member, char *out)
{
	return value_text(cli, json_object_get(object, member), COLUMN_COUNT, out, 32);
}

/* What went wrong before this start, and that it is not the version that was installed. */
static void print_failed(const json_t *status, const json_t *start)
{
	const json_t *failed = json_object_get(start, "failed");

	if (json_is_true(json_object_get(start, "in_place")))
		print_fact("PREVIOUS VERSION", "%s runs, because %s failed %lld times: %s: %s",
			   member_string(status, "version"), member_string(failed, "version"),
			   (long long)member_integer(failed, "failures"), member_string(failed, "phase"),
			   member_string(failed, "reason"));
	else if (json_is_object(failed) && !member_integer(failed, "failures"))
		print_fact("refused before", "last %s: %s: %s", member_string(failed, "at"),
			   member_string(failed, "phase"), member_string(failed, "reason"));
	else if (json_is_object(failed))
		print_fact("failed before", "%s, %lld times in a row, last %s: %s: %s",
			   member_string(failed, "version"), (long long)member_integer(failed, "failures"),
			   member_string(failed, "at"), member_string(failed, "phase"),
			   member_string(failed, "reason"));
}

static void print_start(const struct cli *cli, const json_t *start)
{
	const json_t *adopted = json_object_get(start, "adopted"), *phase;
	char away[32], sessions[32], blocks[32], mappings[32];
	size_t i;

	print_fact("last start", "away %s ms; adopted %s sessions, %s port blocks, %s mappings",
		   count_of(cli, start, "away_ms", away), count_of(cli, adopted, "sessions", sessions),
		   count_of(cli, adopted, "blocks", blocks), count_of(cli, adopted, "mappings", mappings));
	json_array_foreach(json_object_get(start, "phases"), i, phase)
	{
		char ms[32];
		printf("  %-22s %-64s %10s ms of %lld s\n", member_string(phase, "name"),
		       member_string(phase, "detail"),
		       value_text(cli, json_object_get(phase, "ms"), COLUMN_TEXT, ms, sizeof(ms)),
		       (long long)member_integer(phase, "deadline_s"));
	}
}

static void print_totals(const struct cli *cli, const json_t *totals)
{
	const char *member;
	json_t *value;

	printf("%-20s", "packets");
	json_object_foreach((json_t *)totals, member, value)
	{
		char text[64];
		printf(" %s %s", member, value_text(cli, value, COLUMN_COUNT, text, sizeof(text)));
	}
	putchar('\n');
}

/* A bridge is for passing over; one that found a difference wants to be looked at. */
static void print_bridge(const json_t *migration)
{
	if (!json_is_object(migration))
		return;
	if (strcmp(member_string(migration, "state"), "failed") == 0)
		print_fact("MIGRATION FAILED", "%s; the bridge goes on, see bngcli issu status",
			   member_string(migration, "reason"));
	else
		print_fact("bridge", "%s; bngcli issu status", member_string(migration, "state"));
}

/* Which generation, and that it is not for good. */
static void print_running(const json_t *status)
{
	const json_t *trial = json_object_get(status, "trial"), *canary = json_object_get(status, "canary");

	if (!json_is_integer(json_object_get(status, "generation")))
		print_fact("data plane", "the generation is not known without the holder");
	else
		print_fact("data plane", "generation %lld", (long long)member_integer(status, "generation"));
	if (json_is_object(trial))
		print_fact("ON TRIAL",
			   "back to generation %lld in %lld s unless confirmed: bngcli issu confirm",
			   (long long)member_integer(trial, "back"),
			   (long long)member_integer(trial, "left_ms") / 1000);
	if (strcmp(member_string(canary, "state"), "running") == 0)
		print_fact("CANARY", "generation %lld serves %.4g %% of the subscribers; bngcli issu status",
			   (long long)member_integer(canary, "generation"),
			   (double)member_integer(canary, "share") / 100);
}

int print_status(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	const json_t *sessions = json_object_get(result, "sessions"),
		     *blocks = json_object_get(result, "blocks");
	const json_t *config = json_object_get(result, "config"), *holder = json_object_get(result, "holder");
	const json_t *sync = json_object_get(result, "sync"), *interface;
	size_t i;
	char a[32], b[32], c[32], up[32];

	(void)invocation;
	print_fact("bng-controld", "%s, process %lld, up %s since %s", member_string(result, "version"),
		   (long long)member_integer(result, "pid"),
		   duration_text((double)member_integer(result, "uptime_ns") / 1e9, up, sizeof(up)),
		   member_string(result, "started"));
	if (json_is_true(json_object_get(holder, "connected")))
		print_fact("holder", "process %lld, connected", (long long)member_integer(holder, "pid"));
	else
		print_fact("holder", "NOT CONNECTED: forwarding goes on, nothing is swapped or reclaimed");
	json_array_foreach(json_object_get(result, "detached"), i, interface)
	{
		print_fact("DETACHED", "%s runs no program: a reload attaches it again",
			   json_string_value(interface));
	}
	if (json_is_true(json_object_get(sync, "up")))
		print_fact("bngsync", "takes records, %lld wait", (long long)member_integer(sync, "waiting"));
	else
		print_fact("bngsync", "AWAY (%s): serving from memory and maps, %lld records wait",
			   member_string(sync, "reason"), (long long)member_integer(sync, "waiting"));
	print_running(result);
	print_bridge(json_object_get(result, "migration"));
	print_fact("configuration", "%s, loaded %s", member_string(config, "file"),
		   member_string(config, "loaded"));
	print_fact("sessions", "%s active, %s closing, room for %s", count_of(cli, sessions, "active", a),
		   count_of(cli, sessions, "closing", b), count_of(cli, sessions, "capacity", c));
	print_fact("mappings", "%s", count_of(cli, result, "mappings", a));
	print_fact("port blocks", "%s allocated, %s held, %s free", count_of(cli, blocks, "allocated", a),
		   count_of(cli, blocks, "held", b), count_of(cli, blocks, "free", c));
	print_totals(cli, json_object_get(result, "totals"));
	print_failed(result, json_object_get(result, "start"));
	print_start(cli, json_object_get(result, "start"));
	return CLI_OK;
}

/* ---- Drops -------------------------------------------------------------------- */

static int by_packets(const void *left, const void *right)
{
	json_int_t a = member_integer(*(json_t *const *)left, "packets");
	json_int_t b = member_integer(*(json_t *const *)right, "packets");

	return a == b ? 0 : a < b ? 1 : -1;
}

/* What is shown: drops that happened, or every verdict; most packets first. */
static json_t *select_reasons(const json_t *reasons, bool all)
{
	size_t count = 0, i;
	json_t **chosen = calloc(json_array_size(reasons) + 1, sizeof(*chosen));
	json_t *reason, *sorted = json_array();

	json_array_foreach(reasons, i, reason)
	{
		bool drop = strcmp(member_string(reason, "kind"), "drop") == 0;
		if (chosen && (all || (drop && member_integer(reason, "packets"))))
			chosen[count++] = reason;
	}
	if (chosen)
		qsort(chosen, count, sizeof(*chosen), by_packets);
	for (i = 0; i < count; i++)
		json_array_append(sorted, chosen[i]);
	free(chosen);
	return sorted;
}

int print_drops(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"REASON", "name", COLUMN_TEXT, NULL},      {"KIND", "kind", COLUMN_TEXT, NULL},
		{"PACKETS", "packets", COLUMN_COUNT, NULL}, {"BYTES", "bytes", COLUMN_COUNT, NULL},
		{"MEANING", "meaning", COLUMN_TEXT, NULL},  {0},
	};
	bool all = invocation_value(invocation, "--all");
	json_t *reasons = select_reasons(json_object_get(result, "reasons"), all);
	int status = print_table(cli, reasons, columns);

	json_decref(reasons);
	return status;
}

/* ---- Interfaces, maps ----------------------------------------------------------- */

int print_interfaces(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"NAME", "name", COLUMN_TEXT, NULL},
		{"ROLE", "role", COLUMN_TEXT, NULL},
		{"MODE", "mode", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"PROGRAM", "program_id", COLUMN_NUMBER, NULL},
		{"MAC", "mac", COLUMN_TEXT, NULL},
		{"MTU", "mtu", COLUMN_NUMBER, NULL},
		{"SESSIONS", "sessions", COLUMN_COUNT, NULL},
		{"RX", "rx_packets", COLUMN_COUNT, NULL},
		{"TX", "tx_packets", COLUMN_COUNT, NULL},
		{"ERRORS", "rx_errors", COLUMN_COUNT, NULL},
		{"DROPPED", "rx_dropped", COLUMN_COUNT, NULL},
		{"GATEWAYS", "gateways", COLUMN_TEXT, NULL},
		{0},
	};

	(void)invocation;
	return print_table(cli, json_object_get(result, "interfaces"), columns);
}

static void usage_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	json_int_t max = member_integer(object, "max_entries");
	const json_t *used = json_object_get(object, "used");

	(void)cli;
	if (json_is_integer(used) && max > 0)
		snprintf(out, size, "%.1f%%", 100.0 * (double)json_integer_value(used) / (double)max);
}

int print_maps(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"NAME", "name", COLUMN_TEXT, NULL},      {"TYPE", "type", COLUMN_TEXT, NULL},
		{"USED", "used", COLUMN_COUNT, NULL},     {"SIZE", "max_entries", COLUMN_COUNT, NULL},
		{"USE", NULL, COLUMN_NUMBER, usage_text}, {"ENTRY", "entry_bytes", COLUMN_COUNT, NULL},
		{"BYTES", "bytes", COLUMN_COUNT, NULL},   {0},
	};

	(void)invocation;
	return print_table(cli, json_object_get(result, "maps"), columns);
}

/* ---- Holder, DHCP ------------------------------------------------------------------ */

static void print_signing(const json_t *signing)
{
	const json_t *keys = json_object_get(signing, "keys"), *key;
	char text[256] = "";
	size_t i, used = 0;

	if (!json_is_true(json_object_get(signing, "required"))) {
		print_fact("signatures", "not asked for (no --key)");
		return;
	}
	json_array_foreach(keys, i, key)
	{
		if (used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
						 json_string_value(key));
	}
	print_fact("signatures", "by %s; %lld good, %lld objects refused",
		   i ? text : "NO KEY THAT COULD BE READ", (long long)member_integer(signing, "good"),
		   (long long)member_integer(signing, "refused"));
}

int print_holder(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column links[] = {
		{"INTERFACE", "interface", COLUMN_TEXT, NULL},
		{"ROLE", "role", COLUMN_TEXT, NULL},
		{"MODE", "mode", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"PROGRAM", "program_id", COLUMN_NUMBER, NULL},
		{"GENERATION", "generation", COLUMN_NUMBER, NULL},
		{0},
	};
	const json_t *controller = json_object_get(result, "controller"),
		     *sweep = json_object_get(result, "sweep");
	char up[32], runs[32], errors[32], last[32];

	(void)invocation;
	print_fact("bpfholder", "%s, process %lld, up %s since %s", member_string(result, "version"),
		   (long long)member_integer(result, "pid"),
		   duration_text((double)member_integer(result, "uptime_ns") / 1e9, up, sizeof(up)),
		   member_string(result, "started"));
	print_fact("generation", "%lld, previous %lld", (long long)member_integer(result, "generation"),
		   (long long)member_integer(result, "previous"));
	print_fact("controller", "%s, process %lld, %s%s", member_string(controller, "version"),
		   (long long)member_integer(controller, "pid"),
		   json_is_true(json_object_get(controller, "connected")) ? "connected" : "NOT CONNECTED",
		   json_is_true(json_object_get(controller, "ready")) ? ", ready" : "");
	if (member_text(controller, "phase")[0])
		print_fact("its start", "phase \"%s\"", member_string(controller, "phase"));
	if (json_is_object(json_object_get(controller, "failure")))
		print_fact("failed start", "%s at %s: %s: %s",
			   member_string(json_object_get(controller, "failure"), "version"),
			   member_string(json_object_get(controller, "failure"), "at"),
			   member_string(json_object_get(controller, "failure"), "phase"),
			   member_string(json_object_get(controller, "failure"), "reason"));
	print_fact("sweep", "%s runs, %s errors, last took %s us", count_of(cli, sweep, "runs", runs),
		   count_of(cli, sweep, "errors", errors), count_of(cli, sweep, "last_us", last));
	print_signing(json_object_get(result, "signing"));
	print_fact("maps", "%zu", json_array_size(json_object_get(result, "maps")));
	print_fact("sockets", "%zu", json_array_size(json_object_get(result, "sockets")));
	putchar('\n');
	return print_table(cli, json_object_get(result, "links"), links);
}

int print_hooks(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"COMMAND", "command", COLUMN_TEXT, NULL},      {"RUNNING", "running", COLUMN_COUNT, NULL},
		{"WAITING", "waiting", COLUMN_COUNT, NULL},     {"STARTED", "started", COLUMN_COUNT, NULL},
		{"SUCCEEDED", "succeeded", COLUMN_COUNT, NULL}, {"FAILED", "failed", COLUMN_COUNT, NULL},
		{"TIMED OUT", "timed_out", COLUMN_COUNT, NULL}, {"DROPPED", "dropped", COLUMN_COUNT, NULL},
		{"REFUSED", "refused", COLUMN_COUNT, NULL},     {0},
	};

	(void)invocation;
	return print_table(cli, json_object_get(result, "hooks"), columns);
}

int print_coa(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const char *const names[] = {"coa_acks", "coa_naks", "disconnect_acks", "disconnect_naks",
					    "repeated"};
	bool all = invocation_value(invocation, "--all");
	json_t *answered = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set(answered, names[i], json_object_get(result, names[i]));
	print_fact("listening", "%s", json_is_true(json_object_get(result, "listening")) ? "yes" : "no");
	print_counters(cli, "answered", answered, true);
	print_counters(cli, "refused", json_object_get(result, "naks"), all);
	print_counters(cli, "dropped", json_object_get(result, "dropped"), all);
	json_decref(answered);
	return CLI_OK;
}

int print_first_packet(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)invocation;
	print_counters(cli, "first packets", result, true);
	return CLI_OK;
}

int print_dhcp4(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	char offers[32], quarantined[32];

	bool all = invocation_value(invocation, "--all");

	print_counters(cli, "received", json_object_get(result, "received"), true);
	print_counters(cli, "sent", json_object_get(result, "sent"), true);
	print_counters(cli, "refused", json_object_get(result, "refused"), all);
	print_counters(cli, "leases", json_object_get(result, "leases"), true);
	print_counters(cli, "authorisation", json_object_get(result, "authorisation"), true);
	print_fact("open offers", "%s", count_of(cli, result, "offers", offers));
	print_fact("declined addresses", "%s", count_of(cli, result, "quarantined", quarantined));
	return CLI_OK;
}
