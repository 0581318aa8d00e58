/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The end of every Check program: runs its suite, frees it, and says how it went.
 */
#ifndef BNG_TEST_RUN_H
#define BNG_TEST_RUN_H

#include <check.h>
#include <stdlib.h>

/* What main() returns. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
