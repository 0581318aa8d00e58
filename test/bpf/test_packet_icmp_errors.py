# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# ICMP errors of others on their way through the translation (RFC 5508 section 4):
# the quoted packet is translated back with the outer header. What must come out is
# the whole original, translated and summed anew by scapy, then cut like the quote.
import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC2, PUBLIC, REMOTE
from test_packet_forward import ENCAPSULATIONS

ROUTER = "198.18.77.7"
ADDRESS = "10.0.0.5"
KINDS = [(3, code) for code in (0, 1, 2, 3, 4, 9, 10, 13)] + [(11, 0), (11, 1), (12, 0)]
QUOTE_MIN = 28
protocols = pytest.mark.parametrize("protocol", frames.PROTOCOLS)


def sent(plane, session, protocol, port=4000, **fields):
    """A packet of the subscriber's that went out: as it sent it, as the internet sees it, its public end."""
    frame = frames.up(session, frames.PROTOCOLS[protocol](port, **fields.pop("l4", {})), **fields)
    result = plane.access(frame, session.interface)
    assert result.verdict == "FORWARD_UP"
    return bytes(Ether(result.frame)[IP]), frames.public_end(result)


def received(plane, session, protocol, port=4000, **fields):
    """A packet that the subscriber was sent: as it sees it, and its public end."""
    _, public = sent(plane, session, protocol, port)
    frame = frames.down(PUBLIC[public >> 16], frames.reply_to(protocol, public & 0xffff), **fields)
    result = plane.core(frame)
    assert result.verdict == "FORWARD_DOWN"
    return bytes(Ether(result.frame)[IP]), public


def error(quote, kind=(3, 3), **fields):
    return ICMP(type=kind[0], code=kind[1], **fields) / Raw(quote)


def inner_quote(quoted, session, port):
    """What the subscriber must find quoted: its own packet."""
    return frames.translated(bytes(Ether(type=0x800)) + quoted, source=(session.address, port), hops=0)


def outer_quote(quoted, public):
    """What the internet must find quoted: the packet that was sent to the public end."""
    return frames.translated(bytes(Ether(type=0x800)) + quoted, destination=frames.endpoint(public), hops=0)


def cut(whole, quoted, length):
    """The same cut; half a TCP checksum stays as it was, it says nothing."""
    if quoted[9] == 6 and length == (quoted[0] & 15) * 4 + 17:
        return whole[:length - 1] + quoted[length - 1:length]
    return whole[:length]


def expected_down(session, l4, quote, source=ROUTER, **fields):
    ip = IP(src=source, dst=session.address, **{"ttl": 63, **fields}) / l4.__class__(type=l4.type, code=l4.code,
                                                                                  nexthopmtu=l4.nexthopmtu)
    return bytes(frames.ethernet(session.interface_mac, session.mac, session.tags) / ip / Raw(quote))


def expected_up(public, l4, quote, remote=REMOTE):
    ip = IP(src=PUBLIC[public >> 16], dst=remote, ttl=63) / ICMP(type=l4.type, code=l4.code)
    return bytes(Ether(src=frames.CORE_MAC, dst=frames.NEXT_HOP_MAC, type=0x800) / ip / Raw(quote))


# ---- from the internet: REQ-4 ---------------------------------------------------

@protocols
@pytest.mark.parametrize("kind", KINDS)
def test_rfc5508_req4abc_rfc4787_req12b_rfc5382_req9_error_from_outside_is_translated(plane, protocol, kind):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, protocol)
    l4 = error(quoted, kind, nexthopmtu=1400 if kind == (3, 4) else 0)
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert (result.verdict, result.action) == ("FORWARD_ICMP_DOWN", abi.XDP_REDIRECT)
    assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000))
    assert session.record.down_packets == 1


@protocols
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
def test_rfc5508_req4abc_every_encapsulation(plane, protocol, tags):
    session = plane.session(ADDRESS, tags=tags)
    quoted, _ = sent(plane, session, protocol)
    l4 = error(quoted)
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000))


@protocols
@pytest.mark.parametrize("pad", [b"", b"\xaa" * 23], ids=["", "padded"])
def test_rfc5508_req4a_quotes_cut_at_every_byte(plane, protocol, pad):
    """What lies behind the IP packet is padding: it is no part of the quote, and stays as it is."""
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, protocol, l4={"data": b"some more data, of an odd length"[:31]})
    whole = inner_quote(quoted, session, 4000)
    for length in range(len(quoted) + 1):
        l4 = error(quoted[:length])
        result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER, pad=pad))
        if length < QUOTE_MIN:
            assert (result.verdict, result.action) == ("DROP_SHORT", abi.XDP_DROP), length
            continue
        assert result.verdict == "FORWARD_ICMP_DOWN"
        assert result.frame == expected_down(session, l4, cut(whole, quoted, length)) + pad, length


@pytest.mark.parametrize("length", [28, 60])
def test_quoted_udp_zero_checksum_stays_zero(plane, length):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "udp", l4={"chksum": 0, "data": bytes(60)})
    l4 = error(quoted[:length])
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000)[:length])
    assert result.frame[14 + 28 + 26:14 + 28 + 28] == b"\0\0"


def test_quoted_udp_checksum_never_becomes_zero(plane):
    """Over payloads that give every checksum there is: one that comes out 0 is sent as 0xffff."""
    session = plane.session(ADDRESS)
    base, _ = sent(plane, session, "udp", l4={"data": b"\0\0"})
    missing = IP(inner_quote(base, session, 4000))[UDP].chksum
    quoted, _ = sent(plane, session, "udp", l4={"data": missing.to_bytes(2, "big")})
    assert IP(inner_quote(quoted, session, 4000))[UDP].chksum == 0xffff
    l4 = error(quoted)
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000))


@protocols
@pytest.mark.parametrize("options", [4, 8, 40])
def test_rfc5508_req3b_options_in_the_quoted_header(plane, protocol, options):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, protocol, options=[IPOption(b"\x01" * (options - 4) + b"\x94\x04\x00\x00")])
    for length in (QUOTE_MIN + options, len(quoted)):
        l4 = error(quoted[:length])
        result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
        assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000)[:length])
    assert plane.core(frames.down(PUBLIC[0], error(quoted[:QUOTE_MIN + options - 1]))).verdict == "DROP_SHORT"


def test_options_in_the_outer_header(plane):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "udp")
    l4, options = error(quoted), [IPOption(b"\x94\x04\x00\x00")]
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER, options=options))
    assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000), options=options)


def test_quote_of_a_first_fragment(plane):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "udp", flags="MF", l4={"data": bytes(24)})
    l4 = error(quoted)
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert result.frame == expected_down(session, l4, inner_quote(quoted, session, 4000))


def test_the_largest_error(plane):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "tcp", l4={"data": bytes(range(256)) * 5, "flags": "A"})
    l4 = error(quoted + bytes(1472 - len(quoted)))  # zeros behind the quote, as RFC 4884 has it
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    quote = inner_quote(quoted, session, 4000) + bytes(1472 - len(quoted))
    assert result.frame == expected_down(session, l4, quote)
    plane.interface[session.interface].mtu = 1499
    assert plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER)).verdict == "DROP_MTU"


def test_random_errors_have_right_checksums(plane):
    chance = random.Random(5508)
    plane.pool_build(shift=9, addresses=(0, 1, 2))
    sessions = [plane.session(f"10.0.0.{host}", tags=chance.choice(list(ENCAPSULATIONS.values()))) for host in range(5, 30)]
    for _ in range(800):
        session, protocol, port = chance.choice(sessions), chance.choice(list(frames.PROTOCOLS)), chance.randrange(1, 65536)
        data = chance.randbytes(chance.randrange(80))
        quoted, public = sent(plane, session, protocol, port, l4={"data": data}, id=chance.randrange(65536))
        length = chance.randrange(QUOTE_MIN, len(quoted) + 1)
        l4 = error(quoted[:length], chance.choice(KINDS[:4]))
        result = plane.core(frames.down(PUBLIC[public >> 16], l4, remote=ROUTER))
        assert result.verdict == "FORWARD_ICMP_DOWN"
        assert result.frame == expected_down(session, l4, cut(inner_quote(quoted, session, port), quoted, length))


# ---- refused: REQ-3, REQ-4 --------------------------------------------------------

@protocols
def test_rfc5508_req3_bad_checksum_of_the_error(plane, protocol):
    """Any one bit of the ICMP message wrong, to its last byte: dropped and counted."""
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, protocol, l4={"data": b"1234567"})
    frame = frames.down(PUBLIC[0], error(quoted), remote=ROUTER)
    tried = [14 + 20 + 2, *range(14 + 20 + 4, len(frame))]
    for position in tried:
        broken = bytearray(frame)
        broken[position] ^= 0x10
        assert plane.core(bytes(broken)).verdict == "DROP_ICMP_CHECKSUM", position
    assert plane.core(frame).verdict == "FORWARD_ICMP_DOWN"


def test_rfc5508_req3a_bad_checksum_of_the_quoted_header(plane):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "udp")
    broken = IP(quoted)
    broken.chksum ^= 1
    assert plane.core(frames.down(PUBLIC[0], error(bytes(broken)))).verdict == "DROP_ICMP_CHECKSUM"
    decremented = IP(quoted)
    decremented.ttl -= 1  # by a router that forgot the checksum
    assert plane.core(frames.down(PUBLIC[0], error(bytes(decremented)))).verdict == "DROP_ICMP_CHECKSUM"


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_rfc5508_req3c_the_quoted_l4_checksum_is_not_asked(plane, protocol):
    """A wrong one is carried on as wrong as it was."""
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, protocol)
    whole = IP(inner_quote(quoted, session, 4000))
    layer = UDP if protocol == "udp" else TCP
    wrong, right = IP(quoted), whole[layer].chksum
    before = wrong[layer].chksum
    wrong[layer].chksum = before - 1 if before > 1 else before + 1
    l4 = error(bytes(wrong))
    result = plane.core(frames.down(PUBLIC[0], l4, remote=ROUTER))
    assert result.verdict == "FORWARD_ICMP_DOWN" and frames.checksums_are_right(result.frame)
    found = IP(bytes(Ether(result.frame)[ICMP].payload))[layer].chksum
    assert found != right and (found - right) % 0xffff == (wrong[layer].chksum - before) % 0xffff


def quotes_of_nothing(quoted, session):
    """(what is wrong, quote)."""
    def changed(**fields):
        packet = IP(quoted)
        for name, value in fields.items():
            setattr(packet, name, value)
        return frames.rebuilt(packet)
    packet = IP(quoted)
    packet[UDP].sport ^= 1
    yield "another public port", frames.rebuilt(packet)
    yield "another public address", changed(src=PUBLIC[1])
    yield "an inner address", changed(src=session.address)
    yield "another protocol", changed(proto=6)
    yield "a protocol that is not translated", changed(proto=47)
    yield "a later fragment", changed(frag=3)
    yield "IP version 6", b"\x65" + quoted[1:]
    yield "a header of 16 bytes", b"\x44" + quoted[1:]
    yield "an ICMP error", bytes(IP(src=PUBLIC[0], dst=REMOTE) / ICMP(type=3) / Raw(bytes(40)))


def test_rfc5508_req4_unmapped_is_dropped(plane):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "udp")
    count = 0
    for what, quote in quotes_of_nothing(quoted, session):
        result = plane.core(frames.down(PUBLIC[0], error(quote), remote=ROUTER))
        assert (result.verdict, result.action) == ("DROP_ICMP_QUOTE", abi.XDP_DROP), what
        count += 1
    assert plane.count("DROP_ICMP_QUOTE") == count == 9
    assert session.record.down_packets == 0


def test_an_icmp_error_is_not_quoted_even_where_its_bytes_look_mapped(plane):
    """A query is mapped with the identifier that the quoted error has in the same place."""
    session = plane.session(ADDRESS)
    _, public = sent(plane, session, "icmp")
    quote = bytes(IP(src=PUBLIC[0], dst=REMOTE) / ICMP(type=3, code=1, reserved=0, length=(public >> 8) & 255,
                                                        nexthopmtu=0) / Raw(bytes(28)))
    quote = bytearray(quote)
    quote[24:26] = (public & 0xffff).to_bytes(2, "big")
    assert plane.core(frames.down(PUBLIC[0], error(bytes(quote)))).verdict == "DROP_ICMP_QUOTE"


@pytest.mark.parametrize("kind", [4, 5, 9, 10, 13, 14, 15, 17, 30, 255])
def test_rfc5508_req10c_rfc5508_req11_other_types_are_dropped(plane, kind):
    session = plane.session(ADDRESS)
    quoted, _ = sent(plane, session, "udp")
    assert plane.core(frames.down(PUBLIC[0], error(quoted, (kind, 0)))).verdict == "DROP_ICMP_TYPE"
    inner, _ = received(plane, session, "udp")
    assert plane.access(frames.up(session, error(inner, (kind, 0)))).verdict == "DROP_ICMP_TYPE"


# ---- from the subscriber: REQ-5 ---------------------------------------------------

@protocols
@pytest.mark.parametrize("kind", [(3, 3), (3, 2), (11, 1), (12, 0)])
def test_rfc5508_req5abc_error_from_inside_is_translated(plane, protocol, kind):
    session = plane.session(ADDRESS, tags=((0x8100, 9),))
    quoted, public = received(plane, session, protocol)
    ups = session.record.up_packets
    l4 = error(quoted, kind)
    result = plane.access(frames.up(session, l4))
    assert (result.verdict, result.action) == ("FORWARD_ICMP_UP", abi.XDP_REDIRECT)
    assert result.frame == expected_up(public, l4, outer_quote(quoted, public))
    assert session.record.up_packets == ups + 1


@protocols
def test_rfc5508_req5a_quotes_cut_at_every_byte(plane, protocol):
    session = plane.session(ADDRESS, interface=ACC2)
    quoted, public = received(plane, session, protocol)
    whole = outer_quote(quoted, public)
    for length in range(len(quoted) + 1):
        l4 = error(quoted[:length])
        result = plane.access(frames.up(session, l4), ACC2)
        if length < QUOTE_MIN:
            assert result.verdict == "DROP_SHORT", length
            continue
        assert result.frame == expected_up(public, l4, cut(whole, quoted, length)), length


def test_rfc5508_req5_unmapped_is_dropped(plane):
    """An inner end without mapping, another subscriber's packet (of a port both have), an expired mapping."""
    session, other = plane.session(ADDRESS), plane.session("10.0.0.6")
    quoted, _ = received(plane, session, "udp")
    foreign, _ = received(plane, other, "udp")
    unmapped = IP(quoted)
    unmapped[UDP].dport = 4001
    for quote in (frames.rebuilt(unmapped), foreign):
        assert plane.access(frames.up(session, error(quote))).verdict == "DROP_ICMP_QUOTE"
    assert plane.access(frames.up(session, error(quoted))).verdict == "FORWARD_ICMP_UP"
    plane.advance_seconds(301)
    assert plane.access(frames.up(session, error(quoted))).verdict == "DROP_ICMP_QUOTE"


def test_rfc5508_req3_bad_checksum_from_inside(plane):
    session = plane.session(ADDRESS)
    quoted, _ = received(plane, session, "udp")
    frame = bytearray(frames.up(session, error(quoted)))
    frame[-1] ^= 1
    assert plane.access(bytes(frame)).verdict == "DROP_ICMP_CHECKSUM"
    assert session.record.drop_packets == 1


# ---- state: REQ-6, RFC 4787 REQ-12, RFC 5382 REQ-10 ---------------------------------

@protocols
def test_rfc5508_req6_rfc4787_req12_rfc7857_s7_1_errors_neither_refresh_nor_end_a_mapping(plane, protocol):
    session = plane.session(ADDRESS)
    quoted, public = sent(plane, session, protocol)
    before = bytes(plane.mapping_at(public))
    plane.advance_seconds(30)
    inner = bytes(Ether(frames.up(session, frames.PROTOCOLS[protocol](4000)))[IP])
    back = IP(src=REMOTE, dst=ADDRESS) / frames.reply_to(protocol, 4000)
    for kind in KINDS:
        assert plane.core(frames.down(PUBLIC[0], error(quoted, kind))).verdict == "FORWARD_ICMP_DOWN"
        assert plane.access(frames.up(session, error(bytes(back), kind))).verdict == "FORWARD_ICMP_UP"
    assert bytes(plane.mapping_at(public)) == before and inner
    timeout = {"udp": 300, "tcp": 240, "icmp": 60}[protocol]
    plane.advance_seconds(timeout - 30 + 1)
    assert plane.core(frames.down(PUBLIC[0], error(quoted))).verdict == "DROP_ICMP_QUOTE"


def test_rfc5382_req10_an_established_connection_goes_on_after_an_error(plane):
    session = plane.session(ADDRESS)
    quoted, public = received(plane, session, "tcp")
    quoted, _ = sent(plane, session, "tcp", l4={"flags": "A"})
    assert plane.core(frames.down(PUBLIC[0], error(quoted, (3, 1)))).verdict == "FORWARD_ICMP_DOWN"
    assert plane.mapping_state(public) == abi.MAPPING_TCP_ESTABLISHED
    plane.advance_seconds(7400)
    assert plane.core(frames.down(PUBLIC[0], frames.tcp(80, public & 0xffff, "A"))).verdict == "FORWARD_DOWN"


def test_rfc5508_req6_an_error_makes_no_mapping(plane):
    session = plane.session(ADDRESS)
    back = IP(src=REMOTE, dst=ADDRESS) / frames.udp(53, 4000)
    assert plane.access(frames.up(session, error(bytes(back)))).verdict == "DROP_ICMP_QUOTE"
    assert (session.record.mappings, session.blocks) == (0, [])


# ---- hairpin: REQ-7 -----------------------------------------------------------------

@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize("length", [28, 40, 200])
def test_rfc5508_req7a_rfc7857_s12_errors_are_hairpinned(plane, protocol, length):
    """A asks B by its public end; B answers with an error; A finds its own packet in it, from B's public address."""
    plane.pool_build(addresses=(0, 1))
    first, second = plane.session(ADDRESS), plane.session("10.0.0.6", tags=((0x8100, 5),), interface=ACC2)
    _, target = sent(plane, second, protocol, 5000)
    asked = frames.up(first, frames.PROTOCOLS[protocol](4000, dport=target & 0xffff), remote=PUBLIC[target >> 16])
    result = plane.access(asked)
    assert result.verdict == "FORWARD_HAIRPIN"
    seen = bytes(Ether(result.frame)[IP])
    (source, port) = frames.inner_end(Ether(result.frame), "s")
    ups, downs = second.record.up_packets, first.record.down_packets
    l4 = error(seen[:length])
    result = plane.access(frames.up(second, l4, remote=source), ACC2)
    assert (result.verdict, result.action) == ("FORWARD_ICMP_DOWN", abi.XDP_REDIRECT)
    quote = frames.translated(bytes(Ether(type=0x800)) + seen, source=(ADDRESS, 4000),
                              destination=frames.endpoint(target), hops=0)
    assert result.frame == expected_down(first, l4, quote[:length], source=PUBLIC[target >> 16])
    assert (second.record.up_packets, first.record.down_packets) == (ups + 1, downs + 1)


def test_rfc5508_req7_hairpinned_error_about_nothing(plane):
    first, second = plane.session(ADDRESS), plane.session("10.0.0.6")
    sent(plane, second, "udp", 5000)
    quote = IP(src=PUBLIC[0], dst=second.address) / frames.udp(2000, 5000)
    ups = second.record.up_packets
    assert plane.access(frames.up(second, error(bytes(quote)), remote=PUBLIC[0])).verdict == "DROP_ICMP_QUOTE"
    assert (second.record.drop_packets, second.record.up_packets, first.record.down_packets) == (1, ups, 0)


@pytest.mark.parametrize("kind", [(3, 4), (11, 0)])
def test_rfc6888_req6_errors_about_untranslated_packets_come_in(plane, kind):
    """From a router that is no exempt destination itself: only about a packet of the subscriber's to one that is."""
    session = plane.session(ADDRESS)
    plane.exempt_add("192.0.2.0/30")
    for source, destination, verdict in ((ADDRESS, REMOTE, "FORWARD_DOWN_EXEMPT"), (ADDRESS, "192.0.2.9", "DROP_NOT_EXEMPT"),
                                         ("10.0.0.6", REMOTE, "DROP_NOT_EXEMPT")):
        quote = bytes(IP(src=source, dst=destination) / frames.udp(4000))
        frame = frames.down(ADDRESS, error(quote, kind), remote=ROUTER)
        result = plane.core(frame)
        assert result.verdict == verdict
        if verdict == "FORWARD_DOWN_EXEMPT":
            assert result.frame == frames.expected_down(frame, session, exempt=True)
            cut_short = frames.down(ADDRESS, error(quote[:19], kind), remote=ROUTER, pad=quote[19:])
            assert plane.core(cut_short).verdict == "DROP_NOT_EXEMPT"


def test_errors_to_exempt_destinations_are_not_touched(plane):
    session = plane.session(ADDRESS)
    plane.exempt_add("192.0.2.0/30")
    frame = frames.up(session, error(bytes(IP(src=REMOTE, dst=ADDRESS) / frames.udp(53, 4000))))
    result = plane.access(frame)
    assert (result.verdict, result.frame) == ("FORWARD_UP_EXEMPT", frames.expected_up(frame, None))
