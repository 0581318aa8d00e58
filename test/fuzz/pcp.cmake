# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(PCP_DIR ${CMAKE_SOURCE_DIR}/controld/pcp)
bng_fuzz(fuzz_pcp ${BNG_TEST_DIR}/pcp.c ${CMAKE_SOURCE_DIR}/test/unit/pcp_double.c ${PCP_DIR}/message.c
         ${PCP_DIR}/leases.c ${PCP_DIR}/server.c ${PCP_DIR}/grant.c
         LIBS PkgConfig::JANSSON CORPUS ${BNG_TEST_DIR}/corpus/pcp)
