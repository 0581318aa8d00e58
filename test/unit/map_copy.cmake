# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_map_copy ${BNG_TEST_DIR}/map_copy.c LIBS bng_bpf)
