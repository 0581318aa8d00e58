/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A session as the RPC tells it.
 */
#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/session/sessions.h"
#include "lib/address.h"
#include "lib/clock.h"

static const char *kind_name(uint8_t kind)
{
	switch (kind) {
	case BNG_SESSION_STATIC:
		return "static";
	case BNG_SESSION_DHCP:
		return "dhcp";
	case BNG_SESSION_PPPOE:
		return "pppoe";
	case BNG_SESSION_FIRST_PACKET:
		return "first-packet";
	default:
		return "added";
	}
}

static int block_count(const struct bng_subscriber *record)
{
	int count = 0;

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		count += __atomic_load_n(&record->block[i], __ATOMIC_RELAXED) != 0;
	return count;
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_identity(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	char address[ADDRESS_TEXT], mac[MAC_TEXT];

	set_number(object, "id", record->session_id);
	json_object_set_new(object, "address", json_string(address_format(record->address_be, address)));
	json_object_set_new(object, "mac", json_string(mac_format(record->mac, mac)));
	json_object_set_new(object, "interface", json_string(names_interface(controld, record->interface)));
	set_number(object, "outer_vid", record->outer_vid);
	set_number(object, "inner_vid", record->inner_vid);
	json_object_set_new(object, "outer_tpid",
			    json_string(record->flags & BNG_SUBSCRIBER_OUTER_AD ? "802.1ad" : "802.1Q"));
	json_object_set_new(object, "inner_tpid",
			    json_string(record->flags & BNG_SUBSCRIBER_INNER_AD ? "802.1ad" : "802.1Q"));
	json_object_set_new(object, "kind", json_string(kind_name(record->kind)));
	json_object_set_new(object, "state",
			    json_string(record->state == BNG_SUBSCRIBER_ACTIVE ? "active" : "closing"));
}

/* The public address it is paired with, or null. */
static json_t *public_address(const struct controld *controld, const struct bng_subscriber *record)
{
	uint32_t index = record->address_index;
	char text[ADDRESS_TEXT];

	if (record->flags & BNG_SUBSCRIBER_EXEMPT || index >= maps_entries(controld->maps, MAP_pool_address))
		return json_null();
	return json_string(address_format(controld->maps->pool_address[index].address_be, text));
}

static void set_nat(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	bool exempt = record->flags & BNG_SUBSCRIBER_EXEMPT;

	json_object_set_new(object, "pool", json_string(exempt ? "" : names_pool(controld, record->pool)));
	json_object_set_new(object, "exempt", json_boolean(exempt));
	json_object_set_new(object, "public", public_address(controld, record));
	set_number(object, "block_count", (uint64_t)block_count(record));
	set_number(object, "mappings", __atomic_load_n(&record->mappings, __ATOMIC_RELAXED));
	set_number(object, "max_blocks", record->max_blocks);
	set_number(object, "max_mappings", record->max_mappings);
	set_number(object, "mss", record->mss);
}

static void set_times(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	uint64_t now = clock_boottime_ns();
	const struct session session = {0, (struct bng_subscriber *)(uintptr_t)record};
	char text[CLOCK_TEXT];

	json_object_set_new(object, "opened", json_string(clock_format(record->opened_ns, text)));
	set_number(object, "uptime_s", (now - record->opened_ns) / 1000000000);
	set_number(object, "idle_s", session_idle_s(controld, &session));
	set_number(object, "lease_seconds", record->lease_seconds);
	json_object_set_new(object, "lease_expires",
			    record->lease_expires_ns
				    ? json_string(clock_format(record->lease_expires_ns, text))
				    : json_null());
}

json_t *session_json(const struct controld *controld, uint32_t slot, const struct bng_subscriber *record)
{
	json_t *object = json_object();

	set_identity(controld, object, record);
	set_number(object, "slot", slot);
	set_nat(controld, object, record);
	set_times(controld, object, record);
	set_number(object, "up_packets", record->up_packets);
	set_number(object, "up_bytes", record->up_bytes);
	set_number(object, "down_packets", record->down_packets);
	set_number(object, "down_bytes", record->down_bytes);
	set_number(object, "drop_packets", record->drop_packets);
	return object;
}
