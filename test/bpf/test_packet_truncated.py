# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Frames cut at every byte, and frames of noise: always a verdict, counted once
# (Plane.run), never more bytes out than the tags of a session or a punt header
# account for. BPF_PROG_TEST_RUN takes no frame shorter than an Ethernet header.
import ctypes
import random

import pytest
from scapy.layers.inet import ICMP, IP, IPOption, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import abi
import frames
from plane import CORE, ETH_P_PPP_SES, GATEWAY, PUBLIC, REMOTE, SMALL_MTU

ETHERNET = 14
TAGS = ((0x88a8, 100), (0x8100, 7))
PPPOE = (*TAGS, (ETH_P_PPP_SES, 77))
encapsulated = pytest.mark.parametrize("tags", [(), TAGS, PPPOE], ids=["untagged", "tagged", "pppoe"])
NOT_IN_PPPOE = {"arp", "dhcp"}
PUNT_HEADER = ctypes.sizeof(abi.bng_punt)
ICMP_ERROR = 28  # the new IP and ICMP headers

WHOLE = {
    "udp": lambda session: frames.up(session, frames.udp(4000)),
    "tcp": lambda session: frames.up(session, frames.tcp(4000, data=b"abc", options=[("MSS", 1460), ("NOP", None)])),
    "icmp": lambda session: frames.up(session, frames.echo(4000)),
    "options": lambda session: frames.up(session, frames.udp(4000), options=[IPOption(b"\x94\x04\x00\x00")]),
    "ttl": lambda session: frames.up(session, frames.udp(4000), ttl=1),
    "echo": lambda session: frames.up(session, frames.echo(1), remote=GATEWAY),
    "dhcp": lambda session: frames.up(session, UDP(sport=68, dport=67) / Raw(bytes(40)), remote=GATEWAY),
    "arp": lambda session: bytes(frames.ethernet(session.mac, "ff:ff:ff:ff:ff:ff", session.tags) /
                                 ARP(op=1, pdst=GATEWAY)),
}
WHOLE_VERDICT = {"udp": "FORWARD_UP", "tcp": "FORWARD_UP", "icmp": "FORWARD_UP", "options": "FORWARD_UP",
                 "ttl": "ANSWER_TTL", "echo": "ANSWER_ECHO", "dhcp": "PUNT_DHCP4", "arp": "ANSWER_ARP"}


def growth(verdict, tags):
    """How many bytes longer a frame may come out."""
    if verdict.startswith("PUNT_"):
        return PUNT_HEADER
    if verdict in ("ANSWER_TTL", "DROP_MTU"):
        return ICMP_ERROR
    return frames.size_of(tags) if verdict.startswith(("FORWARD_DOWN", "FORWARD_ICMP_DOWN")) else 0


def totals(plane):
    return sum(plane.count(verdict) for verdict in abi.VERDICTS)


@pytest.mark.parametrize("tags, kind", [(tags, kind) for tags in ((), TAGS, PPPOE) for kind in WHOLE
                                        if tags != PPPOE or kind not in NOT_IN_PPPOE], ids=str)
def test_up_cut_at_every_byte(plane, tags, kind):
    session = plane.session("10.0.0.5", tags=tags)
    whole = WHOLE[kind](session)
    for length in range(ETHERNET, len(whole)):
        result = plane.access(whole[:length])
        assert result.verdict == "DROP_SHORT" and result.action == abi.XDP_DROP, length
        assert len(result.frame) <= length
    assert plane.access(whole).verdict == WHOLE_VERDICT[kind]
    assert totals(plane) == len(whole) - ETHERNET + 1
    assert session.record.mappings == (WHOLE_VERDICT[kind] == "FORWARD_UP")


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
@encapsulated
def test_down_cut_at_every_byte(plane, tags, protocol):
    session = plane.session("10.0.0.5", tags=tags)
    public = frames.public_end(plane.access(frames.up(session, frames.PROTOCOLS[protocol](4000))))
    whole = frames.down(PUBLIC[0], frames.reply_to(protocol, public & 0xffff))
    for length in range(ETHERNET, len(whole)):
        assert plane.core(whole[:length]).verdict == "DROP_SHORT", length
    result = plane.core(whole)
    assert result.verdict == "FORWARD_DOWN" and len(result.frame) == len(whole) + frames.size_of(tags)
    assert session.record.down_packets == 1
    assert totals(plane) == len(whole) - ETHERNET + 2


def test_injected_cut_at_every_byte(plane):
    header = abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=abi.PUNT_REASON_INJECT, interface=1)
    whole = bytes(header) + bytes(Ether() / Raw(bytes(20)))
    for length in range(ETHERNET, len(whole) + 1):
        result = plane.inject(whole[:length])
        fits = length >= PUNT_HEADER + ETHERNET
        assert result.verdict == ("INJECT" if fits else "DROP_INJECT")
        assert result.frame == (whole[PUNT_HEADER:length] if fits else whole[:length])


@pytest.mark.parametrize("kind", WHOLE)
def test_ip_length_field_of_every_value(plane, kind):
    """An IP length that lies, below and above the frame: nothing is read or written beyond it."""
    session = plane.session("10.0.0.5")
    whole = bytearray(WHOLE[kind](session))
    if kind == "arp":
        whole[12:14] = b"\x08\x00"
    for length in [*range(0, len(whole) + 40), 0x7fff, 0xffff]:
        whole[16:18] = length.to_bytes(2, "big")
        result = plane.access(bytes(whole))
        assert len(result.frame) <= len(whole) + growth(result.verdict, ())
        if length > len(whole) - ETHERNET:
            assert result.verdict in ("DROP_SHORT", "DROP_IP_HEADER")


def test_header_length_field_of_every_value(plane):
    session = plane.session("10.0.0.5")
    for kind in ("udp", "tcp", "icmp", "ttl", "echo", "dhcp"):
        for first in range(256):
            frame = bytearray(WHOLE[kind](session))
            frame[14] = first
            result = plane.access(bytes(frame))
            assert len(result.frame) <= len(frame) + growth(result.verdict, ())
            if first >> 4 != 4 or first & 15 < 5:
                assert result.verdict == "DROP_IP_HEADER"


def mapped(plane, session, protocol="udp", port=4000):
    return frames.public_end(plane.access(frames.up(session, frames.PROTOCOLS[protocol](port))))


# (entry, verdict of the whole, builder): frames that take a step off the fast path.
STEPS = {
    "hairpin": ("access", "FORWARD_HAIRPIN", lambda plane, session, public:
                frames.up(session, frames.udp(4000, public & 0xffff), remote=PUBLIC[0])),
    "error up": ("access", "FORWARD_ICMP_UP", lambda plane, session, public:
                 frames.up(session, ICMP(type=3) / IP(src=REMOTE, dst=session.address) / frames.udp(53, 4000))),
    "error down": ("core", "FORWARD_ICMP_DOWN", lambda plane, session, public:
                   frames.down(PUBLIC[0], ICMP(type=11) / IP(src=PUBLIC[0], dst=REMOTE) / frames.udp(public & 0xffff))),
    "error hairpin": ("access", "FORWARD_ICMP_DOWN", lambda plane, session, public:
                      frames.up(session, ICMP(type=3) / IP(src=PUBLIC[0], dst=session.address) /
                                frames.udp(public & 0xffff, 4000), remote=PUBLIC[0])),
    "fragment up": ("access", "FORWARD_UP", lambda plane, session, public:
                    frames.up(session, frames.udp(4000), flags="MF")),
    "fragment down": ("core", "FORWARD_DOWN", lambda plane, session, public:
                      frames.down(PUBLIC[0], frames.udp(53, public & 0xffff), flags="MF")),
    "fragment hairpin": ("access", "FORWARD_HAIRPIN", lambda plane, session, public:
                         frames.up(session, frames.udp(4000, public & 0xffff), remote=PUBLIC[0], flags="MF")),
    "TTL down": ("core", "ANSWER_TTL", lambda plane, session, public:
                 frames.down(PUBLIC[0], frames.udp(53, public & 0xffff), ttl=1)),
    "too big up": ("access", "DROP_MTU", lambda plane, session, public:
                   frames.up(session, frames.udp(4000, data=bytes(1000)), remote=SMALL_MTU, flags="DF")),
    "SYN": ("access", "FORWARD_UP", lambda plane, session, public:
            frames.up(session, frames.tcp(4000, options=[("NOP", None), ("MSS", 1460), ("WScale", 7)]))),
}
MORE_THAN_TAGS = {"ANSWER_TTL": ICMP_ERROR, "DROP_MTU": ICMP_ERROR}


@pytest.mark.parametrize("kind", STEPS)
@encapsulated
def test_steps_cut_at_every_byte(plane, tags, kind):
    session = plane.session("10.0.0.5", tags=tags)
    session.record.mss = 1000
    entry, verdict, build = STEPS[kind]
    whole = build(plane, session, mapped(plane, session))
    step = {"access": plane.access, "core": plane.core}[entry]
    for length in range(ETHERNET, len(whole)):
        result = step(whole[:length])
        assert result.verdict == "DROP_SHORT" and result.action == abi.XDP_DROP, length
    assert step(whole).verdict == verdict


@pytest.mark.parametrize("kind", STEPS)
def test_steps_with_an_ip_length_of_every_value(plane, kind):
    """Shorter than the frame: what is beyond it is padding, never read as part of the packet nor written."""
    session = plane.session("10.0.0.5")
    session.record.mss = 1000
    entry, _, build = STEPS[kind]
    whole = bytearray(build(plane, session, mapped(plane, session)))
    step = {"access": plane.access, "core": plane.core}[entry]
    for length in [*range(0, min(len(whole), 120)), 0x7fff, 0xffff]:
        whole[16:18] = length.to_bytes(2, "big")
        result = step(bytes(whole))
        assert result.verdict not in ("NONE", "DROP_INTERNAL")
        assert len(result.frame) <= len(whole) + MORE_THAN_TAGS.get(result.verdict, 0)
        if result.verdict.startswith("FORWARD") and length >= 20:
            assert result.frame[14 + length:] == bytes(whole)[14 + length:]


def handed_back(session, public):
    """(reason, interface, frame) of what controld held."""
    return ((abi.PUNT_REASON_FRAGMENT_UP, session.interface, frames.up(session, frames.udp(4000), frag=3)),
            (abi.PUNT_REASON_FRAGMENT_UP, session.interface, frames.up(session, frames.udp(4000), frag=3, remote=PUBLIC[0])),
            (abi.PUNT_REASON_FRAGMENT_DOWN, CORE, frames.down(PUBLIC[0], frames.udp(53, public & 0xffff), frag=3)),
            (abi.PUNT_REASON_SYN, CORE, frames.down(PUBLIC[0], frames.tcp(4000, 5))))


@pytest.mark.parametrize("program", ["bng_access", "bng_core", "bng_inject"])
def test_noise(plane, program):
    """10,000 valid frames with random bytes changed, and random bytes altogether."""
    chance = random.Random(program)
    session = plane.session("10.0.0.5", tags=TAGS)
    plane.exempt_add("192.0.2.128/25")
    plane.exempt_port_add("192.0.2.0/25", "udp", 4001)
    public = frames.public_end(plane.access(frames.up(session, frames.udp(4000))))
    base = totals(plane)
    seeds = [build(session) for build in WHOLE.values()]
    seeds += [frames.down(PUBLIC[0], frames.udp(53, public & 0xffff)), frames.down("10.0.0.5", frames.udp(53, 1))]
    seeds += [build(plane, session, public) for _, _, build in STEPS.values()]
    seeds += [bytes(abi.bng_punt(ethertype_be=0xb588, version=1, reason=reason, interface=interface)) + seed
              for reason, interface, seed in ((abi.PUNT_REASON_INJECT, 1, seeds[0]), *handed_back(session, public))]
    device = {"bng_access": "acc1", "bng_core": "core1", "bng_inject": "punt0"}[program]
    for _ in range(10000):
        frame = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(1, 4)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        if chance.random() < 0.05:
            frame = bytearray(chance.randbytes(chance.randrange(ETHERNET, 200)))
        result = plane.run(program, bytes(frame), device)
        assert len(result.frame) <= len(frame) + growth(result.verdict, TAGS)
        assert result.verdict not in ("NONE", "DROP_INTERNAL")
    assert totals(plane) - base == 10000


def test_noise_in_pppoe(plane):
    """10,000 frames of an open session, of discovery and of PPP control with random bytes changed."""
    chance = random.Random("pppoe")
    session = plane.session("10.0.0.5", tags=PPPOE)
    session.record.mss = 1000
    public = mapped(plane, session)
    base = totals(plane)
    seeds = [build(session) for kind, build in WHOLE.items() if kind not in NOT_IN_PPPOE]
    seeds += [build(plane, session, public) for entry, _, build in STEPS.values() if entry == "access"]
    seeds += [frames.ppp(session, frames.PPP_LCP, frames.lcp(code, 5, b"data"), number)
              for code in (frames.LCP_ECHO_REQUEST, frames.LCP_ECHO_REPLY, 1) for number in (77, 78)]
    seeds += [frames.discovery(code, session.mac, destination, TAGS) for code in (frames.PADI, frames.PADR, frames.PADT)
              for destination in ("ff:ff:ff:ff:ff:ff", session.interface_mac)]
    verdicts = set()
    for _ in range(10000):
        frame = bytearray(chance.choice(seeds) + bytes(chance.choice((0, 0, 9))))
        for _ in range(chance.randrange(1, 4)):
            frame[chance.randrange(min(len(frame), 14 + 22))] = chance.randrange(256)
        result = plane.access(bytes(frame))
        assert len(result.frame) <= len(frame) + growth(result.verdict, PPPOE)
        assert result.verdict not in ("NONE", "DROP_INTERNAL")
        verdicts.add(result.verdict)
    assert totals(plane) - base == 10000
    assert verdicts >= {"ANSWER_PPP_ECHO", "ANSWER_PPP_ALIVE", "PUNT_PPPOE_SESSION", "PUNT_PPPOE_DISCOVERY",
                        "DROP_PPPOE_HEADER", "DROP_SPOOF_PPPOE", "DROP_SHORT", "FORWARD_UP", "DROP_OTHER_STATION"}
