# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_served ${BNG_TEST_DIR}/served.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
