# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_lib_layout ${BNG_TEST_DIR}/lib_layout.c LIBS bng_bpf)
