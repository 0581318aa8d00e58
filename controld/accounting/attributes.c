/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a record says of its session. What must be there comes first; of the rest there is
 * as much as fits.
 */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/radius/subscriber.h"
#include "lib/address.h"
#include "lib/clock.h"

#define VENDOR_HOLDFAST 32473
enum { HOLDFAST_PUBLIC_ADDRESS = 7, HOLDFAST_PORT_FIRST = 8, HOLDFAST_PORT_LAST = 9 };
enum { AUTHENTIC_RADIUS = 1, AUTHENTIC_LOCAL = 2 };

/* Input is what comes from the subscriber. */
static const struct {
	uint8_t type;
	uint8_t shift;
	size_t offset;
} counted[] = {
	{RADIUS_ACCT_INPUT_OCTETS, 0, offsetof(struct bng_subscriber, up_bytes)},
	{RADIUS_ACCT_INPUT_GIGAWORDS, 32, offsetof(struct bng_subscriber, up_bytes)},
	{RADIUS_ACCT_INPUT_PACKETS, 0, offsetof(struct bng_subscriber, up_packets)},
	{RADIUS_ACCT_OUTPUT_OCTETS, 0, offsetof(struct bng_subscriber, down_bytes)},
	{RADIUS_ACCT_OUTPUT_GIGAWORDS, 32, offsetof(struct bng_subscriber, down_bytes)},
	{RADIUS_ACCT_OUTPUT_PACKETS, 0, offsetof(struct bng_subscriber, down_packets)},
};

#define COUNTED (sizeof(counted) / sizeof(counted[0]))

/* Each counter is read once, so that its two halves belong together. */
static void read_counters(const struct bng_subscriber *record, uint32_t values[static COUNTED])
{
	uint64_t whole = 0;

	for (size_t i = 0; i < COUNTED; i++) {
		if (!counted[i].shift)
			whole = __atomic_load_n(
				(const uint64_t *)((const uint8_t *)record + counted[i].offset),
				__ATOMIC_RELAXED);
		values[i] = (uint32_t)(whole >> counted[i].shift);
	}
}

bool attributes_count(uint8_t *attributes, size_t length, const struct bng_subscriber *record)
{
	uint32_t values[COUNTED];
	bool is_changed = false;

	read_counters(record, values);
	for (size_t at = 0; at < length; at += attributes[at + 1])
		for (size_t i = 0; i < COUNTED; i++) {
			uint32_t value_be = htonl(values[i]);

			if (attributes[at] != counted[i].type || attributes[at + 1] != 6 ||
			    !memcmp(attributes + at + 2, &value_be, 4))
				continue;
			memcpy(attributes + at + 2, &value_be, 4);
			is_changed = true;
		}
	return is_changed;
}

static void add_counters(struct radius_builder *builder, const struct bng_subscriber *record)
{
	uint32_t values[COUNTED];

	read_counters(record, values);
	for (size_t i = 0; i < COUNTED; i++)
		radius_add_integer(builder, counted[i].type, values[i]);
}

static void add_user(struct radius_builder *builder, const struct session_detail *detail)
{
	const struct session_profile *profile = &detail->profile;
	const uint8_t *class = profile->class, *end = class + profile->class_length;
	char mac[MAC_TEXT];

	radius_add_text(builder, RADIUS_USER_NAME,
			detail->user ? detail->user : mac_format(detail->client.mac, mac));
	for (; class && class < end && class[0] < end - class; class += 1 + class[0])
		radius_add(builder, RADIUS_CLASS, class + 1, class[0]);
	radius_add(builder, RADIUS_FRAMED_IP_ADDRESS, &detail->address_be, 4);
	if (profile->given & PROFILE_POOL)
		radius_add_text(builder, RADIUS_FRAMED_POOL, profile->pool);
	radius_add_integer(builder, RADIUS_ACCT_AUTHENTIC,
			   detail->source && strcmp(detail->source, "local") ? AUTHENTIC_RADIUS
									     : AUTHENTIC_LOCAL);
}

/* Public address and ports of a block, or nothing of it. */
static void add_block(struct radius_builder *builder, uint32_t address_be, uint32_t first, uint32_t last)
{
	struct radius_builder before = *builder;
	uint32_t first_be = htonl(first), last_be = htonl(last);

	radius_add_vendor(builder, VENDOR_HOLDFAST, HOLDFAST_PUBLIC_ADDRESS, &address_be, 4);
	radius_add_vendor(builder, VENDOR_HOLDFAST, HOLDFAST_PORT_FIRST, &first_be, 4);
	radius_add_vendor(builder, VENDOR_HOLDFAST, HOLDFAST_PORT_LAST, &last_be, 4);
	if (builder->is_full)
		*builder = before;
}

static void add_blocks(const struct maps *maps, struct radius_builder *builder,
		       const struct bng_subscriber *record)
{
	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		uint32_t block = __atomic_load_n(&record->block[i], __ATOMIC_RELAXED), index = block >> 16;

		if (block && index < maps_entries(maps, MAP_pool_address))
			add_block(builder, maps->pool_address[index].address_be, block & 0xffff,
				  (block & 0xffff) + (1u << record->block_shift) - 1);
	}
}

static void add_line(struct radius_builder *builder, const struct session_detail *detail)
{
	struct radius_builder before = *builder;

	radius_add_line(builder, &detail->line);
	if (builder->is_full)
		*builder = before;
}

/* Of a session that nobody saw end: as long as it was heard of. */
static uint32_t session_seconds(const struct attributes_subject *subject)
{
	const struct session_detail *detail = subject->detail;
	int64_t seen_s = detail->accounting.last_s - detail->opened_s;

	if (subject->record)
		return (uint32_t)((clock_boottime_ns() - subject->record->opened_ns) / 1000000000);
	return seen_s > 0 ? (uint32_t)seen_s : 0;
}

size_t attributes_make(struct controld *controld, enum record_kind kind,
		       const struct attributes_subject *subject,
		       uint8_t attributes[static RECORD_ATTRIBUTES_MAX])
{
	uint8_t packet[RADIUS_HEADER + RECORD_ATTRIBUTES_MAX];
	struct radius_builder builder;
	size_t length;

	radius_begin(&builder, packet, sizeof(packet), RADIUS_ACCOUNTING_REQUEST);
	add_user(&builder, subject->detail);
	radius_add_subscriber(controld, &builder, &subject->detail->client);
	if (kind != RECORD_START) {
		radius_add_integer(&builder, RADIUS_ACCT_SESSION_TIME, session_seconds(subject));
		if (subject->record)
			add_counters(&builder, subject->record);
	}
	if (kind == RECORD_STOP)
		radius_add_integer(&builder, RADIUS_ACCT_TERMINATE_CAUSE, subject->terminate_cause);
	if (subject->record)
		add_blocks(controld->maps, &builder, subject->record);
	add_line(&builder, subject->detail);
	length = radius_end(&builder);
	if (!length)
		return 0;
	memcpy(attributes, packet + RADIUS_HEADER, length - RADIUS_HEADER);
	return length - RADIUS_HEADER;
}
