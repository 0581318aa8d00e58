# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_sync_store ${BNG_TEST_DIR}/sync_store.c LIBS bng_sync)
bng_check(check_sync_topics ${BNG_TEST_DIR}/sync_topics.c LIBS bng_sync)
bng_check(check_sync_queue ${BNG_TEST_DIR}/sync_queue.c LIBS bng_sync_client)
bng_check(check_sync_client ${BNG_TEST_DIR}/sync_client.c LIBS bng_sync bng_sync_client)
bng_check(check_sync_server ${BNG_TEST_DIR}/sync_server.c LIBS bng_sync)
bng_check(check_sync_many ${BNG_TEST_DIR}/sync_many.c LIBS bng_sync bng_sync_client)
bng_check(check_controld_sync ${BNG_TEST_DIR}/controld_sync.c ${CMAKE_SOURCE_DIR}/controld/sync/sync.c
          LIBS bng_lib PkgConfig::EVENT PkgConfig::JANSSON)
