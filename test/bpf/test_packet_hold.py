# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What controld holds for the data plane: the exact bytes that go to it, and what
# becomes of them when they are handed back.
import ctypes
import itertools
import struct

import pytest
from scapy.layers.inet import ICMP, IP, IPOption
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC1, ACC2, CORE, PUBLIC, REMOTE, SMALL_MTU, UNRESOLVED
from test_cgnat_mapping import open_port
from test_packet_forward import ENCAPSULATIONS
from test_packet_fragments import cut, packet_down, packet_up, run, together

HEADER = ctypes.sizeof(abi.bng_punt)
ETHERTYPE_BE = int.from_bytes(struct.pack(">H", abi.PUNT_ETHERTYPE), "little")
OTHER = "192.0.2.9"
tagged = pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)


def punted(result, frame, reason, interface, slot=0):
    """What the punt veth gets: a header that says all, and the frame as it came."""
    header = abi.bng_punt.from_buffer_copy(result.frame)
    assert result.action == abi.XDP_REDIRECT and result.frame[HEADER:] == frame
    assert (header.ethertype_be, header.version, header.reason, header.interface, header.slot, header.flags) == \
        (ETHERTYPE_BE, abi.PUNT_VERSION, reason, interface, slot, 0)
    return result.frame


def hand_back(plane, frame, reason, interface, flags=0):
    header = abi.bng_punt(ethertype_be=ETHERTYPE_BE, version=abi.PUNT_VERSION, reason=reason, interface=interface,
                          flags=flags)
    return plane.inject(bytes(header) + frame)


# ---- fragments -------------------------------------------------------------------------

@tagged
@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:], ids=lambda order: "".join(map(str, order)))
def test_rfc4787_req14_fragments_out_of_order_up(plane, order, tags):
    """Those before the first are held; handed back after it, the packet is whole."""
    session = plane.session("10.0.0.5", tags=tags, interface=ACC2)
    whole = packet_up(session, "udp")
    pieces, out, held = cut(whole), {}, []
    for number in order:
        result = plane.access(pieces[number], ACC2)
        if 0 in out or number == 0:
            assert result.verdict == "FORWARD_UP"
            out[number] = result
        else:
            assert result.verdict == "PUNT_FRAGMENT"
            punted(result, pieces[number], abi.PUNT_REASON_FRAGMENT_UP, ACC2, session.slot)
            held.append(number)
    for number in sorted(held):
        out[number] = hand_back(plane, pieces[number], abi.PUNT_REASON_FRAGMENT_UP, ACC2)
        assert (out[number].verdict, out[number].action) == ("FORWARD_UP", abi.XDP_REDIRECT)
    results = [out[number] for number in range(3)]
    assert together(results) == frames.translated(whole, frames.endpoint(frames.public_end(results[0])))
    assert {result.frame[:14] for result in results} == {frames.expected_up(whole, None)[:14]}
    assert (session.record.up_packets, session.record.up_bytes) == (3, sum(len(frames.ip_of(piece)) for piece in pieces))
    assert session.record.drop_packets == 0


@tagged
@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:], ids=lambda order: "".join(map(str, order)))
def test_rfc4787_req14_fragments_out_of_order_down(plane, order, tags):
    session = plane.session("10.0.0.5", tags=tags)
    public = open_port(plane, session, 4000)
    whole = packet_down(public, "udp")
    pieces, out, held = cut(whole), {}, []
    for number in order:
        result = plane.core(pieces[number])
        if 0 in out or number == 0:
            assert result.verdict == "FORWARD_DOWN"
            out[number] = result
        else:
            assert result.verdict == "PUNT_FRAGMENT"
            punted(result, pieces[number], abi.PUNT_REASON_FRAGMENT_DOWN, CORE)
            held.append(number)
    for number in sorted(held):
        out[number] = hand_back(plane, pieces[number], abi.PUNT_REASON_FRAGMENT_DOWN, CORE)
        assert (out[number].verdict, out[number].action) == ("FORWARD_DOWN", abi.XDP_REDIRECT)
    header = len(frames.expected_down(whole, session, 4000)) - len(frames.ip_of(whole))
    assert together([out[number] for number in range(3)]) == frames.expected_down(whole, session, 4000)[header:]
    assert session.record.down_packets == 3


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_rfc4787_req14_hairpinned_fragments_out_of_order(plane, protocol):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2, tags=((0x8100, 9),))
    target, source = open_port(plane, second, 5000, protocol), open_port(plane, first, 4000, protocol)
    whole = frames.up(first, frames.PROTOCOLS[protocol](4000, dport=target & 0xffff, data=bytes(3000)), remote=PUBLIC[0],
                      id=9)
    head, *rest = cut(whole)
    for piece in reversed(rest):
        punted(plane.access(piece), piece, abi.PUNT_REASON_FRAGMENT_UP, ACC1, first.slot)
    results = run(plane.access, [head], "FORWARD_HAIRPIN")
    results += [hand_back(plane, piece, abi.PUNT_REASON_FRAGMENT_UP, ACC1) for piece in rest]
    assert {result.verdict for result in results} == {"FORWARD_HAIRPIN"}
    assert together(results) == frames.translated(whole, frames.endpoint(source), (second.address, 5000))


def test_a_hairpinned_follower_that_is_half_translated_is_punted_as_it_came(plane):
    """Its first was refused on the other side, after its sender's side was noted."""
    session = plane.session("10.0.0.5")
    open_port(plane, session, 4000)
    head, middle, _ = cut(frames.up(session, frames.udp(4000, 9, data=bytes(3000)), remote=PUBLIC[0], id=9))
    assert plane.access(head).verdict == "DROP_CGNAT_NO_MAPPING"
    result = plane.access(middle)
    assert result.verdict == "PUNT_FRAGMENT"
    punted(result, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1, session.slot)
    result = hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1)
    assert (result.verdict, result.action) == ("DROP_FRAGMENT", abi.XDP_DROP)


def test_a_fragment_whose_first_never_came_is_dropped_when_it_is_handed_back(plane):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    up, down = cut(packet_up(session, "udp"))[1], cut(packet_down(public, "udp"))[1]
    assert hand_back(plane, up, abi.PUNT_REASON_FRAGMENT_UP, ACC1).verdict == "DROP_FRAGMENT"
    assert hand_back(plane, down, abi.PUNT_REASON_FRAGMENT_DOWN, CORE).verdict == "DROP_FRAGMENT"
    assert hand_back(plane, up, abi.PUNT_REASON_FRAGMENT_UP, ACC1, abi.PUNT_REFUSED).verdict == "DROP_HOLD_FULL"
    assert hand_back(plane, down, abi.PUNT_REASON_FRAGMENT_DOWN, CORE, abi.PUNT_REFUSED).verdict == "DROP_HOLD_FULL"
    assert session.record.drop_packets == 2  # whose it would have been is known of the ones up only


def test_a_refused_one_is_dropped_even_if_its_first_has_come(plane):
    session = plane.session("10.0.0.5")
    head, middle, _ = cut(packet_up(session, "udp"))
    assert plane.access(head).verdict == "FORWARD_UP"
    assert hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1, abi.PUNT_REFUSED).verdict == "DROP_HOLD_FULL"
    assert hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1).verdict == "FORWARD_UP"


def test_antispoof_holds_for_what_is_handed_back(plane):
    session = plane.session("10.0.0.5", tags=((0x8100, 5),))
    head, middle, _ = cut(packet_up(session, "udp"))
    assert plane.access(head).verdict == "FORWARD_UP"
    mac = middle[:11] + bytes([middle[11] ^ 1]) + middle[12:]
    tag = middle[:15] + b"\x06" + middle[16:]
    for frame, interface, verdict in ((middle, ACC2, "DROP_SPOOF_INTERFACE"), (mac, ACC1, "DROP_SPOOF_MAC"),
                                      (tag, ACC1, "DROP_SPOOF_VLAN"), (middle, CORE, "DROP_SPOOF_INTERFACE"),
                                      (middle, 65535, "DROP_NO_INTERFACE"), (middle, ACC1, "FORWARD_UP")):
        assert hand_back(plane, frame, abi.PUNT_REASON_FRAGMENT_UP, interface).verdict == verdict
    plane.close_session(session)
    assert hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1).verdict == "DROP_NO_SESSION"


@pytest.mark.parametrize("reason", [abi.PUNT_REASON_FRAGMENT_UP, abi.PUNT_REASON_FRAGMENT_DOWN, abi.PUNT_REASON_SYN])
def test_what_cannot_have_been_punted_is_malformed(plane, reason):
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    first, later = cut(packet_up(session, "udp"))[:2]
    ttl = cut(packet_down(public, "udp", ttl=1))[1]
    frames_of = [packet_up(session, "udp")[:500], frames.up(session, frames.udp(1)), first, later[:20], ttl, b"\0" * 13]
    verdicts = {hand_back(plane, frame, reason, ACC1).verdict for frame in frames_of}
    assert verdicts <= {"DROP_INJECT", "DROP_SHORT"}
    assert plane.pool_address[0].drops == 0


def test_handed_back_fragments_go_to_the_kernel_where_others_do(plane):
    """Addressed to the punt veth, where they are now."""
    session = plane.session("10.0.0.5", tags=((0x8100, 5),))
    mac = bytes(plane.interface[abi.INTERFACE_PUNT].mac)
    for remote, verdict in ((UNRESOLVED, "PASS_NEIGHBOUR"), (SMALL_MTU, "PASS_FRAGMENT")):
        head, middle, _ = cut(packet_up(session, "udp", remote=remote))
        assert plane.access(head).verdict == verdict
        result = hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1)
        assert (result.verdict, result.action, result.frame[:6]) == (verdict, abi.XDP_PASS, mac)
        assert result.frame[12:14] == b"\x08\x00" and frames.ip_of(result.frame).src == PUBLIC[0]


def test_the_rate_of_each_direction_is_its_own(plane):
    """RFC 4787 REQ-14a: what is flooded with fragments goes on with everything else."""
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000)
    limit = plane.punt_limit[abi.PUNT_REASON_FRAGMENT_DOWN]
    limit.rate, limit.burst = 1, 5
    down, up = cut(packet_down(public, "udp"))[1], cut(packet_up(session, "udp"))[1]
    verdicts = [plane.first_token(limit, "due_ns", lambda: plane.core(down)).verdict]
    verdicts += [plane.core(down).verdict for _ in range(12)]
    assert verdicts == ["PUNT_FRAGMENT"] * 6 + ["DROP_HOLD_FULL"] * 7
    assert plane.access(up).verdict == "PUNT_FRAGMENT"
    assert plane.core(frames.down(PUBLIC[0], frames.reply_to("udp", public & 0xffff))).verdict == "FORWARD_DOWN"
    run(plane.core, cut(packet_down(public, "udp", id=99)), "FORWARD_DOWN")


# ---- unsolicited SYNs -------------------------------------------------------------------

def syn(port=2000, remote=REMOTE, flags="S", **fields):
    return frames.down(PUBLIC[0], frames.tcp(4444, port, flags=flags), remote=remote, **fields)


@pytest.fixture
def answering(plane):
    plane.pool[0].flags = abi.POOL_ANSWER_SYN
    return plane


def unreachable(frame):
    ip = Ether(frame)[IP]
    return bytes(Ether(src=frames.CORE_MAC, dst=frames.NEXT_HOP_MAC, type=0x800) /
                 IP(src=ip.dst, dst=ip.src, ttl=64, id=0) / ICMP(type=3, code=3) / Raw(bytes(ip)[:28]))


def test_rfc5382_req4_an_unsolicited_syn_is_dropped_counted_and_controld_hears_of_it(answering):
    plane = answering
    for number in range(1, 4):
        result = plane.core(syn())
        assert result.verdict == "DROP_CGNAT_NO_MAPPING"
        punted(result, syn(), abi.PUNT_REASON_SYN, CORE)
        assert plane.pool_address[0].drops == number


def test_rfc5382_req4a_a_pool_that_is_not_to_answer_is_silent(plane):
    result = plane.core(syn())
    assert (result.verdict, result.action) == ("DROP_CGNAT_NO_MAPPING", abi.XDP_DROP)


@pytest.mark.parametrize("what, frame", [
    ("an answer", syn(flags="SA")), ("a RST", syn(flags="R")), ("nonsense", syn(flags="SF")), ("data", syn(flags="A")),
    ("UDP", frames.down(PUBLIC[0], frames.udp(4444, 2000))), ("a host that is none", syn(remote="224.0.0.1")),
    ("IP options", syn(options=[IPOption(b"\x94\x04\x00\x00")])),
], ids=lambda value: value if isinstance(value, str) else "")
def test_of_other_packets_nobody_hears(answering, what, frame):
    result = answering.core(frame)
    assert (result.verdict, result.action) == ("DROP_CGNAT_NO_MAPPING", abi.XDP_DROP)


def test_too_many_syns_are_dropped_as_before(answering):
    plane = answering
    limit = plane.punt_limit[abi.PUNT_REASON_SYN]
    limit.rate, limit.burst = 1, 3
    actions = [plane.first_token(limit, "due_ns", lambda: plane.core(syn())).action]
    actions += [plane.core(syn()).action for _ in range(6)]
    assert actions == [abi.XDP_REDIRECT] * 4 + [abi.XDP_DROP] * 3
    assert plane.pool_address[0].drops == plane.count("DROP_CGNAT_NO_MAPPING") >= 7
    assert plane.count("DROP_PUNT_LIMIT") == 0


def test_rfc5382_req4_the_answer_is_port_unreachable_from_the_public_address(answering):
    plane = answering
    assert plane.core(syn()).verdict == "DROP_CGNAT_NO_MAPPING"
    result = hand_back(plane, syn(), abi.PUNT_REASON_SYN, CORE)
    assert (result.verdict, result.action, result.frame) == ("ANSWER_UNREACHABLE", abi.XDP_REDIRECT, unreachable(syn()))
    assert plane.pool_address[0].drops == 1  # counted when it came, not again


def test_rfc5382_req4_what_would_be_let_in_by_now_is_forgotten(answering):
    plane = answering
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, "tcp")
    early = syn(public & 0xffff)
    result = hand_back(plane, early, abi.PUNT_REASON_SYN, CORE)
    assert (result.verdict, result.action) == ("INJECT_FORGOTTEN", abi.XDP_DROP)
    plane.advance_seconds(241)
    assert hand_back(plane, early, abi.PUNT_REASON_SYN, CORE).verdict == "ANSWER_UNREACHABLE"
    assert (plane.pool_address[0].drops, session.record.down_packets) == (0, 0)


@pytest.mark.parametrize("filtering", [abi.POOL_FILTER_ADDRESS, abi.POOL_FILTER_PORT])
def test_rfc5382_req2a_rfc5382_req4_simultaneous_open_behind_a_filter(answering, filtering):
    """The outside's SYN comes first and is kept out; the inside's goes out; the next from outside is let in."""
    plane = answering
    plane.pool[0].flags |= filtering
    session = plane.session("10.0.0.5")
    public = open_port(plane, session, 4000, "tcp", remote=OTHER)
    early = syn(public & 0xffff)
    result = plane.core(early)
    assert result.verdict == "DROP_CGNAT_FILTER" and session.record.drop_packets == 1
    punted(result, early, abi.PUNT_REASON_SYN, CORE, 0)
    assert hand_back(plane, early, abi.PUNT_REASON_SYN, CORE).verdict == "ANSWER_UNREACHABLE"
    assert plane.access(frames.up(session, frames.tcp(4000, 4444))).verdict == "FORWARD_UP"
    assert hand_back(plane, early, abi.PUNT_REASON_SYN, CORE).verdict == "INJECT_FORGOTTEN"
    assert plane.core(early).verdict == "FORWARD_DOWN"
    assert plane.core(syn(public & 0xffff, flags="SA")).verdict == "FORWARD_DOWN"


def test_answers_obey_the_rate_of_icmp_errors(answering):
    plane = answering
    plane.meta.icmp_error_rate = 1
    frame = syn()
    assert plane.first_token(plane.meta, "icmp_error_core_due_ns",
                             lambda: hand_back(plane, frame, abi.PUNT_REASON_SYN, CORE)).verdict == "ANSWER_UNREACHABLE"
    verdicts = [hand_back(plane, frame, abi.PUNT_REASON_SYN, CORE).verdict for _ in range(3)]
    assert verdicts[-1] == "INJECT_UNANSWERED" and set(verdicts) <= {"INJECT_UNANSWERED", "ANSWER_UNREACHABLE"}


def test_an_address_that_is_no_longer_ours_does_not_answer(answering):
    plane = answering
    plane.range[0].public_count = 0
    assert hand_back(plane, syn(), abi.PUNT_REASON_SYN, CORE).verdict == "INJECT_UNANSWERED"


def test_bytes_of_what_is_handed_back_are_the_frames(answering):
    plane = answering
    session = plane.session("10.0.0.5")
    head, middle, _ = cut(packet_up(session, "udp"))
    plane.access(head)
    hand_back(plane, middle, abi.PUNT_REASON_FRAGMENT_UP, ACC1)
    raw, base = plane.counts.raw(), abi.VERDICTS.index("FORWARD_UP") * (len(plane.last_counts) // abi.VERDICT_COUNT)
    width = len(plane.last_counts) // abi.VERDICT_COUNT
    assert sum(raw[base + 1:base + width:2]) == len(head) + len(middle)
