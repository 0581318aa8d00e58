/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Options of LCP and IPCP: what the client asks for, what it agrees to.
 */
#include <string.h>

#include "test/emulator/ppp.h"

#define LCP_MRU_SMALLEST 576

enum lcp_option {
	LCP_MRU = 1,
	LCP_AUTH = 3,
	LCP_MAGIC = 5,
	LCP_ACFC = 8,
	LCP_FCS = 9,
};

enum ipcp_option {
	IPCP_ADDRESS = 3,
	IPCP_DNS1 = 129,
	IPCP_DNS2 = 131,
};

/* Bits of negotiation.refused. */
enum refused {
	REFUSED_MRU = 1 << 0,
	REFUSED_MAGIC = 1 << 1,
	REFUSED_DNS1 = 1 << 2,
	REFUSED_DNS2 = 1 << 3,
};

static void put_option32(struct writer *writer, uint8_t type, uint32_t value_be)
{
	put8(writer, type);
	put8(writer, 6);
	put32_be(writer, value_be);
}

/* ---- LCP ------------------------------------------------------------------------- */

static struct negotiation *lcp_negotiation(struct subscriber *subscriber)
{
	return &subscriber->pppoe.lcp;
}

static void lcp_put(const struct subscriber *subscriber, struct writer *writer)
{
	const struct pppoe *pppoe = &subscriber->pppoe;

	if (!(pppoe->lcp.refused & REFUSED_MRU)) {
		put16(writer, LCP_MRU << 8 | 4);
		put16(writer, pppoe->mru);
	}
	if (!(pppoe->lcp.refused & REFUSED_MAGIC)) {
		put16(writer, LCP_MAGIC << 8 | 6);
		put32(writer, pppoe->magic);
	}
}

static enum judgement lcp_judge_mru(struct subscriber *subscriber, const struct ppp_option *option,
				    struct writer *instead)
{
	uint16_t mru = option->length == 2 ? read16(option->value) : 0;

	if (mru >= LCP_MRU_SMALLEST) {
		subscriber->pppoe.peer_mru = mru;
		return JUDGE_ACK;
	}
	put16(instead, LCP_MRU << 8 | 4);
	put16(instead, PPP_MRU_DEFAULT);
	return JUDGE_NAK;
}

static enum judgement lcp_judge_auth(struct subscriber *subscriber, const struct ppp_option *option,
				     struct writer *instead)
{
	if (auth_accept(subscriber, option))
		return JUDGE_ACK;
	if (!subscriber->group->auth)
		return JUDGE_REJECT;
	auth_put_preferred(subscriber, instead);
	return JUDGE_NAK;
}

static enum judgement lcp_judge_magic(struct emulator *emulator, struct subscriber *subscriber,
				      const struct ppp_option *option, struct writer *instead)
{
	uint32_t magic = option->length == 4 ? read32(option->value) : 0;

	if (magic && magic != subscriber->pppoe.magic) {
		subscriber->pppoe.peer_magic = magic;
		return JUDGE_ACK;
	}
	emulator_fault(emulator, FAULT_PPP_MAGIC);
	put16(instead, LCP_MAGIC << 8 | 6);
	put32(instead, emulator_random(emulator));
	return JUDGE_NAK;
}

static enum judgement lcp_judge(struct emulator *emulator, struct subscriber *subscriber,
				const struct ppp_option *option, struct writer *instead)
{
	switch (option->type) {
	case LCP_MRU:
		return lcp_judge_mru(subscriber, option, instead);
	case LCP_AUTH:
		return lcp_judge_auth(subscriber, option, instead);
	case LCP_MAGIC:
		return lcp_judge_magic(emulator, subscriber, option, instead);
	case LCP_ACFC:
	case LCP_FCS:
		emulator_fault(emulator, FAULT_PPP_FRAMING);
		return JUDGE_REJECT;
	}
	return JUDGE_REJECT;
}

static bool lcp_correct(struct emulator *emulator, struct subscriber *subscriber,
			const struct ppp_option *option, bool rejected)
{
	struct pppoe *pppoe = &subscriber->pppoe;

	if (option->type == LCP_MRU && option->length == 2) {
		if (rejected || read16(option->value) > pppoe->mru)
			pppoe->lcp.refused |= REFUSED_MRU;
		else
			pppoe->mru = read16(option->value);
		return true;
	}
	if (option->type == LCP_MAGIC && option->length == 4) {
		if (rejected)
			pppoe->lcp.refused |= REFUSED_MAGIC;
		else
			pppoe->magic = emulator_random(emulator) | 1;
		return true;
	}
	return !rejected; /* a Nak may ask for what we did not send; we do not have it */
}

static void lcp_opened(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->pppoe.auth_protocol)
		auth_begin(emulator, subscriber);
	else
		negotiation_begin(emulator, subscriber, &ppp_ipcp);
}

const struct ppp_protocol ppp_lcp = {
	.number = PPP_LCP,
	.negotiation = lcp_negotiation,
	.state = STATE_LCP,
	.unanswered = FAILURE_LCP_UNANSWERED,
	.refused = FAILURE_LCP_REFUSED,
	.put = lcp_put,
	.judge = lcp_judge,
	.correct = lcp_correct,
	.opened = lcp_opened,
};

/* ---- IPCP ------------------------------------------------------------------------ */

static struct negotiation *ipcp_negotiation(struct subscriber *subscriber)
{
	return &subscriber->pppoe.ipcp;
}

static void ipcp_put(const struct subscriber *subscriber, struct writer *writer)
{
	const struct pppoe *pppoe = &subscriber->pppoe;

	put_option32(writer, IPCP_ADDRESS, subscriber->address_be);
	if (!subscriber->group->dns)
		return;
	if (!(pppoe->ipcp.refused & REFUSED_DNS1))
		put_option32(writer, IPCP_DNS1, pppoe->dns_be[0]);
	if (!(pppoe->ipcp.refused & REFUSED_DNS2))
		put_option32(writer, IPCP_DNS2, pppoe->dns_be[1]);
}

/* The server's own address is agreed to, if it is one. */
static enum judgement ipcp_judge(struct emulator *emulator, struct subscriber *subscriber,
				 const struct ppp_option *option, struct writer *instead)
{
	(void)subscriber;
	(void)instead;
	if (option->type != IPCP_ADDRESS)
		return JUDGE_REJECT;
	if (option->length == 4 && read32(option->value))
		return JUDGE_ACK;
	emulator_fault(emulator, FAULT_IPCP_ADDRESS);
	return JUDGE_REJECT;
}

static bool ipcp_correct(struct emulator *emulator, struct subscriber *subscriber,
			 const struct ppp_option *option, bool rejected)
{
	struct pppoe *pppoe = &subscriber->pppoe;
	uint32_t value = option->length == 4 ? read32_be(option->value) : 0;

	if (option->length != 4)
		return false;
	if (option->type == IPCP_DNS1 || option->type == IPCP_DNS2) {
		bool first = option->type == IPCP_DNS1;
		if (rejected)
			pppoe->ipcp.refused |= first ? REFUSED_DNS1 : REFUSED_DNS2;
		else
			pppoe->dns_be[!first] = value;
		return true;
	}
	if (option->type != IPCP_ADDRESS)
		return false;
	if (rejected || !value) {
		emulator_fault(emulator, FAULT_IPCP_ADDRESS);
		return false;
	}
	subscriber->address_be = value;
	return true;
}

static void ipcp_opened(struct emulator *emulator, struct subscriber *subscriber)
{
	if (!subscriber->address_be) {
		emulator_fault(emulator, FAULT_IPCP_ADDRESS);
		subscriber_failed(emulator, subscriber, FAILURE_IPCP_REFUSED);
		return;
	}
	subscriber_up(emulator, subscriber);
}

const struct ppp_protocol ppp_ipcp = {
	.number = PPP_IPCP,
	.negotiation = ipcp_negotiation,
	.state = STATE_IPCP,
	.unanswered = FAILURE_IPCP_UNANSWERED,
	.refused = FAILURE_IPCP_REFUSED,
	.put = ipcp_put,
	.judge = ipcp_judge,
	.correct = ipcp_correct,
	.opened = ipcp_opened,
};
