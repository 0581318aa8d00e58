# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Deterministic pools (RFC 7422): a session's own blocks come first and are nobody
# else's, everything beyond is dynamic and tells so in its events.
import pytest

import abi
import frames
import invariants
from plane import HOLD_DOWN
from test_cgnat_mapping import fill, open_port, reaches
from test_cgnat_pin import ask, pinned

FIRST = 16  # block of 64 ports: ports from 1,024 on
SIZE = 64
DETERMINISTIC = abi.BLOCK_DETERMINISTIC


def rule(plane, subscribers, addresses=(0,), blocks=1, max_blocks=4, pool=0):
    """So many subscribers on each public address; what is behind them is dynamic."""
    plane.pool_build(pool, addresses=addresses, max_blocks=max_blocks).fixed_blocks = blocks
    for number in addresses:
        set_dynamic_from(plane, number, FIRST + subscribers * blocks)
        plane.blocks_offer(number, range(FIRST + subscribers * blocks, 1024))


def set_dynamic_from(plane, address, number):
    plane.pool_address[address].dynamic_from = number


def fixed_of(number, address=0, blocks=1):
    return address << 16 | (FIRST + number * blocks) * SIZE


def subscriber(plane, number, fixed=None, **options):
    """The number-th one of public address 0."""
    session = plane.session(f"10.0.1.{number}", **options)
    session.record.fixed = fixed_of(number) if fixed is None else fixed
    return session


def own_ports(session, blocks=1):
    return range(session.record.fixed, session.record.fixed + blocks * SIZE)


def close(plane, session):
    plane.close_session(session)
    plane.sweep()
    plane.advance(4)
    plane.sweep()
    assert session.record.state == abi.SUBSCRIBER_FREE


def events_of(plane):
    return [(event.type, event.port_first, event.flags) for event in plane.events()
            if event.type in (abi.EVENT_BLOCK_ALLOCATED, abi.EVENT_BLOCK_FREED)]


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_rfc7422_the_first_ports_are_the_subscribers_own(plane, protocol):
    rule(plane, subscribers=100)
    free = plane.pool_address[0].free_blocks
    for number in (0, 7, 99):
        session = subscriber(plane, number)
        end = open_port(plane, session, 4000, protocol)
        assert end in own_ports(session) and reaches(plane, end, session, 4000, protocol)
        assert plane.block_of(end).flags == DETERMINISTIC
        assert events_of(plane) == [(abi.EVENT_BLOCK_ALLOCATED, fixed_of(number), abi.EVENT_DETERMINISTIC)]
    assert (plane.pool_address[0].free_blocks, plane.pool_address[0].allocations) == (free, 3)
    invariants.check(plane)


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_rfc7422_what_is_beyond_is_dynamic_of_the_same_address(plane, blocks):
    rule(plane, subscribers=10, addresses=(0, 1), blocks=blocks)
    session = subscriber(plane, 3, fixed=fixed_of(3, address=1, blocks=blocks))
    own = fill(plane, session, range(4000, 4000 + blocks * SIZE))
    assert set(own.values()) == set(own_ports(session, blocks))
    plane.events()
    more = fill(plane, session, range(5000, 5000 + (4 - blocks) * SIZE))
    first_dynamic = FIRST + 10 * blocks
    assert all(end >> 16 == 1 and (end & 0xffff) // SIZE >= first_dynamic for end in more.values())
    assert [flags for _, _, flags in events_of(plane)] == [0] * (4 - blocks)
    assert open_port(plane, session, 6000) == "DROP_CGNAT_BLOCK_LIMIT"
    assert all(reaches(plane, end, session, port) for port, end in {**own, **more}.items())
    invariants.check(plane)


def test_nobody_else_gets_a_block_of_the_rule(plane):
    """Others take every dynamic block there is, to the last; the owner's is still there."""
    rule(plane, subscribers=1000, max_blocks=8)
    others = [plane.session(f"10.0.2.{number}") for number in range(2)]
    for session in others[:1]:
        fill(plane, session, range(4000, 4000 + 8 * SIZE))
    assert plane.pool_address[0].free_blocks == 0
    assert open_port(plane, others[1], 4000) == "DROP_CGNAT_NO_BLOCK"
    owner = subscriber(plane, 5)
    fill(plane, owner, range(4000, 4000 + SIZE))
    assert open_port(plane, owner, 6000) == "DROP_CGNAT_NO_BLOCK"
    assert owner.blocks == [fixed_of(5)]
    invariants.check(plane)


def test_a_block_of_the_rule_goes_back_to_its_owner_only(plane):
    rule(plane, subscribers=100)
    free = plane.pool_address[0].free_blocks
    session = subscriber(plane, 7)
    open_port(plane, session, 4000)
    plane.advance_seconds(301)
    plane.sweep()
    assert events_of(plane)[-1] == (abi.EVENT_BLOCK_FREED, fixed_of(7), abi.EVENT_DETERMINISTIC)
    block = plane.block_of(fixed_of(7))
    assert (block.state, session.blocks) == (abi.BLOCK_HELD, [])
    plane.advance_seconds(HOLD_DOWN + 1)
    plane.sweep()
    assert block.state == abi.BLOCK_FREE and plane.pool_address[0].free_blocks == free
    invariants.check(plane)
    assert open_port(plane, session, 4001) in own_ports(session)


def test_rfc6888_req8_the_same_session_does_not_wait_for_its_own_block(plane):
    rule(plane, subscribers=100)
    session = subscriber(plane, 7)
    open_port(plane, session, 4000)
    plane.advance_seconds(301)
    plane.sweep()
    assert plane.block_of(fixed_of(7)).state == abi.BLOCK_HELD
    end = open_port(plane, session, 4001)
    assert end in own_ports(session)
    for _ in range(5):
        plane.advance_seconds(50)
        plane.sweep()
    assert plane.block_of(end).state == abi.BLOCK_ALLOCATED and reaches(plane, end, session, 4001)
    invariants.check(plane)


@pytest.mark.parametrize("returned", [0, 1])
def test_rfc6888_req8_a_new_session_of_the_address_waits_unless_it_is_the_same_client(plane, returned):
    """What still comes for the old subscriber's flows must not reach a new one."""
    rule(plane, subscribers=100)
    old = subscriber(plane, 7)
    end = open_port(plane, old, 4000)
    close(plane, old)
    new = subscriber(plane, 7)
    new.record.returned = returned
    assert (open_port(plane, new, 4000) in own_ports(new)) == bool(returned)
    assert returned or not reaches(plane, end, new, 4000)
    plane.advance_seconds(HOLD_DOWN + 1)
    plane.sweep()
    fill(plane, new, range(5000, 5000 + SIZE))
    assert fixed_of(7) in new.blocks
    invariants.check(plane)


def test_a_client_that_returns_later_than_another_waits(plane):
    """`returned` speaks of the last session of the slot, not of one before."""
    rule(plane, subscribers=100)
    first = subscriber(plane, 7)
    open_port(plane, first, 4000)
    close(plane, first)
    close(plane, subscriber(plane, 7))  # opens nothing
    third = subscriber(plane, 7)
    third.record.returned = 1
    assert open_port(plane, third, 4000) not in own_ports(third)


def test_rfc6888_req2_a_session_stays_with_the_address_of_its_blocks(plane):
    """As after a change of the rule: its own blocks are those of another address now."""
    rule(plane, subscribers=100, addresses=(0, 1))
    session = plane.session("10.0.1.7")
    session.record.address_index = 0
    fill(plane, session, range(4000, 4000 + SIZE))
    session.record.fixed = fixed_of(7, address=1)
    assert open_port(plane, session, 5000) >> 16 == 0
    plane.advance_seconds(301)
    plane.sweep()
    assert session.blocks == []
    assert open_port(plane, session, 6000) in own_ports(session)
    invariants.check(plane)


def test_a_session_is_moved_to_its_own_by_its_address_index(plane):
    rule(plane, subscribers=100, addresses=(0, 1))
    session = plane.session("10.0.1.7")
    session.record.address_index = 0
    old = fill(plane, session, range(4000, 4000 + SIZE))
    session.record.fixed = fixed_of(7, address=1)
    session.record.address_index = 1
    assert open_port(plane, session, 5000) in own_ports(session)
    assert all(reaches(plane, end, session, port) for port, end in old.items())


def test_a_block_in_use_drains_into_the_rule(plane):
    """The rule comes while others have its blocks: their mappings live, the owner waits."""
    session = plane.session("10.0.1.200")
    plane.pool_build(addresses=(0,))
    plane.blocks_offer(0, [FIRST + 7])
    end = open_port(plane, session, 4000)
    assert end in range(fixed_of(7), fixed_of(7) + SIZE)
    rule(plane, subscribers=100)
    owner = subscriber(plane, 7)
    assert open_port(plane, owner, 4000) not in own_ports(owner)
    assert reaches(plane, end, session, 4000) and plane.block_of(end).flags == 0
    plane.events()
    free = plane.pool_address[0].free_blocks
    close(plane, session)
    assert events_of(plane) == [(abi.EVENT_BLOCK_FREED, fixed_of(7), 0)]
    plane.advance_seconds(HOLD_DOWN + 1)
    plane.sweep()
    assert plane.pool_address[0].free_blocks == free
    fill(plane, owner, range(5000, 5000 + SIZE))
    assert fixed_of(7) in owner.blocks
    invariants.check(plane)


def test_a_block_in_use_drains_out_of_the_rule(plane):
    """The rule shrinks: what was a subscriber's own is free for all once it is given back."""
    rule(plane, subscribers=100)
    session = subscriber(plane, 99)
    open_port(plane, session, 4000)
    set_dynamic_from(plane, 0, FIRST + 99)
    free = plane.pool_address[0].free_blocks
    close(plane, session)
    assert plane.pool_address[0].free_blocks == free
    plane.advance_seconds(HOLD_DOWN + 1)
    plane.sweep()
    assert plane.pool_address[0].free_blocks == free + 1
    invariants.check(plane)


def test_a_block_that_somebody_is_about_to_have_is_not_taken(plane):
    rule(plane, subscribers=100)
    session = subscriber(plane, 7)
    for state in (abi.BLOCK_CLAIMED, abi.BLOCK_ALLOCATED, abi.BLOCK_DRAINING, abi.BLOCK_HELD):
        plane.block_of(fixed_of(7)).state = state
        plane.block_of(fixed_of(7)).slot = 0
        end = open_port(plane, session, 4000 + state)
        assert end not in own_ports(session)
        assert plane.block_of(fixed_of(7)).state == state


def test_a_free_bit_over_a_block_in_use_is_no_block(plane):
    """What may be seen for a moment while the rule changes: refused, counted, and nobody is hurt."""
    rule(plane, subscribers=100)
    owner = subscriber(plane, 7)
    end = open_port(plane, owner, 4000)
    plane.blocks_offer(0, [FIRST + 7])
    other = plane.session("10.0.2.1")
    assert open_port(plane, other, 4000) == "DROP_CGNAT_NO_BLOCK"
    assert other.blocks == [] and reaches(plane, end, owner, 4000)
    assert plane.pool_address[0].free_blocks == 0


def test_a_disabled_address_gives_no_block_of_the_rule(plane):
    rule(plane, subscribers=100, addresses=(0, 1))
    plane.pool_address[0].flags = 0
    session = subscriber(plane, 7)
    assert open_port(plane, session, 4000) >> 16 == 1


def test_a_chosen_port_may_lie_in_a_block_of_ones_own(plane):
    rule(plane, subscribers=100)
    session, other = subscriber(plane, 7), subscriber(plane, 8)
    port = (fixed_of(7) & 0xffff) + 5
    assert ask(plane, other, 22, public=port) == "DROP_CGNAT_PORT_TAKEN"
    assert ask(plane, session, 22, public=port) == "INJECT_PIN"
    assert pinned(plane, session) == {22: port}
    assert plane.block_of(port).flags == DETERMINISTIC
    dynamic = (FIRST + 500) * SIZE + 3
    assert ask(plane, session, 23, public=dynamic) == "INJECT_PIN"
    assert plane.block_of(dynamic).flags == 0
    invariants.check(plane)
