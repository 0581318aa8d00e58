# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The entry programs of a canary: who is chosen is served as by the program itself and
# counted apart, everybody else by the old program; the same subscribers both ways.
import ctypes
import random
import struct

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP
from scapy.packet import Raw

import abi
import frames
from bpfobject import PerCpuCounts
from plane import ACC1, CORE, ETH_P_PPP_SES, GATEWAY, HOST, PUBLIC, REMOTE, mac_bytes
from test_cgnat_tunnel import PAYLOADS, opened
from test_cgnat_tunnel import down as tunnel_down
from test_cgnat_tunnel import up as tunnel_up
from test_packet_fragments import cut, packet_down
from test_packet_icmp_errors import ROUTER, error, sent

PLACES = 10000
ZERO = struct.pack("=I", 0)
LINES = {
    "untagged": (),
    "802.1Q": ((0x8100, 100),),
    "Q-in-ad": ((0x88a8, 4094), (0x8100, 1)),
    "PPPoE-in-Q": ((0x8100, 100), (ETH_P_PPP_SES, 0x1234)),
}


def mix(word):
    for shift, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35)):
        word = (word ^ word >> shift) * factor & 0xffffffff
    return word ^ word >> 16


def place_of(mac, vids):
    """Where a line stands among all, computed anew."""
    first, last = struct.unpack("<IH", mac_bytes(mac))
    tags = sum(vid << 16 * position for position, vid in enumerate(vids))
    return mix(mix(first) ^ last ^ tags * 0x9e3779b1 & 0xffffffff) * PLACES >> 32


def place_of_session(session):
    return place_of(session.mac, [vid for tpid, vid in session.tags if tpid != ETH_P_PPP_SES])


class Canary:
    """The old program is this object's own bng_R: what it serves is not counted as the canary's."""

    def __init__(self, plane):
        self.plane = plane
        self.counts = PerCpuCounts(plane.maps["canary_count"], abi.VERDICT_COUNT)
        self.counts.clear()
        for role in ("access", "core", "inject"):
            old = struct.pack("=i", plane.object.program(f"bng_{role}"))
            plane.maps[f"canary_old_{role}"].update(ZERO, old)

    def set_share(self, share):
        self.plane.maps["canary"].update(ZERO, struct.pack("=II", share, 0))

    def run(self, role, frame, device, share):
        """The result, and whether it was counted as the canary's: exactly once, or not at all."""
        self.set_share(share)
        before = self.counts.raw()
        result = self.plane.run(f"bng_canary_{role}", frame, device)
        moved = [new - old for old, new in zip(before, self.counts.raw())]
        of_verdict = abi.VERDICTS.index(result.verdict) * len(moved) // abi.VERDICT_COUNT
        assert sum(moved) == sum(moved[of_verdict:of_verdict + len(moved) // abi.VERDICT_COUNT])
        packets, size = sum(moved[::2]), sum(moved[1::2])
        header = ctypes.sizeof(abi.bng_punt) if role == "inject" else 0
        assert (packets, size) in ((0, 0), (1, len(frame)), (1, len(frame) - header))
        return result, packets == 1

    def is_chosen_from(self, role, frame, device, place):
        """The share that takes a subscriber at this place is one more than the place, not less."""
        return [self.run(role, frame, device, share)[1] for share in (0, place, place + 1, PLACES)] == \
            [False, False, True, True]


@pytest.fixture
def canary(plane):
    return Canary(plane)


@pytest.mark.parametrize("tags", LINES.values(), ids=LINES)
def test_same_verdict_and_bytes_both_ways_and_one_place(plane, canary, tags):
    session = plane.session("10.0.0.5", tags=tags)
    place = place_of_session(session)
    up = frames.up(session, frames.udp(4000))
    plain = plane.access(up)
    public = frames.public_end(plain)
    down = frames.down(PUBLIC[public >> 16], frames.reply_to("udp", public & 0xffff))
    plain_down = plane.core(down)
    assert (plain.verdict, plain_down.verdict) == ("FORWARD_UP", "FORWARD_DOWN")
    for share in (0, place, place + 1, PLACES):
        assert canary.run("access", up, "acc1", share) == (plain, share > place)
        assert canary.run("core", down, "core1", share) == (plain_down, share > place)


def test_all_that_a_line_sends_is_of_one_group(plane, canary):
    """ARP, DHCP, PPPoE discovery and spoofed addresses too: by the line, not by what they say."""
    session, other = plane.session("10.0.0.5", tags=((0x8100, 7),)), plane.session("10.0.0.6")
    place = place_of_session(session)
    assert place != place_of_session(other)
    from_line = [frames.discovery(0x09, session.mac, "ff:ff:ff:ff:ff:ff", session.tags),
                 frames.up(session, frames.udp(68, 67), remote="255.255.255.255", src="0.0.0.0"),
                 frames.up(session, frames.udp(4000), src=other.address),
                 frames.ethernet(session.mac, "ff:ff:ff:ff:ff:ff", session.tags) /
                 ARP(op=1, hwsrc=session.mac, psrc=session.address, pdst=GATEWAY)]
    for frame in from_line:
        assert canary.is_chosen_from("access", bytes(frame), "acc1", place)


def test_sessions_without_translation_have_their_place_on_the_way_down(plane, canary):
    session = plane.session("198.18.77.9", flags=abi.SUBSCRIBER_EXEMPT)
    frame = frames.down(session.address, frames.udp(53, 4000))
    assert canary.is_chosen_from("core", frame, "core1", place_of_session(session))


def test_what_is_nobodys_is_the_old_programs_until_all_are_chosen(plane, canary):
    session = plane.session("10.0.0.5")
    public = frames.public_end(plane.access(frames.up(session, frames.udp(4000))))
    nobodys = [("core", frames.down(HOST, frames.udp(53)), "core1"),
               ("core", frames.down("203.0.113.3", frames.udp(53, 5000)), "core1"),
               ("core", frames.down(PUBLIC[public >> 16], frames.udp(53, public & 0xffff), frag=9, id=9), "core1"),
               ("core", frames.down(PUBLIC[public >> 16], ICMP(type=3, code=1) / Raw(bytes(8))), "core1"),
               ("core", tunnel_down(PUBLIC[public >> 16], remote="192.0.2.77"), "core1"),
               ("core", frames.down(PUBLIC[0], frames.tcp(80, 60000)), "core1"),
               ("access", bytes(12) + b"\x81\0", "acc1"), ("inject", bytes(64), "punt0")]
    for role, frame, device in nobodys:
        assert canary.is_chosen_from(role, bytes(frame), device, PLACES - 1)


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_an_icmp_error_goes_the_way_of_the_packet_it_quotes(plane, canary, protocol):
    session = plane.session("10.0.0.5", tags=((0x8100, 7),))
    quoted, public = sent(plane, session, protocol)
    for length in (28, 40, len(quoted)):
        frame = frames.down(PUBLIC[public >> 16], error(quoted[:length]), remote=ROUTER)
        assert canary.is_chosen_from("core", frame, "core1", place_of_session(session))
        assert canary.run("core", frame, "core1", PLACES)[0].verdict == "FORWARD_ICMP_DOWN"


@pytest.mark.parametrize("kind", PAYLOADS)
def test_a_tunnel_and_an_error_about_it_go_the_way_of_whose_it_is(plane, canary, kind):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    address = opened(plane, session, kind)
    opened(plane, other, kind, remote="192.0.2.9")
    place = place_of_session(session)
    assert canary.is_chosen_from("core", tunnel_down(address, kind), "core1", place)
    assert canary.is_chosen_from("core", tunnel_down(address, kind, frag=100), "core1", place)
    quoted = bytes(frames.ip_of(plane.access(tunnel_up(session, kind)).frame))
    frame = frames.down(address, error(quoted), remote=ROUTER)
    assert canary.is_chosen_from("core", frame, "core1", place)


def test_fragments_go_the_way_of_their_first(plane, canary):
    session = plane.session("10.0.0.5")
    public = frames.public_end(plane.access(frames.up(session, frames.udp(4000))))
    first, *later = cut(packet_down(public, "udp"))
    place = place_of_session(session)
    held = punt(abi.PUNT_REASON_FRAGMENT_DOWN, interface=CORE) + later[0]
    assert canary.is_chosen_from("core", later[0], "core1", PLACES - 1)  # nobody knows yet
    assert canary.is_chosen_from("inject", held, "punt0", PLACES - 1)
    assert canary.is_chosen_from("core", first, "core1", place)
    for frame in later:
        assert canary.is_chosen_from("core", frame, "core1", place)
        assert canary.run("core", frame, "core1", PLACES)[0].verdict == "FORWARD_DOWN"
    assert canary.is_chosen_from("inject", held, "punt0", place)


def test_a_session_that_ended_has_no_place(plane, canary):
    session = plane.session("10.0.0.5")
    quoted, public = sent(plane, session, "udp")
    first, later, *_ = cut(packet_down(public, "udp"))
    assert plane.core(first).verdict == "FORWARD_DOWN"
    session.record.generation += 1
    for down in (frames.down(PUBLIC[public >> 16], frames.reply_to("udp", public & 0xffff)), later,
                 frames.down(PUBLIC[public >> 16], error(quoted), remote=ROUTER)):
        assert canary.is_chosen_from("core", down, "core1", PLACES - 1)


def test_what_controld_sends_goes_the_way_of_who_gets_it(plane, canary):
    session = plane.session("10.0.0.5", tags=((0x8100, 7),))
    place = place_of_session(session)
    offer = bytes(frames.ethernet(session.interface_mac, session.mac, session.tags) / IP(src=GATEWAY, dst=session.address))
    sent = punt(abi.PUNT_REASON_INJECT) + offer + bytes(40)
    assert canary.is_chosen_from("inject", sent, "punt0", place)
    held = punt(abi.PUNT_REASON_FRAGMENT_UP) + frames.up(session, frames.udp(4000), frag=100)
    assert canary.is_chosen_from("inject", held, "punt0", place)
    pin = punt(abi.PUNT_REASON_PIN) + bytes(64)
    assert canary.is_chosen_from("inject", pin, "punt0", PLACES - 1)


def punt(reason, interface=ACC1):
    header = abi.bng_punt(ethertype_be=0xb588, version=abi.PUNT_VERSION, reason=reason, interface=interface)
    return bytes(header)


def test_without_an_old_program_the_new_one_serves(plane, canary):
    session = plane.session("10.0.0.5")
    plane.maps["canary_old_access"].delete(ZERO)
    result, counted = canary.run("access", frames.up(session, frames.udp(4000)), "acc1", 0)
    assert result.verdict == "FORWARD_UP" and counted


def test_places_are_even():
    """Lines that differ little: MACs in a row, one MAC behind many tags."""
    for lines in ([(f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}", ()) for n in range(20000)],
                  [("02:00:00:00:00:01", (outer, inner)) for outer in range(1, 101) for inner in range(1, 201)]):
        tenths = [0] * 10
        for mac, vids in lines:
            tenths[place_of(mac, vids) * 10 // PLACES] += 1
        assert all(1800 < count < 2200 for count in tenths)


@pytest.mark.parametrize("role", ["access", "core"])
def test_any_frame_at_all(plane, canary, role):
    """Whatever comes, the canary's verdict is the program's own."""
    generator = random.Random(1)
    session = plane.session("10.0.0.5", tags=((0x8100, 7),))
    quoted, public = sent(plane, session, "udp")
    wholes, device = {
        "access": ([frames.up(session, frames.udp(4000), remote=REMOTE)], "acc1"),
        "core": ([frames.down(PUBLIC[public >> 16], frames.reply_to("udp", public & 0xffff)), *cut(packet_down(public, "udp")),
                  frames.down(PUBLIC[public >> 16], error(quoted), remote=ROUTER), tunnel_down(PUBLIC[public >> 16])], "core1"),
    }[role]
    for number in range(300):
        whole = wholes[number % len(wholes)][:200]
        frame = bytearray(whole[:generator.randrange(14, len(whole))])
        frame[generator.randrange(len(frame))] ^= 1 << generator.randrange(8)
        expected = plane.run(f"bng_{role}", bytes(frame), device)
        assert canary.run(role, bytes(frame), device, PLACES)[0].verdict == expected.verdict
