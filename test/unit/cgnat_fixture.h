/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the data plane would do to the CGNAT maps, done by hand.
 */
#ifndef BNG_TEST_CGNAT_FIXTURE_H
#define BNG_TEST_CGNAT_FIXTURE_H

#include "controld_fixture.h"

/* A configuration with these pools and nothing else; it must be good. */
void configure(const char *nat);
/* The index of a public address, by the ranges that packets use; -1: none. */
int index_of(const char *text);
struct bng_pool_address *record_of(const char *text);
/* What cgnat_take_block and bng_sweep do. */
struct bng_port_block *take_block(const char *public, uint32_t number, const struct session *session);
void give_block(const char *public, uint32_t number);
void set_mapping(struct bng_port_block *block, uint32_t offset, uint8_t protocol, uint8_t state,
		 uint16_t inner_port, uint32_t age_ticks);
struct session open_session(const char *address, uint32_t client);
/* One session with three live mappings and an expired one, and a stale block. */
struct session make_mappings(void);

#endif
