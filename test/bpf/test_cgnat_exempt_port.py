# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Destinations that are exempt by address and port (RFC 6888 REQ-6): that port and no
# other, both ways, with errors and fragments, and flows that were there before.
import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

import abi
import frames
from plane import ACC1, ACC2, CORE, PUBLIC, REMOTE
from test_cgnat_mapping import open_port, reaches
from test_packet_forward import ENCAPSULATIONS
from test_packet_fragments import DATA, cut, together
from test_packet_hold import hand_back

ADDRESS = "10.0.0.5"
ROUTER = "198.18.77.7"
PORTS = {"udp": 5060, "tcp": 443}
protocols = pytest.mark.parametrize("protocol", PORTS)


def build(protocol, sport, dport, **more):
    return (frames.udp if protocol == "udp" else frames.tcp)(sport, dport, **more)


def add(plane, protocol, network="192.0.2.0/30", epoch=0):
    plane.exempt_port_add(network, protocol, PORTS[protocol], epoch)


def exempt(plane, protocol):
    """As controld adds an entry: with the next epoch, then the epoch."""
    epoch = plane.meta.exempt_epoch + 1
    add(plane, protocol, epoch=epoch)
    plane.meta.exempt_epoch = epoch


def up(plane, session, protocol, sport=4000, dport=None, **fields):
    frame = frames.up(session, build(protocol, sport, dport or PORTS[protocol]), **fields)
    return frame, plane.access(frame, session.interface)


def untranslated(plane, session, protocol, **fields):
    frame, result = up(plane, session, protocol, **fields)
    assert (result.verdict, result.frame) == ("FORWARD_UP_EXEMPT", frames.expected_up(frame, None))


def public_of(plane, session, protocol, **fields):
    """The public end it was translated to."""
    frame, result = up(plane, session, protocol, **fields)
    assert result.verdict == "FORWARD_UP"
    public = frames.public_end(result)
    assert result.frame == frames.expected_up(frame, frames.endpoint(public))
    return public


# ---- whole packets ------------------------------------------------------------------

@protocols
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_rfc6888_req6_a_port_is_not_translated(plane, protocol, tags):
    session = plane.session(ADDRESS, tags=tags)
    add(plane, protocol)
    untranslated(plane, session, protocol)
    frame = frames.down(ADDRESS, build(protocol, PORTS[protocol], 4000))
    result = plane.core(frame)
    assert (result.verdict, result.frame) == ("FORWARD_DOWN_EXEMPT", frames.expected_down(frame, session, exempt=True))
    assert (session.record.up_packets, session.record.down_packets, session.record.mappings) == (1, 1, 0)


@protocols
def test_rfc6888_req6_every_other_port_and_protocol_is(plane, protocol):
    session, other = plane.session(ADDRESS), {"udp": "tcp", "tcp": "udp"}[protocol]
    add(plane, protocol)
    port = PORTS[protocol]
    public_of(plane, session, protocol, dport=port + 1)
    public_of(plane, session, protocol, dport=(port << 8 | port >> 8) & 0xffff)
    public_of(plane, session, other, dport=port)
    public_of(plane, session, protocol, remote="192.0.2.4")
    assert isinstance(open_port(plane, session, port, "icmp"), int)
    for l4 in (build(protocol, port + 1, 4000), build(other, port, 4000), build(protocol, 4000, port), frames.echo(port)):
        assert plane.core(frames.down(ADDRESS, l4)).verdict == "DROP_NOT_EXEMPT"
    assert plane.core(frames.down(ADDRESS, build(protocol, port, 4000), remote="192.0.2.4")).verdict == "DROP_NOT_EXEMPT"
    assert session.record.drop_packets == 5


@pytest.mark.parametrize("network, inside", [("0.0.0.0/0", 4), ("192.0.2.0/31", 2), ("192.0.2.1/32", 1)])
def test_rfc6888_req6_the_prefix_ends_where_it_ends(plane, network, inside):
    session = plane.session(ADDRESS)
    add(plane, "tcp", network)
    verdicts = [up(plane, session, "tcp", remote=f"192.0.2.{last}")[1].verdict for last in (1, 0, 2, 9)]
    assert verdicts == ["FORWARD_UP_EXEMPT"] * inside + ["FORWARD_UP"] * (4 - inside)


def test_entries_that_are_not_announced_are_not_looked_for(plane):
    """The flag in the count is what costs a packet nothing."""
    session = plane.session(ADDRESS)
    add(plane, "tcp")
    plane.meta.exempt_count = 0
    public_of(plane, session, "tcp")
    assert plane.core(frames.down(ADDRESS, build("tcp", 443, 4000))).verdict == "DROP_NOT_EXEMPT"
    assert plane.core(frames.down(ADDRESS, Raw(b"x" * 8), frag=1, proto=6)).verdict == "DROP_NOT_EXEMPT"


def test_ttl_and_mss_as_anywhere(plane):
    session = plane.session(ADDRESS)
    session.record.mss = 1200
    add(plane, "tcp")
    assert up(plane, session, "tcp", ttl=1)[1].verdict == "ANSWER_TTL"
    assert plane.core(frames.down(ADDRESS, build("tcp", 443, 4000), ttl=1)).verdict == "ANSWER_TTL"
    offer = frames.up(session, frames.tcp(4000, 443, options=[("MSS", 1460)]))
    result = plane.access(offer)
    assert result.verdict == "FORWARD_UP_EXEMPT"
    assert result.frame == frames.expected_up(frames.up(session, frames.tcp(4000, 443, options=[("MSS", 1200)])), None)


@protocols
def test_to_a_public_address_of_ours_it_is_hairpinned(plane, protocol):
    """Whole or in fragments: an entry for every address means those of the internet."""
    first, second = plane.session(ADDRESS), plane.session("10.0.0.6", interface=ACC2)
    target = open_port(plane, second, 5000, protocol)
    plane.exempt_port_add("0.0.0.0/0", protocol, target & 0xffff)
    source = open_port(plane, first, 4000, protocol)
    frame, result = up(plane, first, protocol, dport=target & 0xffff, remote=PUBLIC[0])
    assert result.verdict == "FORWARD_HAIRPIN"
    assert frames.ip_of(result.frame).src == PUBLIC[source >> 16]
    whole = frames.up(first, build(protocol, 4000, target & 0xffff, data=DATA), remote=PUBLIC[0], id=9)
    results = [plane.access(piece) for piece in cut(whole)]
    assert [result.verdict for result in results] == ["FORWARD_HAIRPIN"] * 3
    assert together(results) == frames.translated(whole, frames.endpoint(source), (second.address, 5000))
    plane.exempt_port_add("0.0.0.0/0", protocol, source & 0xffff)
    quoted = IP(src=PUBLIC[source >> 16], dst=second.address) / build(protocol, source & 0xffff, 5000)
    told = frames.up(second, error(quoted), remote=PUBLIC[source >> 16])
    result = plane.access(told, ACC2)
    assert result.verdict == "FORWARD_ICMP_DOWN" and frames.ip_of(result.frame).src == PUBLIC[target >> 16]


# ---- flows that were there before -----------------------------------------------------

@protocols
def test_a_flow_keeps_its_mapping_and_a_new_one_gets_none(plane, protocol):
    session = plane.session(ADDRESS)
    public = public_of(plane, session, protocol)
    exempt(plane, protocol)
    for _ in range(5):
        plane.advance_seconds(50)
        assert public_of(plane, session, protocol) == public
        assert reaches(plane, public, session, 4000, protocol)
    untranslated(plane, session, protocol, sport=4001)
    plane.advance_seconds(7441)
    untranslated(plane, session, protocol)


def test_a_settled_entry_is_for_everybody(plane):
    session = plane.session(ADDRESS)
    public_of(plane, session, "udp")
    add(plane, "udp")
    untranslated(plane, session, "udp")


@pytest.mark.parametrize("young, verdict", [("address", "FORWARD_UP_EXEMPT"), ("port", "FORWARD_UP_EXEMPT"), ("both", "FORWARD_UP")])
def test_exempt_by_the_older_of_two_entries_stays_exempt(plane, young, verdict):
    """An inner port has a mapping for others; what it sends to an exempt destination does not change its address because
    the destination becomes exempt a second time."""
    session = plane.session(ADDRESS)
    public_of(plane, session, "udp", remote="192.0.2.9")
    plane.meta.exempt_epoch += 1
    epoch = {"young": plane.meta.exempt_epoch, "old": 0}
    plane.exempt_add("192.0.2.0/30", epoch["young" if young in ("address", "both") else "old"])
    add(plane, "udp", epoch=epoch["young" if young in ("port", "both") else "old"])
    assert up(plane, session, "udp")[1].verdict == verdict


# ---- ICMP errors ----------------------------------------------------------------------

def error(quoted, kind=(3, 3)):
    return ICMP(type=kind[0], code=kind[1]) / Raw(bytes(quoted))


@protocols
def test_rfc6888_req6_errors_about_packets_to_a_port_come_in(plane, protocol):
    session = plane.session(ADDRESS)
    add(plane, protocol)
    port = PORTS[protocol]
    right = IP(src=ADDRESS, dst=REMOTE) / build(protocol, 4000, port)
    frame = frames.down(ADDRESS, error(right), remote=ROUTER)
    result = plane.core(frame)
    assert (result.verdict, result.frame) == ("FORWARD_DOWN_EXEMPT", frames.expected_down(frame, session, exempt=True))
    for quoted in (IP(src=ADDRESS, dst=REMOTE) / build(protocol, port, 4000),
                   IP(src=ADDRESS, dst="192.0.2.4") / build(protocol, 4000, port),
                   IP(src="10.0.0.6", dst=REMOTE) / build(protocol, 4000, port)):
        assert plane.core(frames.down(ADDRESS, error(quoted), remote=ROUTER)).verdict == "DROP_NOT_EXEMPT"
    assert plane.core(frames.down(ADDRESS, error(bytes(right)[:27]), remote=ROUTER)).verdict == "DROP_SHORT"
    assert plane.core(frames.down(ADDRESS, ICMP(type=3, chksum=1) / right, remote=ROUTER)).verdict == "DROP_ICMP_CHECKSUM"
    assert plane.core(frames.down(ADDRESS, error(right), remote=ROUTER, ttl=1)).verdict == "DROP_TTL"
    assert (session.record.down_packets, session.record.drop_packets) == (1, 6)


@protocols
def test_rfc6888_req6_errors_about_packets_from_a_port_go_out(plane, protocol):
    session = plane.session(ADDRESS)
    add(plane, protocol)
    frame = frames.up(session, error(IP(src=REMOTE, dst=ADDRESS) / build(protocol, PORTS[protocol], 4000)))
    result = plane.access(frame)
    assert (result.verdict, result.frame) == ("FORWARD_UP_EXEMPT", frames.expected_up(frame, None))
    for other in ("192.0.2.9", "192.0.2.2"):  # exempt or not: it is told of nothing but its own packets
        to_another = frames.up(session, error(IP(src=REMOTE, dst=ADDRESS) / build(protocol, PORTS[protocol], 4000)), remote=other)
        assert plane.access(to_another).verdict == "DROP_ICMP_QUOTE"
    other_port = frames.up(session, error(IP(src=REMOTE, dst=ADDRESS) / build(protocol, 9, 4000)))
    assert plane.access(other_port).verdict == "DROP_ICMP_QUOTE"


def test_an_error_of_an_older_flow_stays_translated(plane):
    session = plane.session(ADDRESS)
    public_of(plane, session, "udp")
    exempt(plane, "udp")
    about = {port: frames.up(session, error(IP(src=REMOTE, dst=ADDRESS) / frames.udp(5060, port))) for port in (4000, 4001)}
    assert plane.access(about[4000]).verdict == "FORWARD_ICMP_UP"
    assert plane.access(about[4001]).verdict == "FORWARD_UP_EXEMPT"


# ---- fragments ------------------------------------------------------------------------

def pieces_up(session, protocol, **fields):
    frame = frames.up(session, build(protocol, 4000, PORTS[protocol], data=DATA), id=77, **fields)
    return frame, cut(frame)


def pieces_down(protocol, sport=None, **fields):
    frame = frames.down(ADDRESS, build(protocol, sport or PORTS[protocol], 4000, data=DATA), id=88, **fields)
    return frame, cut(frame)


@protocols
def test_rfc6888_req6_fragments_both_ways(plane, protocol):
    session = plane.session(ADDRESS)
    add(plane, protocol)
    whole, pieces = pieces_up(session, protocol)
    results = [plane.access(piece) for piece in pieces]
    assert [result.verdict for result in results] == ["FORWARD_UP_EXEMPT"] * 3
    assert together(results) == frames.translated(whole)
    assert all(result.frame[:14] == frames.expected_up(whole, None)[:14] for result in results)
    whole, pieces = pieces_down(protocol)
    results = [plane.core(piece) for piece in pieces]
    assert [result.verdict for result in results] == ["FORWARD_DOWN_EXEMPT"] * 3
    assert together(results) == frames.translated(whole)
    assert (session.record.up_packets, session.record.down_packets, session.record.mappings) == (3, 3, 0)


@protocols
def test_rfc6888_req6_a_fragment_before_its_first_is_held(plane, protocol):
    session = plane.session(ADDRESS)
    add(plane, protocol)
    _, (first, middle, last) = pieces_up(session, protocol)
    assert plane.access(middle).verdict == "PUNT_FRAGMENT"
    assert plane.access(first).verdict == plane.access(last).verdict == "FORWARD_UP_EXEMPT"
    assert hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1).verdict == "FORWARD_UP_EXEMPT"
    _, (first, middle, last) = pieces_down(protocol)
    assert plane.core(middle).verdict == "PUNT_FRAGMENT"
    assert hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_DOWN, CORE).verdict == "DROP_FRAGMENT"
    assert plane.core(first).verdict == plane.core(last).verdict == "FORWARD_DOWN_EXEMPT"
    result = hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_DOWN, CORE)
    assert (result.verdict, result.frame) == ("FORWARD_DOWN_EXEMPT", frames.expected_down(middle, session, exempt=True))


def test_fragments_from_elsewhere_stay_out(plane):
    session = plane.session(ADDRESS)
    add(plane, "udp")
    _, (first, *_) = pieces_down("udp", sport=9)
    assert plane.core(first).verdict == "DROP_NOT_EXEMPT"
    assert plane.core(frames.down(ADDRESS, UDP(sport=5060, dport=4000), flags="MF", ttl=1)).verdict == "DROP_TTL"
    for protocol in (1, 47, 132):
        assert plane.core(frames.down(ADDRESS, Raw(b"x" * 64), frag=9, proto=protocol)).verdict == "DROP_NOT_EXEMPT"
    assert session.record.down_packets == 0


def test_fragments_of_an_older_flow_stay_translated(plane):
    session = plane.session(ADDRESS)
    public = public_of(plane, session, "udp")
    exempt(plane, "udp")
    whole, pieces = pieces_up(session, "udp")
    results = [plane.access(piece) for piece in pieces]
    assert [result.verdict for result in results] == ["FORWARD_UP"] * 3
    assert together(results) == frames.translated(whole, source=frames.endpoint(public))
