# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# ICMP errors of the gateway's own, byte for byte as scapy builds them: to the core
# (TTL), for packets too large (RFC 4787 REQ-13, RFC 1191), and for mappings that
# are refused (RFC 6888 REQ-11, RFC 5508 REQ-8), by the pool's policy.
import pytest
from scapy.layers.inet import ICMP, IP, IPOption
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC2, GATEWAY, PUBLIC, REMOTE, SMALL_MTU
from test_cgnat_mapping import open_port
from test_packet_forward import ENCAPSULATIONS

ADDRESS = "10.0.0.5"
QUOTED = 28
tagged = pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
protocols = pytest.mark.parametrize("protocol", frames.PROTOCOLS)


def to_subscriber(session, frame, kind, code, mtu=0):
    error = ICMP(type=kind, code=code, nexthopmtu=mtu) if kind == 3 else ICMP(type=kind, code=code)
    return bytes(frames.ethernet(session.interface_mac, session.mac, session.tags) /
                 IP(src=GATEWAY, dst=session.address, ttl=64, id=0) / error / Raw(bytes(Ether(frame)[IP])[:QUOTED]))


def to_core(frame, kind, code, mtu=0):
    ip = Ether(frame)[IP]
    error = ICMP(type=kind, code=code, nexthopmtu=mtu) if kind == 3 else ICMP(type=kind, code=code)
    return bytes(Ether(src=frames.CORE_MAC, dst=frames.NEXT_HOP_MAC, type=0x800) /
                 IP(src=ip.dst, dst=ip.src, ttl=64, id=0) / error / Raw(bytes(ip)[:QUOTED]))


# ---- TTL, towards the core ---------------------------------------------------------

@protocols
@pytest.mark.parametrize("ttl", [0, 1])
def test_rfc5508_req10a_time_exceeded_towards_the_core(plane, protocol, ttl):
    """From the address the packet was for, as it was received: the inner end is not told."""
    session = plane.session(ADDRESS, tags=((0x8100, 5),))
    public = open_port(plane, session, 4000, protocol)
    for data, pad in ((b"", b"\0" * 18), (b"x" * 9, b""), (bytes(1400), b"")):
        frame = frames.down(PUBLIC[0], frames.reply_to(protocol, public & 0xffff, data), ttl=ttl, pad=pad)
        result = plane.core(frame)
        assert (result.verdict, result.action, result.frame) == ("ANSWER_TTL", abi.XDP_TX, to_core(frame, 11, 0))
    assert session.record.down_packets == session.record.drop_packets == 0


def test_time_exceeded_towards_the_core_for_an_exempt_subscriber(plane):
    plane.session(ADDRESS, flags=abi.SUBSCRIBER_EXEMPT)
    frame = frames.down(ADDRESS, frames.udp(53, 4000), ttl=1)
    assert plane.core(frame).frame == to_core(frame, 11, 0)


def test_an_expiring_packet_does_not_refresh(plane):
    session = plane.session(ADDRESS)
    public = open_port(plane, session, 4000, "tcp")
    before = bytes(plane.mapping_at(public))
    plane.advance(3)
    assert plane.core(frames.down(PUBLIC[0], frames.reply_to("tcp", public & 0xffff), ttl=1)).verdict == "ANSWER_TTL"
    assert bytes(plane.mapping_at(public)) == before


@pytest.mark.parametrize("what, fields, l4", [
    ("an error", {}, ICMP(type=3) / Raw(bytes(28))), ("a later fragment", {"frag": 1}, frames.udp(53, 4000)),
    ("options", {"options": [IPOption(b"\x94\x04\x00\x00")]}, frames.udp(53, 4000)),
    ("source multicast", {"src": "224.1.1.1"}, frames.udp(53, 4000)),
    ("source broadcast", {"src": "255.255.255.255"}, frames.udp(53, 4000)),
    ("source loopback", {"src": "127.0.0.1"}, frames.udp(53, 4000)),
    ("source 0.0.0.0", {"src": "0.0.0.0"}, frames.udp(53, 4000))], ids=lambda value: value if isinstance(value, str) else "")
def test_rfc5508_req10e_no_error_about_an_error_nor_to_no_host(plane, what, fields, l4):
    result = plane.core(frames.down(PUBLIC[0], l4, **{"ttl": 1, **fields}))
    assert (result.verdict, result.action) == ("DROP_TTL", abi.XDP_DROP), what


def test_rfc5508_req10f_each_side_has_its_own_limit(plane):
    """The internet cannot use up what subscribers need for path MTU discovery."""
    plane.meta.icmp_error_rate = 5
    session = plane.session(ADDRESS)
    outside, inside = frames.down(PUBLIC[0], frames.udp(1, 2), ttl=1), frames.up(session, frames.udp(4000), ttl=1)
    plane.first_token(plane.meta, "icmp_error_core_due_ns", lambda: plane.core(outside))
    verdicts = [plane.core(outside).verdict for _ in range(20)]
    assert verdicts == ["ANSWER_TTL"] * 5 + ["DROP_TTL"] * 15
    assert plane.access(inside).verdict == "ANSWER_TTL"
    plane.first_token(plane.meta, "icmp_error_due_ns", lambda: plane.access(inside))
    assert [plane.access(inside).verdict for _ in range(7)] == ["ANSWER_TTL"] * 5 + ["DROP_TTL"] * 2
    plane.advance_seconds(10)
    assert plane.core(outside).verdict == "ANSWER_TTL"


# ---- too large -----------------------------------------------------------------------

@tagged
@protocols
def test_rfc4787_req13_rfc5508_req10a_fragmentation_needed_towards_the_subscriber(plane, protocol, tags):
    session = plane.session(ADDRESS, tags=tags)
    for remote, mtu in ((REMOTE, 1500), (SMALL_MTU, 1000)):
        frame = frames.up(session, frames.PROTOCOLS[protocol](4000, data=bytes(1600)), remote=remote, flags="DF")
        result = plane.access(frame)
        assert (result.verdict, result.action) == ("DROP_MTU", abi.XDP_TX)
        assert result.frame == to_subscriber(session, frame, 3, 4, mtu)
    assert (session.record.mappings, session.record.up_packets, session.record.drop_packets) == (0, 0, 2)


@protocols
def test_rfc4787_req13_fragmentation_needed_towards_the_core(plane, protocol):
    session = plane.session(ADDRESS, interface=ACC2)
    public = open_port(plane, session, 4000, protocol)
    plane.interface[ACC2].mtu = 1400
    l4 = frames.reply_to(protocol, public & 0xffff, bytes(1450))
    frame = frames.down(PUBLIC[0], l4, flags="DF")
    result = plane.core(frame)
    assert (result.verdict, result.action, result.frame) == ("DROP_MTU", abi.XDP_TX, to_core(frame, 3, 4, 1400))
    result = plane.core(frames.down(PUBLIC[0], l4))  # may be fragmented, but not by us
    assert (result.verdict, result.action) == ("DROP_MTU", abi.XDP_DROP)
    assert (session.record.down_packets, session.record.drop_packets) == (0, 2)


def test_rfc4787_req13_towards_the_core_for_an_exempt_subscriber(plane):
    plane.session(ADDRESS, flags=abi.SUBSCRIBER_EXEMPT)
    frame = frames.down(ADDRESS, frames.udp(1, data=bytes(1500)), flags="DF")
    assert plane.core(frame).frame == to_core(frame, 3, 4, 1500)


def test_too_large_and_nobodys_mapping(plane):
    frame = frames.down(PUBLIC[0], frames.udp(1, 4000, data=bytes(1500)), flags="DF")
    result = plane.core(frame)
    assert (result.verdict, result.action) == ("DROP_CGNAT_NO_MAPPING", abi.XDP_DROP)


def test_too_large_after_the_limit_of_errors(plane):
    plane.meta.icmp_error_rate = 1
    session = plane.session(ADDRESS)
    frame = frames.up(session, frames.udp(4000, data=bytes(1600)), flags="DF")
    actions = [plane.access(frame).action for _ in range(6)]
    assert set(actions[:2]) == {abi.XDP_TX} and set(actions[3:]) == {abi.XDP_DROP}
    assert plane.count("DROP_MTU") == 6 == session.record.drop_packets


# ---- refused ---------------------------------------------------------------------------

def no_block(plane, session):
    plane.blocks_offer(0, [])


def block_limit(plane, session):
    session.record.max_blocks = 0


def mapping_limit(plane, session):
    session.record.max_mappings = 0


def rate_limit(plane, session):
    plane.pool[0].mapping_rate, plane.pool[0].mapping_burst = 1, 0
    open_port(plane, session, 3999)


REFUSED = {"DROP_CGNAT_NO_BLOCK": no_block, "DROP_CGNAT_BLOCK_LIMIT": block_limit,
           "DROP_CGNAT_MAPPING_LIMIT": mapping_limit, "DROP_CGNAT_RATE_LIMIT": rate_limit}


@pytest.mark.parametrize("policy, code", [("PROHIBITED", 13), ("HOST", 1), ("SILENT", None)])
@pytest.mark.parametrize("verdict", REFUSED)
@protocols
def test_rfc5508_req8_rfc5508_req9_rfc6888_req11b_a_refused_mapping_is_told_by_policy(plane, verdict, policy, code, protocol):
    session = plane.session(ADDRESS, tags=((0x88a8, 100), (0x8100, 7)))
    REFUSED[verdict](plane, session)
    plane.pool[0].refusal = abi.ENUMERATORS[f"REFUSAL_{policy}"]
    frame = frames.up(session, frames.PROTOCOLS[protocol](4000))
    result = plane.access(frame)
    assert result.verdict == verdict
    assert result.action == (abi.XDP_DROP if code is None else abi.XDP_TX)
    assert result.frame == (frame if code is None else to_subscriber(session, frame, 3, code))
    assert session.record.drop_packets == 1 == plane.count(verdict)


def test_rfc5508_req10f_refusals_are_rate_limited_and_all_counted(plane):
    plane.meta.icmp_error_rate = 10
    session = plane.session(ADDRESS)
    no_block(plane, session)
    frame = frames.up(session, frames.udp(4000))
    first = plane.first_token(plane.meta, "icmp_error_due_ns", lambda: plane.access(frame))
    before = plane.count("DROP_CGNAT_NO_BLOCK")
    actions = [plane.access(frame).action for _ in range(30)]
    assert first.action == abi.XDP_TX and actions == [abi.XDP_TX] * 10 + [abi.XDP_DROP] * 20
    assert plane.count("DROP_CGNAT_NO_BLOCK") == before + 30
    assert plane.pool_address[0].alloc_failures == session.record.drop_packets == before + 30


def test_a_full_flow_table_is_told(plane):
    plane.pool[0].flags, plane.meta.flow_mask = abi.POOL_FILTER_ADDRESS, 0
    session = plane.session(ADDRESS)
    for host in range(1, 5):
        open_port(plane, session, 4000, remote=f"192.0.2.{host}")
    frame = frames.up(session, frames.udp(4000), remote="192.0.2.9")
    result = plane.access(frame)
    assert (result.verdict, result.action) == ("DROP_CGNAT_FLOW_FULL", abi.XDP_TX)
    assert result.frame == to_subscriber(session, frame, 3, 13)
