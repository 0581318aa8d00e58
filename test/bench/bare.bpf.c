/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The bound that every gateway is measured against: XDP that only redirects.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} tx SEC(".maps");

enum { TO_CORE, TO_ACCESS };

SEC("xdp")
int bare_access(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&tx, TO_CORE, 0);
}

SEC("xdp")
int bare_core(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&tx, TO_ACCESS, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
