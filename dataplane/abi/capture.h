/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packets as they came in, shown to controld on request: what a new object is tried
 * with before it runs (docs/operations.md).
 *
 * controld sets bng_meta.capture_left; the next so many packets are copied to the ring
 * buffer `capture`, which belongs to one generation of the object. So it ends by itself,
 * whoever asked for it.
 */
#ifndef BNG_ABI_CAPTURE_H
#define BNG_ABI_CAPTURE_H

#include <linux/types.h>

#define BNG_CAPTURE_FRAME 2032 /* bytes; what is larger is not captured */
#define BNG_CAPTURE_BYTES 524288

enum bng_capture_entry {
	BNG_CAPTURE_ACCESS = 0,
	BNG_CAPTURE_CORE = 1,
};

struct bng_capture {
	__u32 ifindex; /* it came in by */
	__u32 length;
	__u8 entry; /* enum bng_capture_entry */
	__u8 reserved[7];
	__u8 frame[BNG_CAPTURE_FRAME];
};

_Static_assert(sizeof(struct bng_capture) == 2048, "multiple of 8");

#endif
