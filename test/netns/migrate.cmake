# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bpf_object(bridge_lossy ${CMAKE_SOURCE_DIR}/dataplane/bng.bpf.c -DBNG_BRIDGE
           -DBNG_BRIDGE_FROM="${CMAKE_SOURCE_DIR}/test/netns/bridge_lossy.h")
