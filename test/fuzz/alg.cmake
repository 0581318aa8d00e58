# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(ALG_DIR ${CMAKE_SOURCE_DIR}/controld/alg)
bng_fuzz(fuzz_alg ${BNG_TEST_DIR}/alg.c ${ALG_DIR}/ftp.c ${ALG_DIR}/rewrite.c ${ALG_DIR}/segment.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c
         CORPUS ${BNG_TEST_DIR}/corpus/alg)
