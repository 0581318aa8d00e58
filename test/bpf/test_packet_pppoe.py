# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# PPPoE where it differs from IPoE: whose packet it is, LCP echoes, what controld gets
# and how much of it, what fits. That data, ICMP errors, fragments, tunnels and FTP go
# through in any encapsulation is tested where they are (test_packet_*, test_cgnat_*).
import ctypes
import pathlib
import struct
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
import plane as planes
import test_packet_forward
from frames import LCP_ECHO_REPLY, LCP_ECHO_REQUEST, PADI, PADO, PADR, PADS, PADT, PPP_LCP
from lab import wait_for
from plane import ACC1, ACC2, ETH_P_PPP_SES, GATEWAY, MACS, PUBLIC
from test_cgnat_hairpin import expected as expected_hairpin
from test_cgnat_mapping import open_port
from test_packet_fragments import cut

ADDRESS = "10.0.0.5"
BROADCAST = "ff:ff:ff:ff:ff:ff"
NUMBER = 0x1234
PLAIN = ((ETH_P_PPP_SES, NUMBER),)
QINQ = ((0x88a8, 100), (0x8100, 7), (ETH_P_PPP_SES, NUMBER))
ENCAPSULATIONS = {"untagged": PLAIN, "802.1Q": ((0x8100, 100), (ETH_P_PPP_SES, NUMBER)), "Q-in-ad": QINQ}
encapsulated = pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
HEADER = ctypes.sizeof(abi.bng_punt)
CLIENT = "02:33:00:00:00:44"
HERS = 0x11223344  # the subscriber's magic number


def sender(session, **fields):
    """The same session as somebody else would send its packets."""
    own = {"address": session.address, "mac": session.mac, "interface": session.interface, "tags": session.tags}
    return planes.Session(session.plane, session.slot, **{**own, **fields})


def echo(session, code=LCP_ECHO_REQUEST, magic=HERS, data=b"", **more):
    return frames.ppp(session, PPP_LCP, frames.lcp(code, magic, data), **more)


def alive(plane):
    """As bng_ppp_alive."""
    return plane.tick >> 2 & 0xffff


def punted(result, frame, reason, interface=ACC1, slot=0):
    header = abi.bng_punt.from_buffer_copy(result.frame)
    assert result.action == abi.XDP_REDIRECT and result.frame[HEADER:] == frame
    return (header.reason, header.interface, header.slot, header.flags) == (reason, interface, slot, 0)


# ---- whose data it is ------------------------------------------------------------------

def test_data_of_another_encapsulation_is_spoofed(plane):
    """Also of the right subscriber: what is negotiated is how it must come."""
    over, plain = plane.session(ADDRESS, tags=PLAIN), plane.session("10.0.0.6")
    wrong = [sender(over, tags=()), sender(over, tags=((ETH_P_PPP_SES, NUMBER + 1),)),
             sender(over, tags=((ETH_P_PPP_SES, 0xffff),)), sender(plain, tags=PLAIN)]
    for claimed in wrong:
        result = plane.access(frames.up(claimed, frames.udp(4000)))
        assert (result.verdict, result.action) == ("DROP_SPOOF_PPPOE", abi.XDP_DROP)
    assert (over.record.drop_packets, plain.record.drop_packets) == (3, 1)
    assert (over.record.up_packets, over.record.mappings, plain.record.up_packets) == (0, 0, 0)
    assert plane.access(frames.up(over, frames.udp(4000))).verdict == "FORWARD_UP"


@pytest.mark.parametrize("change, verdict", [
    ({"tags": ((0x8100, 100), (ETH_P_PPP_SES, NUMBER))}, "DROP_SPOOF_VLAN"),
    ({"tags": ((0x8100, 100), (0x8100, 7), (ETH_P_PPP_SES, NUMBER))}, "DROP_SPOOF_VLAN"),
    ({"mac": "02:99:00:00:00:01"}, "DROP_SPOOF_MAC"),
    ({"address": "10.0.0.6"}, "DROP_PPPOE_NO_SESSION"),
    ({"address": GATEWAY}, "DROP_PPPOE_NO_SESSION"),
    ({"address": "172.16.0.1"}, "DROP_PPPOE_NO_SESSION")])
def test_antispoof(plane, change, verdict):
    session = plane.session(ADDRESS, tags=QINQ)
    for remote in (planes.REMOTE, GATEWAY, PUBLIC[0]):
        assert plane.access(frames.up(sender(session, **change), frames.udp(4000), remote=remote)).verdict == verdict
    assert session.record.drop_packets == (0 if verdict == "DROP_PPPOE_NO_SESSION" else 3)
    assert plane.access(frames.up(session, frames.udp(4000)), ACC2).verdict == "DROP_SPOOF_INTERFACE"


def test_rfc2516_s5_5_a_session_that_ends_has_no_data(plane):
    session = plane.session(ADDRESS, tags=PLAIN)
    session.record.state = abi.SUBSCRIBER_CLOSING
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "DROP_PPPOE_NO_SESSION"


def test_data_needs_no_offer_of_the_interface(plane):
    """What is up stays up when PPPoE is no longer offered; nothing new comes."""
    session = plane.session(ADDRESS, tags=PLAIN)
    plane.interface[ACC1].flags = 0
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "FORWARD_UP"
    for frame in (echo(session), frames.discovery(PADI, CLIENT, BROADCAST), frames.ppp(session, 0x8021, bytes(4))):
        assert plane.access(frame).verdict == "DROP_PPPOE"
    assert plane.count("DROP_PPPOE") == 3


@encapsulated
@pytest.mark.parametrize("fields", [{"kind": (0x12, 0)}, {"kind": (0x21, 0)}, {"kind": (0x11, 1)},
                                    {"kind": (0x11, PADT)}, {"number": 0}, {"length": 0}, {"length": 1}], ids=str)
def test_malformed_header(plane, tags, fields):
    session = plane.session(ADDRESS, tags=tags)
    whole = bytes(Ether(frames.up(session, frames.udp(4000)))[IP])
    assert plane.access(frames.ppp(session, frames.PPP_IP, whole, **fields)).verdict == "DROP_PPPOE_HEADER"
    assert plane.access(frames.ppp(session, PPP_LCP, frames.lcp(9, 1), **fields)).verdict == "DROP_PPPOE_HEADER"


@encapsulated
def test_rfc2516_s6_the_pppoe_length_is_where_the_packet_ends(plane, tags):
    """Every value of it: beyond the frame or before the end of IP is short; in between is PPP's padding."""
    session = plane.session(ADDRESS, tags=tags)
    ip, pad = bytes(Ether(frames.up(session, frames.udp(4000)))[IP]), b"\xaa" * 9
    for length in range(2, 2 + len(ip) + len(pad) + 4):
        result = plane.access(frames.ppp(session, frames.PPP_IP, ip + pad, length=length))
        behind = length - 2 - len(ip)
        if 0 <= behind <= len(pad):
            assert result.verdict == "FORWARD_UP" and len(result.frame) == 14 + len(ip) + behind
            assert result.frame.endswith(pad[:behind]) and frames.checksums_are_right(result.frame[:14 + len(ip)])
        else:
            assert result.verdict == "DROP_SHORT", length
    assert plane.count("FORWARD_UP") == len(pad) + 1


@encapsulated
@pytest.mark.parametrize("pad", [b"", b"\xaa" * 18])
def test_what_is_answered_has_no_padding(plane, tags, pad):
    session = plane.session(ADDRESS, tags=tags)
    result = plane.access(frames.up(session, frames.echo(1, data=b"x"), remote=GATEWAY, pad=pad))
    assert (result.verdict, result.action) == ("ANSWER_ECHO", abi.XDP_TX)
    ip = IP(src=GATEWAY, dst=ADDRESS, ttl=64) / frames.echo(1, "echo-reply", data=b"x")
    assert result.frame == frames.encapsulated(session.interface_mac, session.mac, tags, bytes(ip))
    result = plane.access(frames.up(session, frames.udp(1, data=b""), ttl=1, pad=pad))
    assert result.verdict == "ANSWER_TTL" and len(result.frame) == 14 + frames.size_of(tags) + 56


def test_dhcp_is_not_spoken_in_pppoe(plane):
    session = plane.session(ADDRESS, tags=PLAIN)
    request = UDP(sport=68, dport=67) / Raw(bytes(240))
    assert plane.access(frames.up(session, request, remote=GATEWAY)).verdict == "DROP_GATEWAY"
    assert plane.access(frames.up(session, request, src="0.0.0.0", remote="255.255.255.255")).verdict == "DROP_ADDRESS"


def test_pcp_is(plane):
    session = plane.session(ADDRESS, tags=QINQ)
    plane.pool[0].flags = abi.POOL_PCP
    frame = frames.up(session, UDP(sport=40000, dport=5351) / Raw(bytes(24)), remote=GATEWAY)
    result = plane.access(frame)
    assert result.verdict == "PUNT_PCP" and punted(result, frame, abi.PUNT_REASON_PCP, slot=session.slot)


# ---- what fits -------------------------------------------------------------------------

@encapsulated
@pytest.mark.parametrize("agreed, device, fits", [(0, 1504, 1492), (1492, 1504, 1492), (1400, 1500, 1400),
                                                 (1500, 1504, 1496), (1500, 1512, 1500), (0, 1512, 1492)])
def test_rfc4638_s5_1_the_mtu_is_what_was_agreed_and_the_interface_takes(plane, tags, agreed, device, fits):
    if len(tags) == 3 and fits + 8 + 4 > device:
        fits -= 4  # the second tag
    session = plane.session(ADDRESS, tags=tags, flags=abi.SUBSCRIBER_EXEMPT)
    session.record.mtu, plane.interface[ACC1].mtu = agreed, device
    frame = frames.down(ADDRESS, frames.udp(1, data=bytes(fits - 28)), flags="DF")
    result = plane.core(frame)
    assert result.verdict == "FORWARD_DOWN_EXEMPT"
    assert result.frame == frames.expected_down(frame, session, exempt=True)
    result = plane.core(frames.down(ADDRESS, frames.udp(1, data=bytes(fits - 27)), flags="DF"))
    assert (result.verdict, result.action) == ("DROP_MTU", abi.XDP_TX)
    told = frames.ip_of(result.frame)[ICMP]
    assert (told.type, told.code, told.nexthopmtu) == (3, 4, fits)
    assert session.record.down_packets == 1


@encapsulated
@pytest.mark.parametrize("fields", [{}, {"flags": "MF"}, {"frag": 185}, {"flags": "MF", "frag": 185}], ids=str)
def test_what_may_be_cut_is_for_controld(plane, tags, fields):
    """Translated and encapsulated: only too large. A fragment of a packet, too; the session is charged once."""
    session = plane.session(ADDRESS, tags=tags)
    public = open_port(plane, session, 4000)
    answer = frames.udp(53, public & 0xffff, data=bytes(1472))
    if "frag" in fields:
        first = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=bytes(1000)), id=9, flags="MF")
        assert plane.core(first).verdict == "FORWARD_DOWN"
        answer = Raw(bytes(range(256)) * 5 + bytes(200))
        fields = {**fields, "proto": 17, "id": 9}
    before = session.record.down_packets, session.record.down_bytes
    frame = frames.down(PUBLIC[0], answer, **fields)
    result = plane.core(frame)
    assert result.verdict == "PUNT_LARGE"
    expected = frames.expected_down(frame, session, 4000 if "frag" not in fields else None)
    assert punted(result, expected, abi.PUNT_REASON_LARGE, planes.CORE, session.slot)
    size = len(frames.ip_of(frame))
    assert (session.record.down_packets, session.record.down_bytes) == (before[0] + 1, before[1] + size)
    assert plane.core(frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=bytes(1472)), flags="DF")).verdict == "DROP_MTU"


def test_what_may_be_cut_between_subscribers(plane):
    first, second = plane.session(ADDRESS), plane.session("10.0.0.6", tags=QINQ)
    target, source = open_port(plane, second, 5000), open_port(plane, first, 4000)
    frame = frames.up(first, frames.udp(4000, target & 0xffff, data=bytes(1472)), remote=PUBLIC[0])
    result = plane.access(frame)
    assert result.verdict == "PUNT_LARGE"
    assert punted(result, expected_hairpin(frame, frames.endpoint(source), second, 5000), abi.PUNT_REASON_LARGE, slot=second.slot)


@encapsulated
def test_what_may_be_cut_is_as_large_as_the_punt_veth_takes(plane, tags):
    session = plane.session(ADDRESS, tags=tags, flags=abi.SUBSCRIBER_EXEMPT)
    for size, verdict in ((abi.PUNT_LARGE_MAX, "PUNT_LARGE"), (abi.PUNT_LARGE_MAX + 1, "DROP_MTU")):
        result = plane.core(frames.down(ADDRESS, frames.udp(1, data=bytes(size - 28))))
        assert result.verdict == verdict
    assert HEADER + 14 + frames.size_of(tags) + abi.PUNT_LARGE_MAX <= 2048 + 14  # lib/netdev.h


def test_what_may_be_cut_is_limited(plane):
    session = plane.session(ADDRESS, tags=PLAIN, flags=abi.SUBSCRIBER_EXEMPT)
    limit = plane.punt_limit[abi.PUNT_REASON_LARGE]
    limit.rate, limit.burst = 1, 5
    frame = frames.down(ADDRESS, frames.udp(1, data=bytes(1472)))
    assert plane.first_token(limit, "due_ns", lambda: plane.core(frame)).verdict == "PUNT_LARGE"
    counted = session.record.down_packets
    assert [plane.core(frame).verdict for _ in range(7)] == ["PUNT_LARGE"] * 5 + ["DROP_PUNT_LIMIT"] * 2
    assert (session.record.down_packets, session.record.drop_packets) == (counted + 5, 2)


def test_ipoe_knows_the_interface_only(plane):
    session = plane.session(ADDRESS, flags=abi.SUBSCRIBER_EXEMPT)
    session.record.mtu = 1000
    frame = frames.down(ADDRESS, frames.udp(1, data=bytes(1472)))
    assert plane.core(frame).frame == frames.expected_down(frame, session, exempt=True)


def arrived(device):
    """Packets that a device of this namespace has received."""
    for line in pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == device:
            return int(numbers.split()[1])
    raise AssertionError(device)


@pytest.mark.parametrize("tags", test_packet_forward.ENCAPSULATIONS.values(), ids=test_packet_forward.ENCAPSULATIONS)
def test_the_largest_packet_that_is_sent_arrives(plane, tags):
    """On a real device: what the data plane counts as forwarded, the kernel's redirect does not lose."""
    session = plane.session(ADDRESS, tags=tags, flags=abi.SUBSCRIBER_EXEMPT)
    session.record.mtu = 1500
    subprocess.run(["ethtool", "-K", "acc1p", "gro", "on"], check=True)  # or it takes nothing that is redirected
    whole = {size: frames.down(ADDRESS, frames.udp(1, data=bytes(size - 28))) for size in range(1485, 1502)}
    for size, frame in whole.items():
        before = plane.count("FORWARD_DOWN_EXEMPT"), arrived("acc1p")
        plane.run_live("bng_core", frame, "core1")
        forwarded = plane.count("FORWARD_DOWN_EXEMPT") - before[0]
        wait_for("what was forwarded", lambda: arrived("acc1p") - before[1] >= forwarded)
        assert arrived("acc1p") - before[1] == forwarded == (size <= largest(tags)), size


def largest(tags):
    tags_only = [tag for tag in tags if tag[0] != ETH_P_PPP_SES]
    return 1500 - (4 if len(tags_only) == 2 else 0) - (8 if len(tags) > len(tags_only) else 0)


def test_mss_is_lowered_both_ways(plane):
    session = plane.session(ADDRESS, tags=QINQ)
    session.record.mss = 1452
    frame = frames.up(session, frames.tcp(4000, options=[("NOP", None), ("MSS", 1460), ("WScale", 7)]))
    result = plane.access(frame)
    assert frames.parse(result.frame)["TCP"].options[1] == ("MSS", 1452)
    assert frames.checksums_are_right(result.frame)
    public = frames.public_end(result)
    answer = frames.down(PUBLIC[0], frames.tcp(80, public & 0xffff, "SA", options=[("MSS", 8960)]))
    result = plane.core(answer)
    lower = frames.down(PUBLIC[0], frames.tcp(80, public & 0xffff, "SA", options=[("MSS", 1452)]))
    assert result.frame == frames.expected_down(lower, session, 4000)


# ---- between subscribers ---------------------------------------------------------------

@pytest.mark.parametrize("ends", [(PLAIN, ()), ((), PLAIN), (QINQ, PLAIN), (((0x8100, 5),), QINQ)], ids=str)
def test_hairpin_between_encapsulations(plane, ends):
    plane.pool_build(addresses=(0, 1))
    first, second = plane.session(ADDRESS, tags=ends[0]), plane.session("10.0.0.6", interface=ACC2, tags=ends[1])
    target, source = open_port(plane, second, 5000), open_port(plane, first, 4000)
    for data in (b"", b"hello", bytes(1400)):
        frame = frames.up(first, frames.udp(4000, target & 0xffff, data=data), remote=PUBLIC[target >> 16])
        result = plane.access(frame)
        assert (result.verdict, result.action) == ("FORWARD_HAIRPIN", abi.XDP_REDIRECT)
        assert result.frame == expected_hairpin(frame, frames.endpoint(source), second, 5000)
    whole = frames.up(first, frames.udp(4000, target & 0xffff, data=bytes(range(256)) * 8), remote=PUBLIC[target >> 16],
                      id=9)
    inner = expected_hairpin(whole, frames.endpoint(source), second, 5000)
    for piece, wanted in zip(cut(whole), cut(inner), strict=True):
        result = plane.access(piece)
        assert result.verdict == "FORWARD_HAIRPIN" and result.frame == wanted


# ---- LCP echo --------------------------------------------------------------------------

@encapsulated
@pytest.mark.parametrize("interface", [ACC1, ACC2])
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(200)), bytes(1482)], ids=len)
@pytest.mark.parametrize("pad", [b"", b"\0" * 18], ids=["", "padded"])
def test_rfc1661_s5_8_echo_is_answered_with_nobody_there(plane, tags, interface, data, pad):
    """controld cannot even be reached; the reply is the request with our magic number."""
    plane.tx_delete(planes.PUNT)
    session = plane.session(ADDRESS, tags=tags, interface=interface)
    session.record.ppp_magic = 0xcafe1234
    result = plane.access(echo(session, data=data) + pad, interface)
    assert (result.verdict, result.action) == ("ANSWER_PPP_ECHO", abi.XDP_TX)
    *link, _ = tags
    reply = frames.pppoe(session.interface_mac, session.mac, link, NUMBER,
                         struct.pack("!H", PPP_LCP) + frames.lcp(LCP_ECHO_REPLY, 0xcafe1234, data))
    assert result.frame == reply + pad
    assert session.record.ppp_alive == alive(plane)


def test_echo_says_alive_and_nothing_else(plane):
    """An idle timeout is about data."""
    session = plane.session(ADDRESS, tags=PLAIN)
    session.record.last_up_tick = 5
    before = bytes(session.record)
    for code, verdict, action in ((LCP_ECHO_REPLY, "ANSWER_PPP_ALIVE", abi.XDP_DROP),
                                  (LCP_ECHO_REQUEST, "ANSWER_PPP_ECHO", abi.XDP_TX)):
        session.record.ppp_alive = 0
        plane.advance_seconds(10)
        result = plane.access(echo(session, code))
        assert (result.verdict, result.action, session.record.ppp_alive) == (verdict, action, alive(plane))
    session.record.ppp_alive = 0
    assert bytes(session.record) == before


@pytest.mark.parametrize("code", [LCP_ECHO_REQUEST, LCP_ECHO_REPLY])
def test_our_own_magic_number_is_a_loop(plane, code):
    """Not the subscriber who speaks: controld hears of it. Without a magic number nobody can tell."""
    session = plane.session(ADDRESS, tags=PLAIN)
    session.record.ppp_magic = 0xcafe1234
    frame = echo(session, code, magic=0xcafe1234)
    result = plane.access(frame)
    assert result.verdict == "PUNT_PPPOE_SESSION"
    assert punted(result, frame, abi.PUNT_REASON_PPPOE_SESSION, slot=session.slot)
    assert session.record.ppp_alive == 0
    session.record.ppp_magic = 0
    assert plane.access(echo(session, code, magic=0)).verdict.startswith("ANSWER_PPP_")
    assert session.record.ppp_alive == alive(plane)


@encapsulated
@pytest.mark.parametrize("packet", [frames.lcp(9, HERS, length=7), frames.lcp(9, HERS, length=9),
                                    frames.lcp(10, HERS, length=0xffff), frames.lcp(9, HERS)[:7], b"\x09", b"",
                                    frames.lcp(1, HERS), frames.lcp(5, HERS), frames.lcp(11, HERS)], ids=bytes.hex)
def test_other_lcp_of_a_session_is_for_controld(plane, tags, packet):
    session = plane.session(ADDRESS, tags=tags)
    frame = frames.ppp(session, PPP_LCP, packet)
    result = plane.access(frame)
    assert result.verdict == "PUNT_PPPOE_SESSION"
    assert punted(result, frame, abi.PUNT_REASON_PPPOE_SESSION, slot=session.slot)
    assert session.record.ppp_alive == 0


# ---- PPP that is not data --------------------------------------------------------------

@pytest.mark.parametrize("protocol", [0xc021, 0xc023, 0xc223, 0x8021, 0x8057, 0x0057, 0x80fd, 0x2145])
def test_control_of_no_session_is_for_controld(plane, protocol):
    for tags, interface in ((PLAIN, ACC1), (QINQ, ACC2)):
        frame = frames.ppp(planes.Session(plane, 0, "", CLIENT, interface, tags), protocol, bytes(10))
        result = plane.access(frame, interface)
        assert result.verdict == "PUNT_PPPOE_SESSION"
        assert punted(result, frame, abi.PUNT_REASON_PPPOE_SESSION, interface)


def strangers(session):
    """(who sends the session's echo, through which interface): one thing is another's in each."""
    yield sender(session, mac="02:99:00:00:00:01"), ACC1
    yield sender(session, tags=session.tags[:2] + ((ETH_P_PPP_SES, NUMBER + 1),)), ACC1
    yield sender(session, tags=((0x88a8, 101),) + session.tags[1:]), ACC1
    yield sender(session, tags=((0x88a8, 100), (0x8100, 8), session.tags[2])), ACC1
    yield sender(session, tags=session.tags[2:]), ACC1
    yield sender(session, interface=ACC2), ACC2


def test_only_the_sessions_own_echo_is_answered(plane):
    session = plane.session(ADDRESS, tags=QINQ)
    for stranger, interface in strangers(session):
        frame = echo(stranger)
        result = plane.access(frame, interface)
        assert result.verdict == "PUNT_PPPOE_SESSION" and punted(result, frame, abi.PUNT_REASON_PPPOE_SESSION, interface)
    other_type = sender(session, tags=((0x8100, 100),) + session.tags[1:])
    assert plane.access(echo(other_type)).verdict == "DROP_SPOOF_VLAN"
    for state in (abi.SUBSCRIBER_CLOSING, abi.SUBSCRIBER_FREE):
        session.record.state = state
        result = plane.access(echo(session))
        assert result.verdict == "PUNT_PPPOE_SESSION" and punted(result, echo(session), abi.PUNT_REASON_PPPOE_SESSION)
    session.record.state, session.record.pppoe_session = abi.SUBSCRIBER_ACTIVE, NUMBER + 1
    assert punted(plane.access(echo(session)), echo(session), abi.PUNT_REASON_PPPOE_SESSION)
    assert session.record.ppp_alive == 0


def to(frame, mac):
    return planes.mac_bytes(mac) + frame[6:]


def test_frames_of_other_stations_are_not_ours(plane):
    session = plane.session(ADDRESS, tags=PLAIN)
    ours, other = MACS["acc1"], MACS["acc2"]
    data = frames.up(session, frames.udp(4000))
    for frame in (to(echo(session), other), to(echo(session), BROADCAST), to(data, other), to(data, BROADCAST),
                  frames.discovery(PADI, CLIENT, other), frames.discovery(PADR, CLIENT, BROADCAST),
                  frames.discovery(PADR, CLIENT, other), frames.discovery(PADT, CLIENT, BROADCAST),
                  frames.discovery(PADI, CLIENT, "ff:ff:ff:ff:ff:fe"), frames.discovery(PADI, CLIENT, "01:00:5e:00:00:01")):
        assert plane.access(frame).verdict == "DROP_OTHER_STATION"
    for frame in (frames.discovery(PADI, "03:33:00:00:00:44", BROADCAST), frames.discovery(PADR, BROADCAST, ours)):
        assert plane.access(frame).verdict == "DROP_PPPOE_HEADER"  # a group is nobody's address


# ---- discovery -------------------------------------------------------------------------

@encapsulated
@pytest.mark.parametrize("code, destinations", [(PADI, (BROADCAST, None)), (PADR, (None,)), (PADT, (None,))])
def test_discovery_is_for_controld(plane, tags, code, destinations):
    *tags, _ = tags
    for destination in destinations:
        for interface, mac in ((ACC1, MACS["acc1"]), (ACC2, MACS["acc2"])):
            for body, pad in ((b"\x01\x01\0\0", b""), (b"", bytes(40)), (b"\x01\x01\0\0" + bytes(1480), b"")):
                frame = frames.discovery(code, CLIENT, destination or mac, tags, body) + pad
                result = plane.access(frame, interface)
                assert result.verdict == "PUNT_PPPOE_DISCOVERY"
                assert punted(result, frame, abi.PUNT_REASON_PPPOE_DISCOVERY, interface)


@pytest.mark.parametrize("fields", [{"code": PADO}, {"code": PADS}, {"code": 0}, {"code": PADI, "kind": (0x12, PADI)},
                                    {"code": PADI, "kind": (0x21, PADI)}], ids=str)
def test_what_no_subscriber_says(plane, fields):
    frame = frames.discovery(source=CLIENT, destination=MACS["acc1"], **fields)
    assert plane.access(frame).verdict == "DROP_PPPOE_HEADER"


@encapsulated
def test_discovery_cut_at_every_byte(plane, tags):
    *tags, _ = tags
    whole = frames.discovery(PADI, CLIENT, BROADCAST, tags, bytes(range(16)))
    for length in range(14, len(whole)):
        assert plane.access(whole[:length]).verdict == "DROP_SHORT", length
    assert plane.access(whole).verdict == "PUNT_PPPOE_DISCOVERY"
    assert plane.count("DROP_SHORT") == len(whole) - 14


@encapsulated
def test_control_cut_at_every_byte(plane, tags):
    session = plane.session(ADDRESS, tags=tags)
    for whole in (echo(session, data=b"abcdefgh"), frames.ppp(session, 0x8021, bytes(10))):
        for length in range(14, len(whole)):
            assert plane.access(whole[:length]).verdict == "DROP_SHORT", length
    assert session.record.ppp_alive == 0
    assert plane.access(echo(session)).verdict == "ANSWER_PPP_ECHO"


# ---- how much of it --------------------------------------------------------------------

def allowed(plane, frame, verdict, refused, limit=5000):
    """How many of the same frame get through at one moment."""
    for _ in range(1000):
        plane.advance_seconds(3600)
        assert plane.access(frame).verdict == verdict
        if plane.still():
            break
    for count in range(1, limit):
        result = plane.access(frame)
        if result.verdict != verdict:
            assert (result.verdict, result.action) == (refused, abi.XDP_DROP)
            return count
    raise AssertionError("no limit")


@pytest.mark.parametrize("code", [PADI, PADR, PADT])
def test_flood_of_one_mac(plane, code):
    """The default: what one sender has too much takes nothing of what others may send."""
    flood = frames.discovery(code, CLIENT, MACS["acc1"])
    assert allowed(plane, flood, "PUNT_PPPOE_DISCOVERY", "DROP_PPPOE_FLOOD_MAC") == 21
    other = frames.discovery(code, "02:33:00:00:00:45", MACS["acc1"])
    assert plane.access(other).verdict == "PUNT_PPPOE_DISCOVERY"
    plane.advance_seconds(1.5)
    refilled = [plane.access(flood).verdict for _ in range(20)]
    assert 10 <= refilled.count("PUNT_PPPOE_DISCOVERY") <= 17
    assert set(refilled) == {"PUNT_PPPOE_DISCOVERY", "DROP_PPPOE_FLOOD_MAC"}


@pytest.mark.parametrize("rate, burst", [(10, 1), (10, 5), (100, 60)])
def test_flood_limits_are_the_configured_ones(plane, rate, burst):
    plane.pppoe_limit[abi.PPPOE_LIMIT_MAC].rate, plane.pppoe_limit[abi.PPPOE_LIMIT_MAC].burst = rate, burst
    flood = frames.discovery(PADI, CLIENT, BROADCAST)
    assert allowed(plane, flood, "PUNT_PPPOE_DISCOVERY", "DROP_PPPOE_FLOOD_MAC") == burst + 1


def crowd(count):
    return (f"02:44:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}:01" for number in range(count))


def test_flood_of_one_vlan(plane):
    """With a MAC for each frame; other VLANs, and the same on another interface, have their own."""
    limit = plane.pppoe_limit[abi.PPPOE_LIMIT_VLAN]
    limit.rate, limit.burst = 1, 30
    plane.advance_seconds(3600)
    tags = ((0x8100, 100), (0x8100, 7))
    verdicts = [plane.access(frames.discovery(PADI, mac, BROADCAST, tags)).verdict for mac in crowd(60)]
    assert 30 <= verdicts.count("PUNT_PPPOE_DISCOVERY") <= 33
    assert set(verdicts) == {"PUNT_PPPOE_DISCOVERY", "DROP_PPPOE_FLOOD_VLAN"}
    for tags, interface in ((((0x8100, 100),), ACC1), ((), ACC1), (((0x8100, 100), (0x8100, 8)), ACC1),
                            (((0x8100, 7), (0x8100, 100)), ACC1), (((0x8100, 100), (0x8100, 7)), ACC2)):
        frame = frames.discovery(PADI, CLIENT, BROADCAST, tags)
        assert plane.access(frame, interface).verdict == "PUNT_PPPOE_DISCOVERY"


def test_flood_of_a_mac_takes_nothing_of_its_vlan(plane):
    limit = plane.pppoe_limit[abi.PPPOE_LIMIT_VLAN]
    limit.rate, limit.burst = 1, 30
    flood = frames.discovery(PADI, CLIENT, BROADCAST)
    assert allowed(plane, flood, "PUNT_PPPOE_DISCOVERY", "DROP_PPPOE_FLOOD_MAC") == 21
    for _ in range(100):
        assert plane.access(flood).verdict == "DROP_PPPOE_FLOOD_MAC"
    verdicts = [plane.access(frames.discovery(PADI, mac, BROADCAST)).verdict for mac in crowd(5)]
    assert verdicts == ["PUNT_PPPOE_DISCOVERY"] * 5


@pytest.mark.parametrize("kind", ["mac", "vlan"])
def test_senders_are_spread_over_the_buckets(plane, kind):
    """Of 1,000 that differ in few bits, hardly three share a bucket, and others do with another seed."""
    limit = plane.pppoe_limit[{"mac": abi.PPPOE_LIMIT_MAC, "vlan": abi.PPPOE_LIMIT_VLAN}[kind]]
    limit.rate, limit.burst = 1, 1
    refused = []
    for limit.seed in (0, 0x9e3779b1):
        plane.advance_seconds(3600)
        unlucky = set()
        for number, mac in enumerate(crowd(1000)):
            tags = () if kind == "mac" else ((0x8100, 100 + number // 25), (0x8100, 1 + number % 25))
            if plane.access(frames.discovery(PADI, mac, BROADCAST, tags)).verdict.startswith("DROP_PPPOE_FLOOD"):
                unlucky.add(number)
        refused.append(unlucky)
    assert len(refused[0]) < 20 and len(refused[1]) < 20
    assert not refused[0] & refused[1]


def test_flood_of_control_without_a_session(plane):
    frame = frames.ppp(planes.Session(plane, 0, "", CLIENT, ACC1, PLAIN), PPP_LCP, frames.lcp(1, HERS))
    assert allowed(plane, frame, "PUNT_PPPOE_SESSION", "DROP_PUNT_SUBSCRIBER") == 101
    assert plane.access(frames.discovery(PADR, CLIENT, MACS["acc1"])).verdict == "PUNT_PPPOE_DISCOVERY"


def test_flood_of_control_of_a_session(plane):
    """Its echoes are answered all the same, and others are heard."""
    session, other = plane.session(ADDRESS, tags=PLAIN), plane.session("10.0.0.6", tags=PLAIN)
    frame = frames.ppp(session, PPP_LCP, frames.lcp(1, HERS))
    assert allowed(plane, frame, "PUNT_PPPOE_SESSION", "DROP_PUNT_SUBSCRIBER") == 21
    assert plane.access(echo(session)).verdict == "ANSWER_PPP_ECHO"
    assert plane.access(frames.ppp(other, PPP_LCP, frames.lcp(1, HERS))).verdict == "PUNT_PPPOE_SESSION"


@pytest.mark.parametrize("reason", [abi.PUNT_REASON_PPPOE_DISCOVERY, abi.PUNT_REASON_PPPOE_SESSION])
def test_what_controld_gets_altogether(plane, reason):
    limit = plane.punt_limit[reason]
    limit.rate, limit.burst = 1, 40
    plane.advance_seconds(3600)
    for number, mac in enumerate(crowd(80)):
        stranger = planes.Session(plane, 0, "", mac, ACC1, PLAIN)
        frame = frames.discovery(PADI, mac, BROADCAST) if reason == abi.PUNT_REASON_PPPOE_DISCOVERY else echo(stranger)
        verdict = plane.access(frame).verdict
        if number <= 40:
            assert verdict.startswith("PUNT_PPPOE_")
        elif number > 50:
            assert verdict == "DROP_PUNT_LIMIT"
