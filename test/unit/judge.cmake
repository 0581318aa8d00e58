# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_judge ${BNG_TEST_DIR}/judge.c LIBS bng_bpf)
