# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The rate of a session (dataplane/rate.h): how many packets pass, to the packet; what is
# charged, to the nanosecond; and on two CPUs at once (two_cpus_rate.c).
import json
import subprocess

import pytest
from scapy.layers.inet import GRE, ICMP, IP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import abi
import frames
from plane import ACC2, GATEWAY, PUBLIC
from test_cgnat_mapping import open_port
from test_packet_fragments import cut, packet_down, packet_up

SIZE = 1000  # IP bytes
SECOND = 1_000_000_000
JIFFY = 10_000_000
directions = pytest.mark.parametrize("direction", ["up", "down"])


def interval(bits):
    return -(-8 * SECOND * (1 << abi.RATE_SHIFT) // bits)


def cost(size, bits):
    """Of a packet, in nanoseconds, rounded up."""
    return -(-size * interval(bits) >> abi.RATE_SHIFT)


def limit(session, bits, burst, direction):
    """`burst` in bytes; both directions count while one is limited."""
    rate = getattr(session.record, f"rate_{direction}")
    rate.limit = interval(bits) | (burst * 8_000_000 // bits) << 32
    session.record.flags |= abi.SUBSCRIBER_RATE
    return rate


def sender(plane, session, direction, size=SIZE):
    """A packet of `size` IP bytes on a mapping that is there."""
    target = open_port(plane, session, 4000, "udp")
    if direction == "up":
        frame = frames.up(session, frames.udp(4000, data=bytes(size - 28)))
        return lambda: plane.access(frame, session.interface).verdict
    frame = frames.down(PUBLIC[target >> 16], frames.udp(53, target & 0xffff, data=bytes(size - 28)))
    return lambda: plane.core(frame).verdict


def pass_until_refused(send, direction):
    """How many passed before one that did not; it is refused again."""
    passed = 0
    while (verdict := send()) == f"FORWARD_{direction.upper()}":
        passed += 1
    assert verdict == f"DROP_RATE_{direction.upper()}" == send()
    return passed


@directions
@pytest.mark.parametrize("bits, burst", [(80_000, 10_000), (240_000, 30_000), (8_000, 1500), (24_000, 7777)])
def test_as_many_pass_as_burst_and_rate_give(plane, direction, bits, burst):
    session = plane.session("10.0.0.5")
    send = sender(plane, session, direction)
    limit(session, bits, burst, direction)
    before, passed, refused = session.record.drop_packets, pass_until_refused(send, direction), 2
    start, each = plane.clock_ns, cost(SIZE, bits)
    assert passed == burst * 8 * SECOND // bits // each
    # The clock may be a jiffy later than it was set to.
    for step in range(1, 12):
        plane.advance(1)
        passed += pass_until_refused(send, direction)
        refused += 2
        allowed = burst * 8 * SECOND // bits + plane.clock_ns - start
        assert (allowed - JIFFY) // each <= passed <= (allowed + JIFFY) // each, step
    counted = (session.record.up_packets - 1 if direction == "up" else session.record.down_packets)
    assert counted == passed
    drops = session.record.rate_up_drops, session.record.rate_down_drops
    assert drops == ((refused, 0) if direction == "up" else (0, refused))
    assert session.record.drop_packets - before == refused == plane.count(f"DROP_RATE_{direction.upper()}")


@directions
def test_a_bucket_is_never_fuller_than_full(plane, direction):
    session = plane.session("10.0.0.5")
    send = sender(plane, session, direction)
    limit(session, 80_000, 5 * SIZE, direction)
    assert pass_until_refused(send, direction) == 5
    plane.advance_seconds(10)  # its mapping is alive yet
    assert pass_until_refused(send, direction) == 5


def settled(plane, rate, due_ns, send):
    """The verdict when the bucket was as `due_ns` says at exactly clock_ns."""
    for _ in range(1000):
        rate.due_ns = due_ns
        verdict = send()
        if plane.still():
            return verdict
    raise AssertionError("this machine never runs a packet within one jiffy")


@directions
def test_the_last_byte_of_a_burst_passes_and_none_more(plane, direction):
    now = plane.clock_ns
    for host, more, verdict in ((5, 1, "DROP_RATE"), (6, 0, "FORWARD"), (7, -1, "FORWARD")):
        session = plane.session(f"10.0.0.{host}")
        send = sender(plane, session, direction, SIZE + more)
        rate = limit(session, 8_000_000, 2 * SIZE, direction)  # a byte is a microsecond
        half = now + 1000 * SIZE
        assert settled(plane, rate, half, send) == f"{verdict}_{direction.upper()}", more
        assert rate.due_ns == half + (1000 * (SIZE + more) if verdict == "FORWARD" else 0)
    session = plane.session("10.0.0.8")
    send, rate = sender(plane, session, direction), limit(session, 8_000_000, 2 * SIZE, direction)
    assert settled(plane, rate, 0, send) == f"FORWARD_{direction.upper()}"
    assert rate.due_ns == now + 1000 * SIZE


def gre():
    return GRE(proto=0x880b, key_present=1, key=0x10002) / Raw(b"ppp")


def about(packet):
    """An ICMP error that quotes the beginning of `packet`."""
    return ICMP(type=3, code=3) / Raw(bytes(packet)[:28])


def open_tunnel(plane, session):
    result = plane.access(frames.up(session, gre()))
    assert result.verdict == "FORWARD_UP"
    return Ether(result.frame)[IP].src


def received(plane, session):
    """What the session was sent."""
    target = open_port(plane, session, 4000, "udp")
    result = plane.core(frames.down(PUBLIC[target >> 16], frames.udp(53, target & 0xffff)))
    return Ether(result.frame)[IP]


def sent(plane, session):
    """What the session has sent, as the internet sees it."""
    return Ether(plane.access(frames.up(session, frames.udp(4000))).frame)[IP]


UP = {
    "the first of a mapping": lambda plane, session: [frames.up(session, frames.udp(4001))],
    "of a mapping": lambda plane, session: [frames.up(session, frames.udp(4000))],
    "tcp": lambda plane, session: [frames.up(session, frames.tcp(4000))],
    "fragments": lambda plane, session: cut(packet_up(session, "udp")),
    "an error": lambda plane, session: [frames.up(session, about(received(plane, session)))],
    "a new tunnel": lambda plane, session: [frames.up(session, gre())],
    "untranslated": lambda plane, session: [frames.up(session, frames.udp(4000), remote="192.0.2.17")],
}
DOWN = {
    "of a mapping": lambda plane, session: [frames.down(sent(plane, session).src, frames.udp(53, sent(plane, session).sport))],
    "fragments": lambda plane, session: cut(packet_down(open_port(plane, session, 4000, "udp"), "udp")),
    "an error": lambda plane, session: [frames.down(sent(plane, session).src, about(sent(plane, session)), remote="198.18.7.7")],
    "a tunnel's": lambda plane, session: [frames.down(open_tunnel(plane, session), gre())],
    "untranslated": lambda plane, session: [frames.down(session.address, frames.udp(4000), remote="192.0.2.17")],
}


@pytest.mark.parametrize("direction, kind", [("up", kind) for kind in UP] + [("down", kind) for kind in DOWN])
def test_everything_that_is_forwarded_is_charged_once(plane, direction, kind):
    """Whatever step it takes, and each piece of it."""
    plane.exempt_add("192.0.2.17/32")
    session = plane.session("10.0.0.5")
    pieces = (UP if direction == "up" else DOWN)[kind](plane, session)
    rate = limit(session, 80_000, 1_000_000, direction)
    sizes = [len(Ether(piece)[IP]) for piece in pieces]
    rate.due_ns = busy = plane.clock_ns + SECOND
    step = plane.access if direction == "up" else plane.core
    verdicts = {step(piece).verdict for piece in pieces}
    assert all(verdict.startswith("FORWARD") for verdict in verdicts), verdicts
    assert rate.due_ns == busy + sum(cost(size, 80_000) for size in sizes)
    # The same once more with nothing left of the burst.
    rate.due_ns = busy = plane.clock_ns + 200 * SECOND
    before, verdict = session.record.drop_packets, f"DROP_RATE_{direction.upper()}"
    for piece in pieces:
        assert step(piece).verdict == verdict
    assert session.record.drop_packets == before + len(pieces) == before + plane.count(verdict)
    assert rate.due_ns == busy


def test_hairpinned_packets_are_charged_to_both(plane):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2)
    target = open_port(plane, second, 5000, "udp")
    frame = frames.up(first, frames.udp(4000, dport=target & 0xffff), remote=PUBLIC[target >> 16])
    up, down = limit(first, 80_000, 100_000, "up"), limit(second, 160_000, 100_000, "down")
    up.due_ns = down.due_ns = busy = plane.clock_ns + SECOND
    size = len(Ether(frame)[IP])
    assert plane.access(frame).verdict == "FORWARD_HAIRPIN"  # and makes its mapping
    assert (up.due_ns - busy, down.due_ns - busy) == (cost(size, 80_000), cost(size, 160_000))
    assert not first.record.rate_down.due_ns and not second.record.rate_up.due_ns
    # Who is over the limit is who has the drop.
    down.due_ns = plane.clock_ns + 20 * SECOND
    assert plane.access(frame).verdict == "DROP_RATE_DOWN"
    assert (first.record.drop_packets, second.record.drop_packets) == (0, 1)
    up.due_ns, down.due_ns = plane.clock_ns + 20 * SECOND, 0
    assert plane.access(frame).verdict == "DROP_RATE_UP"
    assert (first.record.drop_packets, second.record.drop_packets) == (1, 1)
    assert down.due_ns == 0


def test_what_is_refused_makes_no_mapping(plane):
    session = plane.session("10.0.0.5")
    limit(session, 8_000, 100, "up")
    for port in range(4000, 4010):
        assert plane.access(frames.up(session, frames.udp(port, data=bytes(200)))).verdict == "DROP_RATE_UP"
    assert (session.record.mappings, session.blocks, session.record.up_packets) == (0, [], 0)


def test_what_the_gateway_answers_itself_is_free(plane):
    session = plane.session("10.0.0.5")
    open_port(plane, session, 4000, "udp")
    up = limit(session, 8_000, 10, "up")  # nothing passes
    arp = Ether(src=session.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=session.mac, psrc=session.address, pdst=GATEWAY)
    assert plane.access(bytes(arp)).verdict == "ANSWER_ARP"
    assert plane.access(frames.up(session, frames.echo(1), remote=GATEWAY)).verdict == "ANSWER_ECHO"
    assert plane.access(frames.up(session, frames.udp(68, dport=67), remote=GATEWAY)).verdict == "PUNT_DHCP4"
    assert plane.access(frames.up(session, frames.udp(4000), ttl=1)).verdict == "ANSWER_TTL"
    assert up.due_ns == 0
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "DROP_RATE_UP"


@directions
def test_a_direction_without_a_rate_and_a_session_without_are_not_limited(plane, direction):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    send, free = sender(plane, session, direction), sender(plane, other, direction)
    limit(session, 8_000, 10, "down" if direction == "up" else "up")
    rate = other.record.rate_up if direction == "up" else other.record.rate_down
    rate.limit = interval(8_000)  # without the flag it means nothing
    assert {send() for _ in range(100)} == {free() for _ in range(100)} == {f"FORWARD_{direction.upper()}"}
    assert (rate.due_ns, session.record.drop_packets, other.record.drop_packets) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["all", "rate"])
def test_two_cpus_never_exceed_it(plane, mode):
    """`all`: the bucket is deep, no update of it may be lost. `rate`: far too much is sent."""
    result = subprocess.run([abi.BUILD / "bin" / "two_cpus_rate", abi.OBJECT, mode, "300000"], capture_output=True, text=True,
                            timeout=120)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["passed"] + report["refused"] == report["sent"] == 300000
    assert report["refused"] == report["counted"] == report["of_session"]
    assert report["passed"] <= report["most"], report
    if mode == "rate":
        assert report["refused"] > 100000 and report["passed"] >= report["least"], report
    else:
        assert report["refused"] == 0 and report["slack_ns"] >= 0, report
