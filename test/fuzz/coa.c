/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of CoA: the input is a datagram to port 3799. It is not genuine, and what is
 * read of it as if it were lies inside it.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/coa/replay.h"
#include "controld/coa/request.h"
#include "controld/radius/seal.h"

static const struct radius_secret secret = {"fuzz", 4};

static void must(bool truth)
{
	if (!truth)
		abort();
}

static bool is_change(void *context, const struct radius_attribute *attribute)
{
	(void)context;
	return attribute->vendor || attribute->type % 2;
}

static void must_be_inside(const struct coa_value *value, const uint8_t *data, size_t length)
{
	must(!value->data ||
	     (value->data >= data + RADIUS_HEADER && value->data + value->length <= data + length));
}

static void read_as_genuine(const uint8_t *data, size_t length)
{
	struct coa_request request;
	enum coa_cause cause = coa_read(data, length, "bng", 0x0100007f, is_change, NULL, &request);

	must(strcmp(coa_cause_name(cause), "unknown") != 0);
	must_be_inside(&request.selection.session_id, data, length);
	must_be_inside(&request.selection.user, data, length);
	must_be_inside(&request.selection.address, data, length);
	must_be_inside(&request.selection.port, data, length);
	must_be_inside(&request.selection.station, data, length);
	must(cause || request.selection.session_id.data || request.selection.user.data ||
	     request.selection.address.data || request.selection.port.data || request.selection.station.data);
}

static void remember(const uint8_t *data)
{
	static struct coa_replay replay;
	struct coa_answered answered = {.until_s = 10, .client_be = 1, .code = COA_ACK};

	memcpy(answered.authenticator, data + RADIUS_AT_AUTHENTICATOR, RADIUS_DIGEST);
	if (!coa_replay_find(&replay, 1, answered.authenticator, 5) &&
	    coa_replay_has_room(&replay, answered.authenticator, 5)) {
		coa_replay_add(&replay, &answered, 5);
		must(coa_replay_find(&replay, 1, answered.authenticator, 5));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	size_t length = size;

	must(copy);
	memcpy(copy, data, size);
	must(radius_verify_request(copy, &length, &secret, false) != RADIUS_GENUINE);
	length = radius_length(copy, size);
	if (length) {
		read_as_genuine(copy, length);
		remember(copy);
	}
	free(copy);
	return 0;
}
