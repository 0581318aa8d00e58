/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A destination port as the configuration writes it: "udp/53", "tcp/443".
 */
#ifndef BNG_CONTROLD_CONFIG_SERVICE_H
#define BNG_CONTROLD_CONFIG_SERVICE_H

#include <stdint.h>

/* 0, *protocol (BNG_PROTOCOL_UDP or _TCP) and *port (1-65535); or -EINVAL. */
int service_parse(const char *text, uint8_t *protocol, uint16_t *port);

#endif
