# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(HOLD_DIR ${CMAKE_SOURCE_DIR}/controld/hold)
bng_check(check_hold ${BNG_TEST_DIR}/hold.c ${HOLD_DIR}/fragments.c ${HOLD_DIR}/packet.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c ${HOLD_DIR}/syns.c)
