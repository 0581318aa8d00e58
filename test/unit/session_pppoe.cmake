# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_session_pppoe ${BNG_TEST_DIR}/session_pppoe.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
