# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_library(bng_emulator STATIC)
foreach(source auth command dhcp discovery emulator fault frame mschap negotiate options ppp report subscriber timer traffic
        wire)
  target_sources(bng_emulator PRIVATE ${BNG_TEST_DIR}/${source}.c)
endforeach()
target_link_libraries(bng_emulator PUBLIC bng_lib PkgConfig::CRYPTO PkgConfig::JANSSON)
add_executable(bng_subscribers ${BNG_TEST_DIR}/main.c)
set_target_properties(bng_subscribers PROPERTIES OUTPUT_NAME bng-subscribers)
target_link_libraries(bng_subscribers PRIVATE bng_emulator)
bng_check(check_emulator ${BNG_TEST_DIR}/check_emulator.c LIBS bng_emulator)
