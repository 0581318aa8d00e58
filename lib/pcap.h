/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a pcap file that is in memory: this machine's byte order, Ethernet.
 */
#ifndef BNG_LIB_PCAP_H
#define BNG_LIB_PCAP_H

#include <stddef.h>
#include <stdint.h>

struct pcap {
	const uint8_t *bytes;
	size_t size, at;
};

/* 0, or -EINVAL: it is no such file. The bytes stay the caller's. */
int pcap_open(struct pcap *pcap, const void *bytes, size_t size);
/* 1 and the next frame, 0 at the end, -EINVAL where a record is cut or was cut. */
int pcap_next(struct pcap *pcap, const uint8_t **frame, uint32_t *length);

#endif
