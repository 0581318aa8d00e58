# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# CGNAT: which public end an inner end gets, and what happens when there is none
# left. (RFC 4787, 5382, 5508, 6888; the requirement is in the test's name.)
import pytest

import abi
import frames
from plane import ACC2, PUBLIC, REMOTE, address_of

REMOTES = [REMOTE, "192.0.2.2", "192.0.2.3"]


def open_port(plane, session, port, protocol="udp", remote=REMOTE, **l4):
    """Sends one packet up: its public end, or the verdict that refused it."""
    result = plane.access(frames.up(session, frames.PROTOCOLS[protocol](port, **l4), remote=remote), session.interface)
    return frames.public_end(result) if result.verdict == "FORWARD_UP" else result.verdict


def reaches(plane, public, session, port, protocol="udp", remote=REMOTE):
    """Whether a packet to the public end arrives at the inner end."""
    frame = frames.down(PUBLIC[public >> 16], frames.reply_to(protocol, public & 0xffff), remote=remote)
    result = plane.core(frame)
    if result.verdict != "FORWARD_DOWN":
        return False
    assert result.frame == frames.expected_down(frame, session, port)
    return True


def fill(plane, session, ports, protocol="udp"):
    """One mapping for each port: inner port -> public end. All must succeed, no public end twice."""
    public = {port: open_port(plane, session, port, protocol) for port in ports}
    assert all(isinstance(end, int) for end in public.values())
    assert len(set(public.values())) == len(public)
    return public


def block_number(plane, first):
    return (first & 0xffff) >> plane.pool_address[first >> 16].block_shift


# ---- mapping and filtering -----------------------------------------------------

@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_rfc4787_req1_rfc5382_req1_rfc5508_req1a_mapping_is_endpoint_independent(plane, protocol):
    session = plane.session("10.0.0.5")
    ends = {open_port(plane, session, 4000, protocol, remote) for remote in REMOTES for _ in range(3)}
    assert len(ends) == 1
    if protocol != "icmp":
        ends |= {open_port(plane, session, 4000, protocol, dport=port) for port in (1, 443, 65535)}
    assert len(ends) == 1 and session.record.mappings == 1


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_rfc4787_req8_rfc5382_req3_rfc6888_req7_filtering_is_endpoint_independent(plane, protocol):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    assert all(reaches(plane, public, session, 4000, protocol, remote) for remote in [*REMOTES, "198.51.100.1"])


def test_rfc4787_req3_rfc5382_req7_each_inner_end_has_its_own_port(plane):
    sessions = [plane.session(f"10.0.0.{host}") for host in (5, 6, 7)]
    ends = [open_port(plane, session, port, protocol)
            for session in sessions for port in (1, 1024, 4000, 65535) for protocol in frames.PROTOCOLS]
    assert len(set(ends)) == len(ends) == 36


def test_rfc7857_s5_rfc7857_s6_each_protocol_is_mapped_and_filtered_by_itself(plane):
    """The same number inside, in three protocols: three public ports, each of its own protocol only."""
    session = plane.session("10.0.0.5")
    public = {protocol: open_port(plane, session, 4000, protocol) for protocol in frames.PROTOCOLS}
    assert len(set(public.values())) == 3
    for protocol, end in public.items():
        for other in frames.PROTOCOLS:
            assert reaches(plane, end, session, 4000, other) == (other == protocol)


def test_rfc4787_req2_rfc6888_req2_rfc6888_req3_pooling_is_paired(plane):
    plane.pool_build(addresses=(0, 1, 4, 5))
    addresses = set()
    for host in range(5, 37):
        session = plane.session(f"10.0.0.{host}")
        ends = [end for protocol in frames.PROTOCOLS for end in fill(plane, session, range(4000, 4030), protocol).values()]
        assert {end >> 16 for end in ends} == {session.record.address_index}
        addresses.add(session.record.address_index)
    assert addresses == {0, 1, 4, 5}  # 203.0.113.0, .1 and 198.51.100.64, .65: a pool need not be contiguous


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_rfc7857_s4_a_full_paired_address_refuses_rather_than_splits(plane, protocol):
    plane.pool_build(addresses=(0, 1))
    session = plane.session("10.0.0.5")
    address = open_port(plane, session, 4000, protocol) >> 16
    plane.blocks_offer(address, [])
    fill(plane, session, range(4000, 4064), protocol)
    assert open_port(plane, session, 4064, protocol) == "DROP_CGNAT_NO_BLOCK"
    assert plane.pool_address[address].alloc_failures == 1
    assert plane.pool_address[1 - address].allocations == 0


def test_session_without_blocks_is_paired_anew(plane):
    plane.pool_build(addresses=(0, 1))
    session = plane.session("10.0.0.5")
    session.record.address_index = 0
    plane.blocks_offer(0, [])
    assert open_port(plane, session, 4000) >> 16 == 1
    assert session.record.address_index == 1


def test_port_lies_in_a_block_of_the_subscriber(plane):
    session = plane.session("10.0.0.5")
    for end in fill(plane, session, range(4000, 4256)).values():
        block = plane.block_of(end)
        assert (block.slot, block.state, block.generation) == \
            (session.slot, abi.BLOCK_ALLOCATED, session.record.generation)
        assert block.first in session.blocks and block.first <= end < block.first + 64
        assert end & 0xffff >= abi.FIRST_PORT


def test_disabled_address_gives_no_new_block(plane):
    plane.pool_build(addresses=(0, 1))
    plane.pool_address[0].flags = 0
    for host in range(5, 15):
        assert open_port(plane, plane.session(f"10.0.0.{host}"), 4000) >> 16 == 1


def test_two_pools_are_two_pools(plane):
    plane.pool_build(0, addresses=(0, 1))
    plane.pool_build(1, addresses=(4,), shift=8)
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6", pool=1, interface=ACC2)
    assert open_port(plane, first, 4000) >> 16 in (0, 1)
    end = open_port(plane, second, 4000)
    assert end >> 16 == 4 and plane.block_of(end).first & 0xff == 0
    assert reaches(plane, end, second, 4000)


def test_rfc6888_req15_rfc7857_s9_ports_do_not_follow_each_other(plane):
    """Consecutive inner ports: hardly ever consecutive public ports, and another order for another secret."""
    plane.pool_build(shift=9)
    orders = []
    for host in (5, 6):
        ends = list(fill(plane, plane.session(f"10.0.0.{host}"), range(4000, 4200)).values())
        steps = sum(after - before == 1 for before, after in zip(ends, ends[1:]))
        assert steps < 10
        orders.append([end & 511 for end in ends])
    same = sum(one == other for one, other in zip(*orders))
    assert same < 10


def test_rfc6888_req15_blocks_are_spread_over_the_address(plane):
    blocks = {block_number(plane, open_port(plane, plane.session(f"10.0.1.{host}"), 4000)) for host in range(200)}
    assert len(blocks) == 200
    assert max(blocks) - min(blocks) > 700
    ordered = sorted(blocks)
    assert sum(after - before == 1 for before, after in zip(ordered, ordered[1:])) < 100


# ---- exact fill ------------------------------------------------------------------

@pytest.mark.parametrize("shift", range(abi.BLOCK_SHIFT_MIN, abi.BLOCK_SHIFT_MAX + 1))
def test_rfc6888_req13_a_block_is_filled_to_its_last_port(plane, shift):
    plane.pool_build(shift=shift, max_blocks=2, max_mappings=1 << 16)
    session = plane.session("10.0.0.5")
    size = 1 << shift
    ends = fill(plane, session, range(1000, 1000 + size))
    (first,) = session.blocks
    assert set(ends.values()) == set(range(first, first + size))
    assert plane.block_of(first).used == size == session.record.mappings
    end = open_port(plane, session, 999)
    assert len(session.blocks) == 2 and not first <= end < first + size
    assert plane.block_of(end).used == 1
    for port in range(1000, 1000 + size, 1 + size // 97):
        assert open_port(plane, session, port) == ends[port]
        assert reaches(plane, ends[port], session, port)


def test_exactly_64_then_the_next_block(plane):
    session = plane.session("10.0.0.5", max_blocks=3)
    ends = fill(plane, session, range(4000, 4000 + 3 * 64))
    per_block = [sum(first <= end < first + 64 for end in ends.values()) for first in session.blocks]
    assert per_block == [64, 64, 64]
    assert open_port(plane, session, 9999) == "DROP_CGNAT_BLOCK_LIMIT"
    assert fill(plane, session, range(4000, 4000 + 3 * 64)) == ends


def test_spilled_mappings_are_found_again_after_others_are_gone(plane):
    """What lies beyond its first bucket must not depend on the bucket before it staying full."""
    session = plane.session("10.0.0.5", max_blocks=1)
    ends = fill(plane, session, range(4000, 4064))
    assert plane.block_of(ends[4000]).max_probe > 0
    plane.advance_seconds(200)
    kept = {port: end for port, end in ends.items() if port % 4 == 0}
    assert {port: open_port(plane, session, port) for port in kept} == kept
    plane.advance_seconds(150)
    plane.sweep()
    assert session.record.mappings == len(kept)
    assert {port: open_port(plane, session, port) for port in kept} == kept
    assert session.record.mappings == len(kept)


def test_all_protocols_share_a_block(plane):
    session = plane.session("10.0.0.5", max_blocks=1)
    for protocol, count in (("udp", 20), ("tcp", 20), ("icmp", 24)):
        fill(plane, session, range(4000, 4000 + count), protocol)
    assert len(session.blocks) == 1 and plane.block_of(session.blocks[0]).used == 64
    assert open_port(plane, session, 5000, "icmp") == "DROP_CGNAT_BLOCK_LIMIT"


# ---- limits and exhaustion -------------------------------------------------------

@pytest.mark.parametrize("limit", [1, 2, 5, 8])
def test_rfc6888_req4_blocks_of_a_subscriber_are_limited(plane, limit):
    session, other = plane.session("10.0.0.5", max_blocks=limit), plane.session("10.0.0.6")
    fill(plane, session, range(4000, 4000 + 64 * limit))
    for port in (1, 2, 3):
        assert open_port(plane, session, port) == "DROP_CGNAT_BLOCK_LIMIT"
    record = plane.pool_address[0]
    assert (record.limit_hits, record.allocations, record.alloc_failures) == (3, limit, 0)
    assert plane.count("DROP_CGNAT_BLOCK_LIMIT") == 3 == session.record.drop_packets
    fill(plane, other, range(4000, 4100))


def test_rfc6888_req5_mappings_of_a_subscriber_are_limited(plane):
    session, other = plane.session("10.0.0.5", max_mappings=100), plane.session("10.0.0.6")
    ends = fill(plane, session, range(4000, 4100))
    assert open_port(plane, session, 1) == "DROP_CGNAT_MAPPING_LIMIT"
    assert plane.pool_address[0].limit_hits == 1
    assert fill(plane, session, range(4000, 4100)) == ends  # what it has goes on
    fill(plane, other, range(4000, 4100))
    session.record.max_mappings = 101  # live
    fill(plane, session, [1])


def test_rfc6888_req11ad_exhaustion_refuses_the_new_and_keeps_the_old(plane):
    """Three blocks for three subscribers; a fourth gets nothing, and nobody loses anything."""
    plane.blocks_offer(0, [20, 700, 1023])
    sessions = [plane.session(f"10.0.0.{host}", max_blocks=1) for host in (5, 6, 7)]
    ends = [fill(plane, session, range(4000, 4050)) for session in sessions]
    late = plane.session("10.0.0.8")
    for port in range(5):
        assert open_port(plane, late, 4000 + port) == "DROP_CGNAT_NO_BLOCK"
    record = plane.pool_address[0]
    assert (record.free_blocks, record.allocations, record.alloc_failures) == (0, 3, 5)
    assert {block_number(plane, session.blocks[0]) for session in sessions} == {20, 700, 1023}
    assert (late.record.drop_packets, late.record.mappings, late.blocks) == (5, 0, [])
    assert [fill(plane, session, range(4000, 4050)) for session in sessions] == ends
    assert all(reaches(plane, ends[0][port], sessions[0], port) for port in range(4000, 4050))


@pytest.mark.parametrize("shift", [6, 9, 12])
def test_rfc6888_req13_every_block_of_an_address_can_be_given_out(plane, shift):
    plane.pool_build(shift=shift, max_blocks=1)
    free = plane.pool_address[0].free_blocks
    assert free == (65536 >> shift) - max(1, abi.FIRST_PORT >> shift)
    numbers = set()
    for host in range(free):
        session = plane.session(f"10.0.{host >> 8}.{host & 255}")
        numbers.add(block_number(plane, open_port(plane, session, 4000)))
    assert numbers == set(range(max(1, abi.FIRST_PORT >> shift), 65536 >> shift))
    late = plane.session("10.0.15.1")
    assert open_port(plane, late, 4000) == "DROP_CGNAT_NO_BLOCK"
    assert plane.pool_address[0].free_blocks == 0


def test_rfc6888_req13_a_pool_of_many_addresses_is_used_to_its_last_block(plane):
    plane.pool_build(addresses=(0, 1, 2, 3, 4, 5, 6, 7), shift=12, max_blocks=1)
    for number in range(8 * 15):
        session = plane.session(f"10.0.1.{number}")
        assert isinstance(open_port(plane, session, 4000), int)
    assert [plane.pool_address[number].free_blocks for number in range(8)] == [0] * 8
    assert open_port(plane, plane.session("10.0.2.1"), 4000) == "DROP_CGNAT_NO_BLOCK"


# ---- telling -----------------------------------------------------------------------

def test_event_of_an_allocated_block(plane):
    sessions = [plane.session(f"10.0.0.{host}") for host in (5, 6)]
    ends = [open_port(plane, session, 4000) for session in sessions]
    open_port(plane, sessions[0], 4001)
    events = plane.events()
    assert len(events) == 2
    for event, session, end in zip(events, sessions, ends):
        first = session.blocks[0]
        assert (event.type, event.slot, event.session_id, event.pool) == \
            (abi.EVENT_BLOCK_ALLOCATED, session.slot, session.record.session_id, 0)
        assert (address_of(event.inner_be), address_of(event.public_be)) == (session.address, PUBLIC[end >> 16])
        assert (event.port_first, event.port_last) == (first & 0xffff, (first & 0xffff) + 63)
        assert 0 <= event.time_ns - plane.clock_ns < 200_000_000
        assert (event.flags, event.verdict) == (0, 0) and bytes(event.reserved) == bytes(9)


def test_rfc6888_req11c_a_refused_subscriber_is_told_once_in_a_while(plane):
    session, other = (plane.session(f"10.0.0.{host}", max_mappings=1) for host in (5, 6))
    public = open_port(plane, session, 4000)
    open_port(plane, other, 4000)
    plane.events()
    for port in range(5):
        assert open_port(plane, session, 5000 + port) == "DROP_CGNAT_MAPPING_LIMIT"
    assert open_port(plane, other, 5000) == "DROP_CGNAT_MAPPING_LIMIT"
    mine, others = plane.events()
    assert (mine.type, mine.slot, mine.session_id, mine.pool, mine.verdict) == (
        abi.EVENT_SUBSCRIBER_REFUSED, session.slot, session.record.session_id, 0, abi.VERDICTS.index("DROP_CGNAT_MAPPING_LIMIT"))
    assert (address_of(mine.inner_be), address_of(mine.public_be)) == (session.address, PUBLIC[public >> 16])
    assert (mine.port_first, mine.port_last, others.slot) == (0, 0, other.slot)
    plane.advance_seconds(abi.REFUSED_SECONDS - 1)
    open_port(plane, session, 5000)
    assert plane.events() == []
    plane.advance_seconds(1)
    open_port(plane, session, 5000)
    assert [event.type for event in plane.events()] == [abi.EVENT_SUBSCRIBER_REFUSED]


def test_full_ring_loses_events_counted_and_no_packet(plane):
    """Nobody reads: the ring keeps the first, counts the rest, forwarding goes on."""
    plane.pool_build(addresses=(0, 1, 2, 3))
    room = plane.ring.size // (8 + 48)
    for host in range(room + 100):
        assert isinstance(open_port(plane, plane.session(f"10.0.{host >> 8}.{host & 255}"), 4000), int)
    lost = plane.meta.events_lost
    events = plane.events()
    assert len(events) + lost == room + 100
    assert room - 1 <= len(events) <= room
    assert [event.slot for event in events] == [16 + number for number in range(len(events))]
    assert isinstance(open_port(plane, plane.session("10.0.15.1"), 4000), int)
    assert len(plane.events()) == 1 and plane.meta.events_lost == lost


def test_unmapped_packets_are_counted_by_address(plane):
    plane.pool_build(addresses=(0, 1))
    for public, times in ((0, 3), (1, 5)):
        for port in range(times):
            frame = frames.down(PUBLIC[public], frames.udp(53, 2000 + port))
            assert plane.core(frame).verdict == "DROP_CGNAT_NO_MAPPING"
    assert [plane.pool_address[number].drops for number in (0, 1)] == [3, 5]


def test_rfc5382_req4_nothing_answers_an_unsolicited_syn_at_once(plane):
    frame = frames.down(PUBLIC[0], frames.tcp(80, 4000))
    result = plane.core(frame)
    assert (result.verdict, result.action) == ("DROP_CGNAT_NO_MAPPING", abi.XDP_DROP)


@pytest.mark.parametrize("age, taken", [(0, False), (-2, False), (-7, False), (6, False), (20, True), (100, True)])
def test_lock_of_another_cpu(plane, age, taken):
    """Waited for, also when it was taken a tick after we looked at the clock; only one left behind is broken."""
    session = plane.session("10.0.0.5")
    session.record.lock = plane.tick - age | 1
    result = open_port(plane, session, 4000)
    assert isinstance(result, int) if taken else result == "DROP_CGNAT_BUSY"
    assert (session.record.lock == 0) == taken
