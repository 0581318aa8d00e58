# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_blocklog ${BNG_TEST_DIR}/blocklog.c LIBS bng_controld_core)
bng_check(check_blocklog_sink ${BNG_TEST_DIR}/blocklog_sink.c LIBS bng_controld_core)
