# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
add_executable(bng-kernel-load ${BNG_TEST_DIR}/load.c)
target_compile_options(bng-kernel-load PRIVATE -fno-sanitize=all)
target_link_options(bng-kernel-load PRIVATE -static -fno-sanitize=all)
target_link_libraries(bng-kernel-load PRIVATE bpf elf z)
