# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(DHCP4_DIR ${CMAKE_SOURCE_DIR}/controld/dhcp4)
bng_fuzz(fuzz_dhcp4 ${BNG_TEST_DIR}/dhcp4.c ${CMAKE_SOURCE_DIR}/test/unit/dhcp4_double.c ${CMAKE_SOURCE_DIR}/test/unit/dhcp4_wire.c
         ${DHCP4_DIR}/action.c ${DHCP4_DIR}/address.c ${CMAKE_SOURCE_DIR}/controld/session/address.c ${DHCP4_DIR}/grant.c ${DHCP4_DIR}/message.c ${DHCP4_DIR}/option82.c ${DHCP4_DIR}/relay.c ${DHCP4_DIR}/relayed.c
         ${DHCP4_DIR}/packet.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c ${DHCP4_DIR}/reply.c
         ${DHCP4_DIR}/reservation.c ${DHCP4_DIR}/server.c ${DHCP4_DIR}/tell.c ${CMAKE_SOURCE_DIR}/controld/maps/names.c
         ${CMAKE_SOURCE_DIR}/controld/session/authorise_why.c ${CMAKE_SOURCE_DIR}/controld/session/profile.c ${CMAKE_SOURCE_DIR}/controld/session/setup.c
         ${CMAKE_SOURCE_DIR}/lib/address.c ${CMAKE_SOURCE_DIR}/lib/bytes.c ${CMAKE_SOURCE_DIR}/lib/json_scan.c ${CMAKE_SOURCE_DIR}/lib/json_take.c
         LIBS PkgConfig::JANSSON PkgConfig::CHECK CORPUS ${BNG_TEST_DIR}/corpus/dhcp4)
