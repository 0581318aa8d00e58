# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_config_aaa ${BNG_TEST_DIR}/config_aaa.c LIBS bng_controld_core)
bng_check(check_aaa_profile ${BNG_TEST_DIR}/aaa_profile.c LIBS bng_controld_core)
bng_check(check_aaa_mschap ${BNG_TEST_DIR}/aaa_mschap.c LIBS bng_controld_core)
bng_check(check_aaa ${BNG_TEST_DIR}/aaa.c ${BNG_TEST_DIR}/aaa_fixture.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
foreach(name check_aaa_profile check_aaa)
  target_compile_definitions(${name} PRIVATE DICTIONARY="${CMAKE_SOURCE_DIR}/packaging/radius/dictionary")
endforeach()
