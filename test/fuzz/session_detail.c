/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text that a bus may hand over as a session's record: refused, or JSON that jansson
 * reads too, and a detail that goes back to the same JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/feature.h"
#include "controld/session/detail.h"

const struct bng_feature *const bng_features[] = {NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void check(const struct session_detail *detail)
{
	json_t *json = session_detail_json(detail), *second;
	char *text = json_dumps(json, JSON_COMPACT);
	struct session_detail *again;

	must(text);
	again = session_detail_parse((struct json_slice){text, strlen(text)});
	must(again);
	second = session_detail_json(again);
	must(json_equal(json, second));
	json_decref(json);
	json_decref(second);
	free(text);
	session_detail_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	struct session_detail *detail;
	json_t *json;

	must(copy);
	memcpy(copy, data, size);
	detail = session_detail_parse((struct json_slice){copy, size});
	if (detail) {
		json = json_loadb(copy, size, 0, NULL);
		must(json);
		json_decref(json);
		check(detail);
		session_detail_free(detail);
	}
	free(copy);
	return 0;
}
