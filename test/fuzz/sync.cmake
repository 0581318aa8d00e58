# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_sync ${BNG_TEST_DIR}/sync.c LIBS bng_sync bng_sync_client CORPUS ${BNG_TEST_DIR}/corpus/sync)
