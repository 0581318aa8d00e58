# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_aaa_profile ${BNG_TEST_DIR}/aaa_profile.c LIBS bng_controld_core)
target_compile_definitions(check_aaa_profile PRIVATE DICTIONARY="${CMAKE_SOURCE_DIR}/packaging/radius/dictionary")
bng_check(check_aaa_mschap ${BNG_TEST_DIR}/aaa_mschap.c LIBS bng_controld_core)
