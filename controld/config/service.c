/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A destination port as text, see the header.
 */
#include "controld/config/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/abi/cgnat.h"

int service_parse(const char *text, uint8_t *protocol, uint16_t *port)
{
	char *end;
	long number;

	if (strncmp(text, "udp/", 4) && strncmp(text, "tcp/", 4))
		return -EINVAL;
	if (text[4] < '1' || text[4] > '9')
		return -EINVAL;
	number = strtol(text + 4, &end, 10);
	if (*end || number > UINT16_MAX)
		return -EINVAL;
	*protocol = text[0] == 'u' ? BNG_PROTOCOL_UDP : BNG_PROTOCOL_TCP;
	*port = (uint16_t)number;
	return 0;
}
