# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_lib_vacant ${BNG_TEST_DIR}/lib_vacant.c LIBS bng_bpf)
