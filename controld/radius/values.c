/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Texts of attributes, see the header.
 */
#include "controld/radius/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"

#define TEXT_MAX     256
#define RATE_MAX     1000000000000000ull
#define WORDS_MAX    6 /* of a Mikrotik rate limit */
#define TIME_MAX     86400
#define DEFAULT_MASK 32

static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* Where the digits end; NULL: there are none, or too many. */
static const char *digits(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t all = 0;

	if (!is_digit(*text))
		return NULL;
	for (; is_digit(*text); text++) {
		if (all > (max - (uint64_t)(*text - '0')) / 10)
			return NULL;
		all = all * 10 + (uint64_t)(*text - '0');
	}
	*value = all;
	return text;
}

int value_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t all;
	const char *end = digits(text, max, &all);

	if (!end || *end || all > max)
		return -EINVAL;
	*value = all;
	return 0;
}

int value_rate(const char *text, uint64_t *bits_s)
{
	static const char letters[] = "kMG";
	uint64_t all;
	const char *end = digits(text, RATE_MAX, &all);

	if (!end)
		return -EINVAL;
	if (*end) {
		const char *letter = strchr(letters, *end == 'K'   ? 'k'
						     : *end == 'm' ? 'M'
						     : *end == 'g' ? 'G'
								   : *end);

		if (!letter || end[1])
			return -EINVAL;
		for (long i = letter - letters; i >= 0; i--)
			all = all > RATE_MAX ? all : all * 1000;
	}
	if (all > RATE_MAX)
		return -EINVAL;
	*bits_s = all;
	return 0;
}

/* ---- Mikrotik-Rate-Limit ---------------------------------------------------------- */

/* Seconds, "8" or "8s". */
static int value_seconds(const char *text, uint64_t *seconds)
{
	const char *end = digits(text, TIME_MAX, seconds);

	return end && (!*end || !strcmp(end, "s")) ? 0 : -EINVAL;
}

/* "a/b", or "a" for both. */
static int value_pair(char *word, int (*read)(const char *text, uint64_t *value), uint64_t pair[static 2])
{
	char *slash = strchr(word, '/');
	int failure;

	if (slash)
		*slash++ = '\0';
	failure = read(word, &pair[0]);
	if (failure || !slash) {
		pair[1] = pair[0];
		return failure;
	}
	return read(slash, &pair[1]);
}

/* It may send at `burst` for threshold * time / burst seconds: what is above `rate` then. */
static uint32_t burst_bytes(uint64_t rate, uint64_t burst, uint64_t threshold, uint64_t seconds)
{
	double bytes;

	if (!rate || burst <= rate || !threshold || !seconds)
		return 0;
	bytes = (double)(burst - rate) / (double)burst * (double)threshold * (double)seconds / 8;
	return bytes >= UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

int value_rate_limit(const char *text, struct profile_rate *up, struct profile_rate *down)
{
	uint64_t rate[2], burst[2] = {0}, threshold[2] = {0}, seconds[2] = {0};
	char copy[TEXT_MAX], *words[WORDS_MAX], *rest = copy;
	size_t count = 0;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	while (count < WORDS_MAX && (words[count] = strtok_r(count ? NULL : copy, " ", &rest)))
		count++;
	/* What follows, priority and guaranteed rates, is of no use here. */
	if (!count || value_pair(words[0], value_rate, rate) ||
	    (count > 1 && value_pair(words[1], value_rate, burst)) ||
	    (count > 2 && value_pair(words[2], value_rate, threshold)) ||
	    (count > 3 && value_pair(words[3], value_seconds, seconds)))
		return -EINVAL;
	*up = (struct profile_rate){rate[0], burst_bytes(rate[0], burst[0], threshold[0], seconds[0])};
	*down = (struct profile_rate){rate[1], burst_bytes(rate[1], burst[1], threshold[1], seconds[1])};
	return 0;
}

/* ---- Framed-Route ------------------------------------------------------------------- */

static unsigned length_of_class(uint32_t address)
{
	if (address >> 31 == 0)
		return 8;
	return address >> 30 == 2 ? 16 : address >> 29 == 6 ? 24 : DEFAULT_MASK;
}

static int read_prefix(const char *word, struct profile_route *route)
{
	char whole[TEXT_MAX + 4];
	uint32_t address_be, first, last;
	unsigned length;

	if (strchr(word, '/'))
		snprintf(whole, sizeof(whole), "%s", word);
	else if (address_parse(word, &address_be))
		return -EINVAL;
	else
		snprintf(whole, sizeof(whole), "%s/%u", word, length_of_class(ntohl(address_be)));
	if (prefix_parse(whole, &first, &last, &length) || !length || first >> 28 >= 14 || first >> 24 == 0 ||
	    first >> 24 == 127)
		return -EINVAL;
	*route = (struct profile_route){htonl(first), (uint8_t)length};
	return 0;
}

int value_route(const char *text, struct profile_route *route, uint32_t *gateway_be)
{
	char copy[TEXT_MAX], *rest = copy, *word;
	struct profile_route found;
	uint32_t gateway = 0;
	uint64_t metric;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	word = strtok_r(copy, " ", &rest);
	if (!word || read_prefix(word, &found))
		return -EINVAL;
	word = strtok_r(NULL, " ", &rest);
	if (word && address_parse(word, &gateway))
		return -EINVAL;
	/* Metrics: there is one way to a subscriber. */
	while ((word = strtok_r(NULL, " ", &rest)))
		if (value_number(word, UINT32_MAX, &metric))
			return -EINVAL;
	*route = found;
	*gateway_be = gateway;
	return 0;
}

bool value_is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

bool value_is_tellable(const char *text)
{
	json_t *probe = value_is_printable(text) ? json_string(text) : NULL;

	json_decref(probe);
	return probe;
}
