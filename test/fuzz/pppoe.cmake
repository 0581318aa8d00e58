# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(PPPOE_DIR ${CMAKE_SOURCE_DIR}/controld/pppoe)
file(GLOB PPPOE_ALL CONFIGURE_DEPENDS ${PPPOE_DIR}/*.c)
list(REMOVE_ITEM PPPOE_ALL ${PPPOE_DIR}/rpc.c)
bng_fuzz(fuzz_pppoe ${BNG_TEST_DIR}/pppoe.c ${CMAKE_SOURCE_DIR}/test/unit/pppoe_double.c ${CMAKE_SOURCE_DIR}/test/unit/pppoe_client.c
         ${PPPOE_ALL} ${CMAKE_SOURCE_DIR}/controld/ctl/kept_map.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c ${CMAKE_SOURCE_DIR}/controld/session/address.c
         ${CMAKE_SOURCE_DIR}/controld/session/authorise_why.c ${CMAKE_SOURCE_DIR}/controld/session/profile.c ${CMAKE_SOURCE_DIR}/controld/maps/names.c
         LIBS bng_lib PkgConfig::CRYPTO CORPUS ${BNG_TEST_DIR}/corpus/pppoe)
