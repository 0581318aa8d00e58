# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# No ICMP message with a source route leaves for the internet (RFC 5508 section 7.3),
# translated or not, whole or in fragments; every other option does, and a source
# route everywhere else.
import pytest
from scapy.layers.inet import ICMP, IP, IPOption
from scapy.packet import Raw

import abi
import frames
from plane import ACC2, PUBLIC, REMOTE, UNRESOLVED
from test_cgnat_mapping import open_port

ADDRESS = "10.0.0.5"
DROPPED = "DROP_ICMP_SOURCE_ROUTE"
NOP, END = b"\x01", b"\x00"
LOOSE, STRICT = b"\x83\x07\x04\xc0\x00\x02\x63", b"\x89\x0b\x04\xc0\x00\x02\x63\xc0\x00\x02\x64"
RECORD = b"\x07\x07\x04\x00\x00\x00\x00"
ALERT = b"\x94\x04\x00\x00"
STAMP = b"\x44\x08\x05\x00\x00\x00\x00\x00"

ROUTES = {"loose": LOOSE, "strict": STRICT, "behind NOPs": NOP * 29 + STRICT, "behind others": ALERT + STAMP + NOP + LOOSE,
          "at the very end": NOP * 33 + LOOSE, "its first byte is all there is of it": NOP * 39 + b"\x83"}
OTHERS = {"record route": RECORD, "several": RECORD + ALERT + STAMP, "behind the end": END + LOOSE,
          "only the data looks like it": b"\x07\x07\x04\x83\x89\x83\x89", "too short an option in front": b"\x44\x01" + LOOSE,
          "longer than the header": b"\x44\xff" + LOOSE, "an option of no length": b"\x44\x00" + STRICT, "forty NOPs": NOP * 40}


def options(raw):
    return [IPOption(raw + b"\0" * (-len(raw) % 4))]


def error(session):
    """About a packet that the subscriber was sent."""
    return ICMP(type=3, code=3) / Raw(bytes(IP(src=REMOTE, dst=session.address) / frames.udp(53, 4000)))


def messages(session):
    return {"request": frames.echo(4000), "reply": frames.echo(4000, kind="echo-reply"), "error": error(session),
            "timestamp": ICMP(type=13), "cut short": Raw(b"\x08\0\0")}


def fragments(session, **fields):
    yield "first", frames.up(session, frames.echo(4000), flags="MF", proto=1, **fields)
    yield "later", frames.up(session, Raw(b"x" * 16), frag=9, proto=1, **fields)


def nothing_came_of_it(plane, session):
    assert (session.record.up_packets, session.record.mappings, session.blocks) == (0, 0, [])
    assert not any(entry.until_tick for entry in plane.fragment)


@pytest.mark.parametrize("raw", ROUTES.values(), ids=ROUTES)
@pytest.mark.parametrize("how", ["translated", "exempt destination", "exempt subscriber", "to the kernel"])
def test_rfc5508_s7_3_no_icmp_message_leaves_with_one(plane, raw, how):
    remote = UNRESOLVED if how == "to the kernel" else REMOTE
    session = plane.session(ADDRESS, flags=abi.SUBSCRIBER_EXEMPT if how == "exempt subscriber" else 0)
    if how == "exempt destination":
        plane.exempt_add(f"{REMOTE}/32")
    sent = list(messages(session).items())
    for what, l4 in sent:
        fields = {"proto": 1, "options": options(raw), "remote": remote}
        result = plane.access(frames.up(session, l4, **fields))
        assert (what, result.verdict, result.action) == (what, DROPPED, abi.XDP_DROP)
    for what, frame in fragments(session, remote=remote, options=options(raw)):
        assert (what, plane.access(frame).verdict) == (what, DROPPED)
    assert plane.count(DROPPED) == session.record.drop_packets == len(sent) + 2
    nothing_came_of_it(plane, session)


def test_rfc5508_s7_3_nor_an_error_about_a_mapping(plane):
    session = plane.session(ADDRESS)
    open_port(plane, session, 4000)
    assert plane.access(frames.up(session, error(session))).verdict == "FORWARD_ICMP_UP"
    assert plane.access(frames.up(session, error(session), options=options(LOOSE))).verdict == DROPPED


@pytest.mark.parametrize("raw", OTHERS.values(), ids=OTHERS)
def test_other_options_leave_as_they_are(plane, raw):
    session = plane.session(ADDRESS)
    frame = frames.up(session, frames.echo(4000), options=options(raw))
    result = plane.access(frame)
    assert result.verdict == "FORWARD_UP"
    assert result.frame == frames.expected_up(frame, frames.endpoint(frames.public_end(result)))


@pytest.mark.parametrize("raw", [LOOSE, STRICT], ids=["loose", "strict"])
def test_a_source_route_goes_everywhere_else(plane, raw):
    """UDP and TCP, to another subscriber, and in from the internet: as with any other option."""
    session, other = plane.session(ADDRESS), plane.session("10.0.0.6", interface=ACC2)
    for protocol in ("udp", "tcp"):
        frame = frames.up(session, frames.PROTOCOLS[protocol](4000), options=options(raw))
        result = plane.access(frame)
        assert result.verdict == "FORWARD_UP"
        assert result.frame == frames.expected_up(frame, frames.endpoint(frames.public_end(result)))
    target = open_port(plane, other, 5000, "icmp")
    frame = frames.up(session, frames.echo(target & 0xffff), remote=PUBLIC[0], options=options(raw))
    assert plane.access(frame).verdict == "FORWARD_HAIRPIN"
    answer = frames.down(PUBLIC[0], frames.reply_to("icmp", target & 0xffff), options=options(raw))
    result = plane.core(answer)
    assert (result.verdict, result.frame) == ("FORWARD_DOWN", frames.expected_down(answer, other, 5000))


def test_what_behind_the_header_looks_like_one_is_data(plane):
    """As an option, the ICMP header would be one of eight bytes."""
    session = plane.session(ADDRESS)
    frame = frames.up(session, ICMP(type=8, code=8, id=4000) / Raw(LOOSE * 5), options=options(NOP * 4))
    assert plane.access(frame).verdict == "FORWARD_UP"
