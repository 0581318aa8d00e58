/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of the way from a reply to a profile: whatever attributes a server sends, the
 * profile is whole, within its limits, and the same after it was on the bus.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/radius/profile.h"

static const char text[] =
	"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"gateways\": [{\"interface\": \"a\", "
	"\"address\": \"10.0.0.1\"}], \"dhcp4\": {\"pools\": [{\"name\": \"homes\", \"interfaces\": [\"a\"], "
	"\"prefix\": \"10.0.0.0/24\", \"first\": \"10.0.0.10\", \"last\": \"10.0.0.99\", \"router\": "
	"\"10.0.0.1\"}]}, \"filters\": {\"walled\": {\"default\": \"deny\"}}, \"cgnat\": {\"pools\": "
	"[{\"name\": \"gold\", \"prefixes\": "
	"[\"203.0.113.0/29\"]}]}, "
	"\"aaa\": {\"attributes\": [{\"attribute\": \"Attr-2\", \"field\": \"burst_up\", \"scale\": 1000}, "
	"{\"attribute\": \"Attr-3\", \"field\": \"rates\"}, {\"attribute\": \"Attr-26.9.2\", \"field\": "
	"\"address\"}]}}";

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void check_class(const struct session_profile *profile)
{
	size_t at = 0;

	must(profile->class_length <= PROFILE_CLASS_MAX);
	while (at < profile->class_length)
		at += 1u + profile->class[at];
	must(at == profile->class_length);
}

static void check(const struct profile_reading *reading)
{
	const struct session_profile *profile = &reading->profile;
	struct session_profile again;
	json_t *json = profile_json(profile), *second;
	char *written = json_dumps(json, JSON_COMPACT);

	must(!reading->wrong == !reading->trouble[0]);
	must(profile->route_count <= PROFILE_ROUTES);
	must(!(profile->given & PROFILE_USER) == !profile->user);
	must(!(profile->given & PROFILE_FILTER) == !profile->filter);
	must(!profile->user || profile->user[0]);
	check_class(profile);
	must(written);
	must(!profile_parse((struct json_slice){written, strlen(written)}, &again));
	free(written);
	second = profile_json(&again);
	must(again.given == profile->given && json_equal(json, second));
	profile_done(&again);
	json_decref(json);
	json_decref(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config *config;
	static struct attribute_map map;
	struct profile_reading reading;
	char error[CONFIG_ERROR_TEXT], message[64];
	uint8_t *copy = malloc(size ? size : 1);
	size_t length;

	if (!config) {
		must(!config_parse(text, strlen(text), "fuzz", &config, error, sizeof(error)));
		must(!attribute_map_build(&map, &config->aaa, NULL, error, sizeof(error)));
	}
	must(copy);
	memcpy(copy, data, size);
	length = radius_length(copy, size);
	if (length) {
		must(!profile_read(&map, config, copy, length, &reading));
		check(&reading);
		profile_done(&reading.profile);
		profile_message(copy, length, message, sizeof(message));
		must(strlen(message) < sizeof(message));
	}
	free(copy);
	return 0;
}
