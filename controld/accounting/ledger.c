/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The memory that the holder keeps, see the header.
 */
#include "controld/accounting/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controld/ctl/kept.h"

#define LEDGER_MAGIC 0x3172656764656c62ull /* "bledger1": also the layout's version */

_Static_assert(sizeof(struct ledger_slot) == 32 + RECORD_ATTRIBUTES_MAX + 4, "part of the layout");
_Static_assert(sizeof(struct ledger_slot) % 8 == 0, "part of the layout");
_Static_assert(sizeof(struct ledger_header) == 24 + (2 * RECORD_KINDS + 5) * 8, "part of the layout");

/* Sparse: memory is taken as slots are first used. */
static const size_t length = sizeof(struct ledger_header) + LEDGER_SLOTS * sizeof(struct ledger_slot);

static void take(struct ledger *ledger, const struct kept *kept)
{
	ledger->fd = kept->fd;
	ledger->header = (struct ledger_header *)kept->header;
	ledger->slots = (struct ledger_slot *)(ledger->header + 1);
}

static int map_new(struct ledger *ledger)
{
	struct kept kept;
	int failure = kept_new("bng-accounting", LEDGER_MAGIC, length, &kept);

	if (!failure)
		take(ledger, &kept);
	return failure;
}

static int map_adopted(struct ledger *ledger, int fd)
{
	struct kept kept;
	int failure = kept_adopt(fd, LEDGER_MAGIC, length, &kept);

	if (failure)
		return failure;
	take(ledger, &kept);
	if (ledger->header->high <= LEDGER_SLOTS)
		return 0;
	munmap(ledger->header, length);
	return -EINVAL;
}

static struct ledger *allocate(void)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger)
		ledger->free = calloc(LEDGER_SLOTS, sizeof(*ledger->free));
	if (ledger && !ledger->free) {
		free(ledger);
		return NULL;
	}
	return ledger;
}

static int finish(struct ledger *new, int failure, struct ledger **ledger)
{
	if (!failure) {
		*ledger = new;
		return 0;
	}
	if (new)
		free(new->free);
	free(new);
	return failure;
}

int ledger_new(struct ledger **ledger)
{
	struct ledger *new = allocate();

	return finish(new, new ? map_new(new) : -ENOMEM, ledger);
}

int ledger_adopt(int fd, struct ledger **ledger)
{
	struct ledger *new = allocate();
	int failure = new ? map_adopted(new, fd) : -ENOMEM;

	if (failure)
		close(fd);
	for (uint32_t i = failure ? 0 : new->header->high; i-- > 0;)
		if (new->slots[i].state == LEDGER_FREE)
			new->free[new->free_count++] = i;
	return finish(new, failure, ledger);
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	munmap(ledger->header, length);
	close(ledger->fd);
	free(ledger->free);
	free(ledger);
}

void ledger_set(struct ledger *ledger, uint32_t slot, enum ledger_state state)
{
	if (slot == LEDGER_NONE)
		return;
	__atomic_store_n(&ledger->slots[slot].state, state, __ATOMIC_RELEASE);
	if (state == LEDGER_FREE)
		ledger->free[ledger->free_count++] = slot;
}

void ledger_set_behind(struct ledger *ledger, uint32_t slot)
{
	if (slot != LEDGER_NONE)
		__atomic_store_n(&ledger->slots[slot].is_behind, 1, __ATOMIC_RELEASE);
}

static void write_slot(struct ledger_slot *to, const struct record_content *content)
{
	to->session_id = content->key.session_id;
	to->sequence = content->key.sequence;
	to->kind = content->key.kind;
	to->is_behind = content->is_behind;
	to->made_s = content->made_s;
	to->length = content->length;
	if (content->length)
		memcpy(to->attributes, content->attributes, content->length);
}

uint32_t ledger_take(struct ledger *ledger, const struct record_content *content, enum ledger_state state)
{
	struct ledger_header *header = ledger->header;
	uint32_t left = ledger->free_count + (LEDGER_SLOTS - header->high), slot;

	if (left <= (state == LEDGER_DELIVERED ? 0 : LEDGER_RESERVE))
		return LEDGER_NONE;
	slot = ledger->free_count ? ledger->free[--ledger->free_count] : header->high++;
	write_slot(&ledger->slots[slot], content);
	ledger_set(ledger, slot, state);
	return slot;
}

bool ledger_content(const struct ledger_slot *slot, struct record_content *content)
{
	*content = (struct record_content){
		.key = {slot->session_id, slot->sequence, slot->kind},
		.made_s = slot->made_s,
		.length = slot->state == LEDGER_DELIVERED ? 0 : slot->length,
		.attributes = slot->attributes,
		.is_behind = slot->is_behind != 0,
	};
	return (slot->state == LEDGER_WAITING || slot->state == LEDGER_DELIVERED) &&
	       slot->kind < RECORD_KINDS && slot->made_s >= 0 &&
	       record_attributes_ok(slot->attributes, content->length);
}
