# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
set(CONFIG_DIR ${CMAKE_SOURCE_DIR}/controld/config)
bng_fuzz(fuzz_config ${BNG_TEST_DIR}/config.c ${CONFIG_DIR}/check.c ${CONFIG_DIR}/config.c ${CONFIG_DIR}/deterministic.c ${CONFIG_DIR}/diff.c
         ${CONFIG_DIR}/exempt.c ${CONFIG_DIR}/log.c ${CONFIG_DIR}/parse.c ${CONFIG_DIR}/policy.c ${CONFIG_DIR}/dhcp4.c ${CONFIG_DIR}/pools.c
         ${CONFIG_DIR}/radius.c ${CONFIG_DIR}/service.c ${CONFIG_DIR}/steering.c ${CONFIG_DIR}/timeouts.c
         LIBS bng_lib PkgConfig::CRYPTO CORPUS ${BNG_TEST_DIR}/corpus/config)
