# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_session_detail ${BNG_TEST_DIR}/session_detail.c
         LIBS bng_controld_core CORPUS ${BNG_TEST_DIR}/corpus/session_detail)
