# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(RADIUS_DIR ${CMAKE_SOURCE_DIR}/controld/radius)
bng_fuzz(fuzz_radius ${BNG_TEST_DIR}/radius.c ${RADIUS_DIR}/packet.c ${RADIUS_DIR}/seal.c ${RADIUS_DIR}/dictionary.c
         ${RADIUS_DIR}/names.c ${RADIUS_DIR}/describe.c
         LIBS bng_lib PkgConfig::CRYPTO CORPUS ${BNG_TEST_DIR}/corpus/radius)
bng_fuzz(fuzz_radius_dictionary ${BNG_TEST_DIR}/radius_dictionary.c ${RADIUS_DIR}/dictionary.c ${RADIUS_DIR}/names.c
         ${RADIUS_DIR}/describe.c
         LIBS bng_lib CORPUS ${BNG_TEST_DIR}/corpus/radius_dictionary)
