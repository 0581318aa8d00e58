/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading how a NAT pool behaves towards packets (filtering, refusals, rates) and
 * what a single session may ask of it (port forwardings, MSS).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "dataplane/abi/meta.h"

#define MSS_MIN 88 /* as the kernel's TCP has it */
#define MSS_MAX 65495

struct choice {
	const char *name;
	uint8_t value;
};

/* One of the names; the first is the default. */
static uint8_t read_choice(struct json_reader *reader, json_t *object, const char *member,
			   const struct choice *choices)
{
	const char *text = config_string(reader, object, member, choices[0].name);
	char names[128] = "";
	size_t used = 0;

	if (!text || !json_reader_ok(reader))
		return choices[0].value;
	for (const struct choice *choice = choices; choice->name; choice++) {
		if (!strcmp(text, choice->name))
			return choice->value;
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s\"%s\"", used ? ", " : "",
					 choice->name);
	}
	json_reader_fail(reader, json_enter(reader, object, member), "must be one of %s", names);
	json_leave(reader);
	return choices[0].value;
}

/* The packet path counts time in steps of 0.27 s: a burst that is smaller than what
 * the rate allows in one step would be the limit instead of the rate. */
static void read_rate(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	uint32_t least;

	pool->mapping_rate = (uint32_t)config_integer(reader, element, "mapping_rate", 0, 1000000, 0);
	pool->mapping_burst =
		(uint32_t)config_integer(reader, element, "mapping_burst", 0, 1000000, pool->mapping_rate);
	least = (uint32_t)(((uint64_t)pool->mapping_rate << BNG_TICK_SHIFT) / 1000000000) +
		!!pool->mapping_rate;
	if (pool->mapping_burst < least) {
		json_reader_fail(reader, json_enter(reader, element, "mapping_burst"),
				 "must be at least %u, or mapping_rate cannot be reached", least);
		json_leave(reader);
	}
}

/* Without the object, or with enabled false, subscribers can ask for nothing. */
static void read_pcp(struct json_reader *reader, json_t *element, struct config_pcp *pcp)
{
	static const char *const members[] = {"enabled",      "min_lifetime", "max_lifetime",
					      "max_mappings", "min_port",     NULL};
	bool given = json_object_get(element, "pcp") != NULL;
	json_t *object = config_object(reader, element, "pcp");

	json_read_only(reader, object, members);
	pcp->enabled = json_read_bool_or(reader, object, "enabled", given);
	if (json_reader_ok(reader) && !json_object_get(object, "enabled"))
		json_object_set_new(object, "enabled", json_boolean(pcp->enabled));
	pcp->min_lifetime_s = (uint32_t)config_integer(reader, object, "min_lifetime", 1, 86400, 120);
	pcp->max_lifetime_s = (uint32_t)config_integer(reader, object, "max_lifetime", 1, 30 * 86400, 86400);
	pcp->max_mappings = (uint32_t)config_integer(reader, object, "max_mappings", 1, 1024, 64);
	pcp->min_port = (uint16_t)config_integer(reader, object, "min_port", 1, 65535, 1024);
	if (pcp->max_lifetime_s < pcp->min_lifetime_s) {
		json_reader_fail(reader, json_enter(reader, object, "max_lifetime"),
				 "must be at least min_lifetime, %u", pcp->min_lifetime_s);
		json_leave(reader);
	}
	json_leave(reader);
}

static void read_alg(struct json_reader *reader, json_t *element, void *target, void *context)
{
	const char *name = json_string_value(element);
	struct config_nat_pool *pool = context;

	(void)target;
	if (name && !strcmp(name, "ftp"))
		pool->flags |= BNG_POOL_ALG_FTP;
	else if (name && !strcmp(name, "sip"))
		json_reader_fail(reader, element, "is not available; the only one there is is \"ftp\"");
	else
		json_reader_fail(reader, element, "must be \"ftp\"");
}

static void read_algs(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	size_t count;
	char *none;

	config_array(reader, element, "alg", 1, sizeof(*none), &none, &count, read_alg, pool);
	free(none);
}

void config_read_nat_policy(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	static const struct choice filterings[] = {
		{"endpoint-independent", 0},
		{"address-dependent", BNG_POOL_FILTER_ADDRESS},
		{"address-and-port-dependent", BNG_POOL_FILTER_PORT},
		{0},
	};
	static const struct choice refusals[] = {
		{"prohibited", BNG_REFUSAL_PROHIBITED},
		{"host", BNG_REFUSAL_HOST},
		{"silent", BNG_REFUSAL_SILENT},
		{0},
	};

	pool->flags = read_choice(reader, element, "filtering", filterings);
	if (config_bool(reader, element, "refresh_inbound", false))
		pool->flags |= BNG_POOL_REFRESH_INBOUND;
	if (config_bool(reader, element, "answer_syn", true))
		pool->flags |= BNG_POOL_ANSWER_SYN;
	read_algs(reader, element, pool);
	pool->refusal = read_choice(reader, element, "refusal", refusals);
	read_rate(reader, element, pool);
	read_pcp(reader, element, &pool->pcp);
	if (pool->pcp.enabled)
		pool->flags |= BNG_POOL_PCP;
}

uint16_t config_read_mss(struct json_reader *reader, json_t *object)
{
	int64_t mss = json_read_integer_or(reader, object, "mss", 0, MSS_MAX, 0);

	if (mss && mss < MSS_MIN) {
		json_reader_fail(reader, json_enter(reader, object, "mss"), "must be 0 (as it is) or %d-%d",
				 MSS_MIN, MSS_MAX);
		json_leave(reader);
	}
	return (uint16_t)mss;
}

static void read_forward(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"protocol", "inner_port", "public_port", NULL};
	struct config_forward *forward = target;

	(void)context;
	json_read_only(reader, element, members);
	config_read_forward(reader, element, forward);
}

void config_read_forward(struct json_reader *reader, json_t *object, struct config_forward *forward)
{
	const char *protocol = config_string(reader, object, "protocol", NULL);

	forward->protocol = protocol && !strcmp(protocol, "tcp") ? BNG_PROTOCOL_TCP : BNG_PROTOCOL_UDP;
	if (protocol && strcmp(protocol, "tcp") && strcmp(protocol, "udp")) {
		json_reader_fail(reader, json_enter(reader, object, "protocol"),
				 "must be \"tcp\" or \"udp\"");
		json_leave(reader);
	}
	forward->inner_port =
		(uint16_t)config_integer(reader, object, "inner_port", 1, 65535, CONFIG_NO_DEFAULT);
	if (json_object_get(object, "public_port"))
		forward->public_port = (uint16_t)config_integer(reader, object, "public_port", BNG_FIRST_PORT,
								65535, CONFIG_NO_DEFAULT);
}

static bool same_inner(const struct config_forward *a, const struct config_forward *b)
{
	return a->protocol == b->protocol && a->inner_port == b->inner_port;
}

void config_read_forwards(struct json_reader *reader, json_t *element, struct config_session *session)
{
	if (!json_object_get(element, "forwards"))
		return;
	config_array(reader, element, "forwards", FORWARDS_MAX, sizeof(*session->forwards),
		     &session->forwards, &session->forward_count, read_forward, NULL);
	for (size_t i = 1; json_reader_ok(reader) && i < session->forward_count; i++) {
		const struct config_forward *one = &session->forwards[i];

		for (size_t k = 0; k < i; k++)
			if (same_inner(one, &session->forwards[k]) ||
			    (one->public_port && one->public_port == session->forwards[k].public_port))
				json_reader_fail(reader, json_object_get(element, "forwards"),
						 "elements %zu and %zu have the same inner or public port", k,
						 i);
	}
}
