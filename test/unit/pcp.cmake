# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The server without the daemon around it.
set(PCP_DIR ${CMAKE_SOURCE_DIR}/controld/pcp)
bng_check(check_pcp ${BNG_TEST_DIR}/pcp.c ${BNG_TEST_DIR}/pcp_double.c ${PCP_DIR}/message.c ${PCP_DIR}/leases.c
          ${PCP_DIR}/server.c ${PCP_DIR}/grant.c
          LIBS PkgConfig::JANSSON)
