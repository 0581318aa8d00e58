/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The records of topic `lease`, see the header. They come before the configuration does, and
 * name interfaces: so they wait for it. The tables' bounds are the topic's bounds: what
 * leaves a table leaves the bus.
 */
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controld/controld.h"
#include "controld/maps/names.h"
#include "lib/address.h"
#include "lib/clock.h"

#define TOPIC     "lease"
#define KEY_MAX   96
#define SECOND_NS 1000000000LL

static int64_t unix_of(uint64_t boottime_ns)
{
	return time(NULL) + ((int64_t)boottime_ns - (int64_t)clock_boottime_ns()) / SECOND_NS;
}

/* 0: it is over. */
static uint64_t boottime_of(int64_t unix_s, uint64_t now_ns)
{
	int64_t left_s = unix_s - time(NULL);

	return left_s > 0 && left_s < INT32_MAX ? now_ns + (uint64_t)(left_s * SECOND_NS) : 0;
}

/* ---- Writing ------------------------------------------------------------------------- */

static void previous_key(const struct dhcp4 *dhcp4, const struct reservation *entry, char key[static KEY_MAX])
{
	const struct session_client *client = &entry->client;
	char mac[MAC_TEXT];

	snprintf(key, KEY_MAX, "previous/%s/%u/%u/%s", names_interface(dhcp4->controld, client->interface),
		 client->outer_vid, client->inner_vid, mac_format(client->mac, mac));
}

static void declined_key(const struct reservation *entry, char key[static KEY_MAX])
{
	char address[ADDRESS_TEXT];

	snprintf(key, KEY_MAX, "declined/%s", address_format(entry->address_be, address));
}

static void previous_kept(void *context, const struct reservation *entry)
{
	const struct dhcp4 *dhcp4 = context;
	const struct session_client *client = &entry->client;
	char key[KEY_MAX], mac[MAC_TEXT], address[ADDRESS_TEXT];

	previous_key(dhcp4, entry, key);
	sync_put(dhcp4->controld, TOPIC, key,
		 json_pack("{s:s, s:i, s:i, s:s, s:s, s:I}", "interface",
			   names_interface(dhcp4->controld, client->interface), "outer_vid",
			   (int)client->outer_vid, "inner_vid", (int)client->inner_vid, "mac",
			   mac_format(client->mac, mac), "address",
			   address_format(entry->address_be, address), "until",
			   (json_int_t)unix_of(entry->until_ns)),
		 NULL, NULL);
}

static void previous_forgotten(void *context, const struct reservation *entry)
{
	const struct dhcp4 *dhcp4 = context;
	char key[KEY_MAX];

	previous_key(dhcp4, entry, key);
	sync_delete(dhcp4->controld, TOPIC, key, NULL, NULL);
}

static void declined_kept(void *context, const struct reservation *entry)
{
	const struct dhcp4 *dhcp4 = context;
	char key[KEY_MAX], address[ADDRESS_TEXT];

	declined_key(entry, key);
	sync_put(dhcp4->controld, TOPIC, key,
		 json_pack("{s:s, s:I}", "address", address_format(entry->address_be, address), "until",
			   (json_int_t)unix_of(entry->until_ns)),
		 NULL, NULL);
}

static void declined_forgotten(void *context, const struct reservation *entry)
{
	const struct dhcp4 *dhcp4 = context;
	char key[KEY_MAX];

	declined_key(entry, key);
	sync_delete(dhcp4->controld, TOPIC, key, NULL, NULL);
}

void memory_start(struct dhcp4 *dhcp4)
{
	reservations_watch(dhcp4->previous,
			   &(struct reservation_watch){previous_kept, previous_forgotten, dhcp4});
	reservations_watch(dhcp4->declined,
			   &(struct reservation_watch){declined_kept, declined_forgotten, dhcp4});
}

/* ---- Reading ------------------------------------------------------------------------- */

static bool read_client(const struct dhcp4 *dhcp4, const json_t *value, struct session_client *client)
{
	const char *interface, *mac;
	int outer, inner;

	if (json_unpack((json_t *)value, "{s:s, s:i, s:i, s:s}", "interface", &interface, "outer_vid", &outer,
			"inner_vid", &inner, "mac", &mac) ||
	    mac_parse(mac, client->mac) || outer < 0 || outer > 4095 || inner < 0 || inner > 4095)
		return false;
	client->interface = names_interface_index(dhcp4->controld, interface);
	client->outer_vid = (uint16_t)outer;
	client->inner_vid = (uint16_t)inner;
	return client->interface != 0;
}

static bool restore_one(struct dhcp4 *dhcp4, const char *key, const json_t *value, uint64_t now_ns)
{
	struct session_client client = {0};
	const char *address;
	uint32_t address_be;
	json_int_t until;

	if (json_unpack((json_t *)value, "{s:s, s:I}", "address", &address, "until", &until) ||
	    address_parse(address, &address_be))
		return false;
	if (!strncmp(key, "declined/", strlen("declined/")))
		return dhcp4_quarantine_restore(dhcp4, address_be, boottime_of(until, now_ns), now_ns);
	return read_client(dhcp4, value, &client) &&
	       reservation_restore(dhcp4->previous, &client, address_be, boottime_of(until, now_ns), now_ns);
}

void memory_restore(struct dhcp4 *dhcp4, uint64_t now_ns)
{
	json_t *waiting = dhcp4->remembered, *value;
	const char *key;

	dhcp4->remembered = NULL;
	json_object_foreach(waiting, key, value)
	{
		if (!restore_one(dhcp4, key, value, now_ns))
			sync_delete(dhcp4->controld, TOPIC, key, NULL, NULL);
	}
	json_decref(waiting);
}

static void on_record(struct controld *controld, const char *key, struct json_slice value)
{
	struct dhcp4 *dhcp4 = controld->dhcp4;

	if (!dhcp4->remembered)
		dhcp4->remembered = json_object();
	json_object_set_new(dhcp4->remembered, key, json_loadb(value.text, value.length, 0, NULL));
}

static void on_synced(struct controld *controld)
{
	if (controld->dhcp4->config)
		memory_restore(controld->dhcp4, clock_boottime_ns());
}

static void on_rewrite(struct controld *controld)
{
	struct dhcp4 *dhcp4 = controld->dhcp4;
	uint64_t now_ns = clock_boottime_ns();

	reservations_each(dhcp4->previous, now_ns, previous_kept, dhcp4);
	reservations_each(dhcp4->declined, now_ns, declined_kept, dhcp4);
}

const struct sync_topic memory_topic = {
	.name = TOPIC,
	.record = on_record,
	.synced = on_synced,
	.rewrite = on_rewrite,
};
