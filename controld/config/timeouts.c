/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading the timers of a NAT pool: by what a mapping is for, and by the port it
 * talks to.
 */
#include "controld/config/parse.h"
#include "controld/config/service.h"

#define TIMEOUT_MAX    (30 * 86400)
#define UDP_MIN        120  /* RFC 4787 REQ-5, which excepts */
#define WELL_KNOWN_END 1024 /* well-known ports: below */

static void read_by_state(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	static const struct {
		const char *name;
		enum bng_mapping_state state;
		uint32_t fallback;
	} timeouts[] = {
		{"udp", BNG_MAPPING_UDP, 300},
		{"icmp", BNG_MAPPING_ICMP, 60},
		{"tcp_partial", BNG_MAPPING_TCP_PARTIAL, 240},
		{"tcp_established", BNG_MAPPING_TCP_ESTABLISHED, 7440},
		{"tcp_closing", BNG_MAPPING_TCP_CLOSING, 240},
		{"tcp_reset", BNG_MAPPING_TCP_RESET, 240},
		{"tunnel", BNG_MAPPING_TUNNEL, 300},
	};
	static const char *const members[] = {"udp",         "icmp",      "tcp_partial", "tcp_established",
					      "tcp_closing", "tcp_reset", "tunnel",      NULL};
	json_t *object = config_object(reader, element, "timeouts");

	json_read_only(reader, object, members);
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
		pool->timeout_s[timeouts[i].state] = (uint32_t)config_integer(
			reader, object, timeouts[i].name, 1, TIMEOUT_MAX, timeouts[i].fallback);
	json_leave(reader);
}

static void read_port_timer(struct json_reader *reader, json_t *object, const char *name,
			    struct config_port_timer *timer)
{
	if (service_parse(name, &timer->protocol, &timer->port)) {
		json_reader_fail(reader, json_enter(reader, object, name),
				 "the name must be a protocol and a destination port, such as \"udp/53\" or "
				 "\"tcp/22\"");
		json_leave(reader);
		return;
	}
	timer->seconds = (uint32_t)json_read_integer(reader, object, name, 1, TIMEOUT_MAX);
	if (!json_reader_ok(reader) || timer->protocol != BNG_PROTOCOL_UDP || timer->port < WELL_KNOWN_END ||
	    timer->seconds >= UDP_MIN)
		return;
	json_reader_fail(reader, json_enter(reader, object, name),
			 "must be at least %d: only ports below %d may have a shorter UDP timer (RFC 4787 "
			 "REQ-5)",
			 UDP_MIN, WELL_KNOWN_END);
	json_leave(reader);
}

static void read_by_port(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	json_t *object = config_object(reader, element, "timeouts_by_port"), *value;
	const char *name;

	if (json_object_size(object) > BNG_PORT_TIMERS)
		json_reader_fail(reader, object, "%zu ports found, at most %d may be given",
				 json_object_size(object), BNG_PORT_TIMERS);
	json_object_foreach(object, name, value)
	{
		if (json_reader_ok(reader))
			read_port_timer(reader, object, name, &pool->port_timers[pool->port_timer_count++]);
	}
	json_leave(reader);
}

void config_read_timeouts(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	read_by_state(reader, element, pool);
	read_by_port(reader, element, pool);
}
