# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_sign ${BNG_TEST_DIR}/sign.c LIBS bng_sign)
