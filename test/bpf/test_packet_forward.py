# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Packets that go through, both ways: every byte of what comes out, against
# scapy's own computation of addresses, ports, TTL and checksums.
import itertools
import random

import pytest
from scapy.layers.inet import IPOption
from scapy.packet import Raw

import abi
import frames
from plane import ACC1, ACC2, ETH_P_PPP_SES, MACS, PUBLIC, REMOTE, UNRESOLVED, mac_bytes

LINKS = {
    "untagged": (),
    "802.1Q": ((0x8100, 100),),
    "802.1ad": ((0x88a8, 100),),
    "Q-in-Q": ((0x8100, 100), (0x8100, 7)),
    "Q-in-ad": ((0x88a8, 4094), (0x8100, 1)),
    "ad-in-ad": ((0x88a8, 100), (0x88a8, 7)),
    "ad-in-Q": ((0x8100, 100), (0x88a8, 7)),
}
ENCAPSULATIONS = {
    **LINKS,
    "PPPoE": ((ETH_P_PPP_SES, 1),),
    "PPPoE-in-Q": ((0x8100, 100), (ETH_P_PPP_SES, 0x1234)),
    "PPPoE-in-Q-in-ad": ((0x88a8, 4094), (0x8100, 1), (ETH_P_PPP_SES, 0xfffe)),
}


def round_trip(plane, session, protocol, port=4000, interface=ACC1, **more):
    """Up and its answer down, byte for byte; the public end."""
    frame = frames.up(session, frames.PROTOCOLS[protocol](port, **more.pop("l4", {})), **more)
    result = plane.access(frame, interface)
    assert (result.verdict, result.action) == ("FORWARD_UP", abi.XDP_REDIRECT)
    public = frames.public_end(result)
    assert result.frame == frames.expected_up(frame, frames.endpoint(public))
    answer = frames.down(PUBLIC[public >> 16], frames.reply_to(protocol, public & 0xffff))
    result = plane.core(answer)
    assert (result.verdict, result.action) == ("FORWARD_DOWN", abi.XDP_REDIRECT)
    assert result.frame == frames.expected_down(answer, session, port)
    return public


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_round_trip(plane, tags, protocol):
    session = plane.session("10.0.0.5", tags=tags)
    public = round_trip(plane, session, protocol)
    assert plane.block_of(public).slot == session.slot
    record = session.record
    assert (record.up_packets, record.down_packets, record.drop_packets, record.mappings) == (1, 1, 0, 1)


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_second_interface_and_address_outside_ranges(plane, protocol):
    session = plane.session("172.16.5.9", interface=ACC2, tags=((0x8100, 5),))
    round_trip(plane, session, protocol, interface=ACC2)


@pytest.mark.parametrize("priority", [1, 7, 15])
def test_priority_bits_of_a_tag_are_not_the_vlan(plane, priority):
    session = plane.session("10.0.0.5", tags=((0x8100, 100),))
    frame = bytearray(frames.up(session, frames.udp(4000)))
    frame[14] |= priority << 4
    result = plane.access(bytes(frame))
    assert result.verdict == "FORWARD_UP"
    assert result.frame == frames.expected_up(bytes(frame), frames.endpoint(frames.public_end(result)))


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
def test_every_payload_length(plane, protocol):
    session = plane.session("10.0.0.5")
    for length in [*range(0, 70), 511, 512, 1001, 1400]:
        round_trip(plane, session, protocol, l4={"data": bytes(number & 255 for number in range(length))})


def test_largest_packet_passes_and_one_byte_more_does_not(plane):
    session = plane.session("10.0.0.5")
    largest = frames.up(session, frames.udp(4000, data=b"x" * (1500 - 28)))
    result = plane.access(largest)
    assert result.verdict == "FORWARD_UP"
    public = frames.public_end(result)
    larger = frames.udp(4000, data=b"x" * (1501 - 28))
    assert plane.access(frames.up(session, larger, flags="DF")).verdict == "DROP_MTU"
    for size, verdict in ((1500, "FORWARD_DOWN"), (1501, "DROP_MTU")):
        answer = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=b"y" * (size - 28)))
        assert plane.core(answer).verdict == verdict


def test_udp_zero_checksum_stays_zero(plane):
    session = plane.session("10.0.0.5")
    up = frames.up(session, frames.udp(4000, chksum=0))
    result = plane.access(up)
    public = frames.public_end(result)
    assert result.frame == frames.expected_up(up, frames.endpoint(public))
    assert frames.ip_of(result.frame)["UDP"].chksum == 0
    answer = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, chksum=0))
    result = plane.core(answer)
    assert result.frame == frames.expected_down(answer, session, 4000)
    assert frames.ip_of(result.frame)["UDP"].chksum == 0


def test_udp_checksum_that_becomes_zero_is_sent_as_ffff(plane):
    session = plane.session("10.0.0.5")
    public = round_trip(plane, session, "udp")
    answer = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=b"\0\0"))
    missing = frames.ip_of(frames.expected_down(answer, session, 4000))["UDP"].chksum
    answer = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=missing.to_bytes(2, "big")))
    result = plane.core(answer)
    assert frames.ip_of(result.frame)["UDP"].chksum == 0xffff
    assert result.frame == frames.expected_down(answer, session, 4000)


def test_a_wrong_checksum_stays_wrong(plane):
    """Repairing it would hide corruption from the receiver."""
    session = plane.session("10.0.0.5")
    for l4 in (frames.udp(4000, chksum=0x1234), frames.tcp(4000, chksum=0x1234)):
        result = plane.access(frames.up(session, l4))
        assert result.verdict == "FORWARD_UP"
        assert not frames.checksums_are_right(result.frame)
    result = plane.access(frames.up(session, frames.udp(4000), chksum=0x1234))
    assert result.verdict == "FORWARD_UP"
    assert not frames.checksums_are_right(result.frame)


@pytest.mark.parametrize("protocol", frames.PROTOCOLS)
@pytest.mark.parametrize("length", [4, 8, 40])
def test_ip_options_are_kept(plane, protocol, length):
    session = plane.session("10.0.0.5", tags=((0x8100, 9),))
    options = [IPOption(b"\x01" * (length - 4) + b"\x94\x04\x00\x00")]
    public = round_trip(plane, session, protocol, options=options)
    answer = frames.down(PUBLIC[0], frames.reply_to(protocol, public & 0xffff), options=options)
    result = plane.core(answer)
    assert result.verdict == "FORWARD_DOWN"
    assert result.frame == frames.expected_down(answer, session, 4000)
    assert frames.ip_of(result.frame).ihl == 5 + length // 4


@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_padding_of_short_frames_is_not_payload(plane, tags):
    """Behind PPPoE, whose header says where the packet ends, it is not sent on."""
    session = plane.session("10.0.0.5", tags=tags)
    pad = b"\xaa" * 18
    for protocol in frames.PROTOCOLS:
        up = frames.up(session, frames.PROTOCOLS[protocol](4000, data=b""), pad=pad)
        result = plane.access(up)
        assert result.verdict == "FORWARD_UP"
        public = frames.public_end(result)
        expected = frames.expected_up(up, frames.endpoint(public))
        whole = len(expected) - len(pad)
        assert result.frame == (expected[:whole] if (ETH_P_PPP_SES in dict(tags)) else expected)
        assert frames.checksums_are_right(result.frame[:whole])
        answer = frames.down(PUBLIC[0], frames.reply_to(protocol, public & 0xffff, data=b""), pad=pad)
        result = plane.core(answer)
        assert result.frame == frames.expected_down(answer, session, 4000)


@pytest.mark.parametrize("ttl", [2, 3, 64, 128, 255])
def test_ttl_is_decremented_by_one(plane, ttl):
    session = plane.session("10.0.0.5")
    up = frames.up(session, frames.udp(4000), ttl=ttl)
    result = plane.access(up)
    assert result.frame == frames.expected_up(up, frames.endpoint(frames.public_end(result)))
    assert frames.ip_of(result.frame).ttl == ttl - 1


def test_other_header_fields_are_kept(plane):
    session = plane.session("10.0.0.5")
    for tos, identification, flags in ((0xb8, 1, "DF"), (3, 0xffff, 0), (0xff, 0x8000, "DF")):
        round_trip(plane, session, "tcp", tos=tos, id=identification, flags=flags)


@pytest.mark.parametrize("kind", ["subscriber", "destination"])
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_rfc6888_req6_exempt_is_not_translated(plane, tags, kind):
    flags = abi.SUBSCRIBER_EXEMPT if kind == "subscriber" else 0
    session = plane.session("10.0.0.5", tags=tags, flags=flags)
    if kind == "destination":
        plane.exempt_add("192.0.2.0/30")
    for protocol in frames.PROTOCOLS:
        up = frames.up(session, frames.PROTOCOLS[protocol](4000))
        result = plane.access(up)
        assert (result.verdict, result.frame) == ("FORWARD_UP_EXEMPT", frames.expected_up(up, None))
        down = frames.down(session.address, frames.reply_to(protocol, 4000))
        result = plane.core(down)
        assert result.verdict == "FORWARD_DOWN_EXEMPT"
        assert result.frame == frames.expected_down(down, session, exempt=True)
    assert (session.record.up_packets, session.record.down_packets, session.record.mappings) == (3, 3, 0)


def test_exempt_prefix_ends_where_it_ends(plane):
    session = plane.session("10.0.0.5")
    plane.exempt_add("192.0.2.0/31")
    for last, verdict in ((0, "FORWARD_UP_EXEMPT"), (1, "FORWARD_UP_EXEMPT"), (2, "FORWARD_UP")):
        assert plane.access(frames.up(session, frames.udp(4000), remote=f"192.0.2.{last}")).verdict == verdict


def test_exempt_carries_what_could_not_be_translated(plane):
    """Fragments and other protocols need no ports when nothing is translated."""
    session = plane.session("10.0.0.5")
    plane.exempt_add("192.0.2.0/24")
    fragment = frames.up(session, Raw(b"fragment"), frag=100, proto=17)
    gre = frames.up(session, Raw(b"\0\0\x08\0payload"), proto=47)
    for up in (fragment, gre):
        result = plane.access(up)
        assert (result.verdict, result.frame) == ("FORWARD_UP_EXEMPT", frames.expected_up(up, None))


def test_accounting_counts_ip_bytes(plane):
    session = plane.session("10.0.0.5", tags=((0x8100, 9),))
    frame = frames.up(session, frames.udp(4000, data=b"12345"), pad=b"\0" * 20)
    public = frames.public_end(plane.access(frame))
    answer = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff, data=b"1234567"), pad=b"\0" * 11)
    assert plane.core(answer).verdict == "FORWARD_DOWN"
    assert (session.record.up_bytes, session.record.down_bytes) == (33, 35)
    assert session.record.last_up_tick == plane.tick


def test_rfc4787_req13a_too_large_goes_to_the_kernel_to_be_fragmented(plane):
    session = plane.session("10.0.0.5", tags=((0x8100, 9),))
    up = frames.up(session, frames.udp(4000, data=bytes(1473)))
    result = plane.access(up)
    assert (result.verdict, result.action) == ("PASS_FRAGMENT", abi.XDP_PASS)
    header = mac_bytes(MACS["acc1"]) + mac_bytes(session.mac) + b"\x08\x00"
    assert result.frame == header + frames.translated(up, frames.endpoint(frames.public_end(result)), hops=0)


def test_next_hop_unresolved_goes_to_the_kernel_translated(plane):
    session = plane.session("10.0.0.5", tags=((0x8100, 9),))
    up = frames.up(session, frames.udp(4000), remote=UNRESOLVED)
    result = plane.access(up)
    assert (result.verdict, result.action) == ("PASS_NEIGHBOUR", abi.XDP_PASS)
    public = frames.public_end(result)
    header = mac_bytes(MACS["acc1"]) + mac_bytes(session.mac) + b"\x08\x00"
    # The kernel will take one off the TTL itself.
    assert result.frame == header + frames.translated(up, source=frames.endpoint(public), hops=0)


def test_random_packets_have_right_checksums(plane):
    """1,500 random packets each way: addresses, ports, payloads, TTLs, header fields."""
    plane.pool_build(addresses=(0, 1, 2, 3), shift=9, max_blocks=4, max_mappings=4096)
    chance = random.Random(4787)
    sessions = [plane.session(f"10.0.{chance.randrange(16)}.{10 + number}",
                              tags=chance.choice(list(ENCAPSULATIONS.values()))) for number in range(40)]
    for _ in range(1500):
        session, protocol = chance.choice(sessions), chance.choice(list(frames.PROTOCOLS))
        data = chance.randbytes(chance.randrange(60))
        up = frames.up(session, frames.PROTOCOLS[protocol](chance.randrange(1, 65536), data=data),
                       remote=f"192.0.2.{chance.randrange(1, 30)}", ttl=chance.randrange(2, 256),
                       id=chance.randrange(65536), tos=chance.randrange(256))
        inner_port = frames.inner_end(frames.parse(up), "s")[1]
        result = plane.access(up)
        assert result.verdict == "FORWARD_UP"
        public = frames.public_end(result)
        assert result.frame == frames.expected_up(up, frames.endpoint(public))
        answer = frames.down(PUBLIC[public >> 16], frames.reply_to(protocol, public & 0xffff, chance.randbytes(9)),
                             ttl=chance.randrange(2, 256), id=chance.randrange(65536))
        result = plane.core(answer)
        assert result.verdict == "FORWARD_DOWN"
        assert result.frame == frames.expected_down(answer, session, inner_port)


def test_every_ttl_and_checksum_carry(plane):
    """The TTL's checksum update, over every value of the identification field's high byte."""
    session = plane.session("10.0.0.5", flags=abi.SUBSCRIBER_EXEMPT)
    for ttl, identification in itertools.product((2, 255), range(0, 65536, 97)):
        up = frames.up(session, frames.udp(4000), ttl=ttl, id=identification, remote=REMOTE)
        assert plane.access(up).frame == frames.expected_up(up, None)
