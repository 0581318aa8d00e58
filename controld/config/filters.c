/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /filters: each name's rules, as the data plane has them.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/filters.h"
#include "controld/config/parse.h"

_Static_assert(CONFIG_NAME_MAX == BNG_FILTER_NAME, "a name of the configuration fits");

struct word {
	const char *text;
	uint8_t value;
};

static const struct word actions[] = {{"deny", 0}, {"permit", BNG_FILTER_PERMIT}, {0}};
static const struct word directions[] = {
	{"up", BNG_FILTER_UP}, {"down", BNG_FILTER_DOWN}, {"both", BNG_FILTER_UP | BNG_FILTER_DOWN}, {0}};
static const struct word protocols[] = {{"any", 0},
					{"tcp", IPPROTO_TCP},
					{"udp", IPPROTO_UDP},
					{"icmp", IPPROTO_ICMP},
					{"gre", IPPROTO_GRE},
					{"esp", IPPROTO_ESP},
					{0}};

static void fail_at(struct json_reader *reader, json_t *object, const char *member, const char *expected)
{
	json_reader_fail(reader, json_enter(reader, object, member), "%s", expected);
	json_leave(reader);
}

static uint8_t read_word(struct json_reader *reader, json_t *object, const char *member, const char *fallback,
			 const struct word *words, const char *expected)
{
	const char *text = config_string(reader, object, member, fallback);

	for (; text && words->text; words++)
		if (!strcmp(text, words->text))
			return words->value;
	if (text)
		fail_at(reader, object, member, expected);
	return 0;
}

/* "80", "1000-2000": true and the numbers. */
static bool parse_ports(const char *text, struct bng_filter_rule *rule)
{
	unsigned first, last;
	char end;
	int count = strspn(text, "0123456789-") == strlen(text) && strlen(text) <= strlen("65535-65535")
			    ? sscanf(text, "%5u-%5u%c", &first, &last, &end)
			    : 0;

	if (count == 1 && !strchr(text, '-') && strlen(text) <= 5)
		last = first;
	else if (count != 2 || text[0] == '-')
		return false;
	if (first < 1 || first > last || last > UINT16_MAX)
		return false;
	rule->port_first = (uint16_t)first;
	rule->port_last = (uint16_t)last;
	return true;
}

static void read_ports(struct json_reader *reader, json_t *element, struct bng_filter_rule *rule)
{
	const char *text;

	if (!json_object_get(element, "ports"))
		return;
	text = json_read_string(reader, element, "ports");
	if (json_reader_ok(reader) && !parse_ports(text, rule))
		fail_at(reader, element, "ports",
			"must be a port such as \"80\" or \"1000-2000\", of 1-65535");
	if (json_reader_ok(reader) && rule->protocol != IPPROTO_TCP && rule->protocol != IPPROTO_UDP)
		fail_at(reader, element, "ports", "needs the protocol \"tcp\" or \"udp\"");
}

static void read_rule(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"action", "direction", "prefix", "protocol", "ports", NULL};
	struct bng_filter_rule *rule = target;
	struct config_prefix prefix = {0};

	(void)context;
	json_read_only(reader, element, members);
	rule->flags = read_word(reader, element, "action", NULL, actions, "must be \"permit\" or \"deny\"");
	rule->flags |= read_word(reader, element, "direction", "both", directions,
				 "must be \"up\", \"down\" or \"both\"");
	rule->protocol = read_word(reader, element, "protocol", "any", protocols,
				   "must be \"any\", \"tcp\", \"udp\", \"icmp\", \"gre\" or \"esp\"");
	config_string(reader, element, "prefix", "0.0.0.0/0");
	config_prefix(reader, json_enter(reader, element, "prefix"), &prefix);
	json_leave(reader);
	rule->address_be = htonl(prefix.first);
	rule->mask_be = htonl(~(prefix.first ^ prefix.last));
	read_ports(reader, element, rule);
}

static void read_filter(struct json_reader *reader, json_t *element, const char *name,
			struct config_filter *filter)
{
	static const char *const members[] = {"rules", "default", NULL};
	struct bng_filter_rule *rules = NULL;
	size_t count = 0;

	snprintf(filter->name, sizeof(filter->name), "%s", name);
	json_read_only(reader, element, members);
	filter->rules.flags =
		read_word(reader, element, "default", NULL, actions, "must be \"permit\" or \"deny\"");
	config_array(reader, element, "rules", BNG_FILTER_RULES, sizeof(*rules), &rules, &count, read_rule,
		     NULL);
	if (rules)
		memcpy(filter->rules.rule, rules, count * sizeof(*rules));
	filter->rules.count = (uint8_t)count;
	free(rules);
}

/* As RADIUS may send it, and a list of names with commas between them could hold it. */
static bool is_name(const char *text)
{
	size_t length = strlen(text);

	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("/,\"\\", *c))
			return false;
	return length && length < CONFIG_NAME_MAX;
}

void config_read_filters(struct json_reader *reader, json_t *root, struct config_filters *filters)
{
	json_t *object = json_enter(reader, root, "filters"), *element;
	size_t count = json_object_size(object);
	const char *name;

	if (object && !json_is_object(object))
		json_reader_fail(reader, object, "must be an object: a filter for each name");
	if (count > CONFIG_FILTERS)
		json_reader_fail(reader, object, "%zu filters found, at most %d may be given", count,
				 CONFIG_FILTERS);
	filters->filter = count && json_reader_ok(reader) ? calloc(count, sizeof(*filters->filter)) : NULL;
	if (count && json_reader_ok(reader) && !filters->filter)
		json_reader_fail(reader, NULL, "out of memory");
	if (filters->filter)
		json_object_foreach(object, name, element)
		{
			json_enter(reader, object, name);
			if (!is_name(name))
				json_reader_fail(reader, element,
						 "must have a name of 1-%d printable characters without "
						 "spaces, '/', ',', '\"' and '\\'",
						 CONFIG_NAME_MAX - 1);
			read_filter(reader, element, name, &filters->filter[filters->count++]);
			json_leave(reader);
		}
	json_leave(reader);
}

const struct config_filter *config_find_filter(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->filters.count; i++)
		if (!strcmp(config->filters.filter[i].name, name))
			return &config->filters.filter[i];
	return NULL;
}

static const char *word_of(const struct word *words, uint8_t value)
{
	while (words->text && words->value != value)
		words++;
	return words->text ? words->text : "?";
}

const char *filter_action_name(uint8_t flags)
{
	return word_of(actions, flags & BNG_FILTER_PERMIT);
}

const char *filter_direction_name(uint8_t flags)
{
	return word_of(directions, flags & (BNG_FILTER_UP | BNG_FILTER_DOWN));
}

const char *filter_protocol_name(uint8_t protocol)
{
	return word_of(protocols, protocol);
}
