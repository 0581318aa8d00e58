/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Cisco-AVPair: an attribute whose text is a name and a value. "Ingress" and "input" come
 * from the subscriber.
 */
#include <string.h>

#include "controld/radius/profile_reader.h"
#include "controld/radius/values.h"
#include "lib/address.h"

/* "rate-limit input [access-group N] RATE BURST ..." of lcp:interface-config. */
static const char *read_interface_config(struct reader *reader, char *value, bool ignored)
{
	char *rest = value, *word = strtok_r(value, " ", &rest), *way;
	uint64_t bits_s, bytes = 0;

	(void)ignored;
	if (!word || strcasecmp(word, "rate-limit"))
		return NULL; /* some other command */
	way = strtok_r(NULL, " ", &rest);
	word = strtok_r(NULL, " ", &rest);
	if (word && !strcasecmp(word, "access-group")) {
		strtok_r(NULL, " ", &rest);
		word = strtok_r(NULL, " ", &rest);
	}
	if (!way || (strcasecmp(way, "input") && strcasecmp(way, "output")) || !word ||
	    value_rate(word, &bits_s))
		return "\"rate-limit input|output RATE BURST ...\"";
	word = strtok_r(NULL, " ", &rest);
	if (word && value_number(word, UINT32_MAX, &bytes))
		return "\"rate-limit input|output RATE BURST ...\"";
	reader_set_rate(reader, !strcasecmp(way, "input"), bits_s);
	if (bytes)
		reader_set_burst(reader, !strcasecmp(way, "input"), bytes);
	return NULL;
}

static const char *read_pair_rate(struct reader *reader, char *value, bool is_up)
{
	uint64_t bits_s;

	if (value_rate(value, &bits_s))
		return "a rate";
	reader_set_rate(reader, is_up, bits_s);
	return NULL;
}

static const char *read_pair_burst(struct reader *reader, char *value, bool is_up)
{
	uint64_t bytes;

	if (value_number(value, UINT32_MAX, &bytes))
		return "a number of bytes";
	reader_set_burst(reader, is_up, bytes);
	return NULL;
}

/* A policy's name is a rate, or none of ours. */
static const char *read_policy(struct reader *reader, char *value, bool is_up)
{
	uint64_t bits_s;

	if (!value_rate(value, &bits_s))
		reader_set_rate(reader, is_up, bits_s);
	return NULL;
}

static const char *read_pair_pool(struct reader *reader, char *value, bool ignored)
{
	(void)ignored;
	return reader_set_pool(reader, value);
}

static const char *read_pair_dns(struct reader *reader, char *value, bool ignored)
{
	char *rest = value, *word = strtok_r(value, " ,", &rest);
	uint32_t address_be;

	(void)ignored;
	for (unsigned i = 0; word && i < 2; i++, word = strtok_r(NULL, " ,", &rest)) {
		if (address_parse(word, &address_be) || !reader_is_host(address_be))
			return "one or two unicast addresses";
		reader_set_dns(reader, TARGET_DNS_FIRST + i, address_be);
	}
	return NULL;
}

/* Pairs of other meaning are left alone. */
const char *reader_read_pair(struct reader *reader)
{
	static const struct {
		const char *name;
		const char *(*read)(struct reader *reader, char *value, bool is_up);
		bool is_up;
	} rows[] = {
		{"sub:Ingress-Committed-Data-Rate", read_pair_rate, true},
		{"sub:Egress-Committed-Data-Rate", read_pair_rate, false},
		{"sub:Ingress-Committed-Burst-Size", read_pair_burst, true},
		{"sub:Egress-Committed-Burst-Size", read_pair_burst, false},
		{"ip:sub-qos-policy-in", read_policy, true},
		{"ip:sub-qos-policy-out", read_policy, false},
		{"ip:addr-pool", read_pair_pool, false},
		{"ip:dns-servers", read_pair_dns, false},
		{"lcp:interface-config", read_interface_config, false},
	};
	char copy[sizeof(reader->text)], *value;
	size_t name;

	memcpy(copy, reader->text, sizeof(copy));
	value = strchr(copy, '=');
	if (!value)
		return NULL;
	*value++ = '\0';
	/* lcp:interface-config#1=..., #2=...: in an order of theirs */
	name = strcspn(copy, "#");
	copy[name] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcasecmp(copy, rows[i].name))
			return rows[i].read(reader, value, rows[i].is_up);
	return NULL;
}
