/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which prefixes can be routed, and their entries in map slot_of_address.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/routes/routes.h"

struct route_span route_span_of(const struct profile_route *route)
{
	uint32_t host = route->length >= 32 ? 0 : UINT32_MAX >> route->length;
	uint32_t first = ntohl(route->first_be) & ~host;

	return (struct route_span){first, first | host};
}

static bool overlaps(const struct bng_range *ranges, uint32_t count, uint32_t max, struct route_span span)
{
	for (uint32_t i = 0; i < count && i < max; i++)
		if (span.first <= ranges[i].last && span.last >= ranges[i].first)
			return true;
	return false;
}

const char *route_judge(const struct controld *controld, const struct profile_route *route)
{
	const struct bng_ranges *ranges = maps_ranges(controld->maps);
	struct route_span span = route_span_of(route);
	uint32_t head = span.first >> 24;

	if (route->length < ROUTE_LENGTH_MIN || route->length > 32)
		return "the prefix is wider than /24";
	if (!head || head == 127 || head >= 224)
		return "these are no host's addresses";
	if (overlaps(ranges->inner, ranges->inner_count, BNG_INNER_RANGES, span))
		return "a DHCP pool or a gateway has addresses of it";
	if (overlaps(ranges->outer, ranges->public_count, BNG_PUBLIC_RANGES, span))
		return "a NAT pool has addresses of it";
	return NULL;
}

static uint32_t entry_slot(const struct controld *controld, uint32_t address_be)
{
	uint32_t slot = 0;

	return maps_get(controld->maps, MAP_slot_of_address, &address_be, &slot) ? 0 : slot;
}

static void take_back(const struct controld *controld, struct route_span span, const bool *is_added)
{
	for (uint32_t i = 0; i <= span.last - span.first; i++) {
		uint32_t address_be = htonl(span.first + i);

		if (is_added[i])
			maps_delete(controld->maps, MAP_slot_of_address, &address_be);
	}
}

static const char *add_one(const struct controld *controld, const struct session *session,
			   uint32_t address_be, bool *is_added)
{
	int failure = maps_add(controld->maps, MAP_slot_of_address, &address_be, &session->slot);

	*is_added = !failure;
	switch (failure) {
	case 0:
		return NULL;
	case -EEXIST: /* its own address may lie in its prefix */
		return entry_slot(controld, address_be) == session->slot
			       ? NULL
			       : "another session has addresses of it";
	case -E2BIG:
		return "map slot_of_address is full (/sizes/subscribers)";
	default:
		return "the kernel refused an entry of map slot_of_address";
	}
}

const char *route_add(const struct controld *controld, const struct session *session,
		      const struct route_owner *owner, struct route_span span)
{
	bool is_added[ROUTE_ADDRESSES] = {false};
	const char *why = NULL;

	for (uint32_t i = 0; !why && i <= span.last - span.first; i++)
		if (!spans_hold(owner->spans, owner->count, span.first + i))
			why = add_one(controld, session, htonl(span.first + i), &is_added[i]);
	if (why)
		take_back(controld, span, is_added);
	return why;
}

void route_remove(const struct controld *controld, const struct session *session,
		  const struct route_owner *owner, const struct route_span *keep, uint32_t count)
{
	for (uint32_t i = 0; i < owner->count; i++) {
		for (uint32_t at = owner->spans[i].first;; at++) {
			uint32_t address_be = htonl(at);

			if (!spans_hold(keep, count, at) && address_be != session->record->address_be &&
			    entry_slot(controld, address_be) == session->slot)
				maps_delete(controld->maps, MAP_slot_of_address, &address_be);
			if (at == owner->spans[i].last)
				break;
		}
	}
}
