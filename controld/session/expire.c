/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Session-Timeout and Idle-Timeout (RFC 2865 sections 5.27, 5.28): looked at once a
 * second. Only packets from the subscriber keep a session from being idle.
 */
#include "controld/controld.h"
#include "controld/session/detail.h"
#include "controld/session/sessions.h"

#define SECOND_NS 1000000000ULL

uint64_t session_age_s(const struct session *session, uint64_t now_ns)
{
	return now_ns > session->record->opened_ns ? (now_ns - session->record->opened_ns) / SECOND_NS : 0;
}

uint64_t session_idle_s(const struct controld *controld, const struct session *session)
{
	uint32_t ticks = maps_tick(controld->maps) - session->record->last_up_tick;

	if (ticks > UINT32_MAX / 2)
		return 0; /* the packet was later than our reading */
	return ((uint64_t)ticks << BNG_TICK_SHIFT) / SECOND_NS;
}

static void look_at(struct controld *controld, const struct session *session,
		    const struct session_profile *profile, uint64_t now_ns)
{
	if (profile->session_timeout_s && session_age_s(session, now_ns) >= profile->session_timeout_s)
		session_close(controld, session, SESSION_END_SESSION_TIMEOUT, "session timeout");
	else if (profile->idle_timeout_s && session_idle_s(controld, session) >= profile->idle_timeout_s)
		session_close(controld, session, SESSION_END_IDLE_TIMEOUT, "idle timeout");
}

void sessions_expire(struct controld *controld, uint64_t now_ns)
{
	struct sessions *sessions = controld->sessions;

	if (now_ns - sessions->looked_ns < SECOND_NS)
		return;
	sessions->looked_ns = now_ns;
	for (uint32_t slot = 1; slot < sessions->capacity; slot++) {
		const struct session_detail *detail = sessions->details[slot];
		struct session session = {slot, &sessions->maps->subscriber[slot]};

		if (detail && (detail->profile.session_timeout_s || detail->profile.idle_timeout_s) &&
		    session.record->state == BNG_SUBSCRIBER_ACTIVE &&
		    session.record->session_id == detail->session_id)
			look_at(controld, &session, &detail->profile, now_ns);
	}
}
