# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bpf_object(abi_types ${BNG_TEST_DIR}/abi_types.bpf.c)
