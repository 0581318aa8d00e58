# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_history ${BNG_TEST_DIR}/history.c ${CMAKE_SOURCE_DIR}/cli/history.c ${CMAKE_SOURCE_DIR}/cli/when.c
         LIBS bng_lib CORPUS ${BNG_TEST_DIR}/corpus/history)
