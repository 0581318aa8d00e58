# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Prefixes that are routed to a session (BNG_SUBSCRIBER_ROUTES): theirs, both ways, and
# translated to nowhere.
import ctypes
import ipaddress
import struct

import pytest
from scapy.layers.inet import GRE, ICMP, IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC2, GATEWAY, PUBLIC, REMOTE, Session, be32
from test_cgnat_mapping import open_port
from test_packet_fragments import cut, packet_up, together
from test_packet_forward import ENCAPSULATIONS

NETWORK = "192.88.99.0/29"
HOST, OTHER = "192.88.99.1", "192.88.99.9"


def route(plane, session, network=NETWORK):
    """As controld routes a prefix to a session: a session-like view of a host in it."""
    for address in ipaddress.ip_network(network):
        plane.maps["slot_of_address"].update(struct.pack("=I", be32(address)), struct.pack("=I", session.slot))
    session.record.flags |= abi.SUBSCRIBER_ROUTES
    return Session(plane, session.slot, HOST, session.mac, session.interface, session.tags)


def one_hop_on(frame):
    packet = Ether(frame)[IP]
    packet.ttl -= 1
    return frames.rebuilt_header(packet)


def counters(session):
    record = session.record
    return record.up_packets, record.up_bytes, record.down_packets, record.down_bytes


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_it_is_the_sessions_both_ways_and_not_translated(plane, protocol, tags):
    session = plane.session("10.0.0.5", tags=tags)
    host = route(plane, session)
    up = frames.up(host, frames.PROTOCOLS[protocol](4000))
    result = plane.access(up)
    assert (result.verdict, result.action) == ("FORWARD_UP_EXEMPT", abi.XDP_REDIRECT)
    assert result.frame == frames.expected_up(up, None)
    down = frames.down(HOST, frames.reply_to(protocol, 4000))
    result = plane.core(down)
    assert (result.verdict, result.action) == ("FORWARD_DOWN_EXEMPT", abi.XDP_REDIRECT)
    assert result.frame == frames.expected_down(down, host, exempt=True)
    assert counters(session) == (1, len(Ether(up)[IP]), 1, len(Ether(down)[IP]))
    assert (session.record.mappings, session.blocks) == (0, [])


def test_the_sessions_own_address_is_translated_as_ever(plane):
    session = plane.session("10.0.0.5")
    route(plane, session)
    target = open_port(plane, session, 4000, "udp")
    down = frames.down(PUBLIC[target >> 16], frames.udp(53, target & 0xffff))
    result = plane.core(down)
    assert result.verdict == "FORWARD_DOWN" and result.frame == frames.expected_down(down, session, 4000)
    assert plane.core(frames.down(session.address, frames.udp(53, 4000))).verdict == "DROP_NOT_EXEMPT"


def test_only_what_the_session_has_a_right_to(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2)
    host = route(plane, session)
    up, down = frames.up(host, frames.udp(4000)), frames.down(HOST, frames.udp(53, 4000))
    spoofed = Session(plane, 0, HOST, other.mac, host.interface)
    assert plane.access(frames.up(spoofed, frames.udp(4000))).verdict == "DROP_SPOOF_MAC"
    assert plane.access(frames.up(Session(plane, 0, HOST, host.mac, ACC2), frames.udp(4000)), ACC2).verdict == "DROP_SPOOF_INTERFACE"
    assert plane.access(frames.up(host, frames.udp(4000), src=OTHER)).verdict == "DROP_NO_SESSION"
    assert plane.core(frames.down(OTHER, frames.udp(53, 4000))).verdict == "DROP_NOT_SUBSCRIBER"
    # An entry that was left by somebody: the session does not know of any.
    session.record.flags &= ~abi.SUBSCRIBER_ROUTES
    assert (plane.access(up).verdict, plane.core(down).verdict) == ("DROP_NO_SESSION", "DROP_NOT_SUBSCRIBER")
    session.record.flags |= abi.SUBSCRIBER_ROUTES
    assert (plane.access(up).verdict, plane.core(down).verdict) == ("FORWARD_UP_EXEMPT", "FORWARD_DOWN_EXEMPT")
    plane.close_session(session)
    assert (plane.access(up).verdict, plane.core(down).verdict) == ("DROP_NO_SESSION", "DROP_NOT_SUBSCRIBER")


@pytest.mark.parametrize("kind", ["fragments", "an error", "a tunnel's"])
def test_what_has_no_ports_goes_through_too(plane, kind):
    host = route(plane, plane.session("10.0.0.5"))
    quote = bytes(IP(src=REMOTE, dst=HOST) / frames.udp(53, 4000))[:28]
    reverse = bytes(IP(src=HOST, dst=REMOTE) / frames.udp(4000))[:28]
    ups, downs = {
        "fragments": (lambda: cut(packet_up(host, "udp")), lambda: cut(frames.down(HOST, frames.udp(53, 4000, data=bytes(3000))))),
        "an error": (lambda: [frames.up(host, ICMP(type=3, code=3) / Raw(quote))],
                     lambda: [frames.down(HOST, ICMP(type=11) / Raw(reverse), remote="198.18.7.7")]),
        "a tunnel's": (lambda: [frames.up(host, GRE() / Raw(b"x"))], lambda: [frames.down(HOST, GRE() / Raw(b"x"))]),
    }[kind]
    for step, side, pieces in ((plane.access, "UP", ups()), (plane.core, "DOWN", downs())):
        for frame in reversed(pieces):
            result = step(frame)
            assert (result.verdict, result.frame[14:]) == (f"FORWARD_{side}_EXEMPT", one_hop_on(frame))


def test_to_another_subscribers_public_end(plane):
    """As from the core; the answer goes to the core, where the prefix is routed back from."""
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2)
    host, target = route(plane, session), open_port(plane, other, 5000, "udp")
    frame = frames.up(host, frames.udp(4000, dport=target & 0xffff), remote=PUBLIC[target >> 16])
    result = plane.access(frame)
    assert result.verdict == "FORWARD_HAIRPIN"
    assert Ether(result.frame).dst == other.mac
    assert bytes(Ether(result.frame)[IP]) == frames.translated(frame, destination=(other.address, 5000))
    assert (session.record.mappings, session.record.up_packets, other.record.down_packets) == (0, 1, 1)
    answer = plane.access(frames.up(other, frames.udp(5000, dport=4000), remote=HOST), ACC2)
    assert answer.verdict == "FORWARD_UP"
    back = plane.core(frames.down(HOST, frames.udp(target & 0xffff, 4000), remote=PUBLIC[target >> 16]))
    assert back.verdict == "FORWARD_DOWN_EXEMPT"
    error = ICMP(type=3, code=3) / Raw(bytes(Ether(answer.frame)[IP])[:28])
    result = plane.access(frames.up(host, error, remote=PUBLIC[target >> 16]))
    assert result.verdict == "FORWARD_ICMP_DOWN" and Ether(result.frame)[IP].dst == other.address
    assert plane.access(frames.up(host, GRE() / Raw(b"x"), remote=PUBLIC[target >> 16])).verdict == "DROP_TUNNEL_HAIRPIN"


def test_fragments_to_another_subscribers_public_end(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2)
    host, target = route(plane, session), open_port(plane, other, 5000, "udp")
    whole = frames.up(host, frames.udp(4000, dport=target & 0xffff, data=bytes(3000)), remote=PUBLIC[target >> 16], id=9)
    first, second, third = cut(whole)
    held = plane.access(third)
    assert held.verdict == "PUNT_FRAGMENT"
    punt = abi.bng_punt.from_buffer_copy(held.frame)
    assert (punt.reason, punt.slot) == (abi.PUNT_REASON_FRAGMENT_DOWN, 0)
    assert held.frame[ctypes.sizeof(punt):] == third  # its source is its own
    results = [plane.access(first), plane.access(second), plane.inject(held.frame)]
    assert [result.verdict for result in results] == ["FORWARD_HAIRPIN", "FORWARD_HAIRPIN", "FORWARD_DOWN"]
    assert bytes(IP(together(results))) == frames.translated(whole, destination=(other.address, 5000))


def test_the_gateway_answers_it(plane):
    host = route(plane, plane.session("10.0.0.5"))
    result = plane.access(frames.up(host, frames.echo(1), remote=GATEWAY))
    assert result.verdict == "ANSWER_ECHO" and Ether(result.frame)[IP].dst == HOST
    assert plane.access(frames.up(host, frames.udp(4000), ttl=1)).verdict == "ANSWER_TTL"


def test_the_sessions_rate_holds_for_it(plane):
    session = plane.session("10.0.0.5")
    host = route(plane, session)
    session.record.flags |= abi.SUBSCRIBER_RATE
    session.record.rate_up.limit = session.record.rate_down.limit = 1_000_000 << abi.RATE_SHIFT | 1 << 32
    assert plane.access(frames.up(host, frames.udp(4000))).verdict == "DROP_RATE_UP"
    assert plane.core(frames.down(HOST, frames.udp(53, 4000))).verdict == "DROP_RATE_DOWN"
    assert session.record.drop_packets == 2
