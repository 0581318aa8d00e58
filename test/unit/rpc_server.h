/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A server for the tests of lib/rpc.h, on a thread of its own.
 */
#ifndef BNG_TEST_RPC_SERVER_H
#define BNG_TEST_RPC_SERVER_H

#include <stddef.h>

struct test_server;

struct test_server *test_server_start(const char *path, size_t max_peers, size_t max_peer_backlog);
void test_server_stop(struct test_server *server);
/* Peers whose on_close was called. */
int test_server_closed(const struct test_server *server);

#endif
