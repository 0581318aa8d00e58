/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPP between a subscriber and the gateway, from LCP to IPCP.
 */
#ifndef BNG_EMULATOR_PPP_H
#define BNG_EMULATOR_PPP_H

#include "test/emulator/emulator.h"

#define PPP_IPV4 0x0021
#define PPP_IPCP 0x8021
#define PPP_LCP  0xc021
#define PPP_PAP  0xc023
#define PPP_CHAP 0xc223

#define PPP_MRU_DEFAULT 1492
#define PPP_TRIES       10

enum ppp_code {
	PPP_CONFIGURE_REQUEST = 1,
	PPP_CONFIGURE_ACK = 2,
	PPP_CONFIGURE_NAK = 3,
	PPP_CONFIGURE_REJECT = 4,
	PPP_TERMINATE_REQUEST = 5,
	PPP_TERMINATE_ACK = 6,
	PPP_CODE_REJECT = 7,
	PPP_PROTOCOL_REJECT = 8,
	PPP_ECHO_REQUEST = 9,
	PPP_ECHO_REPLY = 10,
	PPP_DISCARD_REQUEST = 11,
};

/* A control packet: its data is what follows code, id and length. */
struct ppp_packet {
	uint8_t code;
	uint8_t id;
	const uint8_t *data;
	size_t length;
};

struct ppp_option {
	uint8_t type;
	const uint8_t *value;
	uint8_t length; /* of the value */
};

enum judgement {
	JUDGE_ACK,
	JUDGE_NAK, /* and what would do has been written */
	JUDGE_REJECT,
};

/* What LCP and IPCP do differently. */
struct ppp_protocol {
	uint16_t number;
	struct negotiation *(*negotiation)(struct subscriber *subscriber);
	enum state state;        /* while it is negotiated */
	enum failure unanswered; /* how it fails */
	enum failure refused;
	/* Our options as they stand. */
	void (*put)(const struct subscriber *subscriber, struct writer *writer);
	enum judgement (*judge)(struct emulator *emulator, struct subscriber *subscriber,
				const struct ppp_option *option, struct writer *instead);
	/* The server wants one of ours otherwise, or not at all; false: it is not one of ours. */
	bool (*correct)(struct emulator *emulator, struct subscriber *subscriber,
			const struct ppp_option *option, bool rejected);
	void (*opened)(struct emulator *emulator, struct subscriber *subscriber);
};

extern const struct ppp_protocol ppp_lcp, ppp_ipcp;

/* The PPPoE session is there. */
void ppp_begin(struct emulator *emulator, struct subscriber *subscriber);
/* A frame of the session, from the PPP protocol number on. */
void ppp_input(struct emulator *emulator, struct subscriber *subscriber, const uint8_t *data, size_t length);
void ppp_timeout(struct emulator *emulator, struct subscriber *subscriber);
void ppp_echo(struct emulator *emulator, struct subscriber *subscriber);
void ppp_terminate(struct emulator *emulator, struct subscriber *subscriber);

/* A PPPoE session frame that carries the protocol; ppp_send fills in its length. */
void ppp_frame(struct subscriber *subscriber, struct writer *writer, uint16_t protocol);
void ppp_control(struct emulator *emulator, struct subscriber *subscriber, uint16_t protocol,
		 const struct ppp_packet *packet);
void ppp_send(struct emulator *emulator, struct subscriber *subscriber, struct writer *writer);
bool ppp_packet_parse(const uint8_t *data, size_t length, struct ppp_packet *packet);

/* negotiate.c */
void negotiation_begin(struct emulator *emulator, struct subscriber *subscriber,
		       const struct ppp_protocol *protocol);
void negotiation_timeout(struct emulator *emulator, struct subscriber *subscriber,
			 const struct ppp_protocol *protocol);
/* Configure-Request to Configure-Reject; false: another code. */
bool negotiation_input(struct emulator *emulator, struct subscriber *subscriber,
		       const struct ppp_protocol *protocol, const struct ppp_packet *packet);

/* auth.c */
void auth_begin(struct emulator *emulator, struct subscriber *subscriber);
void auth_timeout(struct emulator *emulator, struct subscriber *subscriber);
void pap_input(struct emulator *emulator, struct subscriber *subscriber, const struct ppp_packet *packet);
void chap_input(struct emulator *emulator, struct subscriber *subscriber, const struct ppp_packet *packet);
/* True if the client agrees to what an Authentication-Protocol option asks for. */
bool auth_accept(struct subscriber *subscriber, const struct ppp_option *option);
/* The value of the option that it would agree to. */
void auth_put_preferred(const struct subscriber *subscriber, struct writer *writer);

/* mschap.c: RFC 2759. 0, or -ENOTSUP where the library has no MD4 or DES. */
struct mschap2 {
	uint8_t server_challenge[16];
	uint8_t peer_challenge[16];
	uint8_t response[24];
	uint8_t authenticator[20]; /* what the server must say */
};
int mschap2_respond(struct mschap2 *exchange, const char *user, const char *password);

#endif
