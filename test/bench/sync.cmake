# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(bench_sync ${BNG_TEST_DIR}/sync.c)
target_link_libraries(bench_sync PRIVATE bng_sync_client)
