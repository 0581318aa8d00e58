/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The method `interfaces`: what we know, what the kernel counts, and what the
 * holder says about the program on each.
 */
#include <stdio.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/interfaces/interfaces.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/session/session.h"
#include "lib/address.h"
#include "lib/netdev.h"

static json_t *gateways_json(const struct config *config, const char *name)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT];

	for (size_t i = 0; i < config->gateway_count; i++)
		if (!strcmp(config->gateways[i].interface, name))
			json_array_append_new(
				list, json_string(address_format(config->gateways[i].address_be, text)));
	return list;
}

json_t *interfaces_link(const json_t *links, const char *name)
{
	json_t *link;
	size_t i;

	json_array_foreach(links, i, link)
	{
		const char *interface = json_string_value(json_object_get(link, "interface"));

		if (interface && !strcmp(interface, name))
			return link;
	}
	return NULL;
}

static const char *state_of(const struct device *device, json_t *link)
{
	const char *state = json_string_value(json_object_get(link, "state"));

	if (!device->ifindex)
		return "missing";
	if (state && !strcmp(state, "detached"))
		return "detached";
	return device->up ? "up" : "down";
}

static json_t *interface_json(struct controld *controld, const char *name, uint16_t index, const char *role,
			      const char *mode, json_t *links)
{
	json_t *link = interfaces_link(links, name), *program = json_object_get(link, "program_id");
	struct device device = {0};
	struct netdev_traffic traffic;
	char mac[MAC_TEXT];

	if (!device_read(name, &device))
		device = (struct device){0};
	netdev_traffic_read(name, &traffic);
	return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s, s:i, s:s, s:O?, s:I, s:o, s:I, s:I, s:I, s:I}",
			 "name", name, "index", (int)index, "ifindex", (int)device.ifindex, "role", role,
			 "mode", mode, "mac", mac_format(device.mac, mac), "mtu", (int)device.mtu, "state",
			 state_of(&device, link), "program_id", program, "sessions",
			 (json_int_t)session_count_interface(controld, index), "gateways",
			 gateways_json(controld->config, name), "rx_packets", (json_int_t)traffic.rx_packets,
			 "tx_packets", (json_int_t)traffic.tx_packets, "rx_errors",
			 (json_int_t)traffic.rx_errors, "rx_dropped", (json_int_t)traffic.rx_dropped);
}

void interfaces_list(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	const struct config *config = controld->config;
	struct json_reader reader;
	struct rpc_result status;
	json_t *list = json_array(), *links = NULL;

	if (!ctl_params(request, &reader, members)) {
		json_decref(list);
		return;
	}
	if (!holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status))
		links = json_object_get(status.value, "links");
	for (size_t i = 0; i < config->interface_count; i++) {
		const struct config_interface *interface = &config->interfaces[i];

		json_array_append_new(list, interface_json(controld, interface->name,
							   names_interface_index(controld, interface->name),
							   interface->access ? "access" : "core",
							   interface->generic ? "generic" : "native", links));
	}
	if (names_interface(controld, BNG_INTERFACE_PUNT)[0])
		json_array_append_new(list,
				      interface_json(controld, names_interface(controld, BNG_INTERFACE_PUNT),
						     BNG_INTERFACE_PUNT, "inject", "native", links));
	rpc_result_done(&status);
	rpc_reply(request, json_pack("{s:o}", "interfaces", list), NULL, 0);
}
