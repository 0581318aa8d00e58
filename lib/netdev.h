/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Network devices of this namespace: veth pairs, the offloads that would falsify
 * what XDP sees, packet sockets.
 */
#ifndef BNG_LIB_NETDEV_H
#define BNG_LIB_NETDEV_H

#include <stdbool.h>
#include <stdint.h>

#define NETDEV_CONTROL_MTU 2048 /* of control veths: a full frame and a header of ours */

/* A veth pair, made if `name` is absent. -EEXIST: `name` or `peer` is something
 * else; -errno. Neither end is brought up. */
int netdev_veth(const char *name, const char *peer, bool *created);
int netdev_remove(const char *name); /* of a veth pair, both ends */
/* Offloads off, no IPv6 chatter, up. GRO stays on at `peer`: without NAPI there,
 * XDP cannot redirect into `name`. */
int netdev_veth_for_control(const char *name, const char *peer);
struct netdev_traffic {
	uint64_t rx_packets, rx_errors, rx_dropped, tx_packets, tx_errors, tx_dropped;
};

/* What the kernel has counted. False: there is no such device. */
bool netdev_traffic_read(const char *name, struct netdev_traffic *traffic);
int netdev_mac(const char *name, uint8_t mac[static 6]);
/* VLAN tags stay in the packet: a tag that the NIC strips is invisible to XDP.
 * Touches the NIC only when it strips them now. */
int netdev_keep_vlan_tags(const char *name);

/* A packet socket (AF_PACKET, SOCK_RAW) of one interface: what it receives, not what
 * it sends. The descriptor or -errno. */
int netdev_packet_socket(unsigned ifindex);
/* A UDP socket bound to an IPv4 address, which may come later. The descriptor or -errno. */
int netdev_udp_socket(uint32_t address_be, uint16_t port, bool reuseport);
bool netdev_is_udp_socket(int fd, uint32_t address_be, uint16_t port);
bool netdev_is_packet_socket(int fd, unsigned ifindex);

#endif
