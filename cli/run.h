/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the rows in commands.c point to.
 */
#ifndef BNG_CLI_RUN_H
#define BNG_CLI_RUN_H

#include "command.h"

typedef int cli_print(struct cli *cli, const json_t *result, const struct invocation *invocation);
typedef int cli_run(struct cli *cli, const struct invocation *invocation);
typedef json_t *cli_params(const struct invocation *invocation);

/* status.c */
cli_print print_status, print_drops, print_interfaces, print_maps, print_holder, print_coa, print_hooks,
	print_dhcp4, print_first_packet;

/* sync.c */
cli_print print_sync, print_groups;

/* pppoe.c */
cli_params params_limit;
cli_params params_reload;
cli_print print_pppoe_stats, print_pppoe_setup;

/* session.c */
cli_run run_sessions, run_trace;
cli_params params_session, params_session_add;
cli_print print_session, print_disconnected, print_added;

/* cgnat.c */
cli_params params_filter, params_forward, params_forwards, params_pcp;
cli_print print_pools, print_blocks, print_mappings, print_tunnels, print_forward, print_forwards,
	print_blocklog, print_held, print_pcp;

/* lookup.c */
cli_run run_lookup;

/* steering.c */
cli_params params_steering, params_steering_set;
cli_print print_reputation, print_steering, print_steering_set;

/* plan.c */
cli_run run_plan;
/* Of what verify says; nothing when there are none. */
void print_differences(const struct cli *cli, const json_t *verify);

/* issu.c */
cli_run run_upgrade, run_rollback, run_verify, run_holder_upgrade;
/* Calls a method that takes its time and shows its steps meanwhile, unless --json. */
int issu_call(struct cli *cli, const char *method, json_t *params, const int *fds, size_t fd_count,
	      json_t **report);
/* Opens the file and makes {name, signature?}, or {.., allow_diff}: the descriptor, or -1 after telling why.
 */
int issu_file(const struct cli *cli, const struct invocation *invocation, const char *file, json_t **params);
int issu_object(const struct cli *cli, const struct invocation *invocation, json_t **params);
cli_print print_confirmed;
cli_print print_issu_status, print_orphans;
cli_params params_orphans;
/* The last line of an upgrade or rollback: CLI_OK or CLI_NOT_HITLESS. */
int issu_report(const struct cli *cli, const char *what, const json_t *report);
void issu_step(const struct cli *cli, const json_t *step);

/* migrate.c */
#define BRIDGE_OBJECT "/usr/lib/bng/bng-bridge.bpf.o"
cli_run run_migrate;
cli_print print_migrate_cancelled;
/* What issu.status says of it; nothing when there is none. */
void print_migration(const struct cli *cli, const json_t *status);
void print_migrating_maps(const struct cli *cli, const json_t *maps);

/* upgrades.c */
cli_run run_history;

/* filter.c */
cli_print print_filters;

/* canary.c */
/* `canary` of an upgrade's params, from the options; CLI_OK, or CLI_USAGE after saying why. */
int canary_params(const struct cli *cli, const struct invocation *invocation, json_t *params);
int canary_seconds(const json_t *params); /* how long all its steps take */
void print_canary(const struct cli *cli, const json_t *canary);

/* qos.c */
cli_params params_routes;
cli_print print_qos, print_routes;
/* {bits_s, burst_bytes} or null: "10 Mbit/s, burst 125000 bytes", "unlimited" */
char *rate_text(const json_t *rate, char *out, size_t size);

/* accounting.c */
cli_print print_accounting;

/* radius.c */
cli_run run_radius_test;
cli_print print_radius_servers;

/* aaa.c */
cli_print print_aaa;

/* config.c, events.c, commands.c */
cli_run run_config_check, run_events, run_help, run_version;
cli_print print_config, print_reloaded;
/* Calls the method (steals `params`), then prints `count` notifications, one a line. */
int run_follow(struct cli *cli, const char *method, json_t *params, int64_t count);

#endif
