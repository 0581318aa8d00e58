# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bng_sweep: expired mappings go, empty blocks go back and are held down, closed
# sessions are released; bounded work in one run, nothing forgotten.
import struct
import time

import pytest

import abi
import frames
import invariants
from plane import BLOCKS, HOLD_DOWN, PUBLIC, address_of
from test_cgnat_mapping import fill, open_port, reaches

UDP = abi.ticks(300)


def swept(plane):
    """One run: (mappings reclaimed, blocks given back)."""
    before = plane.meta.sweep_expired, plane.meta.sweep_released
    plane.sweep()
    invariants.check(plane)
    return plane.meta.sweep_expired - before[0], plane.meta.sweep_released - before[1]


def states(plane, firsts):
    return [plane.block_of(first).state for first in firsts]


# ---- expiry ------------------------------------------------------------------------

def test_live_mappings_stay(plane):
    session = plane.session("10.0.0.5")
    ends = fill(plane, session, range(4000, 4100))
    plane.advance(UDP)
    assert swept(plane) == (0, 0)
    assert all(reaches(plane, end, session, port) for port, end in ends.items())


def test_expired_mappings_go_and_their_blocks(plane):
    session = plane.session("10.0.0.5")
    fill(plane, session, range(4000, 4100))
    firsts = session.blocks
    plane.events()
    plane.advance(UDP + 1)
    assert swept(plane) == (100, 2)
    assert (session.record.mappings, session.blocks) == (0, [])
    assert states(plane, firsts) == [abi.BLOCK_HELD] * 2
    assert plane.pool_address[0].free_blocks == BLOCKS - 16 - 2


def test_event_of_a_freed_block(plane):
    session = plane.session("10.0.0.5")
    first = plane.block_of(open_port(plane, session, 4000)).first
    plane.events()
    plane.advance(UDP + 1)
    plane.sweep()
    (event,) = plane.events()
    assert (event.type, event.slot, event.session_id, event.pool) == \
        (abi.EVENT_BLOCK_FREED, session.slot, session.record.session_id, 0)
    assert (address_of(event.inner_be), address_of(event.public_be)) == (session.address, PUBLIC[0])
    assert (event.port_first, event.port_last) == (first & 0xffff, (first & 0xffff) + 63)
    assert 0 <= event.time_ns - plane.clock_ns < 200_000_000


def test_a_block_with_one_live_mapping_stays(plane):
    session = plane.session("10.0.0.5")
    ends = fill(plane, session, range(4000, 4064))
    plane.advance(UDP // 2)
    assert open_port(plane, session, 4033) == ends[4033]
    plane.advance(UDP // 2 + 1)
    assert swept(plane) == (63, 0)
    assert (session.record.mappings, len(session.blocks)) == (1, 1)
    assert reaches(plane, ends[4033], session, 4033)
    plane.advance(UDP + 1)
    assert swept(plane) == (1, 1)


def test_a_freed_first_block_leaves_a_hole_that_works(plane):
    session = plane.session("10.0.0.5", max_blocks=3)
    ends = fill(plane, session, range(4000, 4192))
    first, second, third = session.blocks
    plane.advance(UDP)
    kept = {port: end for port, end in ends.items() if not first <= end < first + 64}
    for port in kept:
        assert open_port(plane, session, port) == kept[port]
    plane.advance(1)
    assert swept(plane) == (64, 1)
    assert list(session.record.block)[:3] == [0, second, third]
    assert {port: open_port(plane, session, port) for port in kept} == kept
    end = open_port(plane, session, 9000)
    assert session.record.block[0] and session.record.block[0] <= end < session.record.block[0] + 64
    invariants.check(plane)


def test_expired_neighbour_of_a_reopened_mapping(plane):
    """Dead on the packet path, revived before the sweep: the sweep leaves it."""
    session = plane.session("10.0.0.5")
    end = open_port(plane, session, 4000)
    plane.advance(UDP + 1)
    assert open_port(plane, session, 4000) == end
    assert swept(plane) == (0, 0)
    assert reaches(plane, end, session, 4000)


def test_sweep_sets_the_clock_offset(plane):
    # The quickest of some readings of both clocks, the sweep's as well as ours: one may come between the two.
    offsets = [time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns() for _ in range(100)]
    found = []
    for runs in range(1, 6):
        plane.meta.clock_offset_ns = 12345
        plane.sweep()
        found.append(plane.meta.clock_offset_ns)
        assert plane.meta.sweep_runs == runs
    assert min(abs(one - other) for one in found for other in offsets) < 1e6


# ---- hold-down ---------------------------------------------------------------------

def only_block_given_back(plane):
    """Its owner let the pool's only block go, this very tick."""
    plane.blocks_offer(0, [500])
    owner = plane.session("10.0.0.5")
    end = open_port(plane, owner, 4000)
    plane.advance(UDP + 1)
    assert swept(plane) == (1, 1)
    return owner, plane.block_of(end)


@pytest.mark.parametrize("who", ["another", "the same"])
def test_rfc6888_req8_held_down_for_120_seconds(plane, who):
    owner, block = only_block_given_back(plane)
    taker = plane.session("10.0.0.6") if who == "another" else owner
    for _ in range(4):
        plane.advance(abi.ticks(HOLD_DOWN) // 4)
        assert swept(plane) == (0, 0) and block.state == abi.BLOCK_HELD
        assert open_port(plane, taker, 4000) == "DROP_CGNAT_NO_BLOCK"
    plane.advance(abi.ticks(HOLD_DOWN) % 4)
    assert plane.tick - block.changed_tick == abi.ticks(HOLD_DOWN) and abi.ticks(HOLD_DOWN) << abi.TICK_SHIFT >= 120e9
    plane.sweep()
    assert open_port(plane, taker, 4000) == "DROP_CGNAT_NO_BLOCK"
    plane.advance(1)
    assert open_port(plane, taker, 4000) == "DROP_CGNAT_NO_BLOCK"  # free only when swept
    plane.sweep()
    assert block.state == abi.BLOCK_FREE and plane.pool_address[0].free_blocks == 1
    assert isinstance(open_port(plane, taker, 4000), int)
    assert block.slot == taker.slot and plane.pool_address[0].free_blocks == 0
    invariants.check(plane)


def test_rfc6888_req8_the_time_is_configurable(plane):
    plane.meta.hold_down_ticks = 5
    _, block = only_block_given_back(plane)
    plane.advance(5)
    plane.sweep()
    assert block.state == abi.BLOCK_HELD
    plane.advance(1)
    plane.sweep()
    assert block.state == abi.BLOCK_FREE


@pytest.mark.parametrize("most", [1, 3, 5])
def test_rfc6888_req8_the_number_is_configurable(plane, most):
    """Five blocks of one address and two of another go back at once: so many of each wait, the others are free."""
    plane.pool_build(0, addresses=(0,))
    plane.pool_build(1, addresses=(4,))
    plane.meta.hold_down_blocks = most
    for host in range(5):
        open_port(plane, plane.session(f"10.0.0.{10 + host}"), 4000)
    for host in range(2):
        open_port(plane, plane.session(f"10.0.0.{20 + host}", pool=1), 4000)
    free = [plane.pool_address[number].free_blocks for number in (0, 4)]
    plane.advance(UDP + 1)
    plane.sweep()
    plane.sweep()
    assert [plane.pool_address[number].held_blocks for number in (0, 4)] == [min(most, 5), min(most, 2)]
    held = [block.first >> 16 for block in plane.port_block if block.state == abi.BLOCK_HELD]
    assert (held.count(0), held.count(4)) == (min(most, 5), min(most, 2))
    assert [plane.pool_address[number].free_blocks for number in (0, 4)] == [free[0] + 5 - min(most, 5), free[1] + 2 - min(most, 2)]
    plane.meta.hold_down_blocks = 1  # live
    plane.sweep()
    assert [plane.pool_address[number].held_blocks for number in (0, 4)] == [1, 1]
    plane.advance(abi.ticks(HOLD_DOWN) + 1)
    plane.sweep()
    assert [plane.pool_address[number].held_blocks for number in (0, 4)] == [0, 0]
    invariants.check(plane)


def test_held_block_answers_nobody(plane):
    owner, block = only_block_given_back(plane)
    for port in range(64):
        frame = frames.down(PUBLIC[0], frames.udp(53, (block.first & 0xffff) + port))
        assert plane.core(frame).verdict == "DROP_CGNAT_NO_MAPPING"
    assert owner.record.down_packets == 0


# ---- closing a session --------------------------------------------------------------

def test_closing_releases_after_a_grace_period(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    ends, others = fill(plane, session, range(4000, 4200)), fill(plane, other, range(4000, 4100))
    firsts, record = session.blocks, session.record
    plane.events()
    plane.close_session(session)
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "DROP_NO_SESSION"
    frame = frames.down(PUBLIC[0], frames.udp(53, ends[4000] & 0xffff))
    assert plane.core(frame).verdict == "DROP_CGNAT_STALE"
    assert swept(plane) == (200, 4)
    assert (record.state, record.mappings, session.blocks) == (abi.SUBSCRIBER_CLOSING, 0, [])
    assert states(plane, firsts) == [abi.BLOCK_HELD] * 4
    assert plane.core(frame).verdict == "DROP_CGNAT_NO_MAPPING"
    assert [event.type for event in plane.events()] == [abi.EVENT_BLOCK_FREED] * 4
    plane.advance(2)
    plane.sweep()
    assert record.state == abi.SUBSCRIBER_CLOSING and plane.events() == []
    plane.advance(2)
    plane.sweep()
    assert record.state == abi.SUBSCRIBER_FREE
    (event,) = plane.events()
    assert (event.type, event.slot, event.session_id, event.public_be, event.port_first, event.port_last) == \
        (abi.EVENT_SESSION_RELEASED, session.slot, record.session_id, 0, 0, 0)
    assert address_of(event.inner_be) == session.address
    assert (record.address_index, record.closed_tick) == (0xffffffff, 0)
    assert bytes(record.mac) == bytes.fromhex(session.mac.replace(":", ""))  # its neighbours in the word are whole
    assert plane.closing_told() == []
    assert all(reaches(plane, end, other, port) for port, end in others.items())


def test_closing_without_blocks(plane):
    session = plane.session("10.0.0.5")
    plane.close_session(session)
    for _ in range(3):
        plane.sweep()
        plane.advance(2)
    assert session.record.state == abi.SUBSCRIBER_FREE
    assert [event.type for event in plane.events()] == [abi.EVENT_SESSION_RELEASED]


def test_reopened_slot_starts_anew(plane):
    session = plane.session("10.0.0.5")
    old = open_port(plane, session, 4000)
    generation = session.record.generation
    plane.close_session(session)
    for _ in range(3):
        plane.sweep()
        plane.advance(2)
    again = plane.session("10.0.0.5")
    assert again.record.generation == generation + 1
    new = open_port(plane, again, 4000)
    assert plane.block_of(new).first != plane.block_of(old).first  # that one is held down
    assert not reaches(plane, old, again, 4000) and reaches(plane, new, again, 4000)
    invariants.check(plane)


@pytest.mark.parametrize("slot", [0, 20, 0x1ffff])
def test_release_of_what_is_not_closing_is_ignored(plane, slot):
    session = plane.session("10.0.0.4")
    assert session.slot == 20
    end = open_port(plane, session, 4000)
    plane.events()
    plane.closing_tell(slot)
    assert swept(plane) == (0, 0)
    assert plane.closing_told() == [] and plane.events() == []
    assert reaches(plane, end, session, 4000)


def test_slot_told_twice_is_released_once(plane):
    session = plane.session("10.0.0.5")
    open_port(plane, session, 4000)
    plane.events()
    plane.close_session(session)
    plane.close_session(session)
    for _ in range(4):
        plane.sweep()
        plane.advance(2)
    assert [event.type for event in plane.events()] == [abi.EVENT_BLOCK_FREED, abi.EVENT_SESSION_RELEASED]
    assert plane.closing_told() == []


def test_many_sessions_closed_at_once(plane):
    """More than one run takes: all are released, within a few runs."""
    plane.pool_build(addresses=range(8))
    sessions = [plane.session(f"10.0.{number >> 8}.{number & 255}") for number in range(4096)]
    for session in sessions[::4]:
        open_port(plane, session, 4000)
    late = [plane.session(f"172.16.0.{number}") for number in range(90)]
    for session in sessions + late:
        plane.close_session(session)
    for _ in range(6):
        plane.sweep()
        plane.events()
        plane.advance(2)
    assert {session.record.state for session in sessions + late} == {abi.SUBSCRIBER_FREE}
    assert plane.meta.sweep_released == 1024
    assert sum(plane.pool_address[number].free_blocks for number in range(8)) == 8 * 1008 - 1024  # held down


def quickest_sweep(plane):
    """Of 50 runs, microseconds."""
    spent = []
    for _ in range(50):
        begin = time.perf_counter_ns()
        plane.sweep()
        spent.append(time.perf_counter_ns() - begin)
    return min(spent) / 1000


def test_a_session_in_its_grace_period_costs_one_look_each_run(plane):
    """Not as many as the queue could hold, which takes 20 times as long."""
    plane.meta.block_high = 0
    idle = quickest_sweep(plane)
    session = plane.session("10.0.0.5")
    plane.close_session(session)
    waiting = quickest_sweep(plane)
    assert session.record.state == abi.SUBSCRIBER_CLOSING
    assert waiting < idle + 50, f"{idle:.0f} us for an idle run, {waiting:.0f} us with a closed session"


# ---- bounded work ---------------------------------------------------------------------

def test_work_in_one_run_is_bounded_and_goes_on(plane):
    plane.pool_build(addresses=(0, 1), max_blocks=1)
    plane.meta.block_high, plane.meta.sweep_budget = 2 * BLOCKS, 100
    sessions = [plane.session(f"10.0.{number >> 8}.{number & 255}") for number in range(600)]
    indexes = []
    for session in sessions:
        end = open_port(plane, session, 4000)
        indexes.append((end >> 16) * BLOCKS + ((end & 0xffff) >> 6))
    plane.advance(UDP + 1)
    for run in range(1, 22):
        plane.sweep()
        reached = min(run * 100, 2 * BLOCKS)
        assert plane.meta.sweep_released == sum(index < reached for index in indexes), f"after {run} runs"
        assert plane.meta.sweep_cursor == (run * 100 if run < 21 else run * 100 - 2 * BLOCKS)
    assert plane.meta.sweep_expired == 600
    invariants.check(plane)


def test_blocks_beyond_the_high_mark_are_not_looked_at(plane):
    session = plane.session("10.0.0.5")
    number = (open_port(plane, session, 4000) & 0xffff) >> 6
    plane.advance(UDP + 1)
    plane.meta.block_high = number
    assert swept(plane) == (0, 0)
    plane.meta.block_high = number + 1
    assert swept(plane) == (1, 1)


def test_empty_gateway_is_swept(plane):
    plane.meta.block_high = 0
    for _ in range(10):
        assert swept(plane) == (0, 0)


def test_largest_blocks_full_are_swept_in_one_run(plane):
    plane.pool_build(shift=12, max_blocks=2, max_mappings=1 << 16)
    session = plane.session("10.0.0.5")
    fill(plane, session, range(1, 8193))
    plane.advance(UDP + 1)
    assert swept(plane) == (8192, 2)
