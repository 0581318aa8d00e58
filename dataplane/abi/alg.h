/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * FTP control connections on which an address was rewritten (RFC 959 PORT, RFC 2428
 * EPRT): what that did to the sequence numbers. Map `alg`, hash, never LRU:
 * bng_alg_key -> bng_alg. Pools without BNG_POOL_ALG_FTP have none.
 *
 * The data plane makes an entry when it hands the first command of a connection to
 * controld, and corrects sequence numbers up and acknowledgements down by it. While
 * PENDING only controld writes (it replaces the whole entry), else only the data
 * plane. Full means that the command goes out as it is. A SYN from inside removes the
 * entry; one whose mapping has ended is removed by controld.
 */
#ifndef BNG_ABI_ALG_H
#define BNG_ABI_ALG_H

#include <linux/types.h>

#define BNG_ALG_ENTRIES 16384
#define BNG_FTP_PORT    21 /* of servers */
#define BNG_FTP_DATA    20

struct bng_alg_key {
	__u32 public_be;
	__u32 remote_be;
	__u16 public_port_be;
	__u16 reserved;
};

_Static_assert(sizeof(struct bng_alg_key) == 12, "no padding");

enum bng_alg_flag {
	BNG_ALG_PENDING = 1 << 0, /* controld has the command at `position` */
};

struct bng_alg {
	__u64 session_id; /* whose connection it is */
	__u32 position;   /* sequence number of the last command, as the subscriber sends it */
	__s32 before;     /* added to sequence numbers up to and with `position` */
	__s32 after;      /* added to later ones */
	__u16 inner_port_be;
	__u8 flags; /* enum bng_alg_flag */
	__u8 reserved[9];
};

_Static_assert(sizeof(struct bng_alg) == 32, "half a cache line");

#endif
