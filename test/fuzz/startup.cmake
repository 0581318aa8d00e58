# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_startup ${BNG_TEST_DIR}/startup.c ${CMAKE_SOURCE_DIR}/controld/startup/attempt.c
         LIBS bng_lib CORPUS ${BNG_TEST_DIR}/corpus/startup)
