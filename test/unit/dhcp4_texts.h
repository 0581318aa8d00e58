/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A client of the server's double, and the replies to it as dhcp4_double.h writes them.
 */
#ifndef BNG_TEST_DHCP4_TEXTS_H
#define BNG_TEST_DHCP4_TEXTS_H

#include "dhcp4_double.h"

#define A      "10.0.0.10"
#define B      "10.0.0.11"
#define SERVER "10.0.0.1"
#define MAC    0x0a
#define WAY    "88a8:e064 8100:0007 10.0.0.1:67>"
#define OPTIONS                                                                                              \
	" 54=0a000001 51=00000e10 58=00000708 59=00000c4e 1=ffffff00 3=0a000001 6=c0000235c0000236 26=05d4"
#define OFFER_A "client " WAY A ":68 flags 0000 ci 0.0.0.0 yi " A " 53=02" OPTIONS
#define ACK_A   "client " WAY A ":68 flags 0000 ci 0.0.0.0 yi " A " 53=05" OPTIONS
#define RENEW_A "client " WAY A ":68 flags 0000 ci " A " yi " A " 53=05" OPTIONS
#define INFO_A                                                                                               \
	"client " WAY A ":68 flags 0000 ci " A                                                               \
	" yi 0.0.0.0 53=05 54=0a000001 1=ffffff00 3=0a000001 6=c0000235c0000236 26=05d4"
#define NAK "all " WAY "255.255.255.255:68 flags 0000 ci 0.0.0.0 yi 0.0.0.0 53=06 54=0a000001 56="
/* "no lease", "address is not yours" ... as they are on the wire */
#define NO_LEASE      "6e6f206c65617365"
#define NOT_YOURS     "61646472657373206973206e6f7420796f757273"
#define NOT_FREE      "61646472657373206973206e6f742066726565"
#define OTHER_NETWORK "61646472657373206973206e6f74206f662074686973206e6574776f726b"
#define TOO_MANY      "746f6f206d616e792073657373696f6e73206f6e207468697320616363657373"

static const struct request discover_a = {.type = DHCP4_DISCOVER, .mac = MAC, .requested = A};
static const struct request select_a = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = SERVER};

/* Takes the client there, by what a client and whoever authorises do. */
void enter(enum dhcp4_state state);

#endif
