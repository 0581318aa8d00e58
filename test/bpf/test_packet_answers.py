# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the gateway says by itself: ARP, echo, time exceeded, byte for byte as
# scapy builds it; and what it hands to and takes from controld.
import ctypes
import struct

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import abi
import frames
import plane as planes
from plane import ACC1, ACC2, CORE, GATEWAY, MACS
from test_packet_forward import ENCAPSULATIONS, LINKS

BROADCAST = "ff:ff:ff:ff:ff:ff"
ADDRESS = "10.0.0.5"
tagged = pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
on_each_link = pytest.mark.parametrize("tags", LINKS.values(), ids=LINKS)


@on_each_link
@pytest.mark.parametrize("interface", [ACC1, ACC2])
@pytest.mark.parametrize("pad", [b"", b"\0" * 18])
def test_arp_reply(plane, tags, interface, pad):
    """Also for a client without session: it asks before DHCP is done, and with any tags."""
    mac, client = MACS["acc1" if interface == ACC1 else "acc2"], "02:33:00:00:00:44"
    request = frames.ethernet(client, BROADCAST, tags) / ARP(op=1, hwsrc=client, psrc=ADDRESS, pdst=GATEWAY)
    result = plane.access(bytes(request) + pad, interface)
    reply = frames.ethernet(mac, client, tags) / ARP(op=2, hwsrc=mac, psrc=GATEWAY, hwdst=client, pdst=ADDRESS)
    assert (result.verdict, result.action) == ("ANSWER_ARP", abi.XDP_TX)
    assert result.frame == bytes(reply) + pad


def test_arp_probe_of_the_gateway_address(plane):
    """RFC 5227: a probe has no sender address; the answer defends ours."""
    client = "02:33:00:00:00:44"
    request = Ether(src=client, dst=BROADCAST) / ARP(op=1, hwsrc=client, psrc="0.0.0.0", pdst=GATEWAY)
    result = plane.access(bytes(request))
    mac = MACS["acc1"]
    assert result.frame == bytes(Ether(src=mac, dst=client) /
                                 ARP(op=2, hwsrc=mac, psrc=GATEWAY, hwdst=client, pdst="0.0.0.0"))


def test_arp_each_gateway_address_of_an_interface(plane):
    plane.gateway_add(ACC1, "10.0.8.1")
    for target, verdict in ((GATEWAY, "ANSWER_ARP"), ("10.0.8.1", "ANSWER_ARP"), ("10.0.8.2", "DROP_ARP")):
        request = bytes(Ether(dst=BROADCAST) / ARP(op=1, psrc=ADDRESS, pdst=target))
        assert plane.access(request).verdict == verdict


@tagged
@pytest.mark.parametrize("length", [0, 1, 8, 55, 56, 1472])
def test_echo_reply(plane, tags, length):
    session = plane.session(ADDRESS, tags=tags)
    data = bytes(number & 255 for number in range(length))
    request = frames.up(session, frames.echo(77, sequence=5, data=data), remote=GATEWAY, ttl=33, id=0xfffe)
    result = plane.access(request)
    reply = frames.ethernet(MACS["acc1"], session.mac, tags) / \
        IP(src=GATEWAY, dst=ADDRESS, ttl=64, id=0xfffe) / frames.echo(77, "echo-reply", 5, data)
    assert (result.verdict, result.action) == ("ANSWER_ECHO", abi.XDP_TX)
    assert result.frame == bytes(reply)


def test_echo_reply_checksum_carries(plane):
    """Sequence numbers over the whole range: the checksum's carry comes out right every time."""
    session = plane.session(ADDRESS)
    for sequence in [*range(0, 65536, 251), 0xf7ff, 0xffff]:
        request = frames.up(session, frames.echo(77, sequence=sequence), remote=GATEWAY, id=sequence)
        assert frames.checksums_are_right(plane.access(request).frame)


def time_exceeded(session, quoted):
    """As RFC 792 has it: the IP header and 8 bytes of what was dropped."""
    return bytes(frames.ethernet(session.interface_mac, session.mac, session.tags) /
                 IP(src=GATEWAY, dst=session.address, ttl=64, id=0) / ICMP(type=11, code=0) / Raw(quoted[:28]))


@tagged
@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
@pytest.mark.parametrize("ttl", [0, 1])
def test_rfc5508_req10a_time_exceeded(plane, tags, protocol, ttl):
    session = plane.session(ADDRESS, tags=tags)
    for data, pad in ((b"", b""), (b"x", b"\0" * 17), (bytes(range(200)), b""), (bytes(1400), b"")):
        frame = frames.up(session, frames.PROTOCOLS[protocol](4000, data=data), ttl=ttl, pad=pad)
        result = plane.access(frame)
        assert (result.verdict, result.action) == ("ANSWER_TTL", abi.XDP_TX)
        assert result.frame == time_exceeded(session, bytes(Ether(frame)[IP]))
        assert frames.checksums_are_right(result.frame)
    assert (session.record.mappings, session.record.up_packets) == (0, 0)


def test_time_exceeded_for_an_exempt_subscriber(plane):
    session = plane.session(ADDRESS, flags=abi.SUBSCRIBER_EXEMPT)
    frame = frames.up(session, frames.udp(4000), ttl=1)
    assert plane.access(frame).frame == time_exceeded(session, bytes(Ether(frame)[IP]))


def test_no_time_exceeded_for_options(plane):
    """The quote would not hold the ports: dropped and counted, as DROP_TTL."""
    session = plane.session(ADDRESS)
    frame = frames.up(session, frames.udp(4000), ttl=1, options=[IPOption(b"\x94\x04\x00\x00")])
    assert plane.access(frame).verdict == "DROP_TTL"


@pytest.mark.parametrize("rate, allowed", [(0, 101), (1, 2), (10, 11), (50, 51)])
def test_rfc5508_req10f_errors_are_limited(plane, rate, allowed):
    """A second's worth at once and the one in hand; then one for each interval."""
    plane.meta.icmp_error_rate = rate
    session = plane.session(ADDRESS)
    frame = frames.up(session, frames.udp(4000), ttl=1)
    answered = plane.first_token(plane.meta, "icmp_error_due_ns", lambda: plane.access(frame)).verdict == "ANSWER_TTL"
    while plane.access(frame).verdict == "ANSWER_TTL":
        answered += 1
    assert answered == allowed
    assert session.record.drop_packets == 1
    plane.advance_seconds(10)
    assert plane.access(frame).verdict == "ANSWER_TTL"


# ---- antispoof ---------------------------------------------------------------

def spoofed(plane, session):
    """(verdict, frame, device's interface): one thing wrong in each."""
    frame = frames.udp(4000)
    other_mac = planes.Session(plane, session.slot, session.address, "02:99:00:00:00:01", ACC1, session.tags)
    yield "DROP_SPOOF_MAC", frames.up(other_mac, frame), ACC1
    yield "DROP_SPOOF_INTERFACE", frames.up(session, frame), ACC2
    (outer, inner) = session.tags
    for tags in [(), (outer,), (inner,), (inner, outer), ((0x8100, outer[1]), inner), (outer, (0x88a8, inner[1])),
                 (outer, (0x8100, 8)), ((0x88a8, 101), inner), ((0x88a8, 0), inner), (outer, (0x8100, 0))]:
        moved = planes.Session(plane, session.slot, session.address, session.mac, ACC1, tags)
        yield "DROP_SPOOF_VLAN", frames.up(moved, frame), ACC1
    yield "DROP_NO_SESSION", frames.up(session, frame, src="10.0.0.6"), ACC1
    yield "DROP_NO_SESSION", frames.up(session, frame, src="192.0.2.1"), ACC1


def test_antispoof_counts_exactly(plane):
    session = plane.session(ADDRESS, tags=((0x88a8, 100), (0x8100, 7)))
    expected = {}
    for verdict, frame, interface in spoofed(plane, session):
        for _ in range(3):
            assert plane.access(frame, interface).verdict == verdict
            expected[verdict] = expected.get(verdict, 0) + 1
    assert expected == {"DROP_SPOOF_MAC": 3, "DROP_SPOOF_INTERFACE": 3, "DROP_SPOOF_VLAN": 30, "DROP_NO_SESSION": 6}
    assert {verdict: plane.count(verdict) for verdict in expected} == expected
    assert session.record.drop_packets == 36  # those of nobody are nobody's
    assert (session.record.up_packets, session.record.mappings) == (0, 0)


def test_antispoof_another_subscribers_address(plane):
    """A real session's address from the neighbour's port: the neighbour's frames fail on MAC."""
    victim, neighbour = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    frame = frames.up(neighbour, frames.udp(4000), src=victim.address)
    assert plane.access(frame).verdict == "DROP_SPOOF_MAC"
    assert (victim.record.drop_packets, neighbour.record.drop_packets) == (1, 0)


@pytest.mark.parametrize("position", range(6))
def test_antispoof_every_byte_of_the_mac(plane, position):
    session = plane.session(ADDRESS)
    frame = bytearray(frames.up(session, frames.udp(4000)))
    frame[6 + position] ^= 0x10
    assert plane.access(bytes(frame)).verdict == "DROP_SPOOF_MAC"


# ---- punt and inject ----------------------------------------------------------

def discover(client, tags=(), source="0.0.0.0", destination="255.255.255.255"):
    return bytes(frames.ethernet(client, BROADCAST, tags) / IP(src=source, dst=destination) /
                 UDP(sport=68, dport=67) / Raw(b"\x01\x01\x06\x00" + bytes(236)))


@on_each_link
@pytest.mark.parametrize("interface", [ACC1, ACC2])
def test_punt_header_and_whole_frame(plane, tags, interface):
    frame = discover("02:33:00:00:00:44", tags)
    result = plane.access(frame, interface)
    header = abi.bng_punt.from_buffer_copy(result.frame)
    assert (result.verdict, result.action) == ("PUNT_DHCP4", abi.XDP_REDIRECT)
    assert result.frame[ctypes.sizeof(header):] == frame
    assert struct.unpack("!H", result.frame[12:14])[0] == abi.PUNT_ETHERTYPE
    assert (header.version, header.reason, header.interface, header.slot, header.flags) == \
        (abi.PUNT_VERSION, abi.PUNT_REASON_DHCP4, interface, 0, 0)
    assert 0 <= header.time_ns - plane.clock_ns < 200_000_000


def test_punt_names_the_session_of_a_renewal(plane):
    session = plane.session(ADDRESS)
    renewal = frames.up(session, UDP(sport=68, dport=67) / Raw(bytes(240)), remote=GATEWAY)
    result = plane.access(renewal)
    assert abi.bng_punt.from_buffer_copy(result.frame).slot == session.slot
    assert result.frame[ctypes.sizeof(abi.bng_punt):] == renewal


def test_punt_needs_the_session_to_be_the_senders(plane):
    session = plane.session(ADDRESS)
    thief = planes.Session(plane, session.slot, ADDRESS, "02:99:00:00:00:01", ACC1)
    assert plane.access(frames.up(thief, UDP(sport=68, dport=67), remote=GATEWAY)).verdict == "DROP_SPOOF_MAC"


def test_punt_goes_to_the_punt_veth(plane):
    plane.tx_delete(planes.PUNT)
    assert plane.access(discover("02:33:00:00:00:44")).verdict == "DROP_NO_INTERFACE"


@pytest.mark.parametrize("rate, burst", [(10, 1), (10, 5), (100, 50)])
def test_punt_rate_and_burst(plane, rate, burst):
    limit = plane.punt_limit[abi.PUNT_REASON_DHCP4]
    limit.rate, limit.burst = rate, burst
    frame = discover("02:33:00:00:00:44")
    verdicts = [plane.first_token(limit, "due_ns", lambda: plane.access(frame)).verdict]
    verdicts += [plane.access(frame).verdict for _ in range(2 * burst)]
    assert verdicts.index("DROP_PUNT_LIMIT") == burst + 1
    assert set(verdicts[:burst + 1]) == {"PUNT_DHCP4"}
    plane.advance_seconds(1 + burst / rate)
    assert plane.access(frame).verdict == "PUNT_DHCP4"


def injection(interface, frame):
    header = abi.bng_punt(ethertype_be=socket_order(abi.PUNT_ETHERTYPE), version=abi.PUNT_VERSION,
                          reason=abi.PUNT_REASON_INJECT, interface=interface)
    return bytes(header) + frame


def socket_order(number):
    return struct.unpack("=H", struct.pack("!H", number))[0]


@pytest.mark.parametrize("length", [14, 60, 342, 1514])
def test_injected_frame_leaves_as_it_was(plane, length):
    frame = bytes(Ether(src=MACS["acc1"], dst="02:33:00:00:00:44", type=0x800)) + bytes(length - 14)
    result = plane.inject(injection(ACC2, frame))
    assert (result.verdict, result.action, result.frame) == ("INJECT", abi.XDP_REDIRECT, frame)


@pytest.mark.parametrize("interface", [ACC1, ACC2, CORE])
def test_injected_frame_leaves_by_the_named_interface(plane, interface):
    plane.tx_delete(interface)
    for other in (ACC1, ACC2, CORE):
        verdict = "DROP_NO_INTERFACE" if other == interface else "INJECT"
        assert plane.inject(injection(other, bytes(60))).verdict == verdict
