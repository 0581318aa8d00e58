/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Clients as numbers of 48 bits: they fit into a ticket, and nobody who does not know the
 * key can choose a name that is taken for somebody else's. Those under way are a set with
 * open addressing, twice as large as there can be requests.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/aaa/aaa.h"
#include "controld/radius/subscriber.h"
#include "lib/address.h"

#define CLIENT_BYTES 6
#define PLACES       (2u * CONFIG_RADIUS_QUEUE) /* a power of two */

_Static_assert((PLACES & (PLACES - 1)) == 0, "places are found by a mask");

uint64_t client_of(const struct aaa *aaa, const char *port, const char *mac, const char *user,
		   uint16_t pppoe_session)
{
	char text[RADIUS_PORT_ID_TEXT + MAC_TEXT + AAA_USER_TEXT + 8];
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	uint64_t number = 0;
	int length = snprintf(text, sizeof(text), "%s|%s|%u|%s", port, mac, pppoe_session, user);

	HMAC(EVP_sha256(), aaa->key, sizeof(aaa->key), (const unsigned char *)text,
	     (size_t)length < sizeof(text) ? (size_t)length : sizeof(text), digest, NULL);
	memcpy(&number, digest, CLIENT_BYTES);
	return number ? number : 1;
}

int under_way_new(struct under_way *under_way)
{
	*under_way = (struct under_way){calloc(PLACES, sizeof(*under_way->clients)), 0};
	return under_way->clients ? 0 : -ENOMEM;
}

void under_way_free(struct under_way *under_way)
{
	free(under_way->clients);
	*under_way = (struct under_way){0};
}

static uint32_t home(uint64_t client)
{
	return (uint32_t)client & (PLACES - 1);
}

/* Where it is, or the free place where it would be. */
static uint32_t place_of(const struct under_way *under_way, uint64_t client)
{
	uint32_t place = home(client);

	while (under_way->clients[place] && under_way->clients[place] != client)
		place = (place + 1) & (PLACES - 1);
	return place;
}

bool under_way_has(const struct under_way *under_way, uint64_t client)
{
	return under_way->clients[place_of(under_way, client)];
}

void under_way_add(struct under_way *under_way, uint64_t client)
{
	uint32_t place = place_of(under_way, client);

	if (under_way->clients[place] || under_way->count >= CONFIG_RADIUS_QUEUE)
		return;
	under_way->clients[place] = client;
	under_way->count++;
}

/* What stands behind moves up, unless it stands where it belongs. */
void under_way_remove(struct under_way *under_way, uint64_t client)
{
	uint32_t place = place_of(under_way, client), next = place;

	if (!under_way->clients[place])
		return;
	under_way->count--;
	while (under_way->clients[next = (next + 1) & (PLACES - 1)]) {
		uint32_t from_home = (next - home(under_way->clients[next])) & (PLACES - 1);
		uint32_t from_place = (next - place) & (PLACES - 1);

		if (from_home < from_place)
			continue;
		under_way->clients[place] = under_way->clients[next];
		place = next;
	}
	under_way->clients[place] = 0;
}
