# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(sync_crash ${BNG_TEST_DIR}/sync_crash.c)
target_link_libraries(sync_crash PRIVATE bng_sync bng_sync_client)
