/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a request: each attribute has a row that says what it is for; one without is a
 * change, or it is unsupported.
 */
#include "controld/coa/request.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	TYPE_USER_NAME = 1,
	TYPE_NAS_IP_ADDRESS = 4,
	TYPE_SERVICE_TYPE = 6,
	TYPE_FRAMED_IP_ADDRESS = 8,
	TYPE_CALLED_STATION_ID = 30,
	TYPE_CALLING_STATION_ID = 31,
	TYPE_NAS_IDENTIFIER = 32,
	TYPE_PROXY_STATE = 33,
	TYPE_ACCT_SESSION_ID = 44,
	TYPE_ACCT_TERMINATE_CAUSE = 49,
	TYPE_EVENT_TIMESTAMP = 55,
	TYPE_MESSAGE_AUTHENTICATOR = 80,
	TYPE_NAS_PORT_ID = 87,
};

struct reading {
	const char *identifier;
	uint32_t address_be;
	struct coa_request *request;
};

typedef enum coa_cause read_attribute(struct reading *reading, const struct radius_attribute *attribute,
				      size_t offset);

static enum coa_cause read_nothing(struct reading *reading, const struct radius_attribute *attribute,
				   size_t offset)
{
	(void)reading;
	(void)attribute;
	(void)offset;
	return COA_CAUSE_NONE;
}

static enum coa_cause read_selection(struct reading *reading, const struct radius_attribute *attribute,
				     size_t offset)
{
	struct coa_value *value = (struct coa_value *)((uint8_t *)&reading->request->selection + offset);

	if (!attribute->length || value->data)
		return COA_CAUSE_INVALID_REQUEST;
	*value = (struct coa_value){attribute->value, attribute->length};
	return COA_CAUSE_NONE;
}

static enum coa_cause read_address(struct reading *reading, const struct radius_attribute *attribute,
				   size_t offset)
{
	return attribute->length == 4 ? read_selection(reading, attribute, offset) : COA_CAUSE_INVALID_VALUE;
}

static enum coa_cause read_identifier(struct reading *reading, const struct radius_attribute *attribute,
				      size_t offset)
{
	bool is_ours = !reading->identifier[0] ||
		       (strlen(reading->identifier) == attribute->length &&
			!memcmp(reading->identifier, attribute->value, attribute->length));

	(void)offset;
	return is_ours ? COA_CAUSE_NONE : COA_CAUSE_NAS_MISMATCH;
}

static enum coa_cause read_nas_address(struct reading *reading, const struct radius_attribute *attribute,
				       size_t offset)
{
	(void)offset;
	if (attribute->length != 4)
		return COA_CAUSE_INVALID_VALUE;
	return !reading->address_be || !memcmp(attribute->value, &reading->address_be, 4)
		       ? COA_CAUSE_NONE
		       : COA_CAUSE_NAS_MISMATCH;
}

static enum coa_cause read_time(struct reading *reading, const struct radius_attribute *attribute,
				size_t offset)
{
	uint32_t time_be;

	(void)offset;
	if (attribute->length != 4)
		return COA_CAUSE_INVALID_VALUE;
	memcpy(&time_be, attribute->value, 4);
	reading->request->time_s = ntohl(time_be);
	reading->request->has_time = true;
	return COA_CAUSE_NONE;
}

/* Authorize-Only wants us to ask again (section 3.2): not offered, nor is another service. */
static enum coa_cause read_service(struct reading *reading, const struct radius_attribute *attribute,
				   size_t offset)
{
	(void)reading;
	(void)attribute;
	(void)offset;
	return COA_CAUSE_UNSUPPORTED_SERVICE;
}

#define SELECTION(member) offsetof(struct coa_selection, member)

static const struct {
	uint8_t type;
	read_attribute *read;
	size_t offset;
} rows[] = {
	{TYPE_USER_NAME, read_selection, SELECTION(user)},
	{TYPE_NAS_IP_ADDRESS, read_nas_address, 0},
	{TYPE_SERVICE_TYPE, read_service, 0},
	{TYPE_FRAMED_IP_ADDRESS, read_address, SELECTION(address)},
	{TYPE_CALLED_STATION_ID, read_nothing, 0},
	{TYPE_CALLING_STATION_ID, read_selection, SELECTION(station)},
	{TYPE_NAS_IDENTIFIER, read_identifier, 0},
	{TYPE_PROXY_STATE, read_nothing, 0},
	{TYPE_ACCT_SESSION_ID, read_selection, SELECTION(session_id)},
	{TYPE_ACCT_TERMINATE_CAUSE, read_nothing, 0},
	{TYPE_EVENT_TIMESTAMP, read_time, 0},
	{TYPE_MESSAGE_AUTHENTICATOR, read_nothing, 0},
	{TYPE_NAS_PORT_ID, read_selection, SELECTION(port)},
};

static bool has_selection(const struct coa_selection *selection)
{
	return selection->session_id.data || selection->user.data || selection->address.data ||
	       selection->port.data || selection->station.data;
}

static size_t find_row(const struct radius_attribute *attribute)
{
	size_t i = 0;

	while (i < sizeof(rows) / sizeof(rows[0]) && (attribute->vendor || rows[i].type != attribute->type))
		i++;
	return i;
}

enum coa_cause coa_read(const uint8_t *packet, size_t length, const char *identifier, uint32_t address_be,
			bool (*is_change)(void *context, const struct radius_attribute *attribute),
			void *context, struct coa_request *request)
{
	struct reading reading = {identifier, address_be, request};
	struct radius_cursor cursor = radius_attributes(packet, length);
	enum coa_cause cause = COA_CAUSE_NONE;
	struct radius_attribute attribute;

	*request = (struct coa_request){.code = packet[RADIUS_AT_CODE]};
	while (!cause && radius_next(&cursor, &attribute)) {
		size_t row = find_row(&attribute);

		if (row < sizeof(rows) / sizeof(rows[0]))
			cause = rows[row].read(&reading, &attribute, rows[row].offset);
		else if (request->code != COA_REQUEST || !is_change(context, &attribute))
			cause = COA_CAUSE_UNSUPPORTED_ATTRIBUTE;
	}
	if (!cause && !has_selection(&request->selection))
		cause = COA_CAUSE_MISSING_ATTRIBUTE;
	return cause;
}

const char *coa_cause_name(enum coa_cause cause)
{
	switch (cause) {
#define COA_CAUSE_NAME(name, number, text)                                                                   \
	case COA_CAUSE_##name:                                                                               \
		return #text;
		COA_CAUSES(COA_CAUSE_NAME)
#undef COA_CAUSE_NAME
	}
	return "unknown";
}
