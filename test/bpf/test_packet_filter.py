# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The filter of a session (dataplane/filter.h): which packets each kind of rule is for, in
# both directions and in any encapsulation; fragments; what is counted, to the packet.
import ipaddress
import struct

import pytest
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import abi
import frames
from bpfobject import CPUS, PerCpuCounts
from plane import ACC2, ETH_P_PPP_SES, GATEWAY, PUBLIC, REMOTE, be32
from test_cgnat_mapping import open_port
from test_packet_fragments import cut
from test_qos import DOWN, UP, gre

NUMBER = 7
UP_ONLY, DOWN_ONLY, BOTH = abi.FILTER_UP, abi.FILTER_DOWN, abi.FILTER_UP | abi.FILTER_DOWN
PROTOCOLS = {"any": 0, "icmp": 1, "tcp": 6, "udp": 17, "gre": 47}
OTHER = "198.18.7.7"
ENCAPSULATIONS = {"ipoe": (), "qinq": ((0x88a8, 100), (0x8100, 7)), "pppoe": ((ETH_P_PPP_SES, 0x1234),),
                  "qinq pppoe": ((0x88a8, 100), (0x8100, 7), (ETH_P_PPP_SES, 0x1234))}


def rule(action, protocol="any", ports=None, prefix="0.0.0.0/0", direction=BOTH):
    return action, protocol, ports, ipaddress.ip_network(prefix), direction


def write(plane, half, rules, default, number=NUMBER):
    to = plane.filter[number].half[half]
    to.count, to.flags = len(rules), abi.FILTER_PERMIT if default == "permit" else 0
    for entry, (action, protocol, ports, prefix, direction) in zip(to.rule, rules):
        entry.address_be, entry.mask_be = be32(prefix.network_address), be32(prefix.netmask)
        entry.port_first, entry.port_last = ports or (0, 0)
        entry.protocol, entry.flags = PROTOCOLS[protocol], direction | (abi.FILTER_PERMIT if action == "permit" else 0)
    plane.maps["filter_hit"].update(struct.pack("=I", 2 * number + half), bytes(plane.maps["filter_hit"].value_size * CPUS))


def give(session, number=NUMBER):
    session.record.filter = number
    session.record.flags |= abi.SUBSCRIBER_FILTER
    return session


def hits(plane, half=0, number=NUMBER):
    """What each rule has decided, and the default."""
    count, key = abi.FILTER_RULES + 1, 2 * number + half
    all_cpus = PerCpuCounts(plane.maps["filter_hit"], 2 * abi.FILTERS).raw()[key * count * CPUS:(key + 1) * count * CPUS]
    sums = [sum(all_cpus[i::count]) for i in range(count)]
    used = plane.filter[number].half[half].count
    assert not any(sums[used:-1])
    return [*sums[:used], sums[-1]]


def filtered(plane, rules, default, tags=(), address="10.0.0.5"):
    """A session whose mappings of port 4000 were made before it had the filter."""
    session = plane.session(address, tags=tags)
    targets = {protocol: open_port(plane, session, 4000, protocol) for protocol in ("udp", "tcp", "icmp")}
    write(plane, 0, rules, default)
    return give(session), targets


def upward(plane, session, targets, protocol, remote, port):
    l4 = frames.echo(4000) if protocol == "icmp" else getattr(frames, protocol)(4000, dport=port)
    return plane.access(frames.up(session, l4, remote=remote)).verdict


def downward(plane, session, targets, protocol, remote, port):
    target = targets[protocol]
    number = target & 0xffff
    l4 = {"udp": lambda: frames.udp(port, number), "tcp": lambda: frames.tcp(port, number, flags="A"),
          "icmp": lambda: frames.echo(number, kind="echo-reply")}[protocol]()
    return plane.core(frames.down(PUBLIC[target >> 16], l4, remote=remote)).verdict


SEND = {"up": upward, "down": downward}
directions = pytest.mark.parametrize("direction", SEND)
# A rule, and packets that it is for and not for: protocol, remote address, remote port.
KINDS = {
    "any": (rule("deny"), [("udp", REMOTE, 53), ("tcp", OTHER, 80), ("icmp", REMOTE, 0)], []),
    "protocol udp": (rule("deny", "udp"), [("udp", REMOTE, 53)], [("tcp", REMOTE, 53), ("icmp", REMOTE, 0)]),
    "protocol tcp": (rule("deny", "tcp"), [("tcp", OTHER, 1)], [("udp", REMOTE, 1), ("icmp", REMOTE, 0)]),
    "protocol icmp": (rule("deny", "icmp"), [("icmp", REMOTE, 0)], [("udp", REMOTE, 1), ("tcp", REMOTE, 1)]),
    "a port": (rule("deny", "tcp", (80, 80)), [("tcp", REMOTE, 80)], [("tcp", REMOTE, 79), ("tcp", REMOTE, 81), ("udp", REMOTE, 80)]),
    "ports": (rule("deny", "udp", (1000, 2000)), [("udp", REMOTE, port) for port in (1000, 1500, 2000)],
              [("udp", REMOTE, port) for port in (1, 999, 2001, 65535)]),
    "all ports": (rule("deny", "udp", (1, 65535)), [("udp", REMOTE, 1), ("udp", REMOTE, 65535)], [("tcp", REMOTE, 1)]),
    "an address": (rule("deny", prefix=f"{REMOTE}/32"), [("udp", REMOTE, 53), ("icmp", REMOTE, 0)], [("udp", "192.0.2.2", 53), ("udp", "192.0.2.3", 53)]),
    "a prefix": (rule("deny", prefix="192.0.2.0/28"), [("udp", "192.0.2.1", 1), ("tcp", "192.0.2.14", 1)], [("udp", "192.0.2.17", 1), ("tcp", OTHER, 1)]),
    "everything": (rule("deny", "udp", (53, 54), "192.0.2.0/28"), [("udp", "192.0.2.1", 54)],
                   [("tcp", "192.0.2.1", 54), ("udp", "192.0.2.17", 54), ("udp", "192.0.2.1", 55)]),
}


@directions
@pytest.mark.parametrize("action", ["deny", "permit"])
@pytest.mark.parametrize("tags", ENCAPSULATIONS.values(), ids=ENCAPSULATIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_is_for_its_packets_and_no_others(plane, direction, action, kind, tags):
    (_, *rest), inside, outside = KINDS[kind]
    default = "permit" if action == "deny" else "deny"
    session, targets = filtered(plane, [(action, *rest)], default, tags)
    verdicts = {"permit": f"FORWARD_{direction.upper()}", "deny": f"DROP_FILTER_{direction.upper()}"}
    drops = session.record.drop_packets
    for packet in inside:
        assert SEND[direction](plane, session, targets, *packet) == verdicts[action], packet
    for packet in outside:
        assert SEND[direction](plane, session, targets, *packet) == verdicts[default], packet
    assert hits(plane) == [len(inside), len(outside)]
    denied = len(inside if action == "deny" else outside)
    assert session.record.drop_packets - drops == denied == plane.count(verdicts["deny"])


@directions
def test_a_rule_is_for_its_direction(plane, direction):
    wanted, other = (UP_ONLY, "down") if direction == "up" else (DOWN_ONLY, "up")
    session, targets = filtered(plane, [rule("deny", direction=wanted)], "permit")
    assert SEND[direction](plane, session, targets, "udp", REMOTE, 53) == f"DROP_FILTER_{direction.upper()}"
    assert SEND[other](plane, session, targets, "udp", REMOTE, 53) == f"FORWARD_{other.upper()}"
    assert hits(plane) == [1, 1]


def test_the_first_rule_that_matches_decides(plane):
    rules = [rule("permit", "udp", (53, 53)), rule("deny", "udp"), rule("permit", "udp"), rule("permit", prefix=f"{OTHER}/32")]
    session, targets = filtered(plane, rules, "deny")
    packets = [("udp", REMOTE, 53), ("udp", REMOTE, 54), ("udp", OTHER, 55), ("tcp", OTHER, 1), ("tcp", REMOTE, 1)]
    found = [upward(plane, session, targets, *packet) for packet in packets]
    assert found == ["FORWARD_UP", "DROP_FILTER_UP", "DROP_FILTER_UP", "FORWARD_UP", "DROP_FILTER_UP"]
    assert hits(plane) == [1, 2, 0, 1, 1]


def test_as_many_rules_as_there_may_be(plane):
    rules = [rule("permit", "udp", (1000 + number, 1000 + number)) for number in range(abi.FILTER_RULES)]
    session, targets = filtered(plane, rules, "deny")
    for number in range(abi.FILTER_RULES):
        assert upward(plane, session, targets, "udp", REMOTE, 1000 + number) == "FORWARD_UP"
    assert upward(plane, session, targets, "udp", REMOTE, 1000 + abi.FILTER_RULES) == "DROP_FILTER_UP"
    assert hits(plane) == [1] * (abi.FILTER_RULES + 1)


@pytest.mark.parametrize("direction, kind", [("up", kind) for kind in UP] + [("down", kind) for kind in DOWN])
def test_everything_that_is_forwarded_is_judged_once(plane, direction, kind):
    """Whatever step it takes, and each piece of it."""
    plane.exempt_add("192.0.2.17/32")
    session = plane.session("10.0.0.5")
    pieces = (UP if direction == "up" else DOWN)[kind](plane, session)
    step = plane.access if direction == "up" else plane.core
    write(plane, 0, [], "permit")
    write(plane, 1, [], "deny")
    give(session)
    assert all(step(piece).verdict.startswith("FORWARD") for piece in pieces)
    assert hits(plane) == [len(pieces)]
    plane.filter[NUMBER].active = 1
    before, sent = session.record.drop_packets, (session.record.up_packets, session.record.down_packets)
    for piece in pieces:
        assert step(piece).verdict == f"DROP_FILTER_{direction.upper()}"
    assert (hits(plane, 0), hits(plane, 1)) == ([len(pieces)], [len(pieces)])
    assert session.record.drop_packets - before == len(pieces)
    assert (session.record.up_packets, session.record.down_packets) == sent


# ---- fragments -------------------------------------------------------------------------------

def pieces_of(plane, session, targets, direction, port, data=bytes(2000)):
    if direction == "up":
        return cut(frames.up(session, frames.udp(4000, dport=port, data=data)))
    return cut(frames.down(PUBLIC[targets["udp"] >> 16], frames.udp(port, targets["udp"] & 0xffff, data=data)))


@directions
def test_fragments_of_a_permitted_port_pass(plane, direction):
    """Default deny: the later ones have no port, and their first one has shown it."""
    session, targets = filtered(plane, [rule("permit", "udp", (53, 53))], "deny")
    step = plane.access if direction == "up" else plane.core
    pieces = pieces_of(plane, session, targets, direction, 53)
    assert len(pieces) == 2 and [step(piece).verdict for piece in pieces] == [f"FORWARD_{direction.upper()}"] * 2
    assert hits(plane) == [2, 0]


@directions
@pytest.mark.parametrize("rules, default", [([rule("deny", "udp", (53, 53))], "permit"), ([rule("permit", "udp", (80, 80))], "deny")],
                         ids=["denied", "not permitted"])
def test_fragments_of_a_denied_port_do_not(plane, direction, rules, default):
    """The first is dropped. Upwards nothing is known of the later ones then, which wait for it in vain; downwards they
    go to the subscriber, which cannot put them together."""
    session, targets = filtered(plane, rules, default)
    step = plane.access if direction == "up" else plane.core
    first, later = pieces_of(plane, session, targets, direction, 53)
    assert step(first).verdict == f"DROP_FILTER_{direction.upper()}"
    assert step(later).verdict == {"up": "PUNT_FRAGMENT", "down": "FORWARD_DOWN"}[direction]
    assert step(first).verdict == f"DROP_FILTER_{direction.upper()}"


@directions
def test_later_fragments_are_judged_by_address_and_protocol(plane, direction):
    session, targets = filtered(plane, [rule("deny", "udp", prefix=f"{REMOTE}/32")], "permit")
    step = plane.access if direction == "up" else plane.core
    for piece in pieces_of(plane, session, targets, direction, 53):
        assert step(piece).verdict == f"DROP_FILTER_{direction.upper()}"
    assert hits(plane) == [2, 0]


@pytest.mark.parametrize("rules, default, verdict", [([rule("deny", "tcp", (80, 80))], "permit", "DROP_FILTER_UP"),
                                                     ([rule("permit", "tcp", (80, 80))], "deny", "DROP_FILTER_UP"),
                                                     ([rule("deny", "udp", (80, 80))], "permit", "FORWARD_UP_EXEMPT")])
def test_a_port_that_is_cut_off_is_no_way_around(plane, rules, default, verdict):
    """Two bytes of TCP, in a session that is not translated, where nobody else looks at ports."""
    session = plane.session("10.0.0.5", flags=abi.SUBSCRIBER_EXEMPT)
    write(plane, 0, rules, default)
    give(session)
    packet = frames.up(session, Raw(b"\x0f\xa0"), proto=6)
    assert plane.access(packet + bytes(20)).verdict == verdict


# ---- whose filter ------------------------------------------------------------------------------

def test_hairpinned_packets_pass_both_filters(plane):
    first, second = plane.session("10.0.0.5"), plane.session("10.0.0.6", interface=ACC2)
    target = open_port(plane, second, 5000, "udp")
    frame = frames.up(first, frames.udp(4000, dport=target & 0xffff), remote=PUBLIC[target >> 16])
    port = target & 0xffff
    write(plane, 0, [rule("permit", "udp", (port, port), f"{PUBLIC[target >> 16]}/32", UP_ONLY)], "deny", 1)
    write(plane, 0, [rule("permit", "udp", None, f"{PUBLIC[0]}/32", DOWN_ONLY)], "deny", 2)
    give(first, 1)
    give(second, 2)
    assert plane.access(frame).verdict == "FORWARD_HAIRPIN"
    assert (hits(plane, 0, 1), hits(plane, 0, 2)) == ([1, 0], [1, 0])
    give(second, 3)  # an empty one
    assert plane.access(frame).verdict == "DROP_FILTER_DOWN"
    assert (first.record.drop_packets, second.record.drop_packets) == (0, 1)
    give(first, abi.FILTER_CLOSED)
    assert plane.access(frame).verdict == "DROP_FILTER_UP"
    assert (first.record.drop_packets, second.record.drop_packets) == (1, 1)


def test_what_is_denied_makes_no_mapping_and_is_not_charged(plane):
    session = plane.session("10.0.0.5")
    write(plane, 0, [], "deny")
    give(session).record.flags |= abi.SUBSCRIBER_RATE
    session.record.rate_up.limit = 1 | 1_000_000 << 32
    for port in range(4000, 4010):
        assert plane.access(frames.up(session, frames.udp(port))).verdict == "DROP_FILTER_UP"
    assert (session.record.mappings, session.blocks, session.record.up_packets, session.record.rate_up.due_ns) == (0, [], 0, 0)


def test_what_the_gateway_answers_itself_is_not_filtered(plane):
    session = plane.session("10.0.0.5")
    write(plane, 0, [], "deny")
    give(session)
    arp = Ether(src=session.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=session.mac, psrc=session.address, pdst=GATEWAY)
    assert plane.access(bytes(arp)).verdict == "ANSWER_ARP"
    assert plane.access(frames.up(session, frames.echo(1), remote=GATEWAY)).verdict == "ANSWER_ECHO"
    assert plane.access(frames.up(session, frames.udp(68, dport=67), remote=GATEWAY)).verdict == "PUNT_DHCP4"
    assert hits(plane) == [0]
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "DROP_FILTER_UP"


def test_a_session_without_the_flag_or_a_number_is_not_filtered(plane):
    session, other = plane.session("10.0.0.5"), plane.session("10.0.0.6")
    write(plane, 0, [], "deny")
    session.record.filter = NUMBER
    other.record.flags |= abi.SUBSCRIBER_FILTER
    for free in (session, other):
        assert plane.access(frames.up(free, frames.udp(4000))).verdict == "FORWARD_UP"
    assert hits(plane) == [0]


def test_rules_change_as_a_whole(plane):
    session, targets = filtered(plane, [rule("permit", "udp")], "deny")
    write(plane, 1, [rule("permit", "tcp"), rule("permit", "icmp")], "deny")
    assert [upward(plane, session, targets, protocol, REMOTE, 80) for protocol in ("udp", "tcp")] == ["FORWARD_UP", "DROP_FILTER_UP"]
    plane.filter[NUMBER].active = 1
    assert [upward(plane, session, targets, protocol, REMOTE, 80) for protocol in ("udp", "tcp")] == ["DROP_FILTER_UP", "FORWARD_UP"]
    assert (hits(plane, 0), hits(plane, 1)) == ([1, 1], [1, 0, 1])


def test_tunnels_have_a_protocol(plane):
    session = plane.session("10.0.0.5")
    write(plane, 0, [rule("permit", "gre")], "deny")
    give(session)
    assert plane.access(frames.up(session, gre())).verdict == "FORWARD_UP"
    assert plane.access(frames.up(session, Raw(bytes(16)), proto=50)).verdict == "DROP_FILTER_UP"
    assert hits(plane) == [1, 1]
