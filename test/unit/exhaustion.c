/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * When exhaustion is told: as it begins, each minute while it lasts, when it is over.
 */
#include <bpf/bpf.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "controld/drops/exhaustion.h"
#include "controld_fixture.h"
#include "lib/log.h"
#include "run.h"
#include "test/unit/capture.h"

static void count_set(uint32_t verdict, uint64_t packets)
{
	struct bng_count *counts = calloc(fixture.controld.maps->cpus, sizeof(*counts));

	counts[0].packets = packets;
	ck_assert_int_eq(bpf_map_update_elem(fixture.fds[MAP_reason_count], &verdict, counts, BPF_ANY), 0);
	free(counts);
}

/* What the log says of it, without the time and the program. */
static const char *look(uint64_t now_s)
{
	const char *text;

	capture_begin(STDERR_FILENO);
	exhaustion_look(&fixture.controld, now_s);
	text = strstr(capture_end(), "drop_");
	return text ? text : "";
}

START_TEST(it_is_told_once_and_again_while_it_lasts)
{
	static const struct fixture_sizes sizes = {1024, 1, 64};

	log_init("test", LOG_LEVEL_INFO);
	fixture_start(&sizes);
	count_set(BNG_DROP_CGNAT_FLOW_FULL, 7); /* before this controld */
	count_set(BNG_DROP_TTL, 7);
	ck_assert_int_eq(exhaustion_new(&fixture.controld), 0);
	ck_assert_str_eq(look(100), "");
	count_set(BNG_DROP_TTL, 8); /* says nothing about resources */
	ck_assert_str_eq(look(101), "");
	count_set(BNG_DROP_CGNAT_FLOW_FULL, 10);
	ck_assert_str_eq(look(102), "drop_cgnat_flow_full: 3 packets refused: no room to remember the remote "
				    "end for filtering\n");
	count_set(BNG_DROP_CGNAT_FLOW_FULL, 11);
	ck_assert_str_eq(look(103), "");
	count_set(BNG_DROP_FRAGMENT_FULL, 1);
	ck_assert_str_eq(look(104),
			 "drop_fragment_full: 1 packets refused: no room to remember a fragmented packet\n");
	ck_assert_str_eq(look(161), "");
	count_set(BNG_DROP_CGNAT_FLOW_FULL, 12);
	ck_assert_str_eq(look(162), "drop_cgnat_flow_full: 2 packets refused: no room to remember the remote "
				    "end for filtering\n");
	count_set(BNG_DROP_CGNAT_FLOW_FULL, 14);
	ck_assert_str_eq(look(163), "");
	ck_assert_str_eq(look(164), "drop_fragment_full: over, 0 more packets were refused\n");
	ck_assert_str_eq(look(222), "");
	ck_assert_str_eq(look(223), "drop_cgnat_flow_full: over, 2 more packets were refused\n");
	ck_assert_str_eq(look(500), "");
	exhaustion_free(&fixture.controld);
	fixture_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exhaustion");
	TCase *watch = tcase_create("watch");

	tcase_add_test(watch, it_is_told_once_and_again_while_it_lasts);
	suite_add_tcase(suite, watch);
	return run_suite(suite);
}
