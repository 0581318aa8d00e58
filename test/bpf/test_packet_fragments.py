# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# IPv4 fragments (RFC 4787 REQ-14; out of order: test_packet_hold.py): cut by scapy, translated by us, put
# together again, and compared with the whole packet translated by scapy.
import random

import pytest
from scapy.layers.inet import IP, fragment
from scapy.layers.l2 import Ether

import abi
import frames
from plane import ACC2, PUBLIC, REMOTE, UNRESOLVED
from test_cgnat_mapping import open_port
from test_packet_forward import ENCAPSULATIONS

protocols = pytest.mark.parametrize("protocol", frames.PROTOCOLS)
DATA = bytes(number * 7 & 255 for number in range(3001))


def cut(frame, size=1024):
    """The frame as a list of frames, each a fragment of its packet."""
    return [frames.with_ip(frame, bytes(piece)) for piece in fragment(IP(bytes(Ether(frame)[IP])), size)]


def together(results):
    """The whole packet again, as the receiver's IP has it; its IP checksum is made by scapy."""
    pieces = [frames.ip_of(result.frame) for result in results]
    for piece in pieces:
        assert bytes(IP(frames.rebuilt_header(piece)))[:20] == bytes(piece)[:20]
    whole = pieces[0].copy()
    whole.remove_payload()
    payload = b"".join(bytes(piece.payload) for piece in pieces)
    whole.flags, whole.len, whole.chksum = 0, None, None
    return bytes(whole / payload)


def run(step, pieces, verdict):
    results = [step(piece) for piece in pieces]
    assert [result.verdict for result in results] == [verdict] * len(pieces)
    return results


def packet_up(session, protocol, port=4000, **fields):
    return frames.up(session, frames.PROTOCOLS[protocol](port, data=DATA), **{"id": 77, **fields})


def packet_down(public, protocol, **fields):
    return frames.down(PUBLIC[public >> 16], frames.reply_to(protocol, public & 0xffff, data=DATA), **{"id": 88, **fields})


@protocols
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_rfc4787_req14_fragments_in_order_both_ways(plane, protocol, tags):
    session = plane.session("10.0.0.5", tags=tags)
    whole = packet_up(session, protocol)
    results = run(plane.access, cut(whole), "FORWARD_UP")
    public = frames.public_end(results[0])
    assert len(results) == 3 and session.record.mappings == 1
    assert together(results) == frames.translated(whole, source=frames.endpoint(public))
    assert all(result.frame[:14] == frames.expected_up(whole, None)[:14] for result in results)
    answer = packet_down(public, protocol)
    results = run(plane.core, cut(answer), "FORWARD_DOWN")
    assert together(results) == frames.expected_down(answer, session, 4000)[14 + frames.size_of(tags):]
    expected = frames.expected_down(answer, session, 4000)
    assert all(frames.with_ip(expected, bytes(frames.ip_of(result.frame))) == result.frame for result in results)
    assert (session.record.up_packets, session.record.down_packets, session.record.drop_packets) == (3, 3, 0)
    assert session.record.up_bytes == sum(len(piece) for piece in cut(whole)) - 3 * (14 + frames.size_of(tags))


@protocols
@pytest.mark.parametrize("size", [24, 32, 64, 504, 1480])
def test_every_fragment_size(plane, protocol, size):
    session = plane.session("10.0.0.5")
    whole = packet_up(session, protocol)
    results = run(plane.access, cut(whole, size), "FORWARD_UP")
    assert together(results) == frames.translated(whole, source=frames.endpoint(frames.public_end(results[0])))


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_rfc4787_req14_fragments_are_hairpinned(plane, protocol):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2, tags=((0x8100, 9),))
    target, source = open_port(plane, second, 5000, protocol), open_port(plane, first, 4000, protocol)
    whole = frames.up(first, frames.PROTOCOLS[protocol](4000, dport=target & 0xffff, data=DATA), remote=PUBLIC[0], id=9)
    ups = first.record.up_packets
    results = run(plane.access, cut(whole), "FORWARD_HAIRPIN")
    assert together(results) == frames.translated(whole, frames.endpoint(source), (second.address, 5000))
    assert (first.record.up_packets - ups, second.record.down_packets) == (3, 3)


def test_a_follower_without_its_first_is_handed_to_controld(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    for piece in cut(packet_up(session, "udp"))[1:]:
        assert plane.access(piece).verdict == "PUNT_FRAGMENT"
    for piece in cut(packet_down(public, "udp"))[1:]:
        assert plane.core(piece).verdict == "PUNT_FRAGMENT"
    assert plane.count("PUNT_FRAGMENT") == 4


def others(pieces):
    """Followers that belong to another packet than the first: (what differs, frame)."""
    def changed(**fields):
        packet = Ether(pieces[1])
        for name, value in fields.items():
            setattr(packet[IP], name, value)
        packet[IP].chksum = None
        return bytes(packet)
    yield "identification", changed(id=78)
    yield "destination", changed(dst="192.0.2.9")
    yield "protocol", changed(proto=6)


def test_only_the_same_packets_fragments_follow(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    pieces = cut(packet_up(session, "udp"))
    assert plane.access(pieces[0]).verdict == "FORWARD_UP"
    for what, frame in others(pieces):
        assert plane.access(frame).verdict == "PUNT_FRAGMENT", what
    assert plane.access(cut(packet_up(other, "udp"))[1]).verdict == "PUNT_FRAGMENT"
    assert plane.core(cut(frames.down(PUBLIC[0], frames.udp(53, 4000, data=DATA), id=77))[1]).verdict == "PUNT_FRAGMENT"
    assert plane.access(pieces[1]).verdict == "FORWARD_UP"


def test_a_subscribers_fragments_are_not_followed_from_outside(plane):
    """The same addresses, identification and protocol, but from the core: a forged follower."""
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    target = open_port(plane, second, 5000)
    pieces = cut(frames.up(first, frames.udp(4000, target & 0xffff, data=DATA), remote=PUBLIC[0], id=9))
    assert plane.access(pieces[0]).verdict == "FORWARD_HAIRPIN"
    forged = bytes(Ether(src=frames.NEXT_HOP_MAC, dst=frames.CORE_MAC, type=0x800)) + pieces[1][14:]
    assert plane.core(forged).verdict == "PUNT_FRAGMENT"
    assert plane.access(pieces[1]).verdict == "FORWARD_HAIRPIN"


def test_noted_for_seconds_and_after_the_last_for_a_moment(plane):
    session = plane.session("10.0.0.5")
    first, middle, last = cut(packet_up(session, "udp"))
    assert plane.access(first).verdict == "FORWARD_UP"
    plane.advance(abi.ticks(abi.FRAGMENT_SECONDS))
    assert plane.access(middle).verdict == "FORWARD_UP"
    plane.advance(1)
    assert plane.access(last).verdict == "PUNT_FRAGMENT"
    assert plane.access(first).verdict == "FORWARD_UP"
    assert plane.access(last).verdict == "FORWARD_UP"
    assert plane.access(middle).verdict == "FORWARD_UP"
    plane.advance(2)
    assert plane.access(middle).verdict == "PUNT_FRAGMENT"


def neighbours(plane):
    """The entry in use and the others that a search for it looks at."""
    (index,) = [number for number, entry in enumerate(plane.fragment) if entry.until_tick]
    return [plane.fragment[(index + step) % abi.FRAGMENTS] for step in range(abi.FRAGMENT_PROBES)]


def test_rfc4787_req14a_memory_is_bounded_and_full_means_refused(plane):
    session = plane.session("10.0.0.5")
    pieces = cut(packet_up(session, "udp"))
    run(plane.access, pieces, "FORWARD_UP")
    entries = neighbours(plane)
    for entry in entries:
        entry.until_tick, entry.id_be = plane.tick + 5, 1
    before = [bytes(entry) for entry in entries]
    assert plane.access(pieces[0]).verdict == "DROP_FRAGMENT_FULL"
    assert plane.access(pieces[1]).verdict == "PUNT_FRAGMENT"
    assert [bytes(entry) for entry in entries] == before
    assert plane.count("DROP_FRAGMENT_FULL") == 1 and session.record.drop_packets == 1
    entries[-1].until_tick = plane.tick - 1  # the last place a search looks at
    run(plane.access, pieces, "FORWARD_UP")
    assert [bytes(entry) for entry in entries[:-1]] == before[:-1]


def test_a_first_fragment_that_is_refused_leaves_nothing(plane):
    session = plane.session("10.0.0.5", max_mappings=0)
    first, middle, _ = cut(packet_up(session, "udp"))
    result = plane.access(first)
    assert (result.verdict, result.action) == ("DROP_CGNAT_MAPPING_LIMIT", abi.XDP_TX)
    assert plane.access(middle).verdict == "PUNT_FRAGMENT"
    assert not any(entry.until_tick for entry in plane.fragment)
    first, middle, _ = cut(frames.down(PUBLIC[0], frames.udp(53, 4000, data=DATA)))
    assert [plane.core(piece).verdict for piece in (first, middle)] == ["DROP_CGNAT_NO_MAPPING", "PUNT_FRAGMENT"]
    assert not any(entry.until_tick for entry in plane.fragment)


def test_a_first_fragment_too_short_for_its_ports(plane):
    """RFC 1858: the L4 header must be in the first fragment."""
    session = plane.session("10.0.0.5")
    first = cut(packet_up(session, "tcp"), 16)[0]
    assert plane.access(first).verdict == "DROP_SHORT"


def test_fragments_are_filtered_by_their_first(plane):
    plane.pool[0].flags = abi.POOL_FILTER_ADDRESS
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    allowed, refused = (cut(packet_down(public, "udp", src=remote)) for remote in (REMOTE, "192.0.2.2"))
    run(plane.core, allowed, "FORWARD_DOWN")
    assert [plane.core(piece).verdict for piece in refused] == ["DROP_CGNAT_FILTER", "PUNT_FRAGMENT", "PUNT_FRAGMENT"]


def test_fragments_of_a_session_that_has_ended(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    first, middle, last = cut(packet_down(public, "udp"))
    assert plane.core(first).verdict == "FORWARD_DOWN"
    session.record.generation += 1
    assert plane.core(middle).verdict == "DROP_CGNAT_STALE"
    session.record.generation -= 1
    plane.close_session(session)
    assert plane.core(last).verdict == "DROP_CGNAT_STALE"


def test_fragments_obey_ttl_and_mtu(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    answer = cut(packet_down(public, "udp"))
    assert plane.core(answer[0]).verdict == "FORWARD_DOWN"
    plane.interface[session.interface].mtu = 1000
    assert [plane.core(piece).verdict for piece in answer] == ["DROP_MTU", "DROP_MTU", "FORWARD_DOWN"]
    plane.interface[session.interface].mtu = 1500
    expired = cut(packet_down(public, "udp", ttl=1))
    result = plane.core(expired[0])
    assert (result.verdict, result.action) == ("ANSWER_TTL", abi.XDP_TX)
    assert [plane.core(piece).verdict for piece in expired[1:]] == ["DROP_TTL", "DROP_TTL"]  # none about a later one


def test_too_large_fragments_go_to_the_kernel_translated(plane):
    session = plane.session("10.0.0.5")
    whole = packet_up(session, "udp", remote="192.0.2.33")
    first, middle, last = cut(whole)
    results = run(plane.access, (first, middle), "PASS_FRAGMENT") + run(plane.access, (last,), "FORWARD_UP")
    assert {frames.ip_of(result.frame).src for result in results} == {PUBLIC[0]}


def test_fragments_to_an_unresolved_next_hop(plane):
    session = plane.session("10.0.0.5")
    results = run(plane.access, cut(packet_up(session, "udp", remote=UNRESOLVED)), "PASS_NEIGHBOUR")
    assert {result.action for result in results} == {abi.XDP_PASS}
    assert {frames.ip_of(result.frame).src for result in results} == {PUBLIC[0]}


def test_fragments_of_many_packets_mixed(plane):
    """Each stream in order, all of them mixed, both ways."""
    chance = random.Random(14)
    plane.pool_build(shift=9)
    streams = []
    for number in range(60):
        session = plane.session(f"10.0.1.{number}")
        whole = packet_up(session, "udp", port=4000 + number, id=number % 7)
        streams.append((plane.access, session, whole, cut(whole, 264), []))
        public = open_port(plane, session, 4000 + number)
        answer = packet_down(public, "udp", id=number % 5)
        streams.append((plane.core, session, answer, cut(answer, 264), []))
    open_streams = list(streams)
    # Streams of the same public address and identification must not overlap (RFC 791): those of the core differ by port
    # only, so they go one by one.
    seen = set()
    for stream in list(open_streams):
        key = (stream[0], frames.ip_of(stream[2]).dst, frames.ip_of(stream[2]).id, frames.ip_of(stream[2]).src)
        if key in seen:
            open_streams.remove(stream)
        seen.add(key)
    mixed = list(open_streams)
    while open_streams:
        stream = chance.choice(open_streams)
        step, _, _, pieces, results = stream
        results.append(step(pieces[len(results)]))
        if len(results) == len(pieces):
            open_streams.remove(stream)
    assert len(mixed) == 65
    for step, session, whole, _, results in mixed:
        if step == plane.access:
            assert {result.verdict for result in results} == {"FORWARD_UP"}
            expected = frames.translated(whole, source=frames.endpoint(frames.public_end(results[0])))
        else:
            assert {result.verdict for result in results} == {"FORWARD_DOWN"}
            port = frames.inner_end(Ether(results[0].frame), "d")[1]
            expected = frames.expected_down(whole, session, port)[14:]
        assert together(results) == expected
