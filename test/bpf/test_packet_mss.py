# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# TCP MSS clamping, both ways: the option wherever it lies, every other byte as it
# was, and options of every malformed kind left alone.
import random

import pytest
from scapy.layers.inet import IP, TCP, in4_chksum
from scapy.packet import Raw
from scapy.utils import checksum

import abi
import frames
from plane import PUBLIC
from test_cgnat_mapping import open_port

MSS = 1400
NOP, END = b"\x01", b"\x00"


def option(mss):
    return b"\x02\x04" + mss.to_bytes(2, "big")


def syn(raw, sport=4000, dport=80, flags="S", data=b""):
    """A TCP header with exactly these option bytes, padded by END to a multiple of four."""
    raw = raw + END * (-len(raw) % 4)
    return Raw(bytes(TCP(sport=sport, dport=dport, flags=flags, seq=1, dataofs=5 + len(raw) // 4)) + raw + data)


def session_with(plane, mss=MSS, **fields):
    session = plane.session("10.0.0.5", **fields)
    session.record.mss = mss
    return session


def summed(ip):
    """Both checksums anew, of the bytes as they are: scapy would repair malformed options if it built the packet."""
    ip = bytearray(ip)
    ip[10:12] = ip[36:38] = b"\0\0"
    ip[10:12] = checksum(bytes(ip[:20])).to_bytes(2, "big")
    ip[36:38] = in4_chksum(6, IP(bytes(ip[:20])), bytes(ip[20:])).to_bytes(2, "big")
    return bytes(ip)


def with_checksum(frame):
    """As the sender would have sent it."""
    return frame[:14] + summed(frame[14:])


def clamped(plane, session, raw, flags="S", **more):
    """What the options are after the packet went up; everything else must be as without clamping."""
    frame = with_checksum(frames.up(session, syn(raw, flags=flags, **more), proto=6))
    result = plane.access(frame)
    assert result.verdict == "FORWARD_UP"
    at = 14 + 20 + 20
    length = len(raw) + -len(raw) % 4
    changed = bytearray(frame[14:])
    changed[8] -= 1
    changed[12:16], changed[20:22] = result.frame[26:30], result.frame[34:36]  # the public end
    changed[at - 14:at - 14 + length] = result.frame[at:at + length]
    assert result.frame[14:] == summed(changed)
    return result.frame[at:at + len(raw)]


LEADS = [b"", NOP, NOP * 2, NOP * 3, b"\x03\x03\x07", b"\x04\x02", b"\x08\x0a" + bytes(8), NOP + b"\x03\x03\x07",
         b"\x04\x02\x08\x0a" + bytes(8) + b"\x03\x03\x07", NOP * 36, NOP * 35, b"\xfd\x23" + bytes(33)]


@pytest.mark.parametrize("lead", LEADS, ids=lambda lead: f"{len(lead)}-{lead[:1].hex()}")
@pytest.mark.parametrize("offered", [536, 1399, 1400, 1401, 1460, 8960, 65535])
def test_mss_is_lowered_at_every_offset(plane, lead, offered):
    """Behind leads of even and odd length: the checksum is right in either case."""
    session = session_with(plane)
    assert clamped(plane, session, lead + option(offered)) == lead + option(min(offered, MSS))


@pytest.mark.parametrize("raw", [
    b"\x02\x03\x05", b"\x02\x05\x05\xb4\x00", b"\x02\x00\x05\xb4", b"\x02\x01\x05\xb4",
    b"\x03\x00" + option(1460), b"\x03\x01" + option(1460), END + option(1460), b"\x03\xff" + option(1460),
    b"\x05\x20" + option(1460), NOP * 37 + b"\x02\x04\x05", NOP * 38 + b"\x02\x04", NOP * 39 + b"\x02", NOP * 40,
    b"", b"\x08"], ids=lambda raw: raw.hex()[:16] or "none")
def test_malformed_options_are_left_alone(plane, raw):
    session = session_with(plane)
    assert clamped(plane, session, raw) == raw


def test_header_longer_than_the_packet_is_left_alone(plane):
    """The bytes that would be an option are Ethernet padding, or nobody's."""
    session = session_with(plane)
    for pad in (b"", option(1460) * 5):
        frame = bytearray(frames.up(session, frames.tcp(4000, flags="S"), pad=pad))
        frame[14 + 20 + 12] = 0xa0
        result = plane.access(bytes(frame))
        assert result.verdict == "FORWARD_UP" and result.frame[54:] == bytes(frame)[54:]


@pytest.mark.parametrize("data_offset", range(0, 5))
def test_header_shorter_than_a_header_is_left_alone(plane, data_offset):
    session = session_with(plane)
    frame = bytearray(with_checksum(frames.up(session, syn(option(1460)), proto=6)))
    frame[14 + 20 + 12] = data_offset << 4
    assert plane.access(bytes(frame)).frame[54:] == bytes(frame)[54:]


def test_only_a_syn_is_clamped(plane):
    session = session_with(plane)
    for flags, lowered in (("S", True), ("SA", True), ("SE", True), ("A", False), ("PA", False), ("FA", False)):
        assert (clamped(plane, session, option(1460), flags) == option(MSS)) == lowered


def test_without_a_limit_nothing_is_lowered(plane):
    session = session_with(plane, mss=0)
    assert clamped(plane, session, option(9000)) == option(9000)


@pytest.mark.parametrize("lead", [b"", NOP], ids=["even", "odd"])
def test_mss_is_lowered_on_the_way_down(plane, lead):
    session = session_with(plane, tags=((0x8100, 9),))
    public = open_port(plane, session, 4000, "tcp")
    raw = lead + option(1460)
    answer = with_checksum(frames.down(PUBLIC[0], syn(raw, 80, public & 0xffff, "SA"), proto=6))
    result = plane.core(answer)
    assert result.verdict == "FORWARD_DOWN"
    changed = answer[:54] + lead + option(MSS) + answer[54 + len(raw):]
    assert result.frame == frames.expected_down(changed, session, 4000)


def test_hairpinned_syn_gets_the_lower_limit_of_the_two(plane):
    first, second = session_with(plane, 1300), plane.session("10.0.0.6")
    for limit, expected in ((1200, 1200), (1350, 1300), (0, 1300)):
        second.record.mss = limit
        target = open_port(plane, second, 5000, "tcp")
        frame = frames.up(first, syn(option(1460), 4000, target & 0xffff), proto=6, remote=PUBLIC[0])
        result = plane.access(with_checksum(frame))
        assert result.verdict == "FORWARD_HAIRPIN"
        assert result.frame[54:58] == option(expected) and frames.checksums_are_right(result.frame)


def test_exempt_connections_are_clamped_too(plane):
    session = session_with(plane, flags=abi.SUBSCRIBER_EXEMPT)
    result = plane.access(with_checksum(frames.up(session, syn(option(1460)), proto=6)))
    assert result.verdict == "FORWARD_UP_EXEMPT"
    assert result.frame[54:58] == option(MSS) and frames.checksums_are_right(result.frame)
    result = plane.core(with_checksum(frames.down("10.0.0.5", syn(NOP + option(1460), flags="SA"), proto=6)))
    assert result.verdict == "FORWARD_DOWN_EXEMPT"
    assert result.frame[55:59] == option(MSS) and frames.checksums_are_right(result.frame)


def test_random_options(plane):
    """3,000 heaps of bytes as options: the checksum stays right, and only an MSS can have changed."""
    chance = random.Random(879)
    session = session_with(plane)
    for _ in range(3000):
        raw = bytes(chance.choice((0, 1, 1, 2, 2, 3, 4, 4, 8, 255)) for _ in range(4 * chance.randrange(11)))
        out = clamped(plane, session, raw)
        if out != raw:
            at = next(position for position in range(len(raw)) if out[position] != raw[position])
            at = at if raw[at - 2:at] == b"\x02\x04" else at - 1
            assert out == raw[:at] + MSS.to_bytes(2, "big") + raw[at + 2:] and raw[at - 2:at] == b"\x02\x04"
