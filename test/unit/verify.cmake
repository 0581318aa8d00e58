# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_verify ${BNG_TEST_DIR}/verify.c LIBS bng_controld_core)
