/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rates in records, see the header.
 */
#include "controld/maps/rate.h"

#define NS_PER_BYTE_AT_1_BIT_S (8 * 1000000000ULL)

static uint64_t at_least(uint64_t value, uint64_t floor)
{
	return value < floor ? floor : value;
}

/* Rounded up, so that no more passes than was asked for. */
static uint64_t interval_of(uint64_t bits_s)
{
	return ((NS_PER_BYTE_AT_1_BIT_S << BNG_RATE_SHIFT) + bits_s - 1) / bits_s;
}

/* Without overflow: bytes below 2^32, an interval too. */
static uint64_t microseconds_of(uint64_t bytes, uint64_t interval)
{
	return (bytes * interval >> BNG_RATE_SHIFT) / 1000;
}

uint64_t rate_limit_of(uint64_t bits_s, uint64_t burst)
{
	uint64_t interval, burst_us;

	if (!bits_s)
		return 0;
	bits_s = at_least(bits_s < RATE_BITS_MAX ? bits_s : RATE_BITS_MAX, RATE_BITS_MIN);
	interval = interval_of(bits_s);
	if (burst > UINT32_MAX)
		burst = UINT32_MAX;
	burst_us = burst ? at_least(microseconds_of(burst, interval), RATE_BURST_STEPS_US) : RATE_BURST_US;
	burst_us = at_least(burst_us, microseconds_of(RATE_BURST_MIN, interval) + 1);
	if (burst_us > UINT32_MAX)
		burst_us = UINT32_MAX;
	return burst_us << 32 | interval;
}

uint64_t rate_bits_s(uint64_t limit)
{
	uint64_t interval = limit & UINT32_MAX, bits = NS_PER_BYTE_AT_1_BIT_S << BNG_RATE_SHIFT;

	return interval ? (bits + interval / 2) / interval : 0;
}

uint64_t rate_burst(uint64_t limit)
{
	uint64_t interval = limit & UINT32_MAX, burst_us = limit >> 32;

	return interval ? ((burst_us * 1000 << BNG_RATE_SHIFT) + interval / 2) / interval : 0;
}

json_t *rate_json(uint64_t limit)
{
	if (!limit)
		return json_null();
	return json_pack("{s:I, s:I}", "bits_s", (json_int_t)rate_bits_s(limit), "burst_bytes",
			 (json_int_t)rate_burst(limit));
}

/* What was taken under a longer burst may be further ahead than this one reaches: then the
 * bucket is empty now. */
static void forget_debt(struct bng_rate *rate, uint64_t now_ns)
{
	uint64_t end_ns = now_ns + (rate->limit >> 32) * 1000;
	__u64 due_ns = __atomic_load_n(&rate->due_ns, __ATOMIC_RELAXED);

	while (due_ns > end_ns && !__atomic_compare_exchange_n(&rate->due_ns, &due_ns, end_ns, false,
							       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static bool set_limit(struct bng_rate *rate, uint64_t limit, uint64_t now_ns)
{
	bool is_different = rate->limit != limit;

	if (is_different)
		__atomic_store_n(&rate->limit, limit, __ATOMIC_RELEASE);
	if (limit)
		forget_debt(rate, now_ns);
	return is_different;
}

bool rate_set(struct bng_subscriber *record, uint64_t up, uint64_t down, uint64_t now_ns)
{
	bool is_different = set_limit(&record->rate_up, up, now_ns);
	bool has_flag = record->flags & BNG_SUBSCRIBER_RATE;

	is_different |= set_limit(&record->rate_down, down, now_ns);
	if (has_flag == (up || down))
		return is_different;
	if (has_flag)
		__atomic_fetch_and(&record->flags, (__u8)~BNG_SUBSCRIBER_RATE, __ATOMIC_RELEASE);
	else
		__atomic_fetch_or(&record->flags, BNG_SUBSCRIBER_RATE, __ATOMIC_RELEASE);
	return true;
}
