# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_sign ${BNG_TEST_DIR}/sign.c LIBS bng_sign CORPUS ${BNG_TEST_DIR}/corpus/sign)
