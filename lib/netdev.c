/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Devices are made by rtnetlink; the rest has had its ioctl for ever. Sysfs is not
 * read: it may show another network namespace's devices.
 */
#include "lib/netdev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_QUEUE (8 << 20) /* what waits for a reader that is away */

struct link_request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[512];
};

static struct rtattr *add(struct link_request *request, unsigned short type, const void *data, size_t size)
{
	struct rtattr *attribute =
		(struct rtattr *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));
	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	request->header.nlmsg_len =
		(__u32)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
	return attribute;
}

static void end_nested(struct link_request *request, struct rtattr *nested)
{
	nested->rta_len = (unsigned short)((char *)request + request->header.nlmsg_len - (char *)nested);
}

/* Sends the request and copies the (first) answer: 0 or the kernel's -errno. */
static int talk(struct link_request *request, char *answer, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	ssize_t got = send(fd, request, request->header.nlmsg_len, 0);
	if (got >= 0)
		got = recv(fd, answer, size, 0);
	int error = got < 0 ? -errno : 0;
	close(fd);
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	if (!error && !NLMSG_OK(header, (size_t)got))
		return -EPROTO;
	if (!error && header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	return error;
}

/* One line of /proc/net/dev: name: 8 receive counters, 8 transmit counters. */
bool netdev_traffic_read(const char *name, struct netdev_traffic *traffic)
{
	FILE *file = fopen("/proc/self/net/dev", "re");
	char line[512];
	bool found = false;
	*traffic = (struct netdev_traffic){0};
	while (file && !found && fgets(line, sizeof(line), file)) {
		char *start = line + strspn(line, " "), *colon = strchr(start, ':');
		if (!colon || (size_t)(colon - start) != strlen(name) || strncmp(start, name, strlen(name)))
			continue;
		found = sscanf(colon + 1,
			       "%*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %*u %" SCNu64
			       " %" SCNu64 " %" SCNu64,
			       &traffic->rx_packets, &traffic->rx_errors, &traffic->rx_dropped,
			       &traffic->tx_packets, &traffic->tx_errors, &traffic->tx_dropped) == 6;
	}
	if (file)
		fclose(file);
	return found;
}

static int create_veth(const char *name, const char *peer)
{
	_Alignas(struct nlmsghdr) char answer[4096];
	struct link_request request = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			   .nlmsg_type = RTM_NEWLINK,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK}};
	struct ifinfomsg peer_link = {0};
	__u32 mtu = NETDEV_CONTROL_MTU;
	add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	add(&request, IFLA_MTU, &mtu, sizeof(mtu));
	struct rtattr *info = add(&request, IFLA_LINKINFO, NULL, 0);
	add(&request, IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = add(&request, IFLA_INFO_DATA, NULL, 0);
	struct rtattr *other = add(&request, VETH_INFO_PEER, &peer_link, sizeof(peer_link));
	add(&request, IFLA_IFNAME, peer, strlen(peer) + 1);
	add(&request, IFLA_MTU, &mtu, sizeof(mtu));
	end_nested(&request, other);
	end_nested(&request, data);
	end_nested(&request, info);
	return talk(&request, answer, sizeof(answer));
}

int netdev_remove(const char *name)
{
	_Alignas(struct nlmsghdr) char answer[4096];
	struct link_request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
						  .nlmsg_type = RTM_DELLINK,
						  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};
	add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return talk(&request, answer, sizeof(answer));
}

/* The interface index of the other end (IFLA_LINK), or -errno. */
static int link_of(const char *name)
{
	_Alignas(struct nlmsghdr) char answer[16384];
	struct link_request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
						  .nlmsg_type = RTM_GETLINK,
						  .nlmsg_flags = NLM_F_REQUEST}};
	add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	int error = talk(&request, answer, sizeof(answer));
	if (error)
		return error;
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	struct rtattr *attribute = IFLA_RTA(NLMSG_DATA(header));
	int left = (int)IFLA_PAYLOAD(header);
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == IFLA_LINK)
			return *(int *)RTA_DATA(attribute);
	}
	return -ENOENT;
}

static int request_on(const char *name, unsigned long code, struct ifreq *request)
{
	snprintf(request->ifr_name, IFNAMSIZ, "%s", name);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int error = ioctl(fd, code, request) ? -errno : 0;
	close(fd);
	return error;
}

static int ethtool(const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};
	return request_on(name, SIOCETHTOOL, &request);
}

static bool is_veth(const char *name)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	return !ethtool(name, &driver) && !strcmp(driver.driver, "veth");
}

int netdev_veth(const char *name, const char *peer, bool *created)
{
	*created = false;
	if (if_nametoindex(name)) {
		int other = (int)if_nametoindex(peer);
		return other && is_veth(name) && link_of(name) == other ? 0 : -EEXIST;
	}
	int error = create_veth(name, peer);
	*created = !error;
	return error;
}

static int set_offload(const char *name, __u32 command, bool on)
{
	struct ethtool_value value = {.cmd = command, .data = on};
	int error = ethtool(name, &value);
	return error == -EOPNOTSUPP ? 0 : error;
}

static int silence_ipv6(const char *name)
{
	char path[80];
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	int error = write(fd, "1", 1) == 1 ? 0 : -errno;
	close(fd);
	return error;
}

static int bring_up(const char *name)
{
	struct ifreq request = {0};
	int error = request_on(name, SIOCGIFFLAGS, &request);
	if (error || (request.ifr_flags & IFF_UP))
		return error;
	request.ifr_flags |= IFF_UP;
	return request_on(name, SIOCSIFFLAGS, &request);
}

int netdev_veth_for_control(const char *name, const char *peer)
{
	/* The peer first: `name` learns that it can be redirected to when it comes
	 * up, and only if GRO is on at the peer by then. */
	const char *const ends[] = {peer, name};
	int error = 0;
	for (int i = 0; i < 2 && !error; i++) {
		error = set_offload(ends[i], ETHTOOL_STSO, false);
		error = error ? error : set_offload(ends[i], ETHTOOL_SGSO, false);
		error = error ? error : set_offload(ends[i], ETHTOOL_STXCSUM, false);
		error = error ? error : set_offload(ends[i], ETHTOOL_SRXCSUM, false);
		error = error ? error : set_offload(ends[i], ETHTOOL_SGRO, i == 0);
		error = error ? error : silence_ipv6(ends[i]);
		error = error ? error : bring_up(ends[i]);
	}
	return error;
}

int netdev_mac(const char *name, uint8_t mac[static 6])
{
	struct ifreq request = {0};
	int error = request_on(name, SIOCGIFHWADDR, &request);
	if (!error)
		memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	return error;
}

int netdev_keep_vlan_tags(const char *name)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GFLAGS};
	if (ethtool(name, &value) || !(value.data & ETH_FLAG_RXVLAN))
		return 0;
	value.cmd = ETHTOOL_SFLAGS;
	value.data &= ~(__u32)ETH_FLAG_RXVLAN;
	return ethtool(name, &value);
}

int netdev_packet_socket(unsigned ifindex)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)ifindex};
	int one = 1, queue = RECEIVE_QUEUE;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

bool netdev_is_packet_socket(int fd, unsigned ifindex)
{
	struct sockaddr_ll address;
	socklen_t size = sizeof(address);
	return !getsockname(fd, (struct sockaddr *)&address, &size) && address.sll_family == AF_PACKET &&
	       address.sll_ifindex == (int)ifindex;
}

int netdev_udp_socket(uint32_t address_be, uint16_t port, bool reuseport)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address_be};
	int one = 1, reuse = reuseport, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof(reuse)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

bool netdev_is_udp_socket(int fd, uint32_t address_be, uint16_t port)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address), type_size = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) && type == SOCK_DGRAM &&
	       !getsockname(fd, (struct sockaddr *)&address, &size) && address.sin_family == AF_INET &&
	       address.sin_port == htons(port) && address.sin_addr.s_addr == address_be;
}
