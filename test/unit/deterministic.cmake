# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_deterministic ${BNG_TEST_DIR}/deterministic.c LIBS bng_lib)
