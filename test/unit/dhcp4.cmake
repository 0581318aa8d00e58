# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The server without the daemon around it.
set(DHCP4_DIR ${CMAKE_SOURCE_DIR}/controld/dhcp4)
set(DHCP4_SERVER ${DHCP4_DIR}/address.c ${DHCP4_DIR}/message.c ${DHCP4_DIR}/packet.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c ${DHCP4_DIR}/reply.c
    ${DHCP4_DIR}/reservation.c ${DHCP4_DIR}/server.c ${CMAKE_SOURCE_DIR}/controld/maps/names.c)
bng_check(check_dhcp4 ${BNG_TEST_DIR}/dhcp4.c ${BNG_TEST_DIR}/dhcp4_double.c ${DHCP4_SERVER} LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_edges ${BNG_TEST_DIR}/dhcp4_edges.c ${BNG_TEST_DIR}/dhcp4_double.c ${DHCP4_SERVER}
          LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_packet ${BNG_TEST_DIR}/dhcp4_packet.c ${DHCP4_DIR}/message.c ${DHCP4_DIR}/packet.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c LIBS PkgConfig::JANSSON)
bng_check(check_dhcp4_reservation ${BNG_TEST_DIR}/dhcp4_reservation.c ${DHCP4_DIR}/reservation.c LIBS PkgConfig::JANSSON)
