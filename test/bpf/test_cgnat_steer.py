# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A subscriber that controld has moved to another public address: new mappings are
# made there, old ones work where they are until they end, both ways and in every
# kind of packet. What the new address cannot give is made where the subscriber was.
import pytest

import abi
import frames
import invariants
import test_packet_icmp_errors as icmp
from plane import PUBLIC, address_of
from test_cgnat_mapping import fill, open_port, reaches
from test_cgnat_pin import ask, pinned

OLD, NEW, THIRD = 0, 1, 4


@pytest.fixture
def two(plane):
    """A pool of two addresses, and what must hold at the end whatever a test did."""
    plane.pool_build(addresses=(OLD, NEW))
    yield plane
    invariants.check(plane, moves=True)


def subscriber(plane, address="10.0.0.5", at=OLD, **limits):
    session = plane.session(address, **limits)
    session.record.address_index = at
    return session


def move(session, to=NEW):
    """As controld does it: one word."""
    session.record.address_index = to


def addresses(ends):
    return {end >> 16 for end in ends.values()}


def counters(plane, index):
    address = plane.pool_address[index]
    return {name: getattr(address, name) for name in ("allocations", "alloc_failures", "limit_hits", "fallbacks")}


# ---- where mappings are made -------------------------------------------------------

def test_new_mappings_are_made_at_the_new_address_and_old_ones_stay(two):
    session = subscriber(two)
    old = fill(two, session, range(4000, 4020))
    assert addresses(old) == {OLD}
    move(session)
    new = fill(two, session, range(5000, 5020))
    assert addresses(new) == {NEW}
    for port, end in {**old, **new}.items():
        assert open_port(two, session, port) == end
        assert reaches(two, end, session, port)
    assert session.record.mappings == 40 and len(session.blocks) == 2
    assert counters(two, OLD) == {"allocations": 1, "alloc_failures": 0, "limit_hits": 0, "fallbacks": 0}
    assert counters(two, NEW) == {"allocations": 1, "alloc_failures": 0, "limit_hits": 0, "fallbacks": 0}


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_every_protocol_is_found_at_both_addresses(two, protocol):
    session = subscriber(two)
    old = open_port(two, session, 4000, protocol)
    move(session)
    new = open_port(two, session, 4001, protocol)
    assert (old >> 16, new >> 16) == (OLD, NEW)
    for port, end in ((4000, old), (4001, new)):
        assert reaches(two, end, session, port, protocol)
        assert open_port(two, session, port, protocol) == end


def test_room_in_old_blocks_is_not_used(two):
    """One mapping in a block of 64: the next goes to the new address all the same."""
    session = subscriber(two)
    open_port(two, session, 4000)
    move(session)
    assert addresses(fill(two, session, range(5000, 5128))) == {NEW}
    assert two.block_of(session.blocks[0]).used == 1


def test_old_blocks_do_not_count_against_the_limit(two):
    session = subscriber(two, max_blocks=2)
    fill(two, session, range(4000, 4128))
    assert open_port(two, session, 4128) == "DROP_CGNAT_BLOCK_LIMIT"
    move(session)
    assert addresses(fill(two, session, range(5000, 5128))) == {NEW}
    assert sorted(first >> 16 for first in session.blocks) == [OLD, OLD, NEW, NEW]
    assert open_port(two, session, 5128) == "DROP_CGNAT_BLOCK_LIMIT"
    assert counters(two, OLD)["limit_hits"] == counters(two, NEW)["limit_hits"] == 1


def test_the_limit_holds_though_old_blocks_have_room(two):
    session = subscriber(two, max_blocks=1)
    open_port(two, session, 4000)
    move(session)
    fill(two, session, range(5000, 5064))
    assert open_port(two, session, 5064) == "DROP_CGNAT_BLOCK_LIMIT"
    assert counters(two, NEW) == {"allocations": 1, "alloc_failures": 0, "limit_hits": 1, "fallbacks": 0}


def test_moved_back_it_uses_what_it_has_there(two):
    session = subscriber(two, max_blocks=1)
    open_port(two, session, 4000)
    move(session)
    open_port(two, session, 5000)
    move(session, OLD)
    assert addresses(fill(two, session, range(6000, 6063))) == {OLD}
    assert len(session.blocks) == 2
    assert open_port(two, session, 6063) == "DROP_CGNAT_BLOCK_LIMIT"


# ---- old blocks drain ---------------------------------------------------------------

def test_old_blocks_drain_and_their_log_is_exact(two):
    session = subscriber(two)
    old, = {open_port(two, session, 4000)}
    move(session)
    two.advance_seconds(200)
    new = open_port(two, session, 5000)
    two.advance_seconds(101)  # the old one was silent for 301 s
    assert open_port(two, session, 5000) == new
    two.sweep()
    assert session.blocks == [new & ~63] and session.record.mappings == 1
    told = [(event.type, event.slot, event.session_id, address_of(event.inner_be), address_of(event.public_be),
             event.port_first, event.port_last) for event in two.events()]
    record = (session.slot, session.record.session_id, session.address)
    of = {end: (PUBLIC[end >> 16], end & 0xffc0, end & 0xffff | 63) for end in (old, new)}
    assert told == [(abi.EVENT_BLOCK_ALLOCATED, *record, *of[old]), (abi.EVENT_BLOCK_ALLOCATED, *record, *of[new]),
                    (abi.EVENT_BLOCK_FREED, *record, *of[old])]
    assert two.block_of(old).state == abi.BLOCK_HELD
    assert not reaches(two, old, session, 4000) and reaches(two, new, session, 5000)
    assert open_port(two, session, 4000) >> 16 == NEW


def test_a_mapping_in_use_keeps_its_old_block_for_as_long_as_it_takes(two):
    session = subscriber(two)
    end = open_port(two, session, 4000, "tcp", flags="S")
    move(session)
    for _ in range(50):
        two.advance_seconds(200)
        two.sweep()
        assert open_port(two, session, 4000, "tcp", flags="A") == end
        assert reaches(two, end, session, 4000, "tcp")
    assert session.blocks == [end & ~63]


# ---- the new address has nothing to give --------------------------------------------------

def test_a_full_new_address_falls_back_to_the_old_blocks_and_says_so(two):
    session = subscriber(two)
    fill(two, session, range(4000, 4060))
    two.blocks_offer(NEW, [])
    move(session)
    assert addresses(fill(two, session, range(5000, 5004))) == {OLD}
    assert session.record.address_index == NEW
    assert counters(two, NEW) == {"allocations": 0, "alloc_failures": 4, "limit_hits": 0, "fallbacks": 4}
    assert counters(two, OLD) == {"allocations": 1, "alloc_failures": 0, "limit_hits": 0, "fallbacks": 0}
    assert open_port(two, session, 5004) == "DROP_CGNAT_NO_BLOCK"  # and no third address
    two.blocks_offer(NEW, [100])
    assert open_port(two, session, 5004) >> 16 == NEW
    assert counters(two, NEW)["fallbacks"] == 4


def test_no_place_for_one_more_block_falls_back(two):
    session = subscriber(two, max_blocks=8)
    fill(two, session, range(4000, 4000 + 7 * 64))
    move(session)
    fill(two, session, range(8000, 8064))
    assert sorted(first >> 16 for first in session.blocks) == [OLD] * 7 + [NEW]
    two.advance_seconds(299)
    fill(two, session, range(8000, 8064))
    two.advance_seconds(2)  # what is at the old address has ended, and nobody sweeps
    assert open_port(two, session, 8064) >> 16 == OLD
    assert counters(two, NEW) == {"allocations": 1, "alloc_failures": 0, "limit_hits": 0, "fallbacks": 1}


def test_at_its_limit_of_mappings_the_dead_at_the_old_address_make_room(two):
    session = subscriber(two, max_mappings=5)
    fill(two, session, range(4000, 4005))
    move(session)
    assert open_port(two, session, 5000) == "DROP_CGNAT_MAPPING_LIMIT"
    two.advance_seconds(301)
    assert open_port(two, session, 5000) >> 16 == OLD
    assert session.record.mappings == 5 and counters(two, NEW)["fallbacks"] == 1
    two.sweep()
    assert open_port(two, session, 5001) >> 16 == NEW


def test_blocks_of_another_size_are_never_mixed(two):
    two.pool_build(1, addresses=(THIRD,), shift=8)
    session = subscriber(two)
    end = open_port(two, session, 4000)
    move(session, THIRD)
    assert open_port(two, session, 5000) >> 16 == OLD
    assert reaches(two, end, session, 4000) and session.record.block_shift == 6
    assert counters(two, THIRD)["fallbacks"] == 1


def test_a_session_without_blocks_goes_anywhere(two):
    """Moved to an address that has nothing, before it ever had a block: paired anew."""
    session = subscriber(two)
    two.blocks_offer(NEW, [])
    move(session)
    assert open_port(two, session, 4000) >> 16 == OLD
    assert session.record.address_index == OLD
    assert counters(two, NEW)["fallbacks"] == 0


def test_a_disabled_new_address_falls_back(two):
    session = subscriber(two)
    open_port(two, session, 4000)
    two.pool_address[NEW].flags = 0
    move(session)
    assert open_port(two, session, 5000) >> 16 == OLD
    assert counters(two, NEW)["fallbacks"] == 1


# ---- everything else that knows about addresses ---------------------------------------------

def test_hairpin_reaches_and_leaves_by_both_addresses(two):
    session, other = subscriber(two), subscriber(two, "10.0.0.6")
    old, peer = open_port(two, session, 4000), open_port(two, other, 6000)
    move(session)
    new = open_port(two, session, 5000)
    for port, end in ((4000, old), (5000, new)):
        there = two.access(frames.up(session, frames.udp(port, peer & 0xffff), remote=PUBLIC[peer >> 16]))
        assert there.verdict == "FORWARD_HAIRPIN" and frames.public_end(there) == end
        back = two.access(frames.up(other, frames.udp(6000, end & 0xffff), remote=PUBLIC[end >> 16]))
        assert back.verdict == "FORWARD_HAIRPIN"
        assert back.frame[30:34] == bytes(int(part) for part in session.address.split("."))


def test_icmp_errors_name_the_address_of_their_mapping(two):
    """Both ways, about both addresses (RFC 5508 REQ-4, REQ-5)."""
    session = subscriber(two)
    for port, at in ((4000, OLD), (5000, NEW)):
        move(session, at)
        outgoing, public = icmp.sent(two, session, "udp", port)
        assert public >> 16 == at
        incoming, _ = icmp.received(two, session, "udp", port)
        move(session, NEW)
        l4 = icmp.error(outgoing)
        result = two.core(frames.down(PUBLIC[at], l4, remote=icmp.ROUTER))
        assert result.verdict == "FORWARD_ICMP_DOWN"
        assert result.frame == icmp.expected_down(session, l4, icmp.inner_quote(outgoing, session, port))
        l4 = icmp.error(incoming)
        result = two.access(frames.up(session, l4))
        assert result.verdict == "FORWARD_ICMP_UP"
        assert result.frame == icmp.expected_up(public, l4, icmp.outer_quote(incoming, public))


def test_a_port_forwarding_stays_where_it_was_promised(two):
    session = subscriber(two)
    assert ask(two, session, 4000, public=6400) == "INJECT_PIN"
    move(session)
    assert ask(two, session, 4000, public=6400) == "INJECT_PIN"
    assert pinned(two, session) == {4000: OLD << 16 | 6400}
    assert reaches(two, OLD << 16 | 6400, session, 4000)
    assert ask(two, session, 4001, public=6401) == "INJECT_PIN"  # a new one
    assert ask(two, session, 4002) == "INJECT_PIN"
    ends = pinned(two, session)
    assert ends[4001] == NEW << 16 | 6401 and ends[4002] >> 16 == NEW
    assert all(reaches(two, end, session, port) for port, end in ends.items())
    assert counters(two, NEW)["fallbacks"] == 0


def test_a_port_that_only_the_old_address_has_is_forwarded_there(two):
    session = subscriber(two)
    assert ask(two, session, 4000, public=6400) == "INJECT_PIN"
    two.blocks_offer(NEW, [99])
    move(session)
    assert ask(two, session, 4001, public=6401) == "INJECT_PIN"
    assert pinned(two, session)[4001] == OLD << 16 | 6401
    assert counters(two, NEW) == {"allocations": 0, "alloc_failures": 0, "limit_hits": 0, "fallbacks": 1}
    assert ask(two, session, 4002, public=7000) == "DROP_CGNAT_PORT_TAKEN"
    assert len(session.blocks) == 1


def test_a_closed_session_gives_back_both(two):
    session = subscriber(two)
    old = open_port(two, session, 4000)
    move(session)
    new = open_port(two, session, 5000)
    two.close_session(session)
    for _ in range(3):
        two.advance(3)
        two.sweep()
    assert session.record.state == abi.SUBSCRIBER_FREE and session.blocks == [] and session.record.mappings == 0
    assert [two.block_of(end).state for end in (old, new)] == [abi.BLOCK_HELD] * 2
