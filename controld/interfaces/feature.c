/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Interfaces: which devices the data plane works on, under which index, and
 * which gateway addresses it answers for on them.
 *
 * An index belongs to a name for as long as the interface is configured, also
 * over a restart: sessions refer to it. A starting controld finds the index of a
 * device by its ifindex; of a device that was made anew meanwhile, by role.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/interfaces/interfaces.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/session/session.h"
#include "lib/log.h"

#define REFRESH_SECONDS 2

struct interfaces {
	struct event *timer;
	bool missing[BNG_INTERFACES];    /* said once */
	bool unattached[BNG_INTERFACES]; /* found anew, but the holder could not attach it yet */
};

static const char *role_name(bool access)
{
	return access ? "access" : "core";
}

static uint8_t role_of(const struct config_interface *interface)
{
	return interface->access ? BNG_ROLE_ACCESS : BNG_ROLE_CORE;
}

static int check(struct controld *controld, const struct config *old, const struct config *next, char *error,
		 size_t size)
{
	struct device device;

	for (size_t i = 0; i < next->interface_count; i++) {
		const struct config_interface *interface = &next->interfaces[i], *before;

		before = old ? config_find_interface(old, interface->name) : NULL;
		if (before &&
		    (before->access != interface->access || before->generic != interface->generic)) {
			snprintf(error, size,
				 "/interfaces/%zu: role and mode of %s cannot change while the gateway runs "
				 "(now %s, %s): take the interface out, detach it (link.detach), then add it",
				 i, interface->name, role_name(before->access),
				 before->generic ? "generic" : "native");
			return -EBUSY;
		}
		if (!before && !device_read(interface->name, &device)) {
			snprintf(error, size,
				 "/interfaces/%zu/name: \"%s\": there is no such network device here", i,
				 interface->name);
			return -ENODEV;
		}
	}
	for (size_t i = 0; old && i < old->interface_count; i++) {
		const char *name = old->interfaces[i].name;
		uint32_t sessions = session_count_interface(controld, names_interface_index(controld, name));

		if (sessions && !config_find_interface(next, name)) {
			snprintf(error, size,
				 "/interfaces: %s cannot be taken out: it has %u sessions; disconnect them "
				 "first",
				 name, sessions);
			return -EBUSY;
		}
	}
	return 0;
}

/* The index of a device that the maps know, but we have no name for yet; first
 * by ifindex, then one of the same role whose device is gone. 0: none. */
static uint16_t find_nameless(struct controld *controld, const struct config_interface *interface,
			      unsigned ifindex)
{
	char name[IF_NAMESIZE];

	for (uint16_t i = 1; i < BNG_INTERFACE_PUNT; i++) {
		const struct bng_interface *record = &controld->maps->interface[i];

		if (record->role == role_of(interface) && record->ifindex == ifindex &&
		    !names_interface(controld, i)[0])
			return i;
	}
	for (uint16_t i = 1; i < BNG_INTERFACE_PUNT; i++) {
		const struct bng_interface *record = &controld->maps->interface[i];

		if (record->role == role_of(interface) && !names_interface(controld, i)[0] &&
		    !if_indextoname(record->ifindex, name))
			return i;
	}
	return 0;
}

static uint16_t find_unused(struct controld *controld)
{
	for (uint16_t i = 1; i < BNG_INTERFACE_PUNT; i++)
		if (controld->maps->interface[i].role == BNG_ROLE_NONE && !names_interface(controld, i)[0])
			return i;
	return 0;
}

/* Adopted indexes first, so that a new device does not take one of them. */
static int give_indexes(struct controld *controld, const struct config *next)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < next->interface_count; i++) {
			const struct config_interface *interface = &next->interfaces[i];
			uint16_t index;

			if (names_interface_index(controld, interface->name))
				continue;
			index = pass ? find_unused(controld)
				     : find_nameless(controld, interface, if_nametoindex(interface->name));
			if (index)
				names_set_interface(controld, index, interface->name);
			else if (pass)
				return -ENOSPC;
		}
	}
	return 0;
}

static uint32_t first_gateway(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->gateway_count; i++)
		if (!strcmp(config->gateways[i].interface, name))
			return config->gateways[i].address_be;
	return 0;
}

/* The maps say what the kernel says about the device. */
static int write_interface(struct controld *controld, const struct config *config,
			   const struct config_interface *interface, const struct device *device)
{
	uint32_t index = names_interface_index(controld, interface->name), stale;
	struct bng_interface *record = &controld->maps->interface[index];
	struct bng_interface wanted = {
		.ifindex = device->ifindex,
		.role = role_of(interface),
		.flags = record->flags, /* set by who offers something there */
		.mtu = device->mtu,
		.address_be = first_gateway(config, interface->name),
	};
	int failure;

	memcpy(wanted.mac, device->mac, 6);
	stale = record->ifindex;
	if (memcmp(record, &wanted, sizeof(wanted)))
		*record = wanted;
	failure = maps_set(controld->maps, MAP_interface_of_ifindex, &device->ifindex, &index);
	if (!failure)
		failure = maps_set(controld->maps, MAP_tx_interface, &index, &device->ifindex);
	if (!failure && stale && stale != device->ifindex)
		failure = maps_delete(controld->maps, MAP_interface_of_ifindex, &stale);
	if (failure)
		log_error("interface %s: writing it to the maps failed: %s", interface->name,
			  strerror(-failure));
	return failure;
}

static void remove_interface(struct controld *controld, uint32_t index)
{
	struct bng_interface *record = &controld->maps->interface[index];
	uint32_t ifindex = record->ifindex;

	log_notice("interface %s is taken out; its XDP program stays and drops (link.detach takes it off)",
		   names_interface(controld, (uint16_t)index)[0] ? names_interface(controld, (uint16_t)index)
								 : "without a name");
	maps_delete(controld->maps, MAP_interface_of_ifindex, &ifindex);
	maps_delete(controld->maps, MAP_tx_interface, &index);
	*record = (struct bng_interface){0};
	names_set_interface(controld, (uint16_t)index, "");
}

static void remove_unwanted(struct controld *controld, const struct config *next)
{
	for (uint16_t i = 1; i < BNG_INTERFACE_PUNT; i++) {
		const char *name = names_interface(controld, i);

		if (controld->maps->interface[i].role == BNG_ROLE_NONE ||
		    (name[0] && config_find_interface(next, name)))
			continue;
		if (session_count_interface(controld, i))
			log_warning("interface index %u (ifindex %u) is not in the configuration, but has %u "
				    "sessions: it stays until they end",
				    i, controld->maps->interface[i].ifindex,
				    session_count_interface(controld, i));
		else
			remove_interface(controld, i);
	}
}

static bool wants_gateway(const struct controld *controld, const struct config *config,
			  const struct bng_gateway_key *key)
{
	for (size_t i = 0; i < config->gateway_count; i++)
		if (config->gateways[i].address_be == key->address_be &&
		    names_interface_index(controld, config->gateways[i].interface) == key->interface)
			return true;
	return false;
}

/* New gateway addresses first, then the stale ones go. */
static int apply_gateways(struct controld *controld, const struct config *next)
{
	uint32_t one = 1, count = 0;
	void *keys, *values;
	int failure = 0;

	for (size_t i = 0; !failure && i < next->gateway_count; i++) {
		struct bng_gateway_key key = {
			.interface = names_interface_index(controld, next->gateways[i].interface),
			.address_be = next->gateways[i].address_be,
		};
		failure = maps_set(controld->maps, MAP_gateway, &key, &one);
	}
	if (!failure)
		failure = maps_snapshot(controld->maps, MAP_gateway, &keys, &values, &count);
	if (failure)
		return failure;
	for (uint32_t i = 0; i < count; i++) {
		const struct bng_gateway_key *key = &((struct bng_gateway_key *)keys)[i];

		if (!wants_gateway(controld, next, key))
			maps_delete(controld->maps, MAP_gateway, key);
	}
	free(keys);
	free(values);
	return 0;
}

static bool is_detached(const json_t *links, const char *name)
{
	const char *state = json_string_value(json_object_get(interfaces_link(links, name), "state"));

	return state && !strcmp(state, "detached");
}

/* What was detached behind the holder's back; what link.detach took off stays off. One that cannot
 * be attached (somebody else's program is there) is no reason to refuse a change of something else. */
static void attach_again(struct controld *controld, const struct config *config)
{
	struct rpc_result status;
	const json_t *links;

	if (holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status))
		log_warning("seeing which interfaces are attached failed: %s", status.message);
	links = json_object_get(status.value, "links");
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];

		if (is_detached(links, interface->name) && if_nametoindex(interface->name))
			device_attach(controld, interface->name, role_name(interface->access),
				      interface->generic);
	}
	rpc_result_done(&status);
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	int failure = give_indexes(controld, next);

	for (size_t i = 0; !failure && i < next->interface_count; i++) {
		const struct config_interface *interface = &next->interfaces[i];
		struct device device;

		if (!device_read(interface->name, &device))
			continue; /* it went away; the timer waits for it */
		failure = write_interface(controld, next, interface, &device);
		if (!failure && (!old || !config_find_interface(old, interface->name)))
			failure = device_attach(controld, interface->name, role_name(interface->access),
						interface->generic);
	}
	if (!failure)
		failure = apply_gateways(controld, next);
	if (!failure)
		remove_unwanted(controld, next);
	if (!failure && old)
		attach_again(controld, next);
	return failure;
}

/* Devices come, go and change their MAC or MTU without telling us. */
static void refresh(struct controld *controld, const struct config_interface *interface)
{
	uint16_t index = names_interface_index(controld, interface->name);
	const struct bng_interface *record = &controld->maps->interface[index];
	bool *missing = &controld->interfaces->missing[index];
	bool *unattached = &controld->interfaces->unattached[index];
	struct device device;
	uint32_t ifindex = record->ifindex;

	if (!device_read(interface->name, &device)) {
		if (!*missing)
			log_warning("interface %s is gone; it is taken back when it returns",
				    interface->name);
		*missing = true;
		return;
	}
	*missing = false;
	if (ifindex != device.ifindex || record->mtu != device.mtu ||
	    memcmp(record->mac, device.mac, 6) != 0) {
		log_notice("interface %s has changed: ifindex %u, MTU %u", interface->name, device.ifindex,
			   device.mtu);
		write_interface(controld, controld->config, interface, &device);
		*unattached |= ifindex != device.ifindex;
	}
	if (*unattached && holder_connected(controld->holder))
		*unattached = device_attach(controld, interface->name, role_name(interface->access),
					    interface->generic) != 0;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; controld->config && i < controld->config->interface_count; i++)
		refresh(controld, &controld->config->interfaces[i]);
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_sec = REFRESH_SECONDS};
	struct interfaces *interfaces = calloc(1, sizeof(*interfaces));

	controld->interfaces = interfaces;
	if (!interfaces)
		return -ENOMEM;
	interfaces->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	return interfaces->timer && !event_add(interfaces->timer, &interval) ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	if (controld->interfaces && controld->interfaces->timer)
		event_free(controld->interfaces->timer);
	free(controld->interfaces);
	controld->interfaces = NULL;
}

static const struct rpc_method methods[] = {
	{"interfaces", 0, interfaces_list},
	{0},
};

const struct bng_feature interfaces_feature = {
	.name = "interfaces",
	.init = init,
	.free = done,
	.check = check,
	.apply = apply,
	.methods = methods,
};
