# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_tcp_track ${BNG_TEST_DIR}/check_tcp_track.c)
