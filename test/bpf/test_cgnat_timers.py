# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# When a mapping ends: every timer to the tick, by an injected clock, decided on
# the packet path (no sweep runs here unless a test says so); and the state of a
# TCP mapping as real packets drive it.
import pytest

import abi
import frames
import invariants
from plane import PUBLIC, TIMEOUTS, be32
from test_cgnat_mapping import fill, open_port, reaches

# How a mapping gets into each state: (direction, TCP flags) after the packet that opened it.
WAYS = {
    abi.MAPPING_UDP: ("udp", []),
    abi.MAPPING_ICMP: ("icmp", []),
    abi.MAPPING_TCP_PARTIAL: ("tcp", []),
    abi.MAPPING_TCP_ESTABLISHED: ("tcp", [("down", "SA")]),
    abi.MAPPING_TCP_CLOSING: ("tcp", [("down", "SA"), ("up", "FA"), ("down", "FA")]),
    abi.MAPPING_TCP_RESET: ("tcp", [("down", "SA"), ("up", "R")]),
}
NAMES = {value: name.removeprefix("MAPPING_") for name, value in abi.ENUMERATORS.items()
         if name.startswith("MAPPING_") and value in WAYS}
every_state = pytest.mark.parametrize("state", WAYS, ids=NAMES.get)


def send(plane, session, port, public, direction, flags):
    if direction == "up":
        result = plane.access(frames.up(session, frames.tcp(port, flags=flags)))
        assert result.verdict == "FORWARD_UP" and frames.public_end(result) == public
    else:
        result = plane.core(frames.down(PUBLIC[public >> 16], frames.tcp(80, public & 0xffff, flags=flags)))
        assert result.verdict == "FORWARD_DOWN"


def brought_to(plane, session, state, port=4000):
    """A mapping in `state`: its public end."""
    protocol, packets = WAYS[state]
    public = open_port(plane, session, port, protocol)
    for direction, flags in packets:
        send(plane, session, port, public, direction, flags)
    assert plane.mapping_state(public) == state
    return public


@every_state
def test_rfc4787_req5_rfc5382_req5_rfc5508_req2_alive_at_its_timeout(plane, state):
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, state)
    plane.advance(abi.ticks(TIMEOUTS[state]))
    assert reaches(plane, public, session, 4000, WAYS[state][0])


@every_state
def test_dead_one_tick_after_its_timeout(plane, state):
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, state)
    plane.advance(abi.ticks(TIMEOUTS[state]) + 1)
    assert not reaches(plane, public, session, 4000, WAYS[state][0])
    assert plane.count("DROP_CGNAT_NO_MAPPING") == 1 == plane.pool_address[0].drops
    assert session.record.mappings == 1  # not swept: dead all the same


@every_state
def test_rfc4787_req5b_rfc5382_req5a_rfc5508_req2a_rfc7857_s2_1_each_timeout_is_the_pools(plane, state):
    seconds = 7
    plane.pool_build(timeouts={state: seconds})
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, state)
    plane.advance(abi.ticks(seconds) + 1)
    assert not reaches(plane, public, session, 4000, WAYS[state][0])


def test_timers_never_end_early():
    for state, seconds in TIMEOUTS.items():
        assert abi.ticks(seconds) << abi.TICK_SHIFT >= seconds * 1_000_000_000, NAMES[state]


@every_state
def test_rfc4787_req6_outbound_keeps_it_alive(plane, state):
    """rfc4787_req6: a packet from inside each time just before the end."""
    protocol = WAYS[state][0]
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, state)
    for _ in range(5):
        plane.advance(abi.ticks(TIMEOUTS[plane.mapping_state(public)]))
        assert open_port(plane, session, 4000, protocol, **({"flags": "A"} if protocol == "tcp" else {})) == public
    plane.advance(abi.ticks(TIMEOUTS[plane.mapping_state(public)]))
    assert reaches(plane, public, session, 4000, protocol)


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_rfc4787_req6_inbound_does_not_refresh(plane, protocol):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    half = abi.ticks(TIMEOUTS[plane.mapping_state(public)]) // 2
    opened = plane.tick
    for _ in range(2):
        plane.advance(half)
        assert reaches(plane, public, session, 4000, protocol)
    assert plane.mapping_at(public).last_tick == opened
    plane.advance(2)
    assert not reaches(plane, public, session, 4000, protocol)


def test_tcp_inbound_does_refresh(plane):
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, abi.MAPPING_TCP_ESTABLISHED)
    for _ in range(3):
        plane.advance(abi.ticks(7440))
        send(plane, session, 4000, public, "down", "A")


def test_a_dead_mapping_revived_from_inside_starts_anew(plane):
    """The same inner end may find the same port; its TCP state is that of a new mapping."""
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, abi.MAPPING_TCP_CLOSING)
    plane.advance_seconds(8000)
    assert open_port(plane, session, 4000, "tcp") == public
    assert plane.mapping_state(public) == abi.MAPPING_TCP_PARTIAL
    assert session.record.mappings == 1


def test_a_dead_mappings_port_is_reused_when_the_block_is_full(plane):
    session = plane.session("10.0.0.5", max_blocks=1)
    ends = fill(plane, session, range(4000, 4064))
    plane.advance(abi.ticks(300) + 1)
    fresh = fill(plane, session, range(5000, 5064))
    assert set(fresh.values()) == set(ends.values())
    assert (session.record.mappings, plane.block_of(ends[4000]).used) == (64, 64)


@pytest.mark.parametrize("shift", [6, 9, 12])
def test_with_nobody_to_sweep_the_dead_do_not_count(plane, shift):
    """Every process is dead: a subscriber at its limit of mappings opens new ones when old ones expire."""
    plane.pool_build(shift=shift, max_blocks=2, max_mappings=100)
    session = plane.session("10.0.0.5")
    fill(plane, session, range(4000, 4100))
    assert open_port(plane, session, 5000) == "DROP_CGNAT_MAPPING_LIMIT"
    plane.advance(abi.ticks(300) + 1)
    opened = sum(isinstance(open_port(plane, session, port), int) for port in range(5000, 5200))
    # In a large block the search for a dead one is short: not each is found.
    assert opened == 100 if shift == 6 else 30 < opened <= 100
    assert session.record.mappings == 100
    invariants.check(plane)


def test_rfc6888_req11d_live_mappings_are_never_reused(plane):
    """rfc6888_req11: at the very last tick of its life nobody takes its port."""
    session = plane.session("10.0.0.5", max_blocks=1)
    ends = fill(plane, session, range(4000, 4064))
    plane.advance(abi.ticks(300))
    assert open_port(plane, session, 5000) == "DROP_CGNAT_BLOCK_LIMIT"
    assert all(reaches(plane, ends[port], session, port) for port in ends)


def test_a_clock_that_wraps(plane):
    """Ticks are compared modulo 2^32: a mapping lives across the wrap."""
    plane.clock_ns = (1 << 32 << abi.TICK_SHIFT) * ((plane.clock_ns >> 32 + abi.TICK_SHIFT) + 1)
    plane.advance(-100)
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    assert plane.mapping_at(public).last_tick > 0xffffff00
    plane.advance(300)
    assert plane.tick < 300 and reaches(plane, public, session, 4000)
    plane.advance(abi.ticks(300) - 300)
    assert reaches(plane, public, session, 4000)
    plane.advance(1)
    assert not reaches(plane, public, session, 4000)


# ---- TCP ------------------------------------------------------------------------

P, E, C, R = (abi.MAPPING_TCP_PARTIAL, abi.MAPPING_TCP_ESTABLISHED, abi.MAPPING_TCP_CLOSING, abi.MAPPING_TCP_RESET)
CONNECTIONS = {
    "handshake": [("down", "SA", E), ("up", "A", E)],
    "SYN repeated": [("up", "S", P), ("up", "S", P)],
    "no answer: data alone opens nothing": [("up", "A", P), ("up", "PA", P), ("up", "FA", P)],
    "closed from inside first": [("down", "SA", E), ("up", "FA", E), ("down", "A", E), ("down", "FA", C), ("up", "A", C)],
    "closed from outside first": [("down", "SA", E), ("down", "FA", E), ("up", "FA", C), ("down", "A", C)],
    "both close at once": [("down", "SA", E), ("up", "FA", E), ("down", "FA", C), ("up", "A", C), ("down", "A", C)],
    "half closed goes on": [("down", "SA", E), ("up", "FA", E), ("down", "PA", E), ("down", "PA", E)],
    "closed, then opened again": [("down", "SA", E), ("up", "FA", E), ("down", "FA", C), ("up", "S", P), ("down", "SA", E)],
}
BOTH_OPEN = {
    "SYNs cross": [("down", "S", E), ("up", "SA", E), ("down", "SA", E), ("up", "A", E)],
    "SYN and answer cross": [("down", "S", E), ("down", "SA", E), ("up", "SA", E), ("up", "A", E)],
    "the first SYN again": [("up", "S", P), ("down", "S", E), ("up", "S", E), ("up", "SA", E), ("down", "A", E)],
}
RESETS = {
    "refused": [("down", "RA", R), ("up", "S", P)],
    "not believed": [("down", "SA", E), ("down", "R", R), ("up", "A", E)],
    "from inside, outside goes on": [("down", "SA", E), ("up", "R", R), ("down", "PA", E)],
    "twice": [("down", "SA", E), ("up", "R", R), ("down", "R", R), ("down", "R", R)],
    "SYN and RST: the RST counts": [("down", "SR", R)],
    "while closing": [("down", "SA", E), ("up", "FA", E), ("down", "FA", C), ("down", "R", R)],
}


def of(sequences):
    return pytest.mark.parametrize("packets", sequences.values(), ids=[name.replace(" ", "-") for name in sequences])


def follow(plane, packets):
    """Sends them after a SYN from inside, three ticks apart: after each the state is as foretold. The public end."""
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, "tcp")
    assert plane.mapping_state(public) == P
    for number, (direction, flags, state) in enumerate(packets):
        plane.advance(3)
        send(plane, session, 4000, public, direction, flags)
        assert plane.mapping_state(public) == state, f"after packet {number}"
        assert plane.mapping_at(public).last_tick == plane.tick
    return session, public


@of(CONNECTIONS)
def test_rfc5382_req2_every_connection(plane, packets):
    follow(plane, packets)


@of(BOTH_OPEN)
def test_rfc5382_req2a_simultaneous_open(plane, packets):
    session, public = follow(plane, packets)
    plane.advance(abi.ticks(7440))
    assert reaches(plane, public, session, 4000, "tcp")


@of(RESETS)
def test_rfc7857_s2_2_rst(plane, packets):
    follow(plane, packets)


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("late", [0, 1])
def test_rfc7857_s2_2_kept_four_minutes_after_a_rst(plane, direction, late):
    """Whoever sent it: what comes within 240 s arrives, a tick later nothing does."""
    session, public = follow(plane, [("down", "SA", E), (direction, "RA", R)])
    plane.advance(abi.ticks(240) + late)
    assert reaches(plane, public, session, 4000, "tcp") == (not late)
    assert plane.mapping_state(public) == (R if late else E)


@pytest.mark.parametrize("packets, seconds", [([], 100), ([("down", "SA", E)], 7300), ([("down", "R", R)], 100),
                                              ([("down", "SA", E), ("up", "FA", E), ("down", "FA", C)], 100)],
                         ids=["partial", "established", "reset", "closing"])
def test_rfc7857_s7_1_a_rst_from_inside_does_not_refresh(plane, packets, seconds):
    """It is translated, and the mapping ends when it would have ended; one that would live longer ends earlier."""
    session, public = follow(plane, packets)
    ends = plane.tick + abi.ticks(TIMEOUTS[plane.mapping_state(public)])
    before = bytes(plane.mapping_at(public))
    plane.advance_seconds(seconds)
    send(plane, session, 4000, public, "up", "RA")
    assert bytes(plane.mapping_at(public)) == before
    plane.advance(ends - plane.tick + 1)
    assert not reaches(plane, public, session, 4000, "tcp")


def test_rfc7857_s2_2_rst_reaches_the_other_end_wherever_its_mapping_lies(plane):
    """In the first bucket, spilled into another, or in another block."""
    session = plane.session("10.0.0.5", max_blocks=2)
    ends = fill(plane, session, range(4000, 4128), "tcp")
    assert len(session.blocks) == 2
    for port, public in ends.items():
        send(plane, session, port, public, "down", "SA")
        send(plane, session, port, public, "up", "RA")
        assert plane.mapping_state(public) == R


@pytest.mark.parametrize("swept", [False, True])
def test_rst_revives_nothing(plane, swept):
    session = plane.session("10.0.0.5")
    public = brought_to(plane, session, P)
    plane.advance_seconds(300)
    if swept:
        plane.sweep()
    assert plane.access(frames.up(session, frames.tcp(4000, flags="R"))).verdict == "DROP_TCP_FLAGS"
    assert not reaches(plane, public, session, 4000, "tcp")


# ---- generations ------------------------------------------------------------------

def test_block_of_an_ended_session_is_stale(plane):
    """The slot was opened for somebody else before the sweep took the block: not theirs."""
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    record = session.record
    frame = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff))
    for generation, verdict in ((0, "FORWARD_DOWN"), (1, "DROP_CGNAT_STALE"), (0x8000, "DROP_CGNAT_STALE")):
        record.generation = plane.block_of(public).generation ^ generation
        assert plane.core(frame).verdict == verdict
    record.state = abi.SUBSCRIBER_FREE
    assert plane.core(frame).verdict == "DROP_CGNAT_STALE"
    assert record.address_be == be32("10.0.0.5") and record.down_packets == 1


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_a_mapping_refreshed_a_tick_later_elsewhere_is_alive(plane, protocol):
    """Another CPU read the clock just after a tick, this one just before: not 36 years old."""
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, protocol)
    plane.advance(-1)
    assert reaches(plane, public, session, 4000, protocol)
    plane.sweep()
    assert reaches(plane, public, session, 4000, protocol)
    assert open_port(plane, session, 4000, protocol) == public
