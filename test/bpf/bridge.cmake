# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A data plane with other layouts, and the bridges there and back: test_bridge_layout.py.
set(OTHER ${CMAKE_BINARY_DIR}/other_layout)
file(GLOB OTHER_SOURCES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/dataplane/*.bpf.c)
add_custom_command(
  OUTPUT ${OTHER}/dataplane/bng.bpf.c
  COMMAND ${BNG_TEST_DIR}/other_layout.py ${CMAKE_SOURCE_DIR}/dataplane ${OTHER}
  COMMAND ${CMAKE_COMMAND} -E touch ${OTHER}/dataplane/bng.bpf.c
  DEPENDS ${BNG_TEST_DIR}/other_layout.py ${BPF_HEADERS} ${OTHER_SOURCES}
  VERBATIM)
bpf_object(other_layout ${OTHER}/dataplane/bng.bpf.c)
bpf_object(bridge_to_other ${OTHER}/dataplane/bng.bpf.c -DBNG_BRIDGE -DBNG_BRIDGE_FROM="bridge/shipped.h")
bpf_object(bridge_from_other ${CMAKE_SOURCE_DIR}/dataplane/bng.bpf.c -DBNG_BRIDGE
           -DBNG_BRIDGE_FROM="${OTHER}/bridge/other.h")
# The copy is made once for both.
add_dependencies(bpf_bridge_to_other bpf_other_layout)
add_dependencies(bpf_bridge_from_other bpf_other_layout)
