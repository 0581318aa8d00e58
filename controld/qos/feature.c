/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The rates of sessions: what whoever authorised gave, else the configuration's default.
 * The record says what is in force; this feature compares and writes the difference, so a
 * session that was adopted keeps its bucket as it is.
 *
 * Of a session that somebody authorised and whose grant is lost nothing is changed,
 * unless it has the default and that changes.
 */
#include <errno.h>
#include <stdlib.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/maps/rate.h"
#include "controld/session/detail.h"
#include "lib/log.h"

struct qos {
	struct config_qos defaults;
};

struct limits {
	uint64_t up;
	uint64_t down;
};

static struct limits limits_of_defaults(const struct config_qos *qos)
{
	return (struct limits){rate_limit_of(qos->up.bits_s, qos->up.burst_bytes),
			       rate_limit_of(qos->down.bits_s, qos->down.burst_bytes)};
}

static struct limits limits_wanted(const struct qos *qos, const struct session_detail *detail)
{
	struct limits limits = limits_of_defaults(&qos->defaults);
	const struct session_profile *profile = detail ? &detail->profile : NULL;

	if (profile && profile->given & PROFILE_RATE_UP)
		limits.up = rate_limit_of(profile->up.bits_s, profile->up.burst_bytes);
	if (profile && profile->given & PROFILE_RATE_DOWN)
		limits.down = rate_limit_of(profile->down.bits_s, profile->down.burst_bytes);
	return limits;
}

static void warn_bounds(const struct session *session, const char *direction, bool given,
			const struct profile_rate *rate)
{
	if (given && !rate_is_valid(rate->bits_s))
		log_warning("session %llu was given a rate %s of %llu bit/s: the nearest of %llu-%llu is "
			    "used",
			    (unsigned long long)session->record->session_id, direction,
			    (unsigned long long)rate->bits_s, RATE_BITS_MIN, RATE_BITS_MAX);
}

static void evaluate(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);
	struct limits limits = limits_wanted(controld->qos, detail);

	if (!rate_set(session->record, limits.up, limits.down, maps_now_ns(controld->maps)) || !detail)
		return;
	warn_bounds(session, "up", detail->profile.given & PROFILE_RATE_UP, &detail->profile.up);
	warn_bounds(session, "down", detail->profile.given & PROFILE_RATE_DOWN, &detail->profile.down);
}

static void on_known(struct controld *controld, const struct session *session)
{
	if (session_grant_is_known(controld, session))
		evaluate(controld, session);
}

static bool has_limits(const struct bng_subscriber *record, struct limits limits)
{
	return record->rate_up.limit == limits.up && record->rate_down.limit == limits.down;
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct limits before = limits_of_defaults(&controld->qos->defaults);
	struct limits after = limits_of_defaults(&next->qos);
	struct session session;
	uint32_t slot = 0;

	controld->qos->defaults = next->qos;
	/* At a start, sessions are adopted when what was granted to them is known. */
	if (!old || (before.up == after.up && before.down == after.down))
		return 0;
	while (session_next(controld, &slot, &session))
		if (session_grant_is_known(controld, &session) || has_limits(session.record, before))
			evaluate(controld, &session);
	return 0;
}

static json_t *drops_json(struct controld *controld, enum bng_verdict verdict)
{
	struct bng_count count = {0};

	maps_count(controld->maps, verdict, &count);
	return json_pack("{s:I, s:I}", "packets", (json_int_t)count.packets, "bytes",
			 (json_int_t)count.bytes);
}

static void handle_show(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct limits defaults = limits_of_defaults(&controld->qos->defaults);
	struct session session;
	struct json_reader reader;
	uint32_t slot = 0, limited = 0;

	if (!ctl_params(request, &reader, members) || ctl_refused(request, &reader))
		return;
	while (session_next(controld, &slot, &session))
		limited += (session.record->flags & BNG_SUBSCRIBER_RATE) != 0;
	rpc_reply(request,
		  json_pack("{s:o, s:o, s:I, s:I, s:o, s:o}", "default_up", rate_json(defaults.up),
			    "default_down", rate_json(defaults.down), "sessions",
			    (json_int_t)session_count(controld), "limited", (json_int_t)limited, "drops_up",
			    drops_json(controld, BNG_DROP_RATE_UP), "drops_down",
			    drops_json(controld, BNG_DROP_RATE_DOWN)),
		  NULL, 0);
}

static int init(struct controld *controld)
{
	controld->qos = calloc(1, sizeof(*controld->qos));
	return controld->qos ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	free(controld->qos);
	controld->qos = NULL;
}

static const struct session_hooks hooks = {.up = evaluate, .adopted = on_known, .change = on_known};
static const struct rpc_method methods[] = {
	{"qos.show", 0, handle_show},
	{0},
};

/* Before the feature `session`, which opens static sessions by a new configuration. */
const struct bng_feature qos_feature = {
	.name = "qos",
	.init = init,
	.free = done,
	.apply = apply,
	.methods = methods,
	.hooks = &hooks,
};
