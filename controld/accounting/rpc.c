/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an operator asks of accounting, and the two commands that say the gateway goes out
 * of service, and is there again.
 */
#include <time.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/sync/sync.h"

static json_t *by_kind(const uint64_t *counts)
{
	json_t *object = json_object();

	for (int kind = 0; kind < RECORD_KINDS; kind++)
		json_object_set_new(object, record_kind_name(kind), json_integer((json_int_t)counts[kind]));
	return object;
}

static int64_t oldest_s(const struct accounting *accounting)
{
	const struct account *account;
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < ACCOUNTS_BUCKETS; i++)
		LIST_FOREACH(account, &accounting->buckets[i], same_bucket)
		{
			const struct record *first = account_first(account);

			if (first && first->content.made_s && first->content.made_s < oldest)
				oldest = first->content.made_s;
		}
	return oldest;
}

static const char *state_of(const struct accounting *accounting)
{
	if (!accounting->config.enabled)
		return "disabled";
	if (accounting->ledger->header->is_off)
		return "off";
	return accounting->ledger->header->is_stalled ? "stalled" : "ok";
}

/* Accounting-On and -Off have accounts of their own, which are no sessions. */
static json_t *stats_json(const struct accounting *accounting)
{
	static const struct ledger_header nothing;
	const struct ledger_header *header = accounting->ledger ? accounting->ledger->header : &nothing;
	uint64_t waiting[RECORD_KINDS], bytes_max = bounds_bytes_max(accounting);
	int64_t oldest = oldest_s(accounting), now = time(NULL);

	for (int kind = 0; kind < RECORD_KINDS; kind++)
		waiting[kind] = accounting->waiting[kind];
	return json_pack(
		"{s:s, s:b, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:s?, s:o, s:I, s:I, s:I, s:I, s:I, s:I}",
		"state", state_of(accounting), "durable", sync_is_up(accounting->controld), "made",
		by_kind(header->made), "delivered", by_kind(header->delivered), "waiting", by_kind(waiting),
		"under_way", (json_int_t)accounting->under_way, "bytes", (json_int_t)bounds_bytes(accounting),
		"spool_max", (json_int_t)accounting->config.spool_max, "bytes_max",
		bytes_max ? json_integer((json_int_t)bytes_max) : json_null(), "overfull",
		bounds_overfull(accounting), "oldest_s",
		oldest == INT64_MAX ? json_null() : json_integer(now > oldest ? now - oldest : 0), "sent",
		(json_int_t)header->sent, "failed", (json_int_t)header->failed, "dropped",
		(json_int_t)header->dropped, "refused", (json_int_t)header->refused, "stalls",
		(json_int_t)header->stalls, "sessions",
		(json_int_t)accounting->accounts - (json_int_t)(waiting[RECORD_ON] + waiting[RECORD_OFF]));
}

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	const struct controld *controld = context;
	struct json_reader reader;

	if (ctl_params(request, &reader, members))
		rpc_reply(request, stats_json(controld->accounting), NULL, 0);
}

/* ---- Out of service, and back --------------------------------------------------------- */

static void switch_to(struct rpc_request *request, struct accounting *accounting, bool is_off)
{
	static const char *const members[] = {NULL};
	struct json_reader reader;

	if (!ctl_params(request, &reader, members))
		return;
	if (!accounting->config.enabled)
		rpc_fail(request, RPC_CONFLICT, NULL, "accounting is not enabled: /accounting/enabled");
	else if (accounting->ledger->header->is_off == is_off)
		rpc_fail(request, RPC_CONFLICT, NULL, "accounting is %s already", is_off ? "off" : "on");
	else if (is_off ? accounts_off(accounting) : accounts_on(accounting))
		rpc_fail(request, RPC_INTERNAL, NULL, "no memory for a record");
	else
		rpc_reply(request, stats_json(accounting), NULL, 0);
}

static void handle_off(struct rpc_request *request, void *context)
{
	const struct controld *controld = context;

	switch_to(request, controld->accounting, true);
}

static void handle_on(struct rpc_request *request, void *context)
{
	const struct controld *controld = context;

	switch_to(request, controld->accounting, false);
}

const struct rpc_method accounting_methods[] = {
	{"accounting.stats", 0, handle_stats},
	{"accounting.off", 0, handle_off},
	{"accounting.on", 0, handle_on},
	{0},
};
