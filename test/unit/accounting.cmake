# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_accounting ${BNG_TEST_DIR}/accounting.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
bng_check(check_accounting_kill ${BNG_TEST_DIR}/accounting_kill.c ${BNG_TEST_DIR}/accounting_double.c
          ${BNG_TEST_DIR}/accounting_calls.c LIBS bng_controld_core)
bng_check(check_accounting_bounds ${BNG_TEST_DIR}/accounting_bounds.c ${BNG_TEST_DIR}/accounting_double.c
          ${BNG_TEST_DIR}/accounting_calls.c LIBS bng_controld_core)
