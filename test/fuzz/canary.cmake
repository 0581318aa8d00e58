# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_canary ${BNG_TEST_DIR}/canary.c LIBS bng_bpf CORPUS ${BNG_TEST_DIR}/corpus/canary)
