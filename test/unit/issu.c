/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What decides whether an upgrade was hitless: what is lost is noticed, what ends
 * by itself or is always dropped is not.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cgnat_fixture.h"
#include "controld/issu/issu.h"
#include "lib/clock.h"
#include "run.h"

static void setup(void)
{
	fixture_start(&(struct fixture_sizes){4096, 16, 4096});
}

START_TEST(a_mapping_that_vanished_is_noticed_an_expired_one_is_not)
{
	struct session session = make_mappings();
	struct maps *maps = fixture.controld.maps;
	struct kept *kept = kept_record(&fixture.controld);
	uint32_t first = session.record->block[0];
	struct kept_result result;

	kept_compare(kept, &result);
	ck_assert_uint_eq(result.sessions, 2);
	ck_assert_uint_eq(result.sessions_lost, 0);
	ck_assert_uint_eq(result.mappings, 3);
	ck_assert_uint_eq(result.mappings_lost, 0);
	kept = kept_record(&fixture.controld);
	maps->mapping[first / 8].entry[0] = (struct bng_mapping){0};
	maps->mapping[(first + 9) / 8].entry[1].inner_port_be ^= 1;
	maps->mapping[(first + 511) / 8].entry[7] = (struct bng_mapping){0};
	maps->meta->clock_injected_ns = 2000000000; /* the ICMP mapping's time is over */
	kept_compare(kept, &result);
	ck_assert_uint_eq(result.mappings_lost, 2);
	ck_assert_uint_eq(result.mappings_ended, 1);
	kept = kept_record(&fixture.controld);
	session.record->address_be ^= 1;
	kept_compare(kept, &result);
	ck_assert_uint_eq(result.sessions_lost, 1);
	fixture_stop();
}
END_TEST

/* How many are lost when this one, pinned so, is missing so many ticks after it was recorded. */
static uint64_t lost_after(uint32_t port, uint8_t pin, uint32_t ticks)
{
	struct maps *maps = fixture.controld.maps;
	struct bng_mapping *entry = &maps->mapping[port / 8].entry[port % 8], was = *entry;
	struct kept_result result;
	struct kept *kept;

	entry->flags = pin;
	entry->last_tick = maps_tick(maps);
	kept = kept_record(&fixture.controld);
	*entry = (struct bng_mapping){0};
	maps->meta->clock_injected_ns += (int64_t)ticks << BNG_TICK_SHIFT;
	kept_compare(kept, &result);
	*entry = was;
	return result.mappings_lost;
}

START_TEST(a_connection_may_be_closed_and_a_forwarding_removed_meanwhile)
{
	struct session session = make_mappings();
	struct maps *maps = fixture.controld.maps;
	const uint32_t *timeout = maps->pool[0].timeout;
	uint32_t udp = session.record->block[0], tcp = udp + 9, closed = timeout[BNG_MAPPING_TCP_CLOSING];
	struct bng_pcp *lease = &maps->pcp[1];

	ck_assert_uint_lt(closed, timeout[BNG_MAPPING_TCP_ESTABLISHED]);
	ck_assert_uint_eq(lost_after(tcp, 0, closed - 2), 1);
	ck_assert_uint_eq(lost_after(tcp, 0, closed), 0);
	ck_assert_uint_eq(lost_after(tcp, BNG_MAPPING_PIN_RPC, closed - 2), 1);
	ck_assert_uint_eq(lost_after(tcp, BNG_MAPPING_PIN_RPC, closed), 0);
	ck_assert_uint_eq(lost_after(udp, BNG_MAPPING_PIN_CONFIG, timeout[BNG_MAPPING_UDP] - 2), 1);
	ck_assert_uint_eq(lost_after(udp, BNG_MAPPING_PIN_CONFIG, timeout[BNG_MAPPING_UDP]), 0);
	*lease = (struct bng_pcp){.session_id = session.record->session_id,
				  .port = udp,
				  .life = bng_pcp_life(BNG_PCP_ACTIVE, 0)};
	maps->meta->pcp_high = 2;
	ck_assert_uint_eq(lost_after(udp, BNG_MAPPING_PIN_PCP, 2 * timeout[BNG_MAPPING_UDP]), 1);
	lease->life = bng_pcp_life(BNG_PCP_EXPIRED, 0);
	ck_assert_uint_eq(lost_after(udp, BNG_MAPPING_PIN_PCP, 0), 0);
	fixture_stop();
}
END_TEST

START_TEST(closing_a_session_meanwhile_is_no_loss)
{
	struct session session = make_mappings();
	struct kept *kept = kept_record(&fixture.controld);
	struct kept_result result;

	session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test");
	memset(fixture.controld.maps->mapping, 0, 16 * 65536 * 8);
	kept_compare(kept, &result);
	ck_assert_uint_eq(result.sessions_ended, 1);
	ck_assert_uint_eq(result.sessions_lost, 0);
	ck_assert_uint_eq(result.mappings_ended, 3);
	ck_assert_uint_eq(result.mappings_lost, 0);
	fixture_stop();
}
END_TEST

START_TEST(drops_that_begin_with_the_swap_are_noticed)
{
	struct drops_window start = {.time_ns = 1000000000}, swap = {.time_ns = 2000000000},
			    end = {.time_ns = 2500000000};
	const char *reason;

	swap.counts[BNG_DROP_SPOOF_MAC].packets = 1000;
	end.counts[BNG_DROP_SPOOF_MAC].packets = 1000 + 1516;
	end.counts[BNG_DROP_CGNAT_NO_MAPPING].packets = 1000000;
	end.counts[BNG_FORWARD_UP].packets = 1000000;
	ck_assert_uint_eq(drops_unexpected(&start, &swap, &end, &reason), 0);
	end.counts[BNG_DROP_SPOOF_MAC].packets++;
	end.counts[BNG_DROP_NO_SESSION].packets = 20;
	ck_assert_uint_eq(drops_unexpected(&start, &swap, &end, &reason), 5);
	ck_assert_str_eq(reason, "drop_no_session");
	ck_assert_uint_eq(drops_between(&swap, &end), 1517 + 20 + 1000000);
}
END_TEST

START_TEST(packets_without_a_name_are_lost_packets_under_way_are_not)
{
	struct passage from = {.interfaces = 2, .received = 1000, .sent = 1000, .window = 10}, to = from;
	uint64_t lost, uncertain;

	to.received = to.sent = 5000;
	to.unjudged = to.unsent = 138; /* 64 for each interface, and a window */
	ck_assert(passage_lost(&from, &to, &lost, &uncertain));
	ck_assert_uint_eq(lost, 0);
	to.unjudged++;
	ck_assert(passage_lost(&from, &to, &lost, &uncertain));
	ck_assert_uint_eq(lost, 139);
	to.unsent = 5000;
	ck_assert(passage_lost(&from, &to, &lost, &uncertain));
	ck_assert_uint_eq(lost, 5139);
	from.counts[BNG_FORWARD_UP].packets = 1000000; /* a driver that does not count what XDP sends */
	ck_assert(passage_lost(&from, &to, &lost, &uncertain));
	ck_assert_uint_eq(lost, 139);
	ck_assert_uint_eq(uncertain, 138);
	to.interfaces = 3;
	ck_assert(!passage_lost(&from, &to, &lost, &uncertain));
}
END_TEST

static void count_forwarded(uint64_t packets)
{
	uint32_t key = BNG_FORWARD_DOWN;
	struct bng_count of_cpu[fixture.controld.maps->cpus];

	memset(of_cpu, 0, sizeof(of_cpu));
	of_cpu[0].packets = packets;
	ck_assert_int_eq(bpf_map_update_elem(fixture.fds[MAP_reason_count], &key, of_cpu, BPF_ANY), 0);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A gap of 100 ms and shorter ones; before the first and behind the last packet there is none. */
static uint64_t measured_gap(void)
{
	struct sampler *sampler;
	struct sample sample;
	uint64_t sent_ns[6];

	count_forwarded(1000);
	sampler = sampler_start(fixture.controld.maps);
	ck_assert_ptr_nonnull(sampler);
	pause_ms(20);
	for (int i = 0; i < 3; i++) {
		static const uint64_t packets[] = {1001, 1002, 1005};
		static const long behind_ms[] = {100, 10, 300};

		sent_ns[2 * i] = clock_boottime_ns();
		count_forwarded(packets[i]);
		sent_ns[2 * i + 1] = clock_boottime_ns();
		pause_ms(behind_ms[i]);
	}
	sampler_stop(sampler, &sample);
	ck_assert_uint_eq(sample.packets, 5);
	ck_assert_uint_gt(sample.readings, 1);
	ck_assert_uint_le(sample.longest_gap_ns, larger(sent_ns[3] - sent_ns[0], sent_ns[5] - sent_ns[2]));
	return sample.longest_gap_ns;
}

/* Who reads may be late, and the gap seems shorter: not each time. */
START_TEST(the_longest_gap_is_measured)
{
	uint64_t longest_ns = 0;

	for (int i = 0; i < 20 && longest_ns < 50000000; i++)
		longest_ns = larger(longest_ns, measured_gap());
	ck_assert_uint_ge(longest_ns, 50000000);
	fixture_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("issu");
	TCase *test = tcase_create("issu"), *alone = tcase_create("alone");

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, a_mapping_that_vanished_is_noticed_an_expired_one_is_not);
	tcase_add_test(test, a_connection_may_be_closed_and_a_forwarding_removed_meanwhile);
	tcase_add_test(test, closing_a_session_meanwhile_is_no_loss);
	tcase_add_test(test, the_longest_gap_is_measured);
	suite_add_tcase(suite, test);
	tcase_add_test(alone, drops_that_begin_with_the_swap_are_noticed);
	tcase_add_test(alone, packets_without_a_name_are_lost_packets_under_way_are_not);
	suite_add_tcase(suite, alone);
	return run_suite(suite);
}
