# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the RFCs ask and no other file shows, because nothing is built for it: what
# must not happen (an ALG, a refresh, a mix-up), and headers that must be copied.
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC2, PUBLIC, REMOTE
from test_cgnat_filter import from_remote
from test_cgnat_mapping import open_port, reaches
from test_packet_icmp_errors import ADDRESS, ROUTER, error, expected_down, inner_quote, sent

DCCP = 33


def test_rfc6888_req1d_dccp_is_refused(plane):
    session = plane.session(ADDRESS)
    l4 = Raw(bytes.fromhex("0fa0 0050 0400 0000 0000 0001 0000 0000"))
    assert plane.access(frames.up(session, l4, proto=DCCP)).verdict == "DROP_PROTOCOL"
    assert plane.core(frames.down(PUBLIC[0], l4, proto=DCCP)).verdict == "DROP_PROTOCOL"
    assert (session.record.mappings, session.blocks) == (0, [])


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_rfc4787_req7_inner_addresses_are_looked_for_inside_only(plane, protocol):
    """Another subscriber's, the own, nobody's: none leaves for the internet. A host out there that has one is itself."""
    first, second = plane.session(ADDRESS), plane.session("10.0.0.6", interface=ACC2)
    public = open_port(plane, first, 4000, protocol)
    for remote in (second.address, first.address, "10.0.3.3"):
        assert open_port(plane, first, 4000, protocol, remote) == "DROP_HAIRPIN"
        assert reaches(plane, public, first, 4000, protocol, remote)
    assert (first.record.mappings, first.record.down_packets, second.record.down_packets) == (1, 3, 0)


PAYLOADS = {
    "FTP": ("tcp", 21, b"PORT 10,0,0,5,15,160\r\n", b"227 Entering Passive Mode (10,0,0,5,15,160)\r\n"),
    "extended FTP": ("tcp", 21, b"EPRT |1|10.0.0.5|4000|\r\n", b"229 Entering Extended Passive Mode (|||4000|)\r\n"),
    "SIP": ("udp", 5060, b"INVITE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:4000\r\n\r\nc=IN IP4 10.0.0.5\r\n",
            b"SIP/2.0 200 OK\r\nContact: <sip:a@10.0.0.5:4000>\r\n\r\n"),
    "SIP over TCP": ("tcp", 5060, b"INVITE sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.5:4000\r\n\r\n",
                     b"SIP/2.0 200 OK\r\nContact: <sip:a@10.0.0.5:4000>\r\n\r\n"),
    "DNS": ("udp", 53, bytes.fromhex("000101000001000000000000") + b"\x0110\x010\x010\x015\0",
            bytes.fromhex("000181800001000100000000") + bytes([10, 0, 0, 5])),
}


@pytest.mark.parametrize("protocol, port, asked, answered", PAYLOADS.values(), ids=PAYLOADS)
def test_rfc4787_req10_rfc5382_req6_no_payload_is_touched(plane, protocol, port, asked, answered):
    """Inner addresses in the payload go through as they are, both ways, and open nothing."""
    session = plane.session(ADDRESS)
    more = {"flags": "PA"} if protocol == "tcp" else {}
    up = frames.up(session, frames.PROTOCOLS[protocol](4000, dport=port, data=asked, **more))
    result = plane.access(up)
    public = frames.public_end(result)
    assert result.frame == frames.expected_up(up, frames.endpoint(public))
    assert result.frame.endswith(asked)
    down = frames.down(PUBLIC[0], frames.PROTOCOLS[protocol](port, dport=public & 0xffff, data=answered, **more))
    result = plane.core(down)
    assert result.frame == frames.expected_down(down, session, 4000)
    assert result.frame.endswith(answered)
    assert session.record.mappings == 1


def extension(label):
    """An MPLS label stack as RFC 4884 and RFC 4950 put it behind a quote."""
    body = bytes.fromhex("2000 0000 0008 0101") + label.to_bytes(4, "big")
    total = sum(int.from_bytes(body[at:at + 2], "big") for at in range(0, len(body), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return body[:2] + (~total & 0xffff).to_bytes(2, "big") + body[4:]


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_rfc5508_req3d_extensions_are_carried_and_no_part_of_the_quote(plane, protocol):
    """A quote of 60 bytes, zeros up to 128, and a label stack: the quoted checksum is the quoted packet's alone."""
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, protocol, l4={"data": b"some bytes of a payload, 31 long"[:31]})
    behind = bytes(128 - len(quoted)) + extension(0xabcde140)
    l4 = ICMP(type=11, code=0, length=32) / Raw(quoted + behind)
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert result.verdict == "FORWARD_ICMP_DOWN" and frames.checksums_are_right(result.frame)
    icmp = Ether(result.frame)[ICMP]
    assert bytes(icmp)[8:] == inner_quote(quoted, session, 4000) + behind
    assert icmp.length == 32


@pytest.mark.parametrize("tos", [0, 0x2e << 2, 0xff])
def test_rfc5508_req10d_errors_have_the_traffic_class_of_their_packet(plane, tos):
    """Of the six bits: whether a packet has met congestion (ECN) is said of itself."""
    session = plane.session(ADDRESS)
    public = open_port(plane, session, 4000)
    plane.pool_build(1, addresses=(4,), max_mappings=0)
    refused = plane.session("10.0.0.6", pool=1)
    large = bytes(1600)
    for step, frame, verdict in (
            (plane.access, frames.up(session, frames.udp(4000), ttl=1, tos=tos), "ANSWER_TTL"),
            (plane.access, frames.up(session, frames.udp(4000, data=large), flags="DF", tos=tos), "DROP_MTU"),
            (plane.access, frames.up(refused, frames.udp(4000), tos=tos), "DROP_CGNAT_MAPPING_LIMIT"),
            (plane.core, frames.down(PUBLIC[0], frames.udp(53, public & 0xffff), ttl=1, tos=tos), "ANSWER_TTL"),
            (plane.core, frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=large), flags="DF", tos=tos), "DROP_MTU")):
        result = step(frame)
        assert (result.verdict, result.action) == (verdict, abi.XDP_TX)
        assert frames.ip_of(result.frame).tos == tos & 0xfc
        assert frames.checksums_are_right(result.frame)


@pytest.mark.parametrize("protocol", ["udp", "tcp", "icmp"])
def test_rfc7857_s7_a_refused_packet_does_not_refresh(plane, protocol):
    """Filtered, or expiring on the way: the mapping is what it was, though packets from outside refresh here."""
    plane.pool[0].flags = abi.POOL_FILTER_ADDRESS | abi.POOL_REFRESH_INBOUND
    session = plane.session(ADDRESS)
    public = open_port(plane, session, 4000, protocol)
    before = bytes(plane.mapping_at(public))
    plane.advance_seconds(20)
    l4 = frames.reply_to(protocol, public & 0xffff)
    assert plane.core(from_remote(protocol, public, "192.0.2.2")).verdict == "DROP_CGNAT_FILTER"
    assert plane.core(frames.down(PUBLIC[0], l4, ttl=1)).verdict == "ANSWER_TTL"
    assert bytes(plane.mapping_at(public)) == before
    assert plane.core(frames.down(PUBLIC[0], l4, remote=REMOTE)).verdict == "FORWARD_DOWN"
    assert bytes(plane.mapping_at(public)) != before
