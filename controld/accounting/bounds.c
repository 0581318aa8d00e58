/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How much may wait: so many records, and so large a share of the disk that holds the
 * bus's store. Beyond it the oldest interim records go. A Start or a Stop never does:
 * where they alone are too much it is said, and they are kept.
 */
#include <stdlib.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"

static const char *const members[ACCOUNTING_BOUNDS] = {
	[BOUND_RECORDS] = "spool_max", [BOUND_DISK] = "spool_disk_share"};

uint64_t bounds_bytes_max(const struct accounting *accounting)
{
	return sync_store_room(accounting->controld) / 100 * accounting->config.disk_share;
}

uint64_t bounds_bytes(const struct accounting *accounting)
{
	uint64_t bytes = 0;

	for (int kind = 0; kind < RECORD_KINDS; kind++)
		bytes += accounting->bytes[kind];
	return bytes;
}

/* Which one so much is beyond, if any. */
static enum accounting_bound beyond(const struct accounting *accounting, uint32_t records, uint64_t bytes)
{
	uint64_t bytes_max = bounds_bytes_max(accounting);

	if (records > accounting->config.spool_max)
		return BOUND_RECORDS;
	return bytes_max && bytes > bytes_max ? BOUND_DISK : BOUND_NONE;
}

const char *bounds_overfull(const struct accounting *accounting)
{
	return members[beyond(accounting, spool_count(accounting) - accounting->waiting[RECORD_INTERIM],
			      bounds_bytes(accounting) - accounting->bytes[RECORD_INTERIM])];
}

void bounds_keep(struct accounting *accounting)
{
	struct record *record = TAILQ_FIRST(&accounting->interims), *next;
	enum accounting_bound bound;

	for (; record; record = next) {
		bound = beyond(accounting, spool_count(accounting), bounds_bytes(accounting));
		if (bound == BOUND_NONE)
			return;
		next = TAILQ_NEXT(record, aged);
		if (record->is_under_way)
			continue;
		accounting->ledger->header->dropped++;
		accounting->dropped[bound]++;
		record_over(record, false);
	}
}

static int by_age(const void *a, const void *b)
{
	const struct record *left = *(struct record *const *)a, *right = *(struct record *const *)b;

	if (left->content.made_s != right->content.made_s)
		return left->content.made_s < right->content.made_s ? -1 : 1;
	if (left->account->session_id != right->account->session_id)
		return left->account->session_id < right->account->session_id ? -1 : 1;
	return record_key_compare(&left->content.key, &right->content.key);
}

void bounds_sort(struct accounting *accounting)
{
	uint32_t count = 0;
	struct record *record,
		**list = malloc((accounting->waiting[RECORD_INTERIM] + 1) * sizeof(struct record *));

	if (!list) {
		log_warning("accounting: no memory to sort what waits: interim records may be dropped out of "
			    "order");
		return;
	}
	TAILQ_FOREACH(record, &accounting->interims, aged)
	list[count++] = record;
	qsort(list, count, sizeof(struct record *), by_age);
	TAILQ_INIT(&accounting->interims);
	for (uint32_t i = 0; i < count; i++)
		TAILQ_INSERT_TAIL(&accounting->interims, list[i], aged);
	free(list);
}

/* ---- Telling ------------------------------------------------------------------------- */

static void tell(struct accounting *accounting, const char *type, const char *bound, uint64_t dropped)
{
	struct controld *controld = accounting->controld;
	char when[CLOCK_TEXT];

	if (ctl_followed(controld))
		ctl_event(controld, json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "time",
					      clock_format(clock_boottime_ns(), when), "type", type, "bound",
					      bound, "records", (json_int_t)dropped, "waiting",
					      (json_int_t)spool_count(accounting), "bytes",
					      (json_int_t)bounds_bytes(accounting)));
}

static void tell_dropped(struct accounting *accounting)
{
	for (int bound = 0; bound < ACCOUNTING_BOUNDS; bound++) {
		if (!accounting->dropped[bound])
			continue;
		log_warning("accounting: /accounting/%s is reached: %llu interim records dropped",
			    members[bound], (unsigned long long)accounting->dropped[bound]);
		tell(accounting, "accounting_dropped", members[bound], accounting->dropped[bound]);
		accounting->dropped[bound] = 0;
	}
}

static void tell_overfull(struct accounting *accounting)
{
	struct ledger_header *header = accounting->ledger->header;
	const char *bound = bounds_overfull(accounting);

	if (header->is_overfull == (bound != NULL))
		return;
	header->is_overfull = bound != NULL;
	if (bound)
		log_error("accounting: %u records of Start and Stop wait, more than /accounting/%s allows: "
			  "they are kept, interim records are not; see to the RADIUS servers",
			  spool_count(accounting), bound);
	else
		log_notice("accounting: what waits is within its bounds again");
	tell(accounting, bound ? "accounting_overfull" : "accounting_overfull_over", bound ? bound : "", 0);
}

void bounds_tick(struct accounting *accounting)
{
	bounds_keep(accounting);
	tell_dropped(accounting);
	tell_overfull(accounting);
}
