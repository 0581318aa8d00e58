# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_barrier ${BNG_TEST_DIR}/barrier.c LIBS bng_bpf)
