/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Accounting's small parts: the machine, each state by each event; records as keys, as
 * values and as requests; what a record says; the ledger; the configuration.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/accounting/accounting.h"
#include "controld/radius/client.h"
#include "controld_fixture.h"
#include "run.h"

/* ---- The machine ------------------------------------------------------------------ */

#define NONE    ACCOUNTING_NONE
#define OWED    ACCOUNTING_OWED
#define STARTED ACCOUNTING_STARTED
#define STOPPED ACCOUNTING_STOPPED
#define NOTHING ACCOUNTING_NOTHING
#define START   ACCOUNTING_MAKE_START
#define INTERIM ACCOUNTING_MAKE_INTERIM
#define STOP    ACCOUNTING_MAKE_STOP
#define BOTH    ACCOUNTING_MAKE_BOTH

/* By event: up or found, Start delivered, interim due, down, out of service. */
static const struct accounting_step expected[ACCOUNTING_STATES][ACCOUNTING_EVENTS] = {
	{{START, OWED}, {NOTHING, STARTED}, {NOTHING, NONE}, {NOTHING, STOPPED}, {NOTHING, STOPPED}},
	{{START, OWED}, {NOTHING, STARTED}, {INTERIM, OWED}, {BOTH, STOPPED}, {NOTHING, STOPPED}},
	{{NOTHING, STARTED}, {NOTHING, STARTED}, {INTERIM, STARTED}, {STOP, STOPPED}, {NOTHING, STOPPED}},
	{{NOTHING, STOPPED}, {NOTHING, STOPPED}, {NOTHING, STOPPED}, {NOTHING, STOPPED}, {NOTHING, STOPPED}},
};

START_TEST(each_state_meets_each_event)
{
	for (enum accounting_state state = 0; state < ACCOUNTING_STATES; state++)
		for (enum accounting_event event = 0; event < ACCOUNTING_EVENTS; event++) {
			struct accounting_step step = accounting_step(state, event);

			ck_assert_msg(step.action == expected[state][event].action &&
					      step.next == expected[state][event].next,
				      "%s meets event %d: action %d, then %s", accounting_state_name(state),
				      event, step.action, accounting_state_name(step.next));
		}
}
END_TEST

/* From any byte that the bus may have kept, and along any way: at most one Start is owed
 * after one was delivered, and nothing follows a Stop. */
START_TEST(no_way_leads_back)
{
	for (unsigned state = 0; state < 256; state++)
		for (enum accounting_event event = 0; event < ACCOUNTING_EVENTS; event++) {
			struct accounting_step step = accounting_step(state, event);

			ck_assert_uint_lt(step.next, ACCOUNTING_STATES);
			ck_assert_uint_ge(step.next, state < STOPPED ? state : STOPPED);
			if (state >= STARTED)
				ck_assert(step.action != ACCOUNTING_MAKE_START &&
					  step.action != ACCOUNTING_MAKE_BOTH);
			if (state >= STOPPED)
				ck_assert_uint_eq(step.action, ACCOUNTING_NOTHING);
		}
	ck_assert_str_eq(accounting_state_name(77), "stopped");
}
END_TEST

/* ---- Keys and values ------------------------------------------------------------------ */

START_TEST(a_key_is_read_back)
{
	static const struct {
		struct record_key key;
		const char *text;
	} keys[] = {
		{{1000, 0, RECORD_START}, "00000000000003e8-start"},
		{{1000, 0, RECORD_STOP}, "00000000000003e8-stop"},
		{{UINT64_MAX, 12, RECORD_INTERIM}, "ffffffffffffffff-0000000c"},
		{{1, UINT32_MAX, RECORD_INTERIM}, "0000000000000001-ffffffff"},
		{{0, 0, RECORD_ON}, "0000000000000000-on"},
		{{2, 0, RECORD_OFF}, "0000000000000002-off"},
	};
	static const char *const wrong[] = {
		"",
		"-",
		"start",
		"00000000000003e8",
		"00000000000003e8-",
		"00000000000003e8-Start",
		"00000000000003E8-start",
		"00000000000003e8-start ",
		"00000000000003e8-interim",
		"00000000000003e8-0000000",
		"00000000000003e8-000000001",
		"00000000000003e8-00000000",
		"0000000000003e8-start",
		" 0000000000003e8-start",
		"00000000000003e8_start",
	};
	char text[RECORD_KEY_TEXT];
	struct record_key key;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		record_key_format(&keys[i].key, text);
		ck_assert_str_eq(text, keys[i].text);
		ck_assert(record_key_parse(text, &key));
		ck_assert_uint_eq(key.session_id, keys[i].key.session_id);
		ck_assert_int_eq(record_key_compare(&key, &keys[i].key), 0);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!record_key_parse(wrong[i], &key), "%s", wrong[i]);
}
END_TEST

START_TEST(records_of_a_session_have_an_order)
{
	static const struct record_key order[] = {{1, 0, RECORD_ON},
						  {1, 0, RECORD_START},
						  {1, 1, RECORD_INTERIM},
						  {1, 256, RECORD_INTERIM},
						  {1, UINT32_MAX, RECORD_INTERIM},
						  {1, 0, RECORD_STOP},
						  {1, 0, RECORD_OFF}};

	for (int a = 0; a < 7; a++)
		for (int b = 0; b < 7; b++)
			ck_assert_int_eq(record_key_compare(&order[a], &order[b]), a < b ? -1 : a > b);
}
END_TEST

START_TEST(a_value_is_read_back)
{
	uint8_t attributes[RECORD_ATTRIBUTES_MAX], read[RECORD_ATTRIBUTES_MAX];
	struct record_content content = {.made_s = 1763743333, .attributes = attributes}, found = {0};
	json_t *json;
	char *text;

	memset(attributes, 0xff, sizeof(attributes));
	for (size_t at = 0; at < sizeof(attributes); at += 4) {
		attributes[at + 1] = 4;
		content.length = (uint16_t)(at + 4);
		json = record_value(&content);
		text = json_dumps(json, JSON_COMPACT);
		ck_assert_uint_le(strlen(text) + RECORD_KEY_TEXT, record_stored_bytes(&content));
		free(text);
		ck_assert(record_value_parse(json, &found, read));
		ck_assert_int_eq(found.made_s, content.made_s);
		ck_assert_uint_eq(found.length, content.length);
		ck_assert_mem_eq(read, attributes, content.length);
		json_decref(json);
	}
}
END_TEST

START_TEST(no_value_but_ours_is_believed)
{
	static const char *const wrong[] = {
		"{}",
		"[]",
		"{\"made\": 1}",
		"{\"made\": -1, \"attributes\": \"\"}",
		"{\"made\": \"1\", \"attributes\": \"\"}",
		"{\"made\": 1, \"attributes\": 7}",
		"{\"made\": 1, \"attributes\": \"010\"}",
		"{\"made\": 1, \"attributes\": \"0x03\"}",
		"{\"made\": 1, \"attributes\": \"01030\"}",
		"{\"made\": 1, \"attributes\": \"0103AA\"}",
		"{\"made\": 1, \"attributes\": \"0104aa\"}",
		"{\"made\": 1, \"attributes\": \"0101\"}",
		"{\"made\": 1, \"attributes\": \"0102ff\"}",
	};
	uint8_t read[RECORD_ATTRIBUTES_MAX];
	struct record_content content = {0};
	char *long_text = calloc(1, 2 * RECORD_ATTRIBUTES_MAX + 5);
	json_t *json;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json = json_loads(wrong[i], 0, NULL);
		ck_assert_msg(json && !record_value_parse(json, &content, read), "%s", wrong[i]);
		json_decref(json);
	}
	for (size_t i = 0; i < RECORD_ATTRIBUTES_MAX / 2 + 1; i++)
		memcpy(long_text + 4 * i, "0102", 4);
	json = json_pack("{s:i, s:s}", "made", 1, "attributes", long_text);
	ck_assert(!record_value_parse(json, &content, read));
	json_decref(json);
	free(long_text);
}
END_TEST

/* ---- What a record says ------------------------------------------------------------------ */

static uint8_t attributes[RECORD_ATTRIBUTES_MAX];
static struct bng_subscriber subscriber;
static struct session_detail detail;

static void setup(void)
{
	fixture_start(&(struct fixture_sizes){64, 4, 64});
	subscriber = (struct bng_subscriber){.session_id = 1000, .block_shift = 9};
	detail = (struct session_detail){
		.session_id = 1000, .user = "nemo", .source = "aaa1", .address_be = htonl(0x0a000007)};
	detail.client = (struct session_client){
		.interface = 1, .outer_vid = 100, .inner_vid = 7, .mac = {2, 0, 0, 0, 0, 9}};
}

static void teardown(void)
{
	fixture_stop();
}

static size_t make(enum record_kind kind)
{
	struct attributes_subject subject = {&detail, &subscriber, SESSION_END_IDLE_TIMEOUT};
	size_t length = attributes_make(&fixture.controld, kind, &subject, attributes);

	ck_assert(record_attributes_ok(attributes, length));
	return length;
}

/* The n-th attribute of this type; NULL: there are not so many. */
static const uint8_t *nth(size_t length, uint8_t type, unsigned n, uint8_t *size)
{
	for (size_t at = 0; at < length; at += attributes[at + 1])
		if (attributes[at] == type && !n--) {
			*size = (uint8_t)(attributes[at + 1] - 2);
			return attributes + at + 2;
		}
	return NULL;
}

static int64_t integer(size_t length, uint8_t type)
{
	uint8_t size;
	const uint8_t *value = nth(length, type, 0, &size);

	if (!value)
		return -1;
	ck_assert_uint_eq(size, 4);
	return (int64_t)value[0] << 24 | value[1] << 16 | value[2] << 8 | value[3];
}

static void assert_text(size_t length, uint8_t type, const char *text)
{
	uint8_t size = 0;
	const uint8_t *value = nth(length, type, 0, &size);

	ck_assert_msg(value && size == strlen(text) && !memcmp(value, text, size), "attribute %u: %.*s", type,
		      size, value ? (const char *)value : "");
}

START_TEST(counters_have_two_halves)
{
	size_t length;

	subscriber.up_bytes = (7ull << 32) + 1;
	subscriber.down_bytes = 0xffffffff;
	subscriber.up_packets = (1ull << 32) + 5; /* packets have no high half: RFC 2866 */
	subscriber.down_packets = 6;
	length = make(RECORD_STOP);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_INPUT_OCTETS), 1);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_INPUT_GIGAWORDS), 7);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_OUTPUT_OCTETS), 0xffffffff);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_OUTPUT_GIGAWORDS), 0);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_INPUT_PACKETS), 5);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_OUTPUT_PACKETS), 6);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_TERMINATE_CAUSE), 4);
	ck_assert(!attributes_count(attributes, length, &subscriber));
	subscriber.down_bytes++;
	ck_assert(attributes_count(attributes, length, &subscriber));
	ck_assert_int_eq(integer(length, RADIUS_ACCT_OUTPUT_OCTETS), 0);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_OUTPUT_GIGAWORDS), 1);
}
END_TEST

START_TEST(a_subscriber_is_told_by_name_and_place)
{
	uint8_t circuit[] = "eth 1/2", size;
	size_t length;

	detail.line = (struct session_line){.circuit_id = circuit, .circuit_id_length = 7};
	length = make(RECORD_START);
	assert_text(length, RADIUS_USER_NAME, "nemo");
	assert_text(length, RADIUS_NAS_PORT_ID, "access0:100.7");
	assert_text(length, RADIUS_CALLING_STATION_ID, "02:00:00:00:00:09");
	ck_assert_int_eq(integer(length, RADIUS_NAS_PORT), 1 << 24 | 100 << 12 | 7);
	ck_assert_int_eq(integer(length, RADIUS_NAS_PORT_TYPE), 15);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_AUTHENTIC), 1);
	ck_assert_int_eq(integer(length, RADIUS_FRAMED_IP_ADDRESS), 0x0a000007);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_INPUT_OCTETS), -1);
	ck_assert_mem_eq(nth(length, RADIUS_VENDOR_SPECIFIC, 0, &size),
			 "\0\0\x0d\xe9\x01\x09"
			 "eth 1/2",
			 13);
	detail.client.pppoe_session = 5;
	length = make(RECORD_START);
	ck_assert_int_eq(integer(length, RADIUS_NAS_PORT_TYPE), 34);
	detail.user = detail.source = NULL;
	length = make(RECORD_START);
	assert_text(length, RADIUS_USER_NAME, "02:00:00:00:00:09");
	ck_assert_int_eq(integer(length, RADIUS_ACCT_AUTHENTIC), 2);
}
END_TEST

/* All of them, each as it came, however many there are; what fits beside them is told, too. */
START_TEST(rfc2865_s5_25_every_class_goes_back)
{
	static uint8_t class[PROFILE_CLASS_MAX], line[253];
	uint8_t size;
	size_t at = 0, length;
	unsigned count = 0;

	for (; at + 254 <= sizeof(class); at += 254, count++) {
		class[at] = 253;
		memset(class + at + 1, 'a' + (int)count, 253);
	}
	detail.profile.class = class;
	detail.profile.class_length = (uint16_t)at;
	detail.line = (struct session_line){line, line, sizeof(line), sizeof(line)};
	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		subscriber.block[i] = 1024u + 512u * (unsigned)i;
	length = make(RECORD_STOP);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *value = nth(length, RADIUS_CLASS, i, &size);

		ck_assert(value && size == 253 && value[0] == 'a' + i && value[252] == 'a' + i);
	}
	ck_assert_ptr_null(nth(length, RADIUS_CLASS, count, &size));
	ck_assert_ptr_nonnull(nth(length, RADIUS_VENDOR_SPECIFIC, 3 * BNG_BLOCKS_PER_SUBSCRIBER - 1, &size));
	/* Cut short: what is no whole attribute is left out. */
	class[0] = 255;
	detail.profile.class_length = 200;
	length = make(RECORD_STOP);
	ck_assert_ptr_null(nth(length, RADIUS_CLASS, 0, &size));
}
END_TEST

START_TEST(rfc2866_s5_2_the_request_tells_how_long_it_waited)
{
	struct radius radius = {.config = {.nas_address_be = htonl(0xc0000201), .nas_identifier = "bng1"}};
	uint8_t packet[RADIUS_REQUEST_MAX];
	struct record_content content = {
		.key = {1000, 0, RECORD_INTERIM}, .made_s = 5000, .attributes = attributes};
	size_t length;

	fixture.controld.radius = &radius;
	content.length = (uint16_t)make(RECORD_INTERIM);
	length = record_request(&fixture.controld, &content, 5009, packet);
	ck_assert_uint_eq(radius_length(packet, length), length);
	ck_assert_uint_eq(packet[0], RADIUS_ACCOUNTING_REQUEST);
	memmove(attributes, packet + RADIUS_HEADER, length - RADIUS_HEADER);
	length -= RADIUS_HEADER;
	ck_assert_int_eq(integer(length, RADIUS_ACCT_STATUS_TYPE), 3);
	ck_assert_int_eq(integer(length, RADIUS_ACCT_DELAY_TIME), 9);
	ck_assert_int_eq(integer(length, RADIUS_EVENT_TIMESTAMP), 5000);
	assert_text(length, RADIUS_ACCT_SESSION_ID, "00000000000003e8");
	assert_text(length, RADIUS_NAS_IDENTIFIER, "bng1");
	fixture.controld.radius = NULL;
}
END_TEST

/* The longest record and the longest names make a request. */
START_TEST(the_longest_record_fits)
{
	struct radius radius = {.config = {.nas_address_be = 1}};
	uint8_t packet[RADIUS_REQUEST_MAX];
	struct record_content content = {.key = {1, 0, RECORD_STOP}, .attributes = attributes};

	memset(radius.config.nas_identifier, 'x', sizeof(radius.config.nas_identifier) - 1);
	memset(attributes, 4, sizeof(attributes));
	content.length = RECORD_ATTRIBUTES_MAX;
	fixture.controld.radius = &radius;
	ck_assert_uint_gt(record_request(&fixture.controld, &content, 0, packet), RECORD_ATTRIBUTES_MAX);
	fixture.controld.radius = NULL;
}
END_TEST

/* ---- The ledger ------------------------------------------------------------------------------ */

START_TEST(the_ledger_has_room_for_what_was_delivered)
{
	struct record_content content = {.key = {1, 0, RECORD_START}, .attributes = attributes};
	struct ledger *ledger;
	uint32_t slot = 0, count = 0;

	ck_assert(!ledger_new(&ledger));
	while (ledger_take(ledger, &content, LEDGER_WAITING) != LEDGER_NONE)
		count++;
	ck_assert_uint_eq(count, LEDGER_SLOTS - LEDGER_RESERVE);
	for (count = 0; (slot = ledger_take(ledger, &content, LEDGER_DELIVERED)) != LEDGER_NONE; count++)
		ck_assert_uint_lt(slot, LEDGER_SLOTS);
	ck_assert_uint_eq(count, LEDGER_RESERVE);
	ledger_set(ledger, 5, LEDGER_FREE);
	ck_assert_uint_eq(ledger_take(ledger, &content, LEDGER_WAITING), LEDGER_NONE);
	ck_assert_uint_eq(ledger_take(ledger, &content, LEDGER_DELIVERED), 5);
	ledger_free(ledger);
}
END_TEST

/* Each byte of a slot and of the header, wrong in turn: believed or refused, and nothing
 * is read outside. */
START_TEST(no_left_over_memory_does_harm)
{
	uint8_t one[] = {1, 6, 'n', 'e', 'm', 'o'};
	struct record_content content = {{9, 0, RECORD_START}, 77, sizeof(one), one, false}, found;
	struct ledger *ledger, *again;
	unsigned believed = 0;

	ck_assert(!ledger_new(&ledger));
	ck_assert_uint_eq(ledger_take(ledger, &content, LEDGER_WAITING), 0);
	for (size_t at = 0; at < 48; at++) {
		((uint8_t *)&ledger->slots[0])[at] ^= 0xff;
		ck_assert(!ledger_adopt(dup(ledger->fd), &again));
		if (again->slots[0].state != LEDGER_FREE && ledger_content(&again->slots[0], &found)) {
			believed++;
			ck_assert(record_attributes_ok(found.attributes, found.length));
			ck_assert_uint_lt(found.key.kind, RECORD_KINDS);
		}
		ledger_free(again);
		((uint8_t *)&ledger->slots[0])[at] ^= 0xff;
	}
	ck_assert_uint_gt(believed, 0);
	ledger->header->high = LEDGER_SLOTS + 1;
	ck_assert_int_eq(ledger_adopt(dup(ledger->fd), &again), -EINVAL);
	ledger->header->high = 1;
	ledger->header->magic++;
	ck_assert_int_eq(ledger_adopt(dup(ledger->fd), &again), -EINVAL);
	ledger_free(ledger);
	ck_assert_int_eq(ledger_adopt(dup(STDERR_FILENO), &again), -EINVAL);
}
END_TEST

/* ---- The configuration -------------------------------------------------------------------------- */

#define WITH(accounting)                                                                                     \
	"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"radius\": {\"nas_identifier\": "      \
	"\"x\", "                                                                                            \
	"\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": \"hush\"}]}, "            \
	"\"accounting\": " accounting "}"

START_TEST(the_configuration_is_read)
{
	static const char text[] =
		WITH("{\"enabled\": true, \"interim_s\": 60, \"spool_max\": 16, \"spool_disk_share\": 100}");
	static const struct {
		const char *text, *error;
	} wrong[] = {
		{WITH("{\"enabled\": 1}"), "/accounting/enabled: 1: must be true or false"},
		{WITH("{\"interim_s\": -1}"), "/accounting/interim_s: -1: must be an integer 0-604800"},
		{WITH("{\"spool_max\": 15}"), "/accounting/spool_max: 15: must be an integer 16-1000000"},
		{WITH("{\"spool_disk_share\": 0}"),
		 "/accounting/spool_disk_share: 0: must be an integer 1-100"},
		{WITH("{\"spool_disk_share\": 101}"),
		 "/accounting/spool_disk_share: 101: must be an integer 1-100"},
		{WITH("{\"local\": true}"),
		 "/accounting/local: true: unknown; known here: enabled, interim_s"},
		{WITH("[]"), "/accounting: []: must be an object"},
		{"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"accounting\": {\"enabled\": "
		 "true}}",
		 "/accounting/enabled: true: must be false without /radius"},
	};
	struct config *config = NULL;
	char error[CONFIG_ERROR_TEXT] = "";

	ck_assert_msg(!config_parse(text, strlen(text), "test", &config, error, sizeof(error)), "%s", error);
	ck_assert(config->accounting.enabled && !config->accounting.local_sessions);
	ck_assert_uint_eq(config->accounting.interim_s, 60);
	ck_assert_uint_eq(config->accounting.spool_max, 16);
	ck_assert_uint_eq(config->accounting.disk_share, 100);
	config_free(config);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_int_eq(config_parse(wrong[i].text, strlen(wrong[i].text), "test", &config, error,
					      sizeof(error)),
				 -EINVAL);
		ck_assert_msg(strstr(error, wrong[i].error) != NULL, "expected %s, found %s", wrong[i].error,
			      error);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accounting");
	TCase *small = tcase_create("small"), *said = tcase_create("said");

	tcase_add_test(small, each_state_meets_each_event);
	tcase_add_test(small, no_way_leads_back);
	tcase_add_test(small, a_key_is_read_back);
	tcase_add_test(small, records_of_a_session_have_an_order);
	tcase_add_test(small, a_value_is_read_back);
	tcase_add_test(small, no_value_but_ours_is_believed);
	tcase_add_test(small, the_ledger_has_room_for_what_was_delivered);
	tcase_add_test(small, no_left_over_memory_does_harm);
	tcase_add_test(small, the_configuration_is_read);
	tcase_add_checked_fixture(said, setup, teardown);
	tcase_add_test(said, counters_have_two_halves);
	tcase_add_test(said, a_subscriber_is_told_by_name_and_place);
	tcase_add_test(said, rfc2865_s5_25_every_class_goes_back);
	tcase_add_test(said, rfc2866_s5_2_the_request_tells_how_long_it_waited);
	tcase_add_test(said, the_longest_record_fits);
	suite_add_tcase(suite, small);
	suite_add_tcase(suite, said);
	return run_suite(suite);
}
