/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Names of numbered things: two small arrays, searched from the front.
 */
#include "controld/maps/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controld/controld.h"

uint16_t names_interface_index(const struct controld *controld, const char *name)
{
	for (uint16_t i = 1; name[0] && i < BNG_INTERFACES; i++)
		if (!strcmp(controld->names->interface[i], name))
			return i;
	return 0;
}

const char *names_interface(const struct controld *controld, uint16_t index)
{
	return index < BNG_INTERFACES ? controld->names->interface[index] : "";
}

int names_pool_index(const struct controld *controld, const char *name)
{
	for (int i = 0; name[0] && i < BNG_POOLS; i++)
		if (!strcmp(controld->names->pool[i], name))
			return i;
	return -ENOENT;
}

const char *names_pool(const struct controld *controld, uint8_t index)
{
	return index < BNG_POOLS ? controld->names->pool[index] : "";
}

void names_set_interface(struct controld *controld, uint16_t index, const char *name)
{
	if (index < BNG_INTERFACES)
		snprintf(controld->names->interface[index], IF_NAMESIZE, "%s", name);
}

void names_set_pool(struct controld *controld, uint8_t index, const char *name)
{
	if (index < BNG_POOLS)
		snprintf(controld->names->pool[index], CONFIG_NAME_MAX, "%s", name);
}
