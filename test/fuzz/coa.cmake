# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(COA_SOURCES ${CMAKE_SOURCE_DIR}/controld/coa/request.c ${CMAKE_SOURCE_DIR}/controld/coa/replay.c
                ${CMAKE_SOURCE_DIR}/controld/radius/packet.c ${CMAKE_SOURCE_DIR}/controld/radius/seal.c)
bng_fuzz(fuzz_coa ${BNG_TEST_DIR}/coa.c ${COA_SOURCES} LIBS bng_lib PkgConfig::CRYPTO CORPUS ${BNG_TEST_DIR}/corpus/coa)
