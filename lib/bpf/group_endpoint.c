/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the kernel says about one socket of a group.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/bpf/group.h"
#include "lib/rpc.h"

static int option(int fd, int name)
{
	int value = 0;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &size) ? -errno : value;
}

static int bound_to(int fd, struct group_endpoint *endpoint)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = {0};
	socklen_t size = sizeof(name);

	if (getsockname(fd, &name.any, &size))
		return -errno;
	endpoint->family = name.any.sa_family;
	if (name.any.sa_family == AF_INET) {
		endpoint->port_be = name.v4.sin_port;
		memcpy(endpoint->address, &name.v4.sin_addr, sizeof(name.v4.sin_addr));
	} else if (name.any.sa_family == AF_INET6) {
		endpoint->port_be = name.v6.sin6_port;
		memcpy(endpoint->address, &name.v6.sin6_addr, sizeof(name.v6.sin6_addr));
	}
	return 0;
}

int group_endpoint_read(int socket, struct group_endpoint *endpoint, struct problem *problem)
{
	struct stat status = {0};
	socklen_t size = sizeof(endpoint->netns);
	int ifindex = option(socket, SO_BINDTOIFINDEX);

	*endpoint = (struct group_endpoint){.ifindex = ifindex > 0 ? (__u32)ifindex : 0};
	if (option(socket, SO_TYPE) != SOCK_DGRAM || option(socket, SO_PROTOCOL) != IPPROTO_UDP)
		return refuse(problem, RPC_INVALID_PARAMS, NULL, "it is no UDP socket");
	if (option(socket, SO_REUSEPORT) != 1)
		return refuse(problem, RPC_INVALID_PARAMS, NULL,
			      "SO_REUSEPORT is not set: it must be before bind()");
	if (bound_to(socket, endpoint) || !endpoint->port_be)
		return refuse(problem, RPC_INVALID_PARAMS, NULL, "it is not bound to a port");
	if (fstat(socket, &status) ||
	    getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &endpoint->netns, &size))
		return refuse_errno(problem, errno, "asking whose socket it is");
	endpoint->uid = status.st_uid;
	return 0;
}

const char *group_endpoint_format(const struct group_endpoint *endpoint,
				  char text[static GROUP_ENDPOINT_TEXT])
{
	char address[INET6_ADDRSTRLEN] = "?";

	inet_ntop(endpoint->family, endpoint->address, address, sizeof(address));
	snprintf(text, GROUP_ENDPOINT_TEXT, endpoint->family == AF_INET6 ? "[%s]:%u" : "%s:%u", address,
		 ntohs(endpoint->port_be));
	return text;
}

int group_socket_waiting(int socket, json_int_t *bytes, json_int_t *dropped)
{
	__u32 info[SK_MEMINFO_VARS] = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(socket, SOL_SOCKET, SO_MEMINFO, info, &size))
		return -errno;
	*bytes = info[SK_MEMINFO_RMEM_ALLOC];
	*dropped = info[SK_MEMINFO_DROPS];
	return 0;
}
