# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_filter ${BNG_TEST_DIR}/filter.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
bng_check(check_qos ${BNG_TEST_DIR}/qos.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
bng_check(check_routes ${BNG_TEST_DIR}/routes.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
