# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
find_package(Threads REQUIRED)
bng_check(check_rpc ${BNG_TEST_DIR}/rpc.c ${BNG_TEST_DIR}/rpc_server.c LIBS bng_lib Threads::Threads)
bng_check(check_rpc_hostile ${BNG_TEST_DIR}/rpc_hostile.c ${BNG_TEST_DIR}/rpc_server.c LIBS bng_lib Threads::Threads)
bng_check(check_rpc_text ${BNG_TEST_DIR}/rpc_text.c LIBS bng_lib)
