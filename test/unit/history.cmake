# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_history ${BNG_TEST_DIR}/history.c LIBS bng_cli)
