# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(RADIUS_DIR ${CMAKE_SOURCE_DIR}/controld/radius)
file(GLOB CONFIG_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/controld/config/*.c)
bng_fuzz(fuzz_aaa ${BNG_TEST_DIR}/aaa.c ${RADIUS_DIR}/attributes.c ${RADIUS_DIR}/names.c ${RADIUS_DIR}/packet.c
         ${RADIUS_DIR}/pair.c ${RADIUS_DIR}/profile.c ${RADIUS_DIR}/seal.c ${RADIUS_DIR}/values.c
         ${CMAKE_SOURCE_DIR}/controld/session/profile.c ${CONFIG_SOURCES}
         LIBS bng_lib PkgConfig::CRYPTO CORPUS ${BNG_TEST_DIR}/corpus/aaa)
