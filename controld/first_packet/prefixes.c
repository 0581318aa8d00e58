/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Compares and writes the difference, see the header. The configuration holds at most half
 * of what the map has room for, so old and new fit side by side.
 */
#include "controld/first_packet/prefixes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "lib/log.h"

static struct bng_first_packet_key key_of(const struct controld *controld,
					  const struct config_first_packet *rule)
{
	return (struct bng_first_packet_key){
		.prefix_length = BNG_FIRST_PACKET_INTERFACE_BITS + rule->prefix.length,
		.interface = names_interface_index(controld, rule->interface),
		.address_be = htonl(rule->prefix.first),
	};
}

static bool is_wanted(const struct controld *controld, const struct config *config,
		      const struct bng_first_packet_key *key)
{
	for (size_t i = 0; i < config->first_packet_count; i++) {
		struct bng_first_packet_key wanted = key_of(controld, &config->first_packets[i]);

		if (!memcmp(&wanted, key, sizeof(wanted)))
			return true;
	}
	return false;
}

static int add_wanted(struct controld *controld, const struct config *config)
{
	uint32_t one = 1;
	int failure = 0;

	for (size_t i = 0; !failure && i < config->first_packet_count; i++) {
		struct bng_first_packet_key key = key_of(controld, &config->first_packets[i]);

		failure = maps_set(controld->maps, MAP_first_packet_prefix, &key, &one);
	}
	return failure;
}

static int delete_others(struct controld *controld, const struct config *config)
{
	struct bng_first_packet_key *keys;
	uint32_t count = 0;
	void *all, *values;
	int failure = maps_snapshot(controld->maps, MAP_first_packet_prefix, &all, &values, &count);

	if (failure)
		return failure;
	keys = all;
	for (uint32_t i = 0; !failure && i < count; i++)
		if (!is_wanted(controld, config, &keys[i]))
			failure = maps_delete(controld->maps, MAP_first_packet_prefix, &keys[i]);
	free(all);
	free(values);
	return failure;
}

int prefixes_apply(struct controld *controld, const struct config *config)
{
	int failure = add_wanted(controld, config);

	if (!failure)
		failure = delete_others(controld, config);
	if (failure)
		log_error("writing the prefixes of /first_packet to the map failed: %s", strerror(-failure));
	return failure;
}
