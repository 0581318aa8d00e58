/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Finding the bridge, see the header.
 */
#include "controld/startup/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/maps/sizes.h"
#include "controld/startup/object.h"
#include "controld/startup/phases.h"
#include "dataplane/abi/version.h"
#include "lib/log.h"

/* 0 also where there is no such map yet. */
static int ask_layout(struct controld *controld, uint32_t *layout)
{
	struct rpc_result result;
	int failure = holder_call(controld->holder, "map.open",
				  json_pack("{s:[s]}", "names", maps_name(MAP_meta)), NULL, 0, &result);

	*layout = 0;
	if (!failure)
		failure = result.fd_count == 1 ? maps_layout(result.fds[0], layout) : -EPROTO;
	if (failure && failure != -ENOENT)
		log_error("asking which layout the maps have failed: %s",
			  result.message[0] ? result.message : strerror(-failure));
	rpc_result_done(&result);
	return failure == -ENOENT ? 0 : failure;
}

/* Its descriptor, or -1. */
static int find_bridge(const char *object, uint32_t from, char path[static PATH_MAX])
{
	static const char *const folders[] = {"", "../"};
	const char *slash = strrchr(object, '/');
	int fd = -1, length = slash ? (int)(slash - object) + 1 : 0;

	for (size_t i = 0; fd < 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, PATH_MAX, "%.*s%sbng-bridge-%" PRIu32 "-%u.bpf.o", length, object, folders[i],
			 from, BNG_ABI_VERSION);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

/* A change of layout changes no size: that is `bngcli issu migrate`, which says what it would do. */
static json_t *sizes_as_they_run(const struct startup *startup, int bridge, const json_t *pinned)
{
	json_t *sizes = maps_sizes(startup->config, bridge, pinned), *map;
	size_t i;

	json_array_foreach(pinned, i, map)
	{
		const char *name = json_string_value(json_object_get(map, "name"));

		if (name && json_object_get(sizes, name))
			json_object_set(sizes, name, json_object_get(map, "max_entries"));
	}
	return sizes;
}

static int stage(struct controld *controld, const struct startup *startup, const char *path, int bridge,
		 json_int_t *generation)
{
	struct rpc_result status;
	int failure = holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status);

	if (failure)
		log_error("asking bpfholder for its status failed: %s", status.message);
	else
		failure = object_stage(
			controld, path, bridge,
			sizes_as_they_run(startup, bridge, json_object_get(status.value, "maps")),
			generation);
	rpc_result_done(&status);
	return failure;
}

int layout_stage(struct controld *controld, struct startup *startup, json_int_t *generation)
{
	const char *object = startup->options->object;
	char path[PATH_MAX];
	uint32_t found;
	int bridge, failure = ask_layout(controld, &found);

	*generation = 0;
	if (failure || !found || found == BNG_ABI_VERSION || !object)
		return failure;
	bridge = find_bridge(object, found, path);
	if (bridge < 0) {
		log_error("the maps have layout %" PRIu32
			  ", this bng-controld knows %u, and what leads from one to the other is not there: "
			  "bng-bridge-%" PRIu32 "-%u.bpf.o, which comes with the newer version, was expected "
			  "beside %s. Nothing was changed, forwarding goes on. Put it there, or install the "
			  "version that belongs to the running object",
			  found, BNG_ABI_VERSION, found, BNG_ABI_VERSION, object);
		return -EPROTO;
	}
	log_notice("the maps have layout %" PRIu32 ", this bng-controld knows %u: going over by %s", found,
		   BNG_ABI_VERSION, path);
	failure = stage(controld, startup, path, bridge, generation);
	close(bridge);
	return failure;
}
