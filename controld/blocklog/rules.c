/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rules of deterministic pools, see the header.
 */
#include "controld/blocklog/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controld/blocklog/record.h"
#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/maps/names.h"
#include "lib/log.h"

#define RULES_NAME "controld.blocklog.rules"

void rules_adopt(struct controld *controld, struct rules *rules)
{
	json_t *kept, *pools;
	int fd;

	if (holder_take(controld->holder, RULES_NAME, &fd))
		return;
	lseek(fd, 0, SEEK_SET);
	kept = json_loadfd(fd, 0, NULL);
	pools = json_object_get(kept, "pools");
	if (json_is_array(pools)) {
		rules->pools = json_incref(pools);
		rules->since_ms = (uint64_t)json_integer_value(json_object_get(kept, "since_ms"));
	}
	json_decref(kept);
	if (holder_keep(controld->holder, RULES_NAME, fd) || !rules->pools)
		log_warning("log of port blocks: since when the rules of deterministic pools are in force is "
			    "not known any more");
	close(fd);
}

static void keep(struct controld *controld, const struct rules *rules)
{
	json_t *kept =
		json_pack("{s:I, s:O}", "since_ms", (json_int_t)rules->since_ms, "pools", rules->pools);
	int fd = memfd_create("bng-blocklog-rules", MFD_CLOEXEC);

	if (!kept || fd < 0 || json_dumpfd(kept, fd, JSON_COMPACT) ||
	    holder_keep(controld->holder, RULES_NAME, fd))
		log_warning("log of port blocks: bpfholder does not keep the rules of deterministic pools: a "
			    "restart would log them as new");
	json_decref(kept);
	if (fd >= 0)
		close(fd);
}

/* What lib/deterministic.h needs to read a rule. */
static json_t *pool_of(const json_t *pool)
{
	static const char *const members[] = {"name", "prefixes", "block_size", "deterministic"};
	json_t *copy = json_object();

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set(copy, members[i], json_object_get(pool, members[i]));
	return copy;
}

static json_t *pools_of(const struct config *config)
{
	const json_t *all = json_object_get(json_object_get(config->document, "cgnat"), "pools"), *pool;
	json_t *pools = json_array();
	size_t i;

	json_array_foreach(all, i, pool)
	{
		if (json_object_get(pool, "deterministic"))
			json_array_append_new(pools, pool_of(pool));
	}
	return pools;
}

void rules_apply(struct controld *controld, struct rules *rules, const struct config *config)
{
	json_t *pools = pools_of(config);

	if (json_equal(rules->pools, pools) || (!rules->pools && !json_array_size(pools))) {
		json_decref(pools);
		return;
	}
	json_decref(rules->pools);
	rules->pools = pools;
	rules->since_ms = record_wall_ms(controld->names->rules_ns);
	rules->changes++;
	keep(controld, rules);
}

char *rules_text(const struct rules *rules)
{
	char *pools = rules->pools ? json_dumps(rules->pools, JSON_COMPACT) : NULL, *text, since[32];
	int length = -1;

	if (pools)
		length = asprintf(&text, "\"type\":\"deterministic_pools\",\"since\":\"%s\",\"pools\":%s}",
				  record_time(rules->since_ms, since), pools);
	free(pools);
	return length < 0 ? NULL : text;
}

void rules_done(struct rules *rules)
{
	json_decref(rules->pools);
	rules->pools = NULL;
}
