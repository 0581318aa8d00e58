/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Address ranges change by writing the entry that packets do not use, then
 * turning bng_meta.range_active. Before an entry is written again, every packet
 * that may still read it has ended: membarrier waits for a grace period.
 */
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "controld/maps/maps.h"

/* Where the kernel has no global membarrier (nohz_full), packets are given far
 * more time than any of them takes. */
void maps_grace_period(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
}

bool maps_ranges_publish(struct maps *maps, const struct bng_ranges *next)
{
	uint32_t spare = !(maps->meta->range_active & 1);

	if (!memcmp(maps_ranges(maps), next, sizeof(*next)))
		return false;
	maps_grace_period();
	maps->range[spare] = *next;
	__atomic_store_n(&maps->meta->range_active, spare, __ATOMIC_RELEASE);
	return true;
}
