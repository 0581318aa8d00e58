# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Hairpinning (RFC 4787 REQ-9, RFC 5382 REQ-8, RFC 5508 REQ-7): a subscriber asks
# another by its public end, in one pass; the other sees the public source.
import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

import abi
import frames
from plane import ACC2, PUBLIC
from test_cgnat_mapping import open_port
from test_packet_forward import ENCAPSULATIONS

protocols = pytest.mark.parametrize("protocol", ["udp", "tcp"])


def expected(frame, source, session, inner_port):
    """The whole frame that the other subscriber gets; `source` is the public end of the first."""
    ip = frames.translated(frame, source=source, destination=(session.address, inner_port))
    return frames.encapsulated(session.interface_mac, session.mac, session.tags, ip)


def ask(session, protocol, port, target, data=b"hello"):
    return frames.up(session, frames.PROTOCOLS[protocol](port, dport=target & 0xffff, data=data),
                     remote=PUBLIC[target >> 16])


@protocols
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_rfc4787_req9a_rfc5382_req8a_hairpin_with_external_source(plane, protocol, tags):
    plane.pool_build(addresses=(0, 1))
    first, second = plane.session("10.0.0.5", tags=tags), plane.session("10.0.0.6", interface=ACC2, tags=((0x8100, 3),))
    target, source = open_port(plane, second, 5000, protocol), open_port(plane, first, 4000, protocol)
    counts = (first.record.up_packets, first.record.up_bytes, second.record.down_packets, second.record.down_bytes)
    frame = ask(first, protocol, 4000, target)
    result = plane.access(frame)
    assert (result.verdict, result.action) == ("FORWARD_HAIRPIN", abi.XDP_REDIRECT)
    assert result.frame == expected(frame, frames.endpoint(source), second, 5000)
    size = len(Ether(frame)[IP])
    assert (first.record.up_packets, first.record.up_bytes, second.record.down_packets, second.record.down_bytes) == \
        (counts[0] + 1, counts[1] + size, counts[2] + 1, counts[3] + size)
    answer = ask(second, protocol, 5000, source)
    result = plane.access(answer, ACC2)
    assert result.verdict == "FORWARD_HAIRPIN"
    assert result.frame == expected(answer, frames.endpoint(target), first, 4000)


@protocols
def test_rfc4787_req9_rfc5382_req8_the_first_packet_makes_the_mapping(plane, protocol):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    target = open_port(plane, second, 5000, protocol)
    result = plane.access(ask(first, protocol, 4000, target))
    assert result.verdict == "FORWARD_HAIRPIN"
    source = frames.inner_end(Ether(result.frame), "s")
    assert first.record.mappings == 1
    assert frames.endpoint(open_port(plane, first, 4000, protocol)) == source


def test_rfc7857_s12_query_reply_is_hairpinned(plane):
    """An echo request from outside came to a mapping; its reply, sent to a public address of ours, arrives."""
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    target = open_port(plane, second, 500, "icmp")
    frame = frames.up(first, frames.echo(target & 0xffff, kind="echo-reply"), remote=PUBLIC[0])
    result = plane.access(frame)
    assert result.verdict == "FORWARD_HAIRPIN"
    ip = frames.ip_of(result.frame)
    assert (ip.src, ip.dst, ip["ICMP"].id) == (PUBLIC[0], second.address, 500)
    assert frames.checksums_are_right(result.frame)


def test_to_itself(plane):
    session = plane.session("10.0.0.5", tags=((0x88a8, 9),))
    target = open_port(plane, session, 5000)
    frame = ask(session, "udp", 5000, target)
    assert plane.access(frame).frame == expected(frame, frames.endpoint(target), session, 5000)


def test_hairpin_to_nothing_is_refused_and_only_the_sender_blamed(plane):
    first = plane.session("10.0.0.5")
    source = open_port(plane, first, 4000)
    ups, drops = first.record.up_packets, plane.pool_address[0].drops
    for target in (source ^ 1, source ^ 2):
        assert plane.access(ask(first, "udp", 4000, target)).verdict == "DROP_CGNAT_NO_MAPPING"
    assert plane.access(ask(first, "tcp", 4000, source)).verdict == "DROP_CGNAT_NO_MAPPING"
    assert (first.record.drop_packets, first.record.up_packets, plane.pool_address[0].drops) == (3, ups, drops + 3)


def test_hairpin_obeys_ttl_and_mtu(plane):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2)
    target = open_port(plane, second, 5000)
    frame = frames.up(first, frames.udp(4000, target & 0xffff), remote=PUBLIC[0], ttl=1)
    assert plane.access(frame).verdict == "ANSWER_TTL"
    plane.interface[ACC2].mtu = 60
    assert plane.access(ask(first, "udp", 4000, target, bytes(32))).verdict == "FORWARD_HAIRPIN"
    assert plane.access(ask(first, "udp", 4000, target, bytes(33))).verdict == "DROP_MTU"


def test_hairpin_refused_for_want_of_a_port_is_told(plane):
    first, second = plane.session("10.0.0.5", max_mappings=0), plane.session("10.0.0.6")
    target = open_port(plane, second, 5000)
    result = plane.access(ask(first, "udp", 4000, target))
    assert (result.verdict, result.action) == ("DROP_CGNAT_MAPPING_LIMIT", abi.XDP_TX)


def test_hairpin_mapping_of_the_receiver_that_has_expired(plane):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    target = open_port(plane, second, 5000)
    plane.advance_seconds(301)
    assert plane.access(ask(first, "udp", 4000, target)).verdict == "DROP_CGNAT_NO_MAPPING"


@protocols
def test_rfc4787_req9_rfc5382_req8_every_pair_of_subscribers(plane, protocol):
    """Ten subscribers, all to all: every byte."""
    sessions = [plane.session(f"10.0.0.{host}") for host in range(5, 15)]
    ends = [open_port(plane, session, 5000, protocol) for session in sessions]
    for first, source in zip(sessions, ends):
        for second, target in zip(sessions, ends):
            frame = ask(first, protocol, 5000, target)
            assert plane.access(frame).frame == expected(frame, frames.endpoint(source), second, 5000)
