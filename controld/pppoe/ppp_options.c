/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The options of a Configure-Request: judged one by one by the layer's table. If any is
 * rejected the answer names those only; else those that have another value than we
 * would take; else it is an Ack.
 */
#include <string.h>

#include "controld/pppoe/ppp_run.h"

size_t ppp_option_next(const uint8_t **options, size_t *size, const uint8_t **option)
{
	if (*size < 2 || (*options)[1] < 2 || (*options)[1] > *size)
		return 0;
	size_t length = (*options)[1];
	*option = *options;
	*options += length;
	*size -= length;
	return length;
}

bool ppp_options_are_whole(const uint8_t *options, size_t size)
{
	const uint8_t *option;

	while (ppp_option_next(&options, &size, &option))
		;
	return !size;
}

uint32_t ppp_get(const uint8_t *at, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

void ppp_put32(uint8_t *at, uint32_t value)
{
	for (int i = 3; i >= 0; i--, value >>= 8)
		at[i] = (uint8_t)value;
}

size_t ppp_option_put(uint8_t *at, uint8_t type, uint32_t value, size_t size)
{
	uint8_t bytes[4];

	ppp_put32(bytes, value);
	at[0] = type;
	at[1] = (uint8_t)(size + 2);
	memcpy(at + 2, bytes + sizeof(bytes) - size, size);
	return size + 2;
}

enum ppp_code ppp_nak_or_reject(const struct ppp_run *run, const struct ppp_fsm *fsm)
{
	return fsm->naks_sent < run->ppp->params.max_failure ? PPP_CONFIGURE_NAK : PPP_CONFIGURE_REJECT;
}

/* Notes its value, and puts into *wish what we would take instead. */
static enum ppp_code opinion(struct ppp_run *run, const struct ppp_layer *layer, const uint8_t *option,
			     size_t *row, uint32_t *wish)
{
	size_t size = option[1] - 2U;

	for (*row = 0; *row < layer->option_count && layer->options[*row].type != option[0]; ++*row)
		;
	if (*row == layer->option_count || run->given & 1U << *row)
		return PPP_CONFIGURE_REJECT;
	/* No value that is asked for is 0: of a wrong length it gets what is right. */
	uint32_t value = size == layer->options[*row].size ? ppp_get(option + 2, size) : 0;
	run->given |= 1U << *row;
	run->wanted[*row] = value;
	return layer->options[*row].judge(run, value, wish);
}

/* Puts into the answer what `code` is to be said of. */
static void gather(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_code code)
{
	struct ppp_answer *answer = &run->answer;
	const uint8_t *at = run->packet.data, *option;
	size_t left = run->packet.length, length, row;

	run->given = 0;
	answer->code = (uint8_t)code;
	answer->length = 0;
	while ((length = ppp_option_next(&at, &left, &option))) {
		uint32_t wish = 0;

		if (opinion(run, layer, option, &row, &wish) != code)
			continue;
		if (code == PPP_CONFIGURE_NAK) {
			answer->length += ppp_option_put(answer->options + answer->length, option[0], wish,
							 layer->options[row].size);
		} else {
			memcpy(answer->options + answer->length, option, length);
			answer->length += length;
		}
	}
}

bool ppp_judge(struct ppp_run *run, const struct ppp_layer *layer)
{
	static const enum ppp_code codes[] = {PPP_CONFIGURE_REJECT, PPP_CONFIGURE_NAK, PPP_CONFIGURE_ACK};

	if (run->packet.length > PPP_OPTIONS_MAX ||
	    !ppp_options_are_whole(run->packet.data, run->packet.length))
		return false;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		gather(run, layer, codes[i]);
		if (run->answer.length)
			break;
	}
	layer->judged(run);
	return true;
}
