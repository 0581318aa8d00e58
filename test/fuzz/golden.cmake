# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_golden ${BNG_TEST_DIR}/golden.c LIBS bng_controld_core CORPUS ${BNG_TEST_DIR}/corpus/golden)
