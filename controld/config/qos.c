/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /qos: the rates of sessions that nobody gave any. A rate is a number of bits a
 * second, or a text such as "10M".
 */
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "controld/maps/rate.h"

#define RATE_DIGITS 12

/* "10M": true and the number. */
static bool parse_rate(const char *text, uint64_t *bits_s)
{
	static const char units[] = "kMG";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
	uint64_t value;

	if (!digits || digits > RATE_DIGITS || (text[digits] && (!unit || text[digits + 1])))
		return false;
	value = strtoull(text, NULL, 10);
	for (const char *at = units; unit && at <= unit; at++) {
		if (value > RATE_BITS_MAX)
			return false;
		value *= 1000;
	}
	*bits_s = value;
	return true;
}

static void read_bits(struct json_reader *reader, json_t *object, struct config_rate *rate)
{
	json_t *value = json_enter(reader, object, "rate");
	bool good = true;

	if (!value && json_reader_ok(reader) && json_is_object(object))
		json_object_set_new(object, "rate", json_integer(0));
	else if (json_is_integer(value) && json_integer_value(value) >= 0)
		rate->bits_s = (uint64_t)json_integer_value(value);
	else
		good = json_is_string(value) && parse_rate(json_string_value(value), &rate->bits_s);
	if (!good || !rate_is_valid(rate->bits_s))
		json_reader_fail(reader, value,
				 "must be 0 (unlimited) or %llu-%llu bits a second, as a number or as a text "
				 "such as \"500k\", \"10M\" or \"1G\"",
				 RATE_BITS_MIN, RATE_BITS_MAX);
	json_leave(reader);
}

static void read_rate(struct json_reader *reader, json_t *qos, const char *member, struct config_rate *rate)
{
	static const char *const members[] = {"rate", "burst", NULL};
	json_t *object = config_object(reader, qos, member);

	json_read_only(reader, object, members);
	read_bits(reader, object, rate);
	rate->burst_bytes = (uint32_t)config_integer(reader, object, "burst", 0, UINT32_MAX, 0);
	if (rate->burst_bytes && rate->burst_bytes < RATE_BURST_MIN) {
		json_reader_fail(reader, json_enter(reader, object, "burst"),
				 "must be 0 (the default) or at least %d bytes, ten full packets",
				 RATE_BURST_MIN);
		json_leave(reader);
	}
	json_leave(reader);
}

void config_read_qos(struct json_reader *reader, json_t *root, struct config_qos *qos)
{
	static const char *const members[] = {"default_up", "default_down", NULL};
	json_t *object = config_object(reader, root, "qos");

	json_read_only(reader, object, members);
	read_rate(reader, object, "default_up", &qos->up);
	read_rate(reader, object, "default_down", &qos->down);
	json_leave(reader);
}
