/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records for libfixbuf: it is given C structs, and translates them to what the
 * templates say is on the wire.
 */
#include "controld/blocklog/ipfix_message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fixbuf/public.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAT_EVENT_BLOCK_ALLOCATED 16 /* IANA's NAT Event Type registry, by RFC 8158 */
#define NAT_EVENT_BLOCK_FREED     17
#define EXPORT_TIME_OFFSET        4 /* RFC 7011 section 3.1 */

struct block_data {
	uint64_t time_ms;
	uint64_t session;
	uint32_t inner;
	uint32_t public;
	uint16_t first;
	uint16_t last;
	uint8_t event;
	uint8_t padding[3];
};

struct loss_data {
	uint64_t time_ms;
	uint64_t lost;
	uint32_t process;
	uint8_t padding[4];
};

struct ipfix_encoder {
	fbInfoModel_t *model;
	fbSession_t *session;
	fbExporter_t *exporter;
	fBuf_t *buffer;
	char error[256];
	uint8_t message[];
};

/* In the order in which RFC 8158 lists them, then ours. */
static fbInfoElementSpec_t block_wire[] = {
	{(char *)"observationTimeMilliseconds", 8, 0},
	{(char *)"natEvent", 1, 0},
	{(char *)"sourceIPv4Address", 4, 0},
	{(char *)"postNATSourceIPv4Address", 4, 0},
	{(char *)"portRangeStart", 2, 0},
	{(char *)"portRangeEnd", 2, 0},
	{(char *)"commonPropertiesId", 8, 0},
	FB_IESPEC_NULL,
};
static fbInfoElementSpec_t block_memory[] = {
	{(char *)"observationTimeMilliseconds", 8, 0},
	{(char *)"commonPropertiesId", 8, 0},
	{(char *)"sourceIPv4Address", 4, 0},
	{(char *)"postNATSourceIPv4Address", 4, 0},
	{(char *)"portRangeStart", 2, 0},
	{(char *)"portRangeEnd", 2, 0},
	{(char *)"natEvent", 1, 0},
	{(char *)"paddingOctets", 3, 0},
	FB_IESPEC_NULL,
};
static fbInfoElementSpec_t loss_wire[] = {
	{(char *)"exportingProcessId", 4, 0},
	{(char *)"notSentFlowTotalCount", 8, 0},
	{(char *)"observationTimeMilliseconds", 8, 0},
	FB_IESPEC_NULL,
};
static fbInfoElementSpec_t loss_memory[] = {
	{(char *)"observationTimeMilliseconds", 8, 0},
	{(char *)"notSentFlowTotalCount", 8, 0},
	{(char *)"exportingProcessId", 4, 0},
	{(char *)"paddingOctets", 4, 0},
	FB_IESPEC_NULL,
};

static int fail(struct ipfix_encoder *encoder, GError *error)
{
	snprintf(encoder->error, sizeof(encoder->error), "%s", error ? error->message : "out of memory");
	g_clear_error(&error);
	return -EINVAL;
}

static int add_template(struct ipfix_encoder *encoder, bool internal, uint16_t id, fbInfoElementSpec_t *specs,
			uint16_t scopes)
{
	fbTemplate_t *template = fbTemplateAlloc(encoder->model);
	GError *error = NULL;

	if (!fbTemplateAppendSpecArray(template, specs, UINT32_MAX, &error)) {
		fbTemplateFreeUnused(template);
		return fail(encoder, error);
	}
	if (scopes)
		fbTemplateSetOptionsScope(template, scopes);
	if (fbSessionAddTemplate(encoder->session, internal, id, template, &error))
		return 0;
	fbTemplateFreeUnused(template);
	return fail(encoder, error);
}

static int add_templates(struct ipfix_encoder *encoder)
{
	int failure = add_template(encoder, true, IPFIX_TEMPLATE_BLOCK, block_memory, 0);

	if (!failure)
		failure = add_template(encoder, true, IPFIX_TEMPLATE_LOSS, loss_memory, 0);
	if (!failure)
		failure = add_template(encoder, false, IPFIX_TEMPLATE_BLOCK, block_wire, 0);
	if (!failure)
		failure = add_template(encoder, false, IPFIX_TEMPLATE_LOSS, loss_wire, 1);
	return failure;
}

struct ipfix_encoder *ipfix_encoder_new(uint32_t domain, size_t size, char *error, size_t error_size)
{
	struct ipfix_encoder *encoder = calloc(1, sizeof(*encoder) + size);

	if (!encoder) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	encoder->model = fbInfoModelAlloc();
	encoder->session = fbSessionAlloc(encoder->model);
	fbSessionSetDomain(encoder->session, domain);
	/* Before there is a buffer: templates that are added later are written to it. */
	if (add_templates(encoder)) {
		snprintf(error, error_size, "%s", encoder->error);
		ipfix_encoder_free(encoder);
		return NULL;
	}
	encoder->exporter = fbExporterAllocBuffer(encoder->message, (uint16_t)size);
	encoder->buffer = fBufAllocForExport(encoder->session, encoder->exporter);
	return encoder;
}

void ipfix_encoder_free(struct ipfix_encoder *encoder)
{
	if (!encoder)
		return;
	if (encoder->buffer)
		fBufFree(encoder->buffer);
	else
		fbSessionFree(encoder->session);
	fbInfoModelFree(encoder->model);
	free(encoder);
}

int ipfix_encoder_templates(struct ipfix_encoder *encoder)
{
	GError *error = NULL;

	return fbSessionExportTemplates(encoder->session, &error) ? 0 : fail(encoder, error);
}

static int append(struct ipfix_encoder *encoder, uint16_t id, void *data, size_t size)
{
	GError *error = NULL;

	if (fBufSetInternalTemplate(encoder->buffer, id, &error) &&
	    fBufSetExportTemplate(encoder->buffer, id, &error) &&
	    fBufAppend(encoder->buffer, data, size, &error))
		return 0;
	return fail(encoder, error);
}

int ipfix_encoder_add(struct ipfix_encoder *encoder, const struct blocklog_record *record, uint64_t lost)
{
	if (record->type >= BLOCKLOG_EVENTS_LOST) {
		struct loss_data loss = {.time_ms = record->time_ms, .lost = lost, .process = 1};

		return append(encoder, IPFIX_TEMPLATE_LOSS, &loss, sizeof(loss));
	}
	struct block_data block = {
		.time_ms = record->time_ms,
		.session = record->session,
		.inner = ntohl(record->inner_be),
		.public = ntohl(record->public_be),
		.first = record->first,
		.last = record->last,
		.event = record->type == BLOCKLOG_ALLOCATED ? NAT_EVENT_BLOCK_ALLOCATED
							    : NAT_EVENT_BLOCK_FREED,
	};
	return append(encoder, IPFIX_TEMPLATE_BLOCK, &block, sizeof(block));
}

size_t ipfix_encoder_finish(struct ipfix_encoder *encoder, uint32_t export_time, const uint8_t **message)
{
	GError *error = NULL;

	if (!fBufEmit(encoder->buffer, &error)) {
		fail(encoder, error);
		return 0;
	}
	/* libfixbuf notes the time when a message is begun. */
	export_time = htonl(export_time);
	memcpy(encoder->message + EXPORT_TIME_OFFSET, &export_time, sizeof(export_time));
	*message = encoder->message;
	return fbExporterGetMsgLen(encoder->exporter);
}

const char *ipfix_encoder_error(const struct ipfix_encoder *encoder)
{
	return encoder->error;
}
