# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# PPPoE without the daemon around it.
set(PPPOE_DIR ${CMAKE_SOURCE_DIR}/controld/pppoe)
set(PPPOE_SERVICE ${PPPOE_DIR}/adopt.c ${PPPOE_DIR}/cookie.c ${PPPOE_DIR}/discovery.c ${PPPOE_DIR}/feature.c ${PPPOE_DIR}/grant.c
    ${PPPOE_DIR}/keepalive.c ${PPPOE_DIR}/link.c ${PPPOE_DIR}/peers.c ${PPPOE_DIR}/place.c
    ${PPPOE_DIR}/server.c ${PPPOE_DIR}/links.c ${CMAKE_SOURCE_DIR}/controld/ctl/kept_map.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c
    ${CMAKE_SOURCE_DIR}/controld/session/address.c ${CMAKE_SOURCE_DIR}/controld/session/authorise_why.c ${CMAKE_SOURCE_DIR}/controld/session/profile.c
    ${CMAKE_SOURCE_DIR}/controld/maps/names.c)
file(GLOB PPPOE_ENGINE CONFIGURE_DEPENDS ${PPPOE_DIR}/ppp*.c)
bng_check(check_pppoe_discovery ${BNG_TEST_DIR}/pppoe_discovery.c ${PPPOE_DIR}/discovery.c ${PPPOE_DIR}/cookie.c
          LIBS PkgConfig::CRYPTO)
bng_check(check_pppoe ${BNG_TEST_DIR}/pppoe.c ${BNG_TEST_DIR}/pppoe_double.c ${BNG_TEST_DIR}/pppoe_client.c ${PPPOE_SERVICE} ${PPPOE_ENGINE}
          LIBS bng_lib PkgConfig::CRYPTO)
bng_check(check_pppoe_down ${BNG_TEST_DIR}/pppoe_down.c ${BNG_TEST_DIR}/pppoe_double.c ${BNG_TEST_DIR}/pppoe_client.c ${PPPOE_SERVICE} ${PPPOE_ENGINE}
          LIBS bng_lib PkgConfig::CRYPTO)
bng_check(check_config_pppoe ${BNG_TEST_DIR}/config_pppoe.c ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core)
