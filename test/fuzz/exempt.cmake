# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_exempt ${BNG_TEST_DIR}/exempt.c ${CMAKE_SOURCE_DIR}/controld/config/exempt.c
         ${CMAKE_SOURCE_DIR}/controld/config/service.c
         LIBS bng_lib CORPUS ${BNG_TEST_DIR}/corpus/exempt)
