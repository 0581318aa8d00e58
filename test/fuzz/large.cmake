# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_large ${BNG_TEST_DIR}/large.c ${CMAKE_SOURCE_DIR}/controld/large/cut.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c
         CORPUS ${BNG_TEST_DIR}/corpus/large)
