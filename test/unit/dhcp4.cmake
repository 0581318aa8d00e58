# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The server without the daemon around it.
set(DHCP4_DIR ${CMAKE_SOURCE_DIR}/controld/dhcp4)
set(DHCP4_PARSER ${DHCP4_DIR}/message.c ${DHCP4_DIR}/packet.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c)
set(DHCP4_SERVER ${DHCP4_PARSER} ${DHCP4_DIR}/action.c ${DHCP4_DIR}/address.c ${CMAKE_SOURCE_DIR}/controld/session/address.c ${DHCP4_DIR}/grant.c ${DHCP4_DIR}/option82.c ${DHCP4_DIR}/relay.c ${DHCP4_DIR}/relayed.c
    ${DHCP4_DIR}/reply.c ${DHCP4_DIR}/reservation.c ${DHCP4_DIR}/server.c ${DHCP4_DIR}/tell.c ${CMAKE_SOURCE_DIR}/controld/maps/names.c
    ${CMAKE_SOURCE_DIR}/controld/session/authorise_why.c ${CMAKE_SOURCE_DIR}/controld/session/profile.c ${CMAKE_SOURCE_DIR}/controld/session/setup.c
    ${CMAKE_SOURCE_DIR}/lib/address.c ${CMAKE_SOURCE_DIR}/lib/bytes.c ${CMAKE_SOURCE_DIR}/lib/json_scan.c ${CMAKE_SOURCE_DIR}/lib/json_take.c ${BNG_TEST_DIR}/dhcp4_double.c ${BNG_TEST_DIR}/dhcp4_wire.c)
bng_check(check_dhcp4 ${BNG_TEST_DIR}/dhcp4.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_walk ${BNG_TEST_DIR}/dhcp4_walk.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_edges ${BNG_TEST_DIR}/dhcp4_edges.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_grant ${BNG_TEST_DIR}/dhcp4_grant.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_relayed ${BNG_TEST_DIR}/dhcp4_relayed.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_relay_walk ${BNG_TEST_DIR}/dhcp4_relay_walk.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_packet ${BNG_TEST_DIR}/dhcp4_packet.c ${DHCP4_PARSER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_reservation ${BNG_TEST_DIR}/dhcp4_reservation.c ${DHCP4_DIR}/reservation.c LIBS PkgConfig::JANSSON)
bng_check(check_first_packet ${BNG_TEST_DIR}/first_packet.c ${CMAKE_SOURCE_DIR}/controld/first_packet/server.c
          ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_setup ${BNG_TEST_DIR}/setup.c ${CMAKE_SOURCE_DIR}/controld/session/setup.c
          ${CMAKE_SOURCE_DIR}/controld/session/profile.c ${CMAKE_SOURCE_DIR}/lib/address.c ${CMAKE_SOURCE_DIR}/lib/bytes.c ${CMAKE_SOURCE_DIR}/lib/json_scan.c ${CMAKE_SOURCE_DIR}/lib/json_take.c
          LIBS PkgConfig::JANSSON)
