# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Not a ctest: test_cgnat_two_cpus.py runs it in a namespace that has the devices.
find_package(Threads REQUIRED)
add_executable(two_cpus ${BNG_TEST_DIR}/two_cpus.c ${BNG_TEST_DIR}/two_cpus_world.c)
target_link_libraries(two_cpus PRIVATE PkgConfig::BPF Threads::Threads)

# The same for test_qos.py.
add_executable(two_cpus_rate ${BNG_TEST_DIR}/two_cpus_rate.c ${BNG_TEST_DIR}/two_cpus_world.c)
target_link_libraries(two_cpus_rate PRIVATE PkgConfig::BPF Threads::Threads)
