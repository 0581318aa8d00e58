# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
file(GLOB CONFIG_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/controld/config/*.c)
bng_fuzz(fuzz_config ${BNG_TEST_DIR}/config.c ${CONFIG_SOURCES}
         LIBS bng_lib PkgConfig::CRYPTO CORPUS ${BNG_TEST_DIR}/corpus/config)
