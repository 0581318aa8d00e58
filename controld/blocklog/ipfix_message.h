/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * IPFIX messages (RFC 7011) of records, by libfixbuf. A block's record is what
 * RFC 8158 asks of "port block allocation" and "de-allocation", with the session
 * as commonPropertiesId; a loss is an options record with notSentFlowTotalCount.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_IPFIX_MESSAGE_H
#define BNG_CONTROLD_BLOCKLOG_IPFIX_MESSAGE_H

#include "controld/blocklog/record.h"

#define IPFIX_TEMPLATE_BLOCK 256
#define IPFIX_TEMPLATE_LOSS  257

struct ipfix_encoder;

/* Messages of at most `size` bytes. NULL and why in `error`. */
struct ipfix_encoder *ipfix_encoder_new(uint32_t domain, size_t size, char *error, size_t error_size);
void ipfix_encoder_free(struct ipfix_encoder *encoder);

/* Adds to the message being made, which is of templates or of records and must not
 * grow over its size; `lost` is the total behind a loss. 0, or -EINVAL and why in
 * the encoder's error. */
int ipfix_encoder_templates(struct ipfix_encoder *encoder);
int ipfix_encoder_add(struct ipfix_encoder *encoder, const struct blocklog_record *record, uint64_t lost);
/* Ends the message and returns its length; 0 on failure. */
size_t ipfix_encoder_finish(struct ipfix_encoder *encoder, uint32_t export_time, const uint8_t **message);
const char *ipfix_encoder_error(const struct ipfix_encoder *encoder);

#endif
