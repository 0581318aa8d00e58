/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the server remembers besides the sessions: a bounded table of
 * (client, address) pairs that are forgotten after a fixed time. Three tables
 * exist: offers, declined addresses, and the addresses clients had before.
 *
 * A client has at most one entry, and so has an address. A new entry in a full
 * table displaces the oldest one.
 */
#ifndef BNG_DHCP4_RESERVATION_H
#define BNG_DHCP4_RESERVATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controld/session/session.h"

struct reservation {
	struct session_client client;
	uint32_t address_be;
	uint64_t until_ns; /* boottime */
	TAILQ_ENTRY(reservation) order;
	LIST_ENTRY(reservation) by_client;
	LIST_ENTRY(reservation) by_address;
};

struct reservations;

/* Whoever keeps a copy elsewhere: told of each entry that is added, and of each that is
 * gone for another reason than a newer one of the same client. */
struct reservation_watch {
	void (*kept)(void *context, const struct reservation *entry);
	void (*forgotten)(void *context, const struct reservation *entry);
	void *context;
};

/* `capacity` is a power of two. NULL when out of memory. */
struct reservations *reservations_new(uint32_t capacity, uint64_t lifetime_ns);
void reservations_free(struct reservations *table);

/* The entry, or NULL when there is none or its time is over. */
const struct reservation *reservation_of_client(const struct reservations *table,
						const struct session_client *client, uint64_t now_ns);
const struct reservation *reservation_of_address(const struct reservations *table, uint32_t address_be,
						 uint64_t now_ns);

/* Replaces what the table knew of the client and of the address. */
void reservation_add(struct reservations *table, const struct session_client *client, uint32_t address_be,
		     uint64_t now_ns);
/* An entry of before, with the time it had; nobody is told. False: a newer one is in its
 * place, or its time is over. */
bool reservation_restore(struct reservations *table, const struct session_client *client, uint32_t address_be,
			 uint64_t until_ns, uint64_t now_ns);
void reservations_watch(struct reservations *table, const struct reservation_watch *watch);
/* Every live entry, the oldest first. */
void reservations_each(struct reservations *table, uint64_t now_ns,
		       void (*each)(void *context, const struct reservation *entry), void *context);
void reservation_remove_client(struct reservations *table, const struct session_client *client);

/* Live entries, and how many a full table displaced before their time. */
uint32_t reservations_count(struct reservations *table, uint64_t now_ns);
uint64_t reservations_displaced(const struct reservations *table);

#endif
