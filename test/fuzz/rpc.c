/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Arbitrary bytes as a stream: cut into lines by the reader, each line parsed.
 * The first byte says how large the pieces are in which the stream arrives; a
 * descriptor comes with every fourth piece.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/rpc_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_lines(struct rpc_reader *reader)
{
	const char *line;
	size_t length;
	struct rpc_fds fds;
	while (rpc_reader_next(reader, &line, &length, &fds)) {
		json_t *document, *id, *params;
		const char *method, *reason;
		if (!rpc_parse_line(line, length, &document, &id, &method, &params, &reason)) {
			if (!method || (params && !json_is_object(params) && !json_is_array(params)))
				abort();
			json_decref(id);
			json_decref(document);
		} else if (!reason) {
			abort();
		}
		rpc_fds_close(&fds);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int pair[2];
	if (!size || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return 0;
	size_t piece = (size_t)data[0] + 1;
	struct rpc_reader reader = {0};
	for (size_t at = 1, pieces = 0; at < size; pieces++) {
		size_t left = size - at;
		ssize_t sent = rpc_wire_send(pair[0], (const char *)data + at, left < piece ? left : piece,
					     &pair[0], pieces % 4 == 3);
		if (sent <= 0 || rpc_reader_fill(&reader, pair[1]) < 1)
			break;
		parse_lines(&reader);
		at += (size_t)sent;
	}
	rpc_reader_done(&reader);
	close(pair[0]);
	close(pair[1]);
	return 0;
}
