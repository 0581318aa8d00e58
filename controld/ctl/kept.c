/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Kept memory, from the holder or new, see the header.
 */
#include "controld/ctl/kept.h"

#include <string.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "lib/log.h"

int kept_open(struct controld *controld, const char *name, uint64_t magic, size_t length, struct kept *kept,
	      bool *is_adopted)
{
	struct holder *holder = controld->holder;
	int fd = -1, failure = 0;

	*is_adopted = false;
	if (holder && !holder_take(holder, name, &fd)) {
		*is_adopted = !kept_adopt(fd, magic, length, kept);
		if (!*is_adopted) {
			close(fd);
			log_warning("%s: what the last start left has another layout; it is lost", name);
		}
	}
	if (!*is_adopted)
		failure = kept_new(name, magic, length, kept);
	if (failure)
		return failure;
	failure = holder ? holder_keep(holder, name, kept->fd) : 0;
	if (failure)
		log_warning("%s: bpfholder does not keep it (%s): it would be lost with this process", name,
			    strerror(-failure));
	return 0;
}
