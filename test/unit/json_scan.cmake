# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_json_scan ${BNG_TEST_DIR}/json_scan.c LIBS bng_lib)
