/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
 */
#include "lib/pcap.h"

#include <errno.h>
#include <string.h>

#define MAGIC         0xa1b2c3d4u
#define LINK_ETHERNET 1u
#define HEADER_BYTES  24
#define LINK_AT       20
#define RECORD_BYTES  16

static uint32_t word_at(const uint8_t *bytes, size_t at)
{
	uint32_t word;

	memcpy(&word, bytes + at, sizeof(word));
	return word;
}

int pcap_open(struct pcap *pcap, const void *bytes, size_t size)
{
	if (size < HEADER_BYTES || word_at(bytes, 0) != MAGIC || word_at(bytes, LINK_AT) != LINK_ETHERNET)
		return -EINVAL;
	*pcap = (struct pcap){.bytes = bytes, .size = size, .at = HEADER_BYTES};
	return 0;
}

int pcap_next(struct pcap *pcap, const uint8_t **frame, uint32_t *length)
{
	const uint8_t *record = pcap->bytes + pcap->at;
	size_t left = pcap->size - pcap->at;
	uint32_t captured;

	if (!left)
		return 0;
	if (left < RECORD_BYTES)
		return -EINVAL;
	captured = word_at(record, 8);
	if (captured > left - RECORD_BYTES || word_at(record, 12) != captured)
		return -EINVAL;
	*frame = record + RECORD_BYTES;
	*length = captured;
	pcap->at += RECORD_BYTES + captured;
	return 1;
}
