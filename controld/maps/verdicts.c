/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What verdicts are called.
 */
#include "controld/maps/maps.h"

static const struct {
	const char *name;
	const char *meaning;
} verdicts[BNG_VERDICT_COUNT] = {
#define VERDICT(name, text, meaning) {text, meaning},
	BNG_VERDICTS(VERDICT)
#undef VERDICT
};

const char *maps_verdict_name(unsigned verdict)
{
	return verdict < BNG_VERDICT_COUNT ? verdicts[verdict].name : "unknown";
}

const char *maps_verdict_meaning(unsigned verdict)
{
	return verdict < BNG_VERDICT_COUNT ? verdicts[verdict].meaning : "told by a newer data plane";
}
