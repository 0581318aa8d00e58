# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
find_package(Threads REQUIRED)
list(APPEND BPF_HEADERS ${BNG_TEST_DIR}/meter.h ${BNG_TEST_DIR}/fault.h)
bpf_object(meter ${BNG_TEST_DIR}/meter.bpf.c)
bpf_object(bare ${BNG_TEST_DIR}/bare.bpf.c)
bpf_object(fault ${BNG_TEST_DIR}/fault.bpf.c)

add_executable(bng_meter ${BNG_TEST_DIR}/meter.c ${BNG_TEST_DIR}/meter_options.c ${BNG_TEST_DIR}/meter_load.c
                         ${BNG_TEST_DIR}/meter_run.c ${BNG_TEST_DIR}/meter_report.c)
set_target_properties(bng_meter PROPERTIES OUTPUT_NAME bng-meter)
target_link_libraries(bng_meter PRIVATE PkgConfig::BPF PkgConfig::JANSSON Threads::Threads)
add_dependencies(bng_meter bpf_meter)

add_executable(bng_bench_gateway ${BNG_TEST_DIR}/gateway.c ${BNG_TEST_DIR}/gateway_direct.c)
set_target_properties(bng_bench_gateway PROPERTIES OUTPUT_NAME bng-bench-gateway)
target_link_libraries(bng_bench_gateway PRIVATE PkgConfig::BPF)
add_dependencies(bng_bench_gateway bpf_bare bpf_fault)
