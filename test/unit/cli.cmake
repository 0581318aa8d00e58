# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_cli ${BNG_TEST_DIR}/cli.c LIBS bng_cli)
