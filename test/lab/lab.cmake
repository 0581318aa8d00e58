# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bpf_object(lab_vlan ${BNG_TEST_DIR}/vlan.bpf.c)
add_executable(lab-wire ${BNG_TEST_DIR}/wire.c)
target_link_libraries(lab-wire PRIVATE PkgConfig::BPF)
add_executable(bng-group-server ${BNG_TEST_DIR}/group_server.c)
target_link_libraries(bng-group-server PRIVATE holdfast)
