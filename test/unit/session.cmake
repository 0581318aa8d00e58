# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_session ${BNG_TEST_DIR}/session.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
bng_check(check_session_detail ${BNG_TEST_DIR}/session_detail.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core bng_sync)
