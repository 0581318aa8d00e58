/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a group is made with, as it is asked for.
 */
#include <errno.h>
#include <string.h>

#include "lib/bpf/group.h"
#include "lib/json.h"
#include "lib/rpc.h"

int group_options_parse(const json_t *given, struct group_options *options, struct problem *problem)
{
	static const char *const members[] = {"mode", "timeout_s", "flows", "cookie_offset", NULL};
	struct json_reader reader;
	const char *mode;

	if (!given)
		return 0;
	json_reader_init(&reader);
	mode = json_read_string_or(&reader, given, "mode", group_mode_name(options->mode));
	options->timeout_s = (unsigned)json_read_integer_or(&reader, given, "timeout_s", 1, GROUP_TIMEOUT_MAX,
							    options->timeout_s);
	options->flows =
		(unsigned)json_read_integer_or(&reader, given, "flows", 1, GROUP_FLOWS_MAX, options->flows);
	options->cookie_offset = (unsigned)json_read_integer_or(&reader, given, "cookie_offset", 0,
								GROUP_OFFSET_MAX, options->cookie_offset);
	json_read_only(&reader, given, members);
	if (json_reader_ok(&reader) && group_mode_parse(mode, &options->mode)) {
		json_enter(&reader, given, "mode");
		json_reader_fail(&reader, json_object_get(given, "mode"),
				 "must be flow, stateless or cookie");
	}
	return json_reader_ok(&reader)
		       ? 0
		       : refuse(problem, RPC_INVALID_PARAMS, NULL, "params/options%s", reader.error);
}

int group_options_check(const struct group *group, const json_t *given, struct problem *problem)
{
	struct group_options has, wanted;

	group_options_read(group, &has);
	wanted = has;
	if (group_options_parse(given, &wanted, problem))
		return -EINVAL;
	if (!memcmp(&has, &wanted, sizeof(has)))
		return 0;
	return refuse(problem, RPC_CONFLICT, NULL,
		      "it has mode %s, timeout_s %u, flows %u, cookie_offset %u, which stay while there is a "
		      "generation",
		      group_mode_name(has.mode), has.timeout_s, has.flows, has.cookie_offset);
}
