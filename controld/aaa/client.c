/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Clients as numbers of 48 bits: they fit into a ticket, and nobody who does not know the
 * key can choose a name that is taken for somebody else's. Those under way are a set with
 * open addressing, twice as large as there can be requests.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "controld/aaa/aaa.h"

#define CLIENT_BYTES 6
#define PLACES       (2u * CONFIG_RADIUS_QUEUE) /* a power of two */

_Static_assert((PLACES & (PLACES - 1)) == 0, "places are found by a mask");

uint64_t client_of(const struct aaa *aaa, const struct authorise_question *question, const char *user)
{
	const struct session_client *client = &question->client;
	uint16_t where[] = {client->interface, client->outer_vid, client->inner_vid};
	uint8_t text[1 + sizeof(where) + sizeof(client->mac) + AAA_USER_TEXT];
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	size_t length = 1, name = strlen(user);
	uint64_t number = 0;

	text[0] = question->kind == BNG_SESSION_PPPOE;
	memcpy(text + length, where, sizeof(where));
	length += sizeof(where);
	memcpy(text + length, client->mac, sizeof(client->mac));
	length += sizeof(client->mac);
	memcpy(text + length, user, name < AAA_USER_TEXT ? name : AAA_USER_TEXT);
	length += name < AAA_USER_TEXT ? name : AAA_USER_TEXT;
	HMAC(EVP_sha256(), aaa->key, sizeof(aaa->key), text, length, digest, NULL);
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
