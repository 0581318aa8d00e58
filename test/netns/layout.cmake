# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bng-controld as the release with other layouts has it (test/bpf/bridge.cmake): the same sources,
# with the headers of that release. What sanitizers find they find in the ordinary one.
file(GLOB_RECURSE OTHER_CONTROLD CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/controld/*.c)
add_executable(bng-controld-other ${OTHER_CONTROLD})
target_include_directories(bng-controld-other BEFORE PRIVATE ${OTHER})
target_compile_options(bng-controld-other PRIVATE -O0 -g0 -fno-sanitize=all
                       -UBNG_VERSION "-DBNG_VERSION=\"${PROJECT_VERSION}+other\"")
target_link_libraries(bng-controld-other PRIVATE bng_lib bng_sync_client PkgConfig::BPF PkgConfig::CRYPTO PkgConfig::FIXBUF m)
add_dependencies(bng-controld-other bpf_other_layout)
