# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_fuzz(fuzz_holdfast ${BNG_TEST_DIR}/holdfast.c ${CMAKE_SOURCE_DIR}/lib/holdfast/group.c ${CMAKE_SOURCE_DIR}/lib/json_scan.c
         CORPUS ${BNG_TEST_DIR}/corpus/holdfast)
