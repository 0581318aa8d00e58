# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_lib ${BNG_TEST_DIR}/lib.c LIBS bng_lib)
