# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bpf_object(canary_v1 ${BNG_TEST_DIR}/canary.bpf.c)
bpf_object(canary_v2 ${BNG_TEST_DIR}/canary.bpf.c -DVERSION=2)
bpf_object(canary_drops ${BNG_TEST_DIR}/canary.bpf.c -DVERSION=2 -DDROP_EVERY=4)
bpf_object(canary_fails ${BNG_TEST_DIR}/canary.bpf.c -DVERSION=2 -DFAIL_EVERY=100)
bpf_object(canary_plain ${BNG_TEST_DIR}/canary.bpf.c -DVERSION=2 -DPLAIN)
bpf_object(canary_none ${BNG_TEST_DIR}/canary.bpf.c -DVERSION=2 -DNO_CANARY)
