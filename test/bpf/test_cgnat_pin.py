# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Port forwardings: controld asks by a packet, the data plane makes the mapping.
# What is pinned never ends, lets everybody in, and keeps every rule of other mappings.
import struct

import pytest

import abi
import frames
from test_cgnat_mapping import PUBLIC, fill, open_port, reaches

UDP, TCP = abi.PROTOCOL_UDP, abi.PROTOCOL_TCP
PINNED, PIN_CONFIG = abi.MAPPING_PINNED, abi.MAPPING_PIN_CONFIG
YEAR = 365 * 86400


def ask(plane, session, port, protocol=UDP, public=0, action=abi.PIN_SET, flags=0, session_id=None, slot=None):
    header = abi.bng_punt(version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_PIN, slot=session.slot if slot is None else slot)
    header.ethertype_be = int.from_bytes(struct.pack(">H", abi.PUNT_ETHERTYPE), "little")
    pin = abi.bng_pin(session_id=session.record.session_id if session_id is None else session_id, public_port=public,
                      protocol=protocol, action=action, flags=flags)
    pin.inner_port_be = int.from_bytes(struct.pack(">H", port), "little")
    result = plane.inject(bytes(header) + bytes(pin))
    assert result.action == abi.XDP_DROP
    return result.verdict


def pinned(plane, session):
    """Inner port -> public end of everything pinned."""
    found = {}
    for first in session.blocks:
        for port in range(first, first + (1 << session.record.block_shift)):
            entry = plane.mapping_at(port)
            if entry.kind & 0xf and entry.flags & PINNED:
                found[int.from_bytes(entry.inner_port_be.to_bytes(2, "little"), "big")] = port
    return found


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_a_pin_makes_a_mapping_that_everybody_reaches_for_ever(plane, protocol):
    session = plane.session("10.0.0.5")
    number = {"udp": UDP, "tcp": TCP}[protocol]
    assert ask(plane, session, 4000, number) == "INJECT_PIN"
    (public,) = pinned(plane, session).values()
    assert (session.record.mappings, plane.block_of(public).used) == (1, 1)
    plane.advance_seconds(YEAR)
    plane.sweep()
    assert pinned(plane, session) == {4000: public}
    assert reaches(plane, public, session, 4000, protocol)
    assert open_port(plane, session, 4000, protocol) == public
    assert ask(plane, session, 4000, number) == "INJECT_PIN"  # again: nothing new
    assert pinned(plane, session) == {4000: public} and session.record.mappings == 1


@pytest.mark.parametrize("filtering", [abi.POOL_FILTER_ADDRESS, abi.POOL_FILTER_PORT])
def test_filtering_does_not_keep_anybody_from_a_pin(plane, filtering):
    plane.pool[0].flags = filtering
    session = plane.session("10.0.0.5")
    ask(plane, session, 4000)
    (public,) = pinned(plane, session).values()
    assert reaches(plane, public, session, 4000, remote="192.0.2.200")


def test_an_open_mapping_is_pinned_where_it_is(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    assert ask(plane, session, 4000, flags=PIN_CONFIG) == "INJECT_PIN"
    assert pinned(plane, session) == {4000: public}
    assert plane.mapping_at(public).flags & 0xf == PIN_CONFIG
    assert ask(plane, session, 4000) == "INJECT_PIN"
    assert plane.mapping_at(public).flags & 0xf == abi.MAPPING_PIN_RPC


def test_an_unpinned_mapping_ends_by_its_timer(plane):
    session = plane.session("10.0.0.5")
    ask(plane, session, 4000)
    ask(plane, session, 22, TCP)
    plane.advance_seconds(YEAR)
    ends = pinned(plane, session)
    assert ask(plane, session, 4000, action=abi.PIN_CLEAR) == "INJECT_PIN"
    assert ask(plane, session, 22, TCP, action=abi.PIN_CLEAR) == "INJECT_PIN"
    assert pinned(plane, session) == {}
    assert reaches(plane, ends[4000], session, 4000) and reaches(plane, ends[22], session, 22, "tcp")
    plane.advance_seconds(239)
    assert reaches(plane, ends[4000], session, 4000) and reaches(plane, ends[22], session, 22, "tcp")
    plane.advance_seconds(242)
    assert not reaches(plane, ends[22], session, 22, "tcp") and not reaches(plane, ends[4000], session, 4000)


def test_every_port_of_a_block_can_be_asked_for(plane):
    session = plane.session("10.0.0.5", max_blocks=1)
    for number in range(64):
        assert ask(plane, session, 4000 + number, public=6400 + number) == "INJECT_PIN"
    assert pinned(plane, session) == {4000 + number: 6400 + number for number in range(64)}
    assert session.blocks == [6400] and plane.block_of(6400).used == 64 == session.record.mappings
    for number in range(64):
        assert open_port(plane, session, 4000 + number) == 6400 + number
    assert ask(plane, session, 5000, public=6500) == "DROP_CGNAT_PORT_TAKEN"  # its limit is one block
    assert ask(plane, session, 5000) == "DROP_CGNAT_BLOCK_LIMIT"


def test_a_port_that_is_not_free_is_refused(plane):
    plane.pool_build(addresses=(0,))
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    assert ask(plane, session, 4000, public=6400) == "INJECT_PIN"
    before = bytes(plane.pool_address[0])
    assert ask(plane, session, 4001, public=6400) == "DROP_CGNAT_PORT_TAKEN"
    assert ask(plane, session, 4000, public=6401) == "DROP_CGNAT_PORT_TAKEN"  # one public port for one inner port
    assert ask(plane, other, 4000, public=6402) == "DROP_CGNAT_PORT_TAKEN"    # another's block
    assert ask(plane, other, 4000, public=1024) == "INJECT_PIN"
    assert bytes(plane.pool_address[0]) != before
    assert pinned(plane, session) == {4000: 6400} and pinned(plane, other) == {4000: 1024}
    assert (session.record.mappings, other.record.mappings) == (1, 1)


def test_only_a_session_without_blocks_chooses_its_address(plane):
    plane.pool_build(addresses=(0, 1))
    first, second, third = (plane.session(f"10.0.0.{host}") for host in (5, 6, 7))
    assert ask(plane, first, 4000, public=6400) == "INJECT_PIN"
    assert ask(plane, second, 4000, public=6401) == "INJECT_PIN"
    assert ask(plane, third, 4000, public=6402) == "DROP_CGNAT_PORT_TAKEN"
    assert sorted(end >> 16 for one in (first, second) for end in pinned(plane, one).values()) == [0, 1]
    assert [plane.pool_address[number].allocations for number in (0, 1)] == [1, 1]
    assert third.blocks == [] and third.record.mappings == 0


def test_a_session_with_a_block_stays_on_its_address(plane):
    plane.pool_build(addresses=(0, 1))
    session = plane.session("10.0.0.5")
    address = open_port(plane, session, 1) >> 16
    plane.blocks_offer(address, [])  # the port is free on the other address only
    assert ask(plane, session, 4000, public=6400) == "DROP_CGNAT_PORT_TAKEN"
    assert len(session.blocks) == 1 and plane.pool_address[1 - address].allocations == 0
    plane.blocks_offer(address, [100])
    assert ask(plane, session, 4000, public=6400) == "INJECT_PIN"
    assert pinned(plane, session) == {4000: address << 16 | 6400}


def test_limits_hold_for_pins(plane):
    session = plane.session("10.0.0.5", max_mappings=2)
    fill(plane, session, [1, 2])
    assert ask(plane, session, 4000) == "DROP_CGNAT_MAPPING_LIMIT"
    first = session.blocks[0] & 0xffff
    free = next(port for port in range(first, first + 64) if not plane.mapping_at(port).kind)
    assert ask(plane, session, 4000, public=free) == "DROP_CGNAT_PORT_TAKEN"
    assert pinned(plane, session) == {}


def test_a_lock_that_was_taken_is_given_back(plane):
    session = plane.session("10.0.0.5")
    for public in (0, 6400, 6400, 6401):
        ask(plane, session, 4000, public=public)
        assert session.record.lock == 0


@pytest.mark.parametrize("wrong, verdict", [
    ({"session_id": 999}, "DROP_NO_SESSION"), ({"slot": 0}, "DROP_NO_SESSION"), ({"slot": 1 << 30}, "DROP_NO_SESSION"),
    ({"protocol": 3}, "DROP_INJECT"), ({"protocol": 0}, "DROP_INJECT"), ({"action": 7}, "DROP_INJECT"),
    ({"public": 80}, "DROP_INJECT"),
])
def test_a_request_that_makes_no_sense_does_nothing(plane, wrong, verdict):
    session = plane.session("10.0.0.5")
    assert ask(plane, session, 4000, **wrong) == verdict
    assert session.blocks == [] and session.record.mappings == 0


def test_truncated_requests_are_malformed(plane):
    session = plane.session("10.0.0.5")
    header = abi.bng_punt(version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_PIN, slot=session.slot)
    header.ethertype_be = int.from_bytes(struct.pack(">H", abi.PUNT_ETHERTYPE), "little")
    for length in range(0, 16, 3):
        assert plane.inject(bytes(header) + bytes(length)).verdict == "DROP_INJECT"


def test_pins_go_with_their_session(plane):
    session = plane.session("10.0.0.5")
    ask(plane, session, 4000, public=6400)
    assert reaches(plane, 6400, session, 4000)
    plane.close_session(session)
    frame = frames.down(PUBLIC[0], frames.reply_to("udp", 6400))
    assert plane.core(frame).verdict == "DROP_CGNAT_STALE"
    for _ in range(3):
        plane.advance(3)
        plane.sweep()
    assert session.record.state == abi.SUBSCRIBER_FREE and plane.mapping_at(6400).kind == 0
    assert session.record.mappings == 0
