# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(RADIUS_DIR ${CMAKE_SOURCE_DIR}/controld/radius)
bng_check(check_config_radius ${BNG_TEST_DIR}/config_radius.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
bng_check(check_radius_packet ${BNG_TEST_DIR}/radius_packet.c ${RADIUS_DIR}/packet.c ${RADIUS_DIR}/seal.c
          LIBS PkgConfig::CRYPTO)
bng_check(check_radius_dictionary ${BNG_TEST_DIR}/radius_dictionary.c ${RADIUS_DIR}/dictionary.c ${RADIUS_DIR}/names.c
          ${RADIUS_DIR}/describe.c
          LIBS bng_lib)
target_compile_definitions(check_radius_dictionary PRIVATE DICTIONARY="${CMAKE_SOURCE_DIR}/packaging/radius/dictionary")
bng_check(check_radius_client ${BNG_TEST_DIR}/radius_client.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
target_compile_definitions(check_radius_client PRIVATE DICTIONARY="${CMAKE_SOURCE_DIR}/packaging/radius/dictionary")
