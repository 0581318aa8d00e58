/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records of port blocks: their texts and IPFIX messages byte by byte, and the
 * journal's promises: order, bound, loss counted, adopted as it was left.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controld/blocklog/ipfix_message.h"
#include "controld/blocklog/journal.h"
#include "run.h"

static struct blocklog_record block_record(uint32_t type, uint64_t session)
{
	struct blocklog_record record = {.time_ms = 1795608000123, /* 2026-11-25T12:00:00.123Z */
					 .session = session,
					 .inner_be = htonl(0x0a00000a),
					 .public_be = htonl(0xcb007103),
					 .first = 1536,
					 .last = 2047,
					 .type = type,
					 .pool = "a\"b"};

	return record;
}

static struct blocklog_record loss_record(uint32_t type, uint64_t count)
{
	struct blocklog_record record = {.time_ms = 1795608000123, .session = count, .type = type};

	return record;
}

static void check_text(const char *text, size_t length, const char *expected)
{
	ck_assert_uint_eq(length, strlen(expected));
	ck_assert_mem_eq(text, expected, length);
}

START_TEST(json_lines)
{
	struct blocklog_record record = block_record(BLOCKLOG_ALLOCATED, 17);
	char text[RECORD_TEXT];

	check_text(text, record_json(&record, text),
		   "{\"time\":\"2026-11-25T12:00:00.123Z\",\"type\":\"block_allocated\",\"session\":17,"
		   "\"address\":\"10.0.0.10\",\"public\":\"203.0.113.3\",\"first\":1536,\"last\":2047,"
		   "\"pool\":\"a\\\"b\"}\n");
	record = loss_record(BLOCKLOG_EVENTS_LOST, 3);
	check_text(text, record_json(&record, text),
		   "{\"time\":\"2026-11-25T12:00:00.123Z\",\"type\":\"events_lost\",\"count\":3}\n");
}
END_TEST

START_TEST(syslog_messages)
{
	const struct record_origin origin = {
		.facility = 16, .hostname = "bng1", .pid = 42, .sequence = 2147483647};
	struct blocklog_record record = block_record(BLOCKLOG_FREED, 17);
	char text[RECORD_TEXT];

	check_text(text, record_syslog(&record, &origin, text),
		   "<134>1 2026-11-25T12:00:00.123Z bng1 bng-controld 42 block_freed "
		   "[meta sequenceId=\"2147483647\"] session=17 address=10.0.0.10 public=203.0.113.3 "
		   "first=1536 last=2047 pool=a\"b");
	record = loss_record(BLOCKLOG_RECORDS_LOST, 9);
	check_text(text, record_syslog(&record, &origin, text),
		   "<132>1 2026-11-25T12:00:00.123Z bng1 bng-controld 42 records_lost "
		   "[meta sequenceId=\"2147483647\"] count=9");
}
END_TEST

START_TEST(the_longest_texts_fit)
{
	struct blocklog_record record = {.time_ms = 253402300799999, /* the last second of year 9999 */
					 .session = UINT64_MAX >> 1,
					 .inner_be = UINT32_MAX,
					 .public_be = UINT32_MAX,
					 .first = 65535,
					 .last = 65535,
					 .type = BLOCKLOG_ALLOCATED};
	char host[256], text[RECORD_TEXT];
	struct record_origin origin = {
		.facility = 23, .hostname = host, .pid = 4194304, .sequence = 2147483647};
	size_t length;

	memset(host, 'h', sizeof(host) - 1);
	host[255] = '\0';
	memset(record.pool, '"', sizeof(record.pool) - 1);
	length = record_json(&record, text);
	ck_assert(length < RECORD_TEXT && text[length - 1] == '\n' && text[length - 2] == '}');
	length = record_syslog(&record, &origin, text);
	ck_assert_msg(length < RECORD_TEXT, "%zu bytes", length);
	ck_assert_mem_eq(text + length - 31, record.pool, 31);
}
END_TEST

/* RFC 7011 by hand: header, then sets. */
START_TEST(rfc8158_s4_6_10_ipfix_templates)
{
	static const uint8_t expected[] = {
		0, 10,  0, 74, 0, 0,   3, 0xe8, 0, 0,  0, 0,  0, 0,   0, 7, /* version, length, time,
									       sequence, domain */
		0, 2,   0, 36, 1, 0,   0, 7,                                /* template set, 256, 7 fields */
		1, 67,  0, 8,  0, 230, 0, 1,    0, 8,  0, 4,  0, 225, 0, 4, 1, 105, 0, 2,
		1, 106, 0, 2,  0, 137, 0, 8,    0, 3,  0, 22, 1, 1,   0, 3, 0, 1, /* options template set,
										     257, 3 fields, 1 of scope
										   */
		0, 144, 0, 4,  0, 166, 0, 8,    1, 67, 0, 8};
	char error[256];
	struct ipfix_encoder *encoder = ipfix_encoder_new(7, 1400, error, sizeof(error));
	const uint8_t *message;

	ck_assert_msg(encoder != NULL, "%s", error);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(ipfix_encoder_templates(encoder), 0);
		ck_assert_uint_eq(ipfix_encoder_finish(encoder, 1000, &message), sizeof(expected));
		ck_assert_mem_eq(message, expected, sizeof(expected));
	}
	ipfix_encoder_free(encoder);
}
END_TEST

START_TEST(rfc8158_s4_3_ipfix_records)
{
	static const uint8_t expected[] = {
		0,   10,  0,   102,  0,    0,    3,    0xe8, 0,    0,    0,    0,   0,  0,
		0,   7,   1,   0,    0,    62, /* data set of 256 */
		0,   0,   1,   0xa2, 0x12, 0x93, 0xb6, 0x7b, 16,   10,   0,    0,   10, 203,
		0,   113, 3,   6,    0,    7,    0xff, 0,    0,    0,    0,    0,   0,  0,
		17,  0,   0,   1,    0xa2, 0x12, 0x93, 0xb6, 0x7b, 17,   10,   0,   0,  10,
		203, 0,   113, 3,    6,    0,    7,    0xff, 0,    0,    0,    0,   0,  0,
		0,   18,  1,   1,    0,    24,   0,    0,    0,    1,    0,    0,   0,  0,
		0,   0,   1,   0,    0,    0,    1,    0xa2, 0x12, 0x93, 0xb6, 0x7b};
	const struct blocklog_record records[] = {block_record(BLOCKLOG_ALLOCATED, 17),
						  block_record(BLOCKLOG_FREED, 18),
						  loss_record(BLOCKLOG_RECORDS_LOST, 5)};
	char error[256];
	struct ipfix_encoder *encoder = ipfix_encoder_new(7, 1400, error, sizeof(error));
	const uint8_t *message;
	size_t length;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ipfix_encoder_add(encoder, &records[i], 256), 0);
	length = ipfix_encoder_finish(encoder, 1000, &message);
	ck_assert_uint_eq(length, sizeof(expected));
	ck_assert_mem_eq(message, expected, length);
	/* The next one counts from there (RFC 7011: data records before it). */
	ck_assert_int_eq(ipfix_encoder_add(encoder, &records[0], 0), 0);
	ck_assert_uint_eq(ipfix_encoder_finish(encoder, 1000, &message), 16 + 4 + 29);
	ck_assert_uint_eq(message[11], 3);
	ipfix_encoder_free(encoder);
}
END_TEST

static struct journal *journal_of(uint64_t capacity)
{
	struct journal *journal;

	ck_assert_int_eq(journal_new(capacity, &journal), 0);
	journal->header->readers[JOURNAL_FILE].used = 1;
	return journal;
}

static void append(struct journal *journal, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct blocklog_record record = block_record(BLOCKLOG_ALLOCATED, first + i);

		journal_append(journal, &record);
	}
}

START_TEST(what_does_not_fit_is_counted_oldest_first)
{
	struct journal *journal = journal_of(16);
	struct journal_reader *reader = &journal->header->readers[JOURNAL_FILE];

	append(journal, 0, 16);
	ck_assert_uint_eq(reader->lost, 0);
	append(journal, 16, 5);
	ck_assert_uint_eq(reader->lost, 5);
	ck_assert_uint_eq(reader->acked, 5);
	for (uint64_t i = 5; i < 21; i++)
		ck_assert_uint_eq(journal_record(journal, i)->session, i);
	/* One that is not in use loses nothing. */
	ck_assert_uint_eq(journal->header->readers[JOURNAL_IPFIX].lost, 0);
	journal_free(journal);
}
END_TEST

START_TEST(the_next_one_goes_on_where_the_last_one_was)
{
	struct journal *journal = journal_of(16), *next;

	append(journal, 0, 10);
	journal->header->readers[JOURNAL_FILE].acked = 7;
	ck_assert_int_eq(journal_adopt(dup(journal->fd), &next), 0);
	journal_free(journal);
	ck_assert_uint_eq(next->header->head, 10);
	ck_assert_uint_eq(next->header->readers[JOURNAL_FILE].acked, 7);
	for (uint64_t i = 0; i < 10; i++)
		ck_assert_uint_eq(journal_record(next, i)->session, i);
	journal_free(next);
}
END_TEST

START_TEST(what_is_no_journal_is_refused)
{
	struct journal *journal = journal_of(16), *next = NULL;
	int unsealed = memfd_create("unsealed", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(unsealed, 1 << 20), 0);
	ck_assert_int_eq(journal_adopt(unsealed, &next), -EINVAL);
	ck_assert_int_lt(fcntl(unsealed, F_GETFD), 0); /* closed */
	journal->header->capacity = 17;
	ck_assert_int_eq(journal_adopt(dup(journal->fd), &next), -EINVAL);
	journal->header->capacity = 16;
	journal->header->magic++;
	ck_assert_int_eq(journal_adopt(dup(journal->fd), &next), -EINVAL);
	ck_assert_ptr_null(next);
	journal_free(journal);
}
END_TEST

START_TEST(another_size_keeps_what_waits)
{
	struct journal *journal = journal_of(16), *larger, *smaller;

	append(journal, 0, 20);
	journal->header->events_lost = 3;
	ck_assert_int_eq(journal_resized(journal, 64, &larger), 0);
	ck_assert_uint_eq(larger->header->head, 20);
	ck_assert_uint_eq(larger->header->readers[JOURNAL_FILE].acked, 4);
	ck_assert_uint_eq(larger->header->readers[JOURNAL_FILE].lost, 4);
	ck_assert_uint_eq(larger->header->events_lost, 3);
	ck_assert_int_eq(journal_resized(larger, 10, &smaller), 0);
	ck_assert_uint_eq(smaller->header->readers[JOURNAL_FILE].acked, 10);
	ck_assert_uint_eq(smaller->header->readers[JOURNAL_FILE].lost, 10);
	for (uint64_t i = 10; i < 20; i++)
		ck_assert_uint_eq(journal_record(smaller, i)->session, i);
	journal_free(journal);
	journal_free(larger);
	journal_free(smaller);
}
END_TEST

int main(void)
{
	TCase *texts = tcase_create("texts"), *journal = tcase_create("journal");
	Suite *suite = suite_create("blocklog");

	tcase_add_test(texts, json_lines);
	tcase_add_test(texts, syslog_messages);
	tcase_add_test(texts, the_longest_texts_fit);
	tcase_add_test(texts, rfc8158_s4_6_10_ipfix_templates);
	tcase_add_test(texts, rfc8158_s4_3_ipfix_records);
	tcase_add_test(journal, what_does_not_fit_is_counted_oldest_first);
	tcase_add_test(journal, the_next_one_goes_on_where_the_last_one_was);
	tcase_add_test(journal, what_is_no_journal_is_refused);
	tcase_add_test(journal, another_size_keeps_what_waits);
	suite_add_tcase(suite, texts);
	suite_add_tcase(suite, journal);
	return run_suite(suite);
}
