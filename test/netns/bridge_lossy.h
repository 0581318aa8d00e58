/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A bridge that moves sessions as they are, but for what they have sent: the check finds it.
 */
#define BRIDGE_CHANGED_subscriber

typedef struct bng_subscriber bridge_old_subscriber;

static __always_inline void bridge_convert_subscriber(struct bng_subscriber *to,
						      const struct bng_subscriber *from)
{
	bridge_words_copy((__u64 *)to, (const __u64 *)from, sizeof(*to));
	to->up_packets = 0;
}

static __always_inline __u64 bridge_sum_subscriber(const struct bng_subscriber *entry)
{
	return bridge_words_sum((const __u64 *)entry, sizeof(*entry));
}

static __always_inline __u64 bridge_sum_old_subscriber(const struct bng_subscriber *entry)
{
	return bridge_words_sum((const __u64 *)entry, sizeof(*entry));
}
