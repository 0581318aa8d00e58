/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Loading an object at a start, see the header.
 */
#include "controld/startup/object.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/maps/sizes.h"
#include "controld/startup/phases.h"
#include "lib/file.h"
#include "lib/log.h"

int object_open(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fd = -errno;
		log_error("opening the object file %s failed: %s", file, strerror(-fd));
	}
	return fd;
}

/* Of FILE.minisig; none is no error. */
static int read_signature(const char *file, char **signature)
{
	char path[PATH_MAX];
	int failure;

	snprintf(path, sizeof(path), "%s.minisig", file);
	failure = file_read_text(path, RPC_TEXT_MAX, signature);
	if (!failure || failure == -ENOENT)
		return 0;
	log_error("reading the signature %s failed: %s", path, strerror(-failure));
	return failure;
}

int object_stage(struct controld *controld, const char *file, int fd, json_t *sizes, json_int_t *generation)
{
	const char *name = strrchr(file, '/');
	char *signature = NULL;
	struct rpc_result result = {0};
	int failure = read_signature(file, &signature);

	if (failure) {
		json_decref(sizes);
		return failure;
	}
	failure = holder_call(controld->holder, "object.stage",
			      json_pack("{s:s, s:o, s:o*}", "name", name ? name + 1 : file, "max_entries",
					sizes, "signature", signature ? rpc_text(signature) : NULL),
			      &fd, 1, &result);
	free(signature);
	if (failure)
		log_error("loading the object file %s failed: %s", file, result.message);
	*generation = json_integer_value(json_object_get(result.value, "generation"));
	rpc_result_done(&result);
	return failure;
}

static int commit(struct controld *controld, json_int_t generation)
{
	struct rpc_result result;
	int failure = holder_call(controld->holder, "swap.commit",
				  json_pack("{s:I}", "generation", generation), NULL, 0, &result);

	if (failure)
		log_error("making generation %" JSON_INTEGER_FORMAT " current failed: %s", generation,
			  result.message);
	rpc_result_done(&result);
	return failure;
}

int object_load(struct controld *controld, struct startup *startup, json_int_t *generation)
{
	const char *file = startup->options->object;
	int fd = object_open(file), failure;

	if (fd < 0)
		return fd;
	failure = object_stage(controld, file, fd, maps_sizes(startup->config, fd, startup->pinned),
			       generation);
	close(fd);
	return failure ? failure : commit(controld, *generation);
}
