/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Clients on their way to a session, see the header. Each state has a queue of its own;
 * one lifetime for all in it, and time does not go back, so each is sorted by until_ns.
 */
#include "controld/session/setup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/abi/interface.h"

#define SECOND_NS 1000000000ULL

TAILQ_HEAD(setup_queue, setup);
LIST_HEAD(setup_chain, setup);

struct setups {
	uint32_t capacity;
	uint32_t total;
	uint32_t count[SETUP_STATES];
	uint32_t lifetime_s[SETUP_STATES];
	uint32_t opening[BNG_INTERFACES];
	uint64_t seed; /* clients choose their MACs: the chains must not follow */
	struct setup_queue order[SETUP_STATES];
	struct setup_chain *chains;
};

static uint64_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= 0xd6e8feb86659fd93ULL;
	return value ^ value >> 32;
}

static struct setup_chain *chain_of(const struct setups *setups, const struct session_client *client)
{
	uint64_t words[2] = {0};

	_Static_assert(sizeof(*client) == 14, "no padding, fits two words");
	memcpy(words, client, sizeof(*client));
	return &setups->chains[mix(mix(words[0] ^ setups->seed) + mix(words[1] + setups->seed)) &
			       (setups->capacity - 1)];
}

struct setups *setups_new(uint32_t capacity, const uint32_t lifetime_s[static SETUP_STATES])
{
	struct setups *setups = calloc(1, sizeof(*setups));

	if (!setups)
		return NULL;
	setups->capacity = capacity;
	memcpy(setups->lifetime_s, lifetime_s, sizeof(setups->lifetime_s));
	for (int i = 0; i < SETUP_STATES; i++)
		TAILQ_INIT(&setups->order[i]);
	setups->chains = calloc(capacity, sizeof(*setups->chains));
	if (!setups->chains || getrandom(&setups->seed, sizeof(setups->seed), 0) != sizeof(setups->seed)) {
		setups_free(setups);
		return NULL;
	}
	return setups;
}

void setups_free(struct setups *setups)
{
	struct setup *setup;

	if (!setups)
		return;
	for (int i = 0; i < SETUP_STATES; i++)
		while ((setup = TAILQ_FIRST(&setups->order[i])))
			setup_remove(setups, setup);
	free(setups->chains);
	free(setups);
}

static void queue_leave(struct setups *setups, struct setup *setup)
{
	TAILQ_REMOVE(&setups->order[setup->state], setup, order);
	setups->count[setup->state]--;
	if (setup->state == SETUP_OPENING)
		setups->opening[setup->client.interface]--;
}

static void queue_join(struct setups *setups, struct setup *setup, enum setup_state state, uint64_t now_ns)
{
	uint32_t lifetime_s = setups->lifetime_s[state];

	setup->state = (uint8_t)state;
	setup->until_ns = lifetime_s ? now_ns + lifetime_s * SECOND_NS : UINT64_MAX;
	TAILQ_INSERT_TAIL(&setups->order[state], setup, order);
	setups->count[state]++;
	if (state == SETUP_OPENING)
		setups->opening[setup->client.interface]++;
}

void setup_move(struct setups *setups, struct setup *setup, enum setup_state state, uint64_t now_ns)
{
	queue_leave(setups, setup);
	queue_join(setups, setup, state, now_ns);
}

void setup_remove(struct setups *setups, struct setup *setup)
{
	queue_leave(setups, setup);
	LIST_REMOVE(setup, chain);
	setups->total--;
	profile_done(&setup->profile);
	free(setup->line.circuit_id);
	free(setup->line.remote_id);
	free(setup->source);
	free(setup->frame);
	free(setup);
}

static void forget_ended(struct setups *setups, uint64_t now_ns)
{
	struct setup *oldest;

	for (int i = 0; i < SETUP_STATES; i++)
		while ((oldest = TAILQ_FIRST(&setups->order[i])) && oldest->until_ns <= now_ns)
			setup_remove(setups, oldest);
}

static struct setup *find(const struct setups *setups, const struct session_client *client)
{
	struct setup *setup;

	LIST_FOREACH(setup, chain_of(setups, client), chain)
	{
		if (memcmp(&setup->client, client, sizeof(*client)) == 0)
			break;
	}
	return setup;
}

struct setup *setup_find(struct setups *setups, const struct session_client *client, uint64_t now_ns)
{
	struct setup *setup = find(setups, client);

	return setup && setup->until_ns > now_ns ? setup : NULL;
}

static bool has_room(struct setups *setups, uint64_t now_ns)
{
	struct setup *oldest;

	forget_ended(setups, now_ns);
	if (setups->total < setups->capacity)
		return true;
	oldest = TAILQ_FIRST(&setups->order[SETUP_GRANTED]);
	if (!oldest)
		oldest = TAILQ_FIRST(&setups->order[SETUP_HELD]);
	if (oldest)
		setup_remove(setups, oldest);
	return oldest != NULL;
}

struct setup *setup_add(struct setups *setups, const struct session_client *client, enum setup_state state,
			uint64_t now_ns)
{
	struct setup *setup = find(setups, client);

	if (setup)
		setup_remove(setups, setup);
	if (!has_room(setups, now_ns))
		return NULL;
	setup = calloc(1, sizeof(*setup));
	if (!setup)
		return NULL;
	setup->client = *client;
	LIST_INSERT_HEAD(chain_of(setups, client), setup, chain);
	setups->total++;
	queue_join(setups, setup, state, now_ns);
	return setup;
}

static uint8_t *copy_of(const uint8_t *data, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	if (copy)
		memcpy(copy, data, length);
	return copy;
}

bool setup_keep_frame(struct setup *setup, const uint8_t *frame, size_t length)
{
	free(setup->frame);
	setup->frame = copy_of(frame, length);
	setup->frame_length = length;
	return setup->frame != NULL;
}

uint8_t *setup_take_frame(struct setup *setup, size_t *length)
{
	uint8_t *frame = setup->frame;

	*length = setup->frame_length;
	setup->frame = NULL;
	return frame;
}

bool setup_keep_line(struct setup *setup, const struct session_line *line)
{
	struct session_line copy = *line;

	copy.circuit_id = line->circuit_id ? copy_of(line->circuit_id, line->circuit_id_length) : NULL;
	copy.remote_id = line->remote_id ? copy_of(line->remote_id, line->remote_id_length) : NULL;
	if ((line->circuit_id && !copy.circuit_id) || (line->remote_id && !copy.remote_id)) {
		free(copy.circuit_id);
		free(copy.remote_id);
		return false;
	}
	free(setup->line.circuit_id);
	free(setup->line.remote_id);
	setup->line = copy;
	return true;
}

uint32_t setups_count(const struct setups *setups, enum setup_state state)
{
	return setups->count[state];
}

uint32_t setups_opening(const struct setups *setups, uint16_t interface)
{
	return setups->opening[interface];
}
