# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_frame ${BNG_TEST_DIR}/frame.c ${CMAKE_SOURCE_DIR}/controld/punt/frame.c)
