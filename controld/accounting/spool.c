/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records from being made to being forgotten: on the bus, in the ledger, in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "lib/log.h"

#define AGAIN_MAX 1000 /* in one tick */

/* ---- What the bus is asked ----------------------------------------------------------- */

/* Whoever is told may be gone by then. */
struct asked {
	struct controld *controld;
	uint64_t session_id;
	uint64_t serial;
};

static struct asked *asked_new(const struct record *record)
{
	struct asked *asked = malloc(sizeof(*asked));

	if (asked)
		*asked = (struct asked){record->account->accounting->controld, record->account->session_id,
					record->serial};
	return asked;
}

static struct record *asked_end(struct asked *asked, int error)
{
	const struct accounting *accounting = asked->controld->accounting;
	struct account *account =
		error != -ECANCELED && accounting ? account_find(accounting, asked->session_id) : NULL;
	struct record *record = NULL;

	if (account)
		TAILQ_FOREACH(record, &account->records, next)
	if (record->serial == asked->serial)
		break;
	free(asked);
	return record;
}

static void again(struct record *record)
{
	if (record->is_again)
		return;
	record->is_again = true;
	TAILQ_INSERT_TAIL(&record->account->accounting->agains, record, again);
}

/* The bus has it. A controld that starts while the bus is away sees what comes behind it alone. */
static void leave_ledger(struct record *record)
{
	struct ledger *ledger = record->account->accounting->ledger;
	struct record *behind = record;

	while ((behind = TAILQ_NEXT(behind, next))) {
		behind->content.is_behind = true;
		ledger_set_behind(ledger, behind->slot);
	}
	ledger_set(ledger, record->slot, LEDGER_FREE);
	record->slot = LEDGER_NONE;
}

/* Whether one that goes before it is on the bus and nowhere else. */
static bool is_behind(struct record *record)
{
	struct record *before = record;

	while ((before = TAILQ_PREV(before, record_list, next)))
		if (!before->is_answered && before->slot == LEDGER_NONE)
			return true;
	return false;
}

static void on_stored(void *context, int error, const char *reason)
{
	struct record *record = asked_end(context, error);

	if (!record)
		return;
	record->is_stored = true;
	if (error) {
		log_error("accounting: the bus refuses a record (%s); it is kept in memory", reason);
	} else if (!record->is_answered) {
		leave_ledger(record);
	}
	deliver_consider(record->account);
}

static void put(struct record *record)
{
	struct accounting *accounting = record->account->accounting;
	struct asked *asked = asked_new(record);
	char key[RECORD_KEY_TEXT];
	json_t *value = asked ? record_value(&record->content) : NULL;
	int failure = -ENOMEM;

	record_key_format(&record->content.key, key);
	if (value)
		failure = sync_put(accounting->controld, ACCOUNTING_TOPIC, key, value, on_stored, asked);
	record->is_put = !failure;
	if (!failure)
		return;
	free(asked);
	again(record);
}

/* ---- Accounts ------------------------------------------------------------------------ */

static struct account_bucket *bucket_of(const struct accounting *accounting, uint64_t session_id)
{
	uint64_t mixed = session_id * 0x9e3779b97f4a7c15ULL;

	return &accounting->buckets[mixed >> 32 & (ACCOUNTS_BUCKETS - 1)];
}

struct account *account_find(const struct accounting *accounting, uint64_t session_id)
{
	struct account *account;

	LIST_FOREACH(account, bucket_of(accounting, session_id), same_bucket)
	if (account->session_id == session_id)
		break;
	return account;
}

struct account *account_get(struct accounting *accounting, uint64_t session_id)
{
	struct account *account = account_find(accounting, session_id);

	if (account)
		return account;
	account = calloc(1, sizeof(*account));
	if (!account)
		return NULL;
	*account = (struct account){.accounting = accounting, .session_id = session_id};
	TAILQ_INIT(&account->records);
	LIST_INSERT_HEAD(bucket_of(accounting, session_id), account, same_bucket);
	accounting->accounts++;
	return account;
}

static void account_free(struct account *account)
{
	deliver_account_ends(account);
	if (account->due)
		event_free(account->due);
	LIST_REMOVE(account, same_bucket);
	account->accounting->accounts--;
	free(account);
}

void account_tidy(struct account *account)
{
	bool is_awaited = account->is_live || (account->is_ended && !account->is_gone);

	if (TAILQ_EMPTY(&account->records) && !is_awaited && !account->is_held)
		account_free(account);
}

/* It was somewhere in that second: an interim record comes late rather than early. */
void account_made(struct account *account, int64_t made_s)
{
	int64_t last_ms = made_s * 1000 + 999;

	if (last_ms > account->last_ms)
		account->last_ms = last_ms;
}

struct record *account_first(const struct account *account)
{
	struct record *record;

	TAILQ_FOREACH(record, &account->records, next)
	if (!record->is_answered)
		break;
	return record;
}

/* ---- Records in memory ------------------------------------------------------------------ */

struct record *record_find(const struct account *account, const struct record_key *key)
{
	struct record *record;

	TAILQ_FOREACH(record, &account->records, next)
	if (!record_key_compare(&record->content.key, key))
		break;
	return record;
}

static bool take_content(struct record *record, const struct record_content *content)
{
	uint8_t *copy = malloc(content->length + 1u);

	if (!copy)
		return false;
	if (content->length)
		memcpy(copy, content->attributes, content->length);
	free((uint8_t *)(uintptr_t)record->content.attributes);
	record->content = *content;
	record->content.attributes = copy;
	return true;
}

static void insert(struct account *account, struct record *record)
{
	struct record *after;

	TAILQ_FOREACH_REVERSE(after, &account->records, record_list, next)
	if (record_key_compare(&after->content.key, &record->content.key) < 0)
		break;
	if (after)
		TAILQ_INSERT_AFTER(&account->records, after, record, next);
	else
		TAILQ_INSERT_HEAD(&account->records, record, next);
}

/* As long as it waits for an answer. */
static void count_in(struct record *record)
{
	struct accounting *accounting = record->account->accounting;

	accounting->waiting[record->content.key.kind]++;
	accounting->bytes[record->content.key.kind] += record_stored_bytes(&record->content);
	record->is_aged = record->content.key.kind == RECORD_INTERIM;
	if (record->is_aged)
		TAILQ_INSERT_TAIL(&accounting->interims, record, aged);
	if (record->content.key.kind == RECORD_ON)
		accounting->barrier = record->account;
}

static void count_out(struct record *record)
{
	struct accounting *accounting = record->account->accounting;

	accounting->waiting[record->content.key.kind]--;
	accounting->bytes[record->content.key.kind] -= record_stored_bytes(&record->content);
	if (record->is_aged)
		TAILQ_REMOVE(&accounting->interims, record, aged);
	record->is_aged = false;
	if (record->content.key.kind == RECORD_ON)
		accounting->barrier = NULL;
}

static struct record *record_new(struct account *account, const struct record_content *content,
				 bool is_answered)
{
	struct record *record = calloc(1, sizeof(*record));

	if (!record || !take_content(record, content)) {
		free(record);
		return NULL;
	}
	record->account = account;
	record->serial = ++account->accounting->next_serial;
	record->slot = LEDGER_NONE;
	record->is_answered = is_answered;
	insert(account, record);
	if (!is_answered)
		count_in(record);
	if (content->key.kind == RECORD_ON && !is_answered)
		account->accounting->ledger->header->birth = BIRTH_UNDER_WAY;
	if (content->key.sequence > account->sequence)
		account->sequence = content->key.sequence;
	account_made(account, content->made_s);
	return record;
}

static void record_free(struct record *record)
{
	struct account *account = record->account;

	if (!record->is_answered)
		count_out(record);
	if (record->is_again)
		TAILQ_REMOVE(&account->accounting->agains, record, again);
	TAILQ_REMOVE(&account->records, record, next);
	free((uint8_t *)(uintptr_t)record->content.attributes);
	free(record);
}

uint32_t spool_count(const struct accounting *accounting)
{
	uint32_t count = 0;

	for (int kind = 0; kind < RECORD_KINDS; kind++)
		count += accounting->waiting[kind];
	return count;
}

/* ---- The end of a record's way ------------------------------------------------------------ */

static void forget(struct record *record)
{
	struct account *account = record->account;

	ledger_set(account->accounting->ledger, record->slot, LEDGER_FREE);
	record_free(record);
	account_tidy(account);
}

static void on_deleted(void *context, int error, const char *reason)
{
	struct record *record = asked_end(context, error);

	(void)reason;
	if (record)
		forget(record);
}

static void delete (struct record *record)
{
	struct asked *asked = asked_new(record);
	char key[RECORD_KEY_TEXT];
	int failure = -ENOMEM;

	record_key_format(&record->content.key, key);
	if (asked)
		failure = sync_delete(record->account->accounting->controld, ACCOUNTING_TOPIC, key,
				      on_deleted, asked);
	record->is_deleting = !failure;
	if (!failure)
		return;
	free(asked);
	if (failure == -ENOTCONN)
		forget(record);
	else
		again(record);
}

static void settle(struct record *record);

static void on_noted(void *context, int error, const char *reason)
{
	struct record *record = asked_end(context, error);

	(void)reason;
	if (!record)
		return;
	record->is_noting = false;
	record->is_noted = true;
	settle(record);
}

/* Before the bus may forget it, its session must know. */
static bool note(struct record *record)
{
	struct account *account = record->account;
	uint8_t kind = record->content.key.kind;
	struct asked *asked;
	int failure;

	if (kind == RECORD_ON || kind == RECORD_OFF || account->is_gone)
		return true;
	if (record->is_noting || !account->is_live)
		return false;
	asked = asked_new(record);
	failure = asked ? account_note(account, record, on_noted, asked) : -ENOMEM;
	record->is_noting = !failure;
	if (failure)
		free(asked);
	if (failure && failure != -ENOENT && failure != -ENOTCONN)
		again(record);
	return failure == -ENOENT || failure == -ENOTCONN;
}

/* The next step of one that is answered; may free it, and its account. */
static void settle(struct record *record)
{
	if (!record->is_noted)
		record->is_noted = note(record);
	if (record->is_noted && !record->is_deleting)
		delete (record);
}

void record_over(struct record *record, bool is_delivered)
{
	struct account *account = record->account;
	struct ledger *ledger = account->accounting->ledger;

	if (record->is_answered)
		return;
	account->is_held = true;
	if (!is_delivered)
		record->is_noted = true;
	else if (record->slot != LEDGER_NONE)
		ledger_set(ledger, record->slot, LEDGER_DELIVERED);
	else
		record->slot = ledger_take(ledger, &record->content, LEDGER_DELIVERED);
	count_out(record);
	record->is_answered = true;
	if (record->content.key.kind == RECORD_ON)
		ledger->header->birth = BIRTH_OVER;
	settle(record);
	account->is_held = false;
	deliver_consider(account);
	account_tidy(account);
}

void account_settle(struct account *account)
{
	struct record *record, *next;

	account->is_held = true;
	for (record = TAILQ_FIRST(&account->records); record; record = next) {
		next = TAILQ_NEXT(record, next);
		if (record->is_answered)
			settle(record);
	}
	account->is_held = false;
	deliver_consider(account);
	account_tidy(account);
}

/* The packets of the moment in which the session ended are counted, too. */
static void finish_stop(struct account *account)
{
	static const struct record_key key = {.kind = RECORD_STOP};
	struct accounting *accounting = account->accounting;
	struct record *stop = record_find(account, &key);
	const struct bng_subscriber *session =
		account->session_slot ? &accounting->controld->maps->subscriber[account->session_slot] : NULL;
	uint32_t slot;

	if (!stop || stop->is_answered || stop->is_under_way || !session ||
	    session->session_id != account->session_id ||
	    !attributes_count((uint8_t *)(uintptr_t)stop->content.attributes, stop->content.length, session))
		return;
	stop->content.is_behind = is_behind(stop);
	slot = ledger_take(accounting->ledger, &stop->content, LEDGER_WAITING);
	ledger_set(accounting->ledger, stop->slot, LEDGER_FREE);
	stop->slot = slot;
	stop->is_stored = false;
	stop->serial = ++accounting->next_serial; /* what was asked before tells nothing */
	put(stop);
}

void account_gone(struct account *account)
{
	if (account->is_gone)
		return;
	account->is_gone = true;
	account->is_live = false;
	finish_stop(account);
	account_settle(account);
}

/* ---- New records, and old ones ------------------------------------------------------------ */

int spool_make(struct accounting *accounting, const struct record_content *content)
{
	struct account *account = account_get(accounting, content->key.session_id);
	struct record *record = account ? record_find(account, &content->key) : NULL;

	if (record)
		return 0;
	record = account ? record_new(account, content, false) : NULL;
	if (!record) {
		log_error("accounting: no memory for a record");
		return -ENOMEM;
	}
	record->content.is_behind = is_behind(record);
	record->slot = ledger_take(accounting->ledger, &record->content, LEDGER_WAITING);
	accounting->ledger->header->made[content->key.kind]++;
	put(record);
	deliver_consider(account);
	bounds_keep(accounting);
	return 0;
}

static void adopt_slot(struct accounting *accounting, uint32_t slot)
{
	struct ledger *ledger = accounting->ledger;
	bool is_delivered = ledger->slots[slot].state == LEDGER_DELIVERED;
	struct record_content content;
	struct account *account = NULL;
	struct record *record = NULL;

	if (ledger_content(&ledger->slots[slot], &content))
		account = account_get(accounting, content.key.session_id);
	else
		ledger->header->refused++;
	if (account && !record_find(account, &content.key))
		record = record_new(account, &content, is_delivered);
	if (!record) {
		ledger_set(ledger, slot, LEDGER_FREE);
		return;
	}
	record->slot = slot;
	if (!is_delivered)
		put(record);
}

void spool_adopt_ledger(struct accounting *accounting)
{
	for (uint32_t slot = 0; slot < accounting->ledger->header->high; slot++)
		if (accounting->ledger->slots[slot].state != LEDGER_FREE)
			adopt_slot(accounting, slot);
	bounds_sort(accounting);
}

void spool_adopt_record(struct accounting *accounting, const char *key, const json_t *value)
{
	uint8_t attributes[RECORD_ATTRIBUTES_MAX];
	struct record_content content = {0};
	struct account *account = NULL;
	struct record *record;

	if (record_key_parse(key, &content.key) && record_value_parse(value, &content, attributes))
		account = account_get(accounting, content.key.session_id);
	if (!account) {
		log_error("accounting: the bus kept what is no record: key %s", key);
		accounting->ledger->header->refused++;
		sync_delete(accounting->controld, ACCOUNTING_TOPIC, key, NULL, NULL);
		return;
	}
	record = record_find(account, &content.key);
	if (!record)
		record = record_new(account, &content, false);
	else if (!record->content.length && !record->is_answered) {
		count_out(record);
		take_content(record, &content); /* the RADIUS client had no more than its key */
		count_in(record);
	}
	if (record)
		record->is_put = record->is_stored = true;
}

struct record *spool_of_ticket(struct accounting *accounting, const struct record_key *key)
{
	struct record_content content = {.key = *key};
	struct account *account = account_get(accounting, key->session_id);
	struct record *record = account ? record_find(account, key) : NULL;

	return account && !record ? record_new(account, &content, false) : record;
}

void spool_rewrite(struct accounting *accounting)
{
	struct account *account;
	struct record *record;

	for (size_t i = 0; i < ACCOUNTS_BUCKETS; i++)
		LIST_FOREACH(account, &accounting->buckets[i], same_bucket)
	TAILQ_FOREACH(record, &account->records, next)
	if (!record->is_answered && record->content.length)
		put(record);
}

void spool_again(struct accounting *accounting)
{
	struct record *record;

	for (int i = 0; i < AGAIN_MAX && (record = TAILQ_FIRST(&accounting->agains)); i++) {
		TAILQ_REMOVE(&accounting->agains, record, again);
		record->is_again = false;
		if (record->is_answered)
			settle(record);
		else if (!record->is_put)
			put(record);
	}
}

/* Nothing is lost: it is on the bus or in the ledger. */
void spool_free(struct accounting *accounting)
{
	struct account *account;

	for (size_t i = 0; accounting->buckets && i < ACCOUNTS_BUCKETS; i++)
		while ((account = LIST_FIRST(&accounting->buckets[i]))) {
			while (!TAILQ_EMPTY(&account->records))
				record_free(TAILQ_FIRST(&account->records));
			account_free(account);
		}
	free(accounting->buckets);
	ledger_free(accounting->ledger);
}
