# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(PPPOE_DIR ${CMAKE_SOURCE_DIR}/controld/pppoe)
bng_fuzz(fuzz_ppp ${BNG_TEST_DIR}/ppp.c ${PPPOE_DIR}/ppp.c ${PPPOE_DIR}/ppp_auth.c ${PPPOE_DIR}/ppp_control.c
         ${PPPOE_DIR}/ppp_fsm.c ${PPPOE_DIR}/ppp_ipcp.c ${PPPOE_DIR}/ppp_lcp.c ${PPPOE_DIR}/ppp_options.c
         LIBS PkgConfig::JANSSON CORPUS ${BNG_TEST_DIR}/corpus/ppp)
