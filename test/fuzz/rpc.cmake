# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_rpc ${BNG_TEST_DIR}/rpc.c LIBS bng_lib CORPUS ${BNG_TEST_DIR}/corpus/rpc)
