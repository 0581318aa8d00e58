# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(PPPOE_DIR ${CMAKE_SOURCE_DIR}/controld/pppoe)
set(PPP_ENGINE ${PPPOE_DIR}/ppp.c ${PPPOE_DIR}/ppp_auth.c ${PPPOE_DIR}/ppp_control.c ${PPPOE_DIR}/ppp_fsm.c
    ${PPPOE_DIR}/ppp_ipcp.c ${PPPOE_DIR}/ppp_lcp.c ${PPPOE_DIR}/ppp_options.c)
bng_check(check_ppp_fsm ${BNG_TEST_DIR}/ppp_fsm.c ${PPPOE_DIR}/ppp_fsm.c)
bng_check(check_ppp_lcp ${BNG_TEST_DIR}/ppp_lcp.c ${BNG_TEST_DIR}/ppp_client.c ${PPP_ENGINE} LIBS PkgConfig::JANSSON)
bng_check(check_ppp_auth ${BNG_TEST_DIR}/ppp_auth.c ${BNG_TEST_DIR}/ppp_client.c ${PPP_ENGINE} LIBS PkgConfig::JANSSON)
bng_check(check_ppp_ipcp ${BNG_TEST_DIR}/ppp_ipcp.c ${BNG_TEST_DIR}/ppp_client.c ${PPP_ENGINE} LIBS PkgConfig::JANSSON)
bng_check(check_ppp_link ${BNG_TEST_DIR}/ppp_link.c ${BNG_TEST_DIR}/ppp_client.c ${PPP_ENGINE} LIBS PkgConfig::JANSSON)
