/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Every command, one row each.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

#define LIMIT_HELP      "how many to show"
#define ALLOW_DIFF_HELP "a difference that is meant, by its name: \"drop_ipv6>forward_up\""

static const char *const session_states[] = {"active", "closing", NULL};
static const char *const session_kinds[] = {"static", "dhcp", "added", "pppoe", "first-packet", NULL};
static const char *const protocols[] = {"tcp", "udp", "icmp", NULL};
static const char *const forwarded[] = {"tcp", "udp", NULL};
static const char *const steering_modes[] = {"off", "observe", "enforce", NULL};
static const char *const radius_methods[] = {"pap", "chap", "mschap2", "line", NULL};
static const char *const tpids[] = {"802.1Q", "802.1ad", NULL};

/* clang-format off */
const struct argument cli_options[] = {
	{"--json", ARGUMENT_FLAG, "print the daemon's own objects", 0, 0, NULL},
	{"--state", ARGUMENT_FOLDER, "state directory (/run/bng)", 0, 0, NULL},
	{"--timeout", ARGUMENT_NUMBER, "seconds to wait for an answer", 1, 86400, NULL},
	{"--no-color", ARGUMENT_FLAG, "no colours", 0, 0, NULL},
	{"--help", ARGUMENT_FLAG, "this help, or a command's", 0, 0, NULL},
	{"--version", ARGUMENT_FLAG, "the version", 0, 0, NULL},
	{0},
};

const struct command commands[] = {
	{.path = "status", .help = "who runs, what is served, what the last start adopted",
	 .method = "status", .print = print_status},
	{.path = "sessions", .help = "list sessions",
	 .arguments = {
		 {"--user", ARGUMENT_TEXT, "of this user; 'anna*' for all whose names begin so", 0, 0, NULL},
		 {"--address", ARGUMENT_ADDRESS, "with this address", 0, 0, NULL},
		 {"--mac", ARGUMENT_MAC, "with this MAC", 0, 0, NULL},
		 {"--interface", ARGUMENT_TEXT, "on this interface", 0, 0, NULL},
		 {"--vlan", ARGUMENT_NUMBER, "behind this outer or inner VLAN id", 1, 4094, NULL},
		 {"--in-state", ARGUMENT_CHOICE, "in this state", 0, 0, session_states},
		 {"--kind", ARGUMENT_CHOICE, "that came up this way", 0, 0, session_kinds},
		 {"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 100000000, NULL}},
	 .run = run_sessions},
	{.path = "session show", .help = "everything about one session",
	 .arguments = {{"ID|ADDRESS|MAC|USER", ARGUMENT_TEXT, "the session; user:NAME for a user whose name is a number", 0, 0, NULL}},
	 .method = "session.show", .params = params_session, .print = print_session},
	{.path = "session disconnect", .help = "end one session",
	 .arguments = {{"ID|ADDRESS|MAC|USER", ARGUMENT_TEXT, "the session; user:NAME for a user whose name is a number", 0, 0, NULL}},
	 .method = "session.disconnect", .params = params_session, .print = print_disconnected},
	{.path = "session trace", .help = "show what happens to one subscriber, also before it has a session",
	 .arguments = {
		 {"ID|ADDRESS|MAC|USER", ARGUMENT_TEXT, "the session; by MAC or user also who will have one", 0, 0, NULL},
		 {"--count", ARGUMENT_NUMBER, "end after so many", 1, INT32_MAX, NULL}},
	 .run = run_trace},
	{.path = "session add", .help = "open a session that no protocol asked for",
	 .arguments = {
		 {"ADDRESS", ARGUMENT_ADDRESS, "the subscriber's address", 0, 0, NULL},
		 {"MAC", ARGUMENT_MAC, "the subscriber's MAC", 0, 0, NULL},
		 {"INTERFACE", ARGUMENT_TEXT, "the access interface", 0, 0, NULL},
		 {"--outer-vid", ARGUMENT_NUMBER, "outer, or only, VLAN id", 1, 4094, NULL},
		 {"--inner-vid", ARGUMENT_NUMBER, "inner VLAN id", 1, 4094, NULL},
		 {"--outer-tpid", ARGUMENT_CHOICE, "kind of the outer tag", 0, 0, tpids},
		 {"--inner-tpid", ARGUMENT_CHOICE, "kind of the inner tag", 0, 0, tpids},
		 {"--pool", ARGUMENT_TEXT, "NAT pool", 0, 0, NULL},
		 {"--mss", ARGUMENT_NUMBER, "largest TCP MSS", 88, 65495, NULL},
		 {"--max-blocks", ARGUMENT_NUMBER, "limit of port blocks", 1, 8, NULL},
		 {"--max-mappings", ARGUMENT_NUMBER, "limit of mappings", 1, 65536, NULL}},
	 .method = "session.add", .params = params_session_add, .print = print_added},
	{.path = "cgnat pools", .help = "pools and their public addresses",
	 .method = "cgnat.pools", .print = print_pools},
	{.path = "cgnat blocks", .help = "port blocks: who has, or had, which ports",
	 .arguments = {
		 {"--address", ARGUMENT_ADDRESS, "of the subscriber with this address", 0, 0, NULL},
		 {"--public", ARGUMENT_ADDRESS, "of this public address", 0, 0, NULL},
		 {"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 20000, NULL}},
	 .method = "cgnat.blocks", .params = params_filter, .print = print_blocks},
	{.path = "cgnat mappings", .help = "translations in use",
	 .arguments = {
		 {"--address", ARGUMENT_ADDRESS, "of the subscriber with this address", 0, 0, NULL},
		 {"--public", ARGUMENT_ADDRESS, "of this public address", 0, 0, NULL},
		 {"--protocol", ARGUMENT_CHOICE, "of this protocol", 0, 0, protocols},
		 {"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 20000, NULL}},
	 .method = "cgnat.mappings", .params = params_filter, .print = print_mappings},
	{.path = "cgnat tunnels", .help = "GRE and ESP tunnels in use",
	 .arguments = {
		 {"--address", ARGUMENT_ADDRESS, "of the subscriber with this address", 0, 0, NULL},
		 {"--public", ARGUMENT_ADDRESS, "of this public address", 0, 0, NULL},
		 {"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 20000, NULL}},
	 .method = "cgnat.tunnels", .params = params_filter, .print = print_tunnels},
	{.path = "cgnat lookup", .help = "who has a public port now, or had it then",
	 .arguments = {
		 {"PUBLIC-IP:PORT", ARGUMENT_ENDPOINT, "such as 203.0.113.7:40000", 0, 0, NULL},
		 {"--at", ARGUMENT_TEXT, "who had it then: 2026-11-20T10:00:05Z; without zone, local time", 0, 0, NULL},
		 {"--offline", ARGUMENT_FLAG, "from configuration and log, without any daemon", 0, 0, NULL},
		 {"--config", ARGUMENT_FILE, "the configuration (/etc/bng/bng.json)", 0, 0, NULL},
		 {"--log", ARGUMENT_FILES, "a log of port blocks, with the older ones beside it; default: the configuration's",
		  0, 0, NULL}},
	 .run = run_lookup},
	{.path = "cgnat forward add", .help = "lead a public port to a subscriber's port, until removed",
	 .arguments = {
		 {"ADDRESS", ARGUMENT_ADDRESS, "the subscriber's address", 0, 0, NULL},
		 {"PROTOCOL", ARGUMENT_CHOICE, "tcp or udp", 0, 0, forwarded},
		 {"INNER-PORT", ARGUMENT_NUMBER, "the subscriber's port", 1, 65535, NULL},
		 {"--public-port", ARGUMENT_NUMBER, "this public port; default: any", 1024, 65535, NULL}},
	 .method = "cgnat.forward.add", .params = params_forward, .print = print_forward},
	{.path = "cgnat forward remove", .help = "end a port forwarding; what runs over it may finish",
	 .arguments = {
		 {"ADDRESS", ARGUMENT_ADDRESS, "the subscriber's address", 0, 0, NULL},
		 {"PROTOCOL", ARGUMENT_CHOICE, "tcp or udp", 0, 0, forwarded},
		 {"INNER-PORT", ARGUMENT_NUMBER, "the subscriber's port", 1, 65535, NULL}},
	 .method = "cgnat.forward.remove", .params = params_forward, .print = print_forward},
	{.path = "cgnat forward list", .help = "port forwardings",
	 .arguments = {{"--address", ARGUMENT_ADDRESS, "of the subscriber with this address", 0, 0, NULL}},
	 .method = "cgnat.forward.list", .params = params_forwards, .print = print_forwards},
	{.path = "cgnat pcp", .help = "mappings that subscribers have asked for by PCP, and how requests were answered",
	 .arguments = {
		 {"--address", ARGUMENT_ADDRESS, "of the subscriber with this address", 0, 0, NULL},
		 {"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 20000, NULL}},
	 .method = "cgnat.pcp", .params = params_pcp, .print = print_pcp},
	{.path = "cgnat log", .help = "records of port blocks: sent, waiting and lost, by destination",
	 .method = "blocklog.status", .print = print_blocklog},
	{.path = "cgnat held", .help = "fragments before their first and unsolicited SYNs, kept for a moment",
	 .method = "hold.status", .print = print_held},
	{.path = "cgnat reputation", .help = "how each public address is, and who would move",
	 .method = "cgnat.reputation", .print = print_reputation},
	{.path = "cgnat steering", .help = "mode and thresholds; moves to come and past ones, with why",
	 .arguments = {{"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 10000, NULL}},
	 .method = "cgnat.steering", .params = params_steering, .print = print_steering},
	{.path = "cgnat steering set", .help = "off; observe: tell who would move; enforce: move them",
	 .arguments = {{"MODE", ARGUMENT_CHOICE, "off, observe or enforce", 0, 0, steering_modes}},
	 .method = "cgnat.steering.set", .params = params_steering_set, .print = print_steering_set},
	{.path = "drops", .help = "packets dropped, by reason, most first",
	 .arguments = {{"--all", ARGUMENT_FLAG, "all verdicts, also those that never came", 0, 0, NULL}},
	 .method = "drops", .print = print_drops},
	{.path = "interfaces", .help = "interfaces, their programs and counters",
	 .method = "interfaces", .print = print_interfaces},
	{.path = "maps", .help = "use of each map against its size",
	 .method = "maps", .print = print_maps},
	{.path = "dhcp4 stats", .help = "DHCP messages and refusals",
	 .arguments = {{"--all", ARGUMENT_FLAG, "all reasons, also those that never came", 0, 0, NULL}},
	 .method = "dhcp4.stats", .print = print_dhcp4},
	{.path = "first-packet stats", .help = "sessions that come up by a packet: asked for, opened, refused",
	 .method = "first_packet.stats", .print = print_first_packet},
	{.path = "pppoe stats", .help = "PPPoE packets, refusals, and what became of sessions",
	 .arguments = {{"--all", ARGUMENT_FLAG, "all counters, also those that are zero", 0, 0, NULL}},
	 .method = "pppoe.stats", .print = print_pppoe_stats},
	{.path = "pppoe setup", .help = "PPPoE sessions that come up or go away, and how far they are",
	 .arguments = {{"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 16384, NULL}},
	 .method = "pppoe.setup", .params = params_limit, .print = print_pppoe_setup},
	{.path = "qos", .help = "the rates of sessions that nobody gave any, and what all rates have dropped",
	 .method = "qos.show", .print = print_qos},
	{.path = "filters", .help = "packet filters of sessions: rules, and what each has decided",
	 .method = "filter.list", .print = print_filters},
	{.path = "routes", .help = "prefixes that are routed to sessions, and those that are refused",
	 .arguments = {{"--limit", ARGUMENT_NUMBER, LIMIT_HELP, 1, 10000, NULL}},
	 .method = "routes.list", .params = params_routes, .print = print_routes},
	{.path = "radius servers", .help = "RADIUS servers: alive or not, how fast, what they answered",
	 .method = "radius.servers", .print = print_radius_servers},
	{.path = "radius test", .help = "ask whether a user gets in; the password comes from standard input",
	 .arguments = {
		 {"USER", ARGUMENT_TEXT, "the user's name", 0, 0, NULL},
		 {"--method", ARGUMENT_CHOICE, "how the password is proven (pap); line: by the configuration's", 0, 0,
		  radius_methods}},
	 .run = run_radius_test},
	{.path = "aaa stats", .help = "who was authorised and who not, by how they proved who they are",
	 .method = "aaa.stats", .print = print_aaa},
	{.path = "coa stats", .help = "requests to change or end sessions, by what became of them",
	 .arguments = {{"--all", ARGUMENT_FLAG, "all reasons, also those that never came", 0, 0, NULL}},
	 .method = "coa.stats", .print = print_coa},
	{.path = "hooks stats", .help = "commands that are told of sessions: what ran, failed, waits",
	 .method = "hooks.stats", .print = print_hooks},
	{.path = "accounting", .help = "records for the RADIUS servers: made, delivered, waiting",
	 .method = "accounting.stats", .print = print_accounting},
	{.path = "accounting off", .help = "tell the servers that the gateway goes out of service, for all its sessions",
	 .method = "accounting.off", .print = print_accounting},
	{.path = "accounting on", .help = "tell the servers that it is there again; for sessions to come",
	 .method = "accounting.on", .print = print_accounting},
	{.path = "issu upgrade", .help = "replace the data plane's programs without losing a packet",
	 .arguments = {{"FILE", ARGUMENT_FILE, "the new object", 0, 0, NULL},
		       {"--signature", ARGUMENT_FILE, "its signature (FILE.minisig, if that is there)", 0, 0, NULL},
		       {"--confirm", ARGUMENT_DURATION, "go back by itself unless confirmed within this time", 1,
			86400, NULL},
		       {"--canary", ARGUMENT_SHARES, "serve this share of the subscribers first (1%)", 0, 0, NULL},
		       {"--bake", ARGUMENT_DURATIONS, "watch the share before it for so long", 1, 86400, NULL},
		       {"--then", ARGUMENT_SHARES, "the next share; the last one is 100%", 0, 0, NULL},
		       {"--bound", ARGUMENT_BOUNDS, "how far a canary's figure may leave the others'", 0, 0, NULL},
		       {"--no-verify", ARGUMENT_FLAG, "without comparing packets first", 0, 0, NULL},
		       {"--allow-diff", ARGUMENT_TEXTS, ALLOW_DIFF_HELP, 0, 0, NULL}},
	 .run = run_upgrade},
	{.path = "issu plan", .help = "what an upgrade would do, and whether it would be refused; changes nothing",
	 .arguments = {{"FILE", ARGUMENT_FILE, "the new object", 0, 0, NULL},
		       {"--signature", ARGUMENT_FILE, "its signature (FILE.minisig, if that is there)", 0, 0, NULL},
		       {"--allow-diff", ARGUMENT_TEXTS, ALLOW_DIFF_HELP, 0, 0, NULL}},
	 .run = run_plan},
	{.path = "issu migrate", .help = "have the next start of bng-controld move maps into larger or other ones",
	 .arguments = {{"FILE", ARGUMENT_FILE_IF_ANY, "the bridge (" BRIDGE_OBJECT ")", 0, 0, NULL},
		       {"--signature", ARGUMENT_FILE, "its signature (FILE.minisig, if that is there)", 0, 0, NULL}},
	 .run = run_migrate},
	{.path = "issu migrate cancel", .help = "it is not to move anything",
	 .method = "issu.migrate.cancel", .print = print_migrate_cancelled},
	{.path = "issu confirm", .help = "keep what was upgraded with --confirm",
	 .method = "issu.confirm", .print = print_confirmed},
	{.path = "issu status", .help = "generations of programs, and where they run",
	 .method = "issu.status", .print = print_issu_status},
	{.path = "issu orphans", .help = "what crashes, older versions and other tools left behind, and whose it is",
	 .arguments = {{"--all", ARGUMENT_FLAG, "also what is in use", 0, 0, NULL}},
	 .server = SERVER_HOLDER, .method = "orphans.list", .print = print_orphans},
	{.path = "issu orphans clean", .help = "remove what is ours and nothing needs; needs root",
	 .arguments = {{"--dry-run", ARGUMENT_FLAG, "only say what would go", 0, 0, NULL}},
	 .server = SERVER_HOLDER, .method = "orphans.clean", .params = params_orphans, .print = print_orphans},
	{.path = "issu rollback", .help = "go back to the generation before, or to another one that is kept",
	 .arguments = {{"--generation", ARGUMENT_NUMBER, "to this one", 1, INT32_MAX, NULL}},
	 .run = run_rollback},
	{.path = "issu verify", .help = "measure for some seconds that nothing is lost, without an upgrade",
	 .arguments = {{"--seconds", ARGUMENT_NUMBER, "how long (5)", 1, 120, NULL}},
	 .run = run_verify},
	{.path = "issu history", .help = "upgrades and rollbacks: when, by whom, what came of them; or the report of one",
	 .arguments = {{"N", ARGUMENT_REST, "its number", 0, 0, NULL}},
	 .run = run_history},
	{.path = "config check", .help = "check a configuration file without using it",
	 .arguments = {{"FILE", ARGUMENT_FILE, "the configuration", 0, 0, NULL}},
	 .run = run_config_check},
	{.path = "config show", .help = "the running configuration, defaults filled in",
	 .method = "config.show", .print = print_config},
	{.path = "config reload", .help = "read the configuration file again",
	 .arguments = {{"--accept-empty", ARGUMENT_FLAG, "although it takes away all interfaces or pools", 0, 0, NULL}},
	 .method = "config.reload", .params = params_reload, .print = print_reloaded},
	{.path = "events follow", .help = "show events as they happen",
	 .arguments = {{"--count", ARGUMENT_NUMBER, "end after so many", 1, INT32_MAX, NULL}},
	 .run = run_events},
	{.path = "holder status", .help = "the process that owns programs, maps and sockets",
	 .server = SERVER_HOLDER, .method = "holder.status", .print = print_holder},
	{.path = "holder groups", .help = "UDP servers that restart without loss: their generations and flows",
	 .server = SERVER_HOLDER, .method = "group.status", .print = print_groups},
	{.path = "holder upgrade", .help = "replace it by a new binary, in place; needs root",
	 .arguments = {{"--file", ARGUMENT_FILE, "the new binary (/usr/sbin/bpfholder)", 0, 0, NULL}},
	 .run = run_holder_upgrade},
	{.path = "sync status", .help = "records kept for restarts: by topic, who reads them, the store",
	 .server = SERVER_SYNC, .method = "sync.status", .print = print_sync},
	{.path = "version", .help = "the version of this program", .run = run_version},
	{.path = "help", .help = "all commands, or one",
	 .arguments = {{"COMMAND", ARGUMENT_REST, "its first words", 0, 0, NULL}},
	 .run = run_help},
	{0},
};
/* clang-format on */

int run_version(struct cli *cli, const struct invocation *invocation)
{
	(void)invocation;
	if (!cli->json) {
		printf("%s %s\n", cli->name, BNG_VERSION);
		return CLI_OK;
	}
	json_t *version = json_pack("{s:s}", "version", BNG_VERSION);
	print_json(version);
	json_decref(version);
	return CLI_OK;
}

int run_help(struct cli *cli, const struct invocation *invocation)
{
	if (!invocation->rest_count) {
		help_all(cli);
		return CLI_OK;
	}
	if (help_matching(cli, invocation->rest, invocation->rest_count))
		return CLI_OK;
	fprintf(stderr, "%s: help: no such command: %s\n", cli->name, invocation->rest[0]);
	return CLI_USAGE;
}
