/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the files of this folder share.
 */
#ifndef BNG_CONTROLD_INTERFACES_H
#define BNG_CONTROLD_INTERFACES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct controld;
struct rpc_request;

/* What the kernel says about a network device now. */
struct device {
	unsigned ifindex;
	uint8_t mac[6];
	uint16_t mtu;
	bool up;
};

/* False when there is none of that name. */
bool device_read(const char *name, struct device *device);

/* The holder makes sure that the role's program is on it. 0 or -errno, logged. */
int device_attach(struct controld *controld, const char *name, const char *role, bool generic);

/* Of the holder's list; NULL: it has none there. Borrowed. */
json_t *interfaces_link(const json_t *links, const char *name);
void interfaces_list(struct rpc_request *request, void *context);

#endif
