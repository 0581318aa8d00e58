/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Network devices: what the kernel tells an unprivileged process about them.
 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/interfaces/interfaces.h"
#include "lib/log.h"

bool device_read(const char *name, struct device *device)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};
	bool good;

	if (fd < 0)
		return false;
	*device = (struct device){.ifindex = if_nametoindex(name)};
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	good = device->ifindex && !ioctl(fd, SIOCGIFHWADDR, &request);
	if (good)
		memcpy(device->mac, request.ifr_hwaddr.sa_data, 6);
	good = good && !ioctl(fd, SIOCGIFMTU, &request);
	if (good)
		device->mtu = request.ifr_mtu < 65535 ? (uint16_t)request.ifr_mtu : 65535;
	good = good && !ioctl(fd, SIOCGIFFLAGS, &request);
	if (good)
		device->up = (request.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
	close(fd);
	return good;
}

int device_attach(struct controld *controld, const char *name, const char *role, bool generic)
{
	const char *mode = generic ? "generic" : "native";
	struct rpc_result result;
	json_t *params = json_pack("{s:s, s:s, s:s}", "interface", name, "role", role, "mode", mode);
	int failure = holder_call(controld->holder, "link.attach", params, NULL, 0, &result);

	if (failure)
		log_error("attaching XDP program %s to %s (%s) failed: %s", role, name, mode, result.message);
	else
		log_info("interface %s: %s, %s, program %" JSON_INTEGER_FORMAT "%s", name, role, mode,
			 json_integer_value(json_object_get(result.value, "program_id")),
			 json_is_true(json_object_get(result.value, "adopted")) ? ", found attached" : "");
	rpc_result_done(&result);
	return failure;
}
