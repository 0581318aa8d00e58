#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# make.py: writes the golden packets anew, from the rows of test_packet_verdicts.py and
# from what was wrong once (below). Run as root with BNG_BUILD set. A row that does not end
# the same when its world is set up from the file is left out, and named.
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bpf"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402

import abi  # noqa: E402
import frames  # noqa: E402
import golden  # noqa: E402
import plane as planes  # noqa: E402
import test_packet_verdicts  # noqa: E402
from plane import PUBLIC, Plane  # noqa: E402
from rows import ADDRESS, access, after, core, from_core, from_subscriber, patched  # noqa: E402

CLOCK = 1 << 58  # later than any machine's, so that what is limited by a rate has rested
WORLD_MAX = 6000  # characters
# Routes of the tests' own network, which no other machine has.
ROUTES = {planes.HOST, planes.UNRESOLVED, planes.UNREACHABLE, planes.SMALL_MTU, planes.NOT_ATTACHED}
NO_WORLD = {"DROP_FORWARDING_OFF", "DROP_PPPOE_FLOOD_MAC", "DROP_PPPOE_FLOOD_VLAN"}  # settings, and maps of a generation
FEATURES = [
    ("forward", ("FORWARD_UP", "FORWARD_DOWN", "FORWARD_HAIRPIN", "DROP_MTU", "PASS_FRAGMENT", "DROP_TTL")),
    ("answer", ("ANSWER_",)),
    ("pppoe", ("PUNT_PPPOE", "DROP_PPPOE", "DROP_SPOOF_PPPOE", "PUNT_LARGE")),
    ("fragment", ("PUNT_FRAGMENT", "DROP_FRAGMENT", "DROP_HOLD")),
    ("control", ("PUNT_", "DROP_PUNT", "INJECT", "DROP_INJECT")),
    ("icmp", ("FORWARD_ICMP", "DROP_ICMP")),
    ("tunnel", ("DROP_TUNNEL",)),
    ("alg", ("FORWARD_ALG", "DROP_ALG")),
    ("rate", ("DROP_RATE",)),
    ("filter", ("DROP_FILTER",)),
    ("cgnat", ("DROP_CGNAT", "DROP_TCP_FLAGS")),
    ("antispoof", ("DROP_SPOOF", "DROP_OTHER_STATION", "DROP_NO_SESSION")),
    ("address", ("DROP_ADDRESS", "DROP_NOT_", "DROP_GATEWAY", "DROP_HAIRPIN", "PASS_LOCAL")),
    ("frame", ("DROP_", "PASS_")),
]


def mappings_expired(plane, session):
    assert plane.access(frames.up(session, frames.udp(4999))).verdict == "FORWARD_UP"
    plane.advance_seconds(planes.TIMEOUTS[abi.MAPPING_UDP] + 1)


def noted_by_a_later_clock(plane, session, public):
    plane.mapping_at(public).last_tick = plane.tick + 1


def reset_by_the_server(plane, session):
    public = frames.public_end(plane.access(frames.up(session, frames.tcp(4000))))
    return frames.down(PUBLIC[0], frames.tcp(80, public & 0xffff, flags="R"))


TWO_TAGS = {"tags": ((0x8100, 100), (0x8100, 7)), "flags": abi.SUBSCRIBER_EXEMPT}
BUGS = [
    access("a full block is passed over when a mapping is made", "FORWARD_UP",
           after(test_packet_verdicts.block_filled, from_subscriber())),
    access("the dead do not lock out the living at the limit of mappings", "FORWARD_UP",
           after(mappings_expired, from_subscriber()), session={"max_mappings": 1}),
    core("a mapping that another CPU has noted a tick later is not expired", "FORWARD_DOWN",
         test_packet_verdicts.mapped(noted_by_a_later_clock)),
    core("a RST reaches every live mapping", "FORWARD_DOWN", reset_by_the_server),
    access("no error about an error", "DROP_TTL", from_subscriber(frames.ICMP(type=3) / frames.Raw(bytes(28)), ttl=1)),
    access("another station's frame is left alone", "DROP_OTHER_STATION", patched(from_subscriber(), 5, b"\xff")),
    core("two tags take room, too", "DROP_MTU", from_core(ADDRESS, frames.udp(1, data=bytes(1472)), flags="DF"),
         session=TWO_TAGS),
    access("a UDP checksum of zero stays zero", "FORWARD_UP", from_subscriber(frames.udp(4000, chksum=0))),
    access("a wrong checksum stays wrong", "FORWARD_UP", from_subscriber(frames.tcp(4000, chksum=0x1234))),
    access("priority bits of a tag are not the VLAN", "FORWARD_UP", patched(from_subscriber(), 14, b"\xe0"),
           session={"tags": ((0x8100, 100),)}),
    access("padding of a short frame is no part of the packet", "FORWARD_UP", from_subscriber(pad=bytes(13))),
]


def feature_of(row):
    return next(name for name, stems in FEATURES if row.verdict.startswith(stems))


def needs_routes(frame, row):
    packet = Ether(frame) if row.entry != "inject" else None
    return packet is not None and IP in packet and packet[IP].dst in ROUTES


def interface_of(row):
    return {"access": planes.ACC1, "core": planes.CORE, "inject": planes.PUNT}[row.entry]


def begin(plane):
    plane.reset()
    plane.pool_build()


def recorded(plane, row, base, clock_ns):
    """The packet's entry and its frame."""
    plane.clock_ns = clock_ns
    begin(plane)
    with plane.namespace.entered():
        frame = row.build(plane, plane.session(ADDRESS, **row.session))
    packet = {"what": row.description, "program": row.entry, "interface": interface_of(row),
              "verdict": golden.VERDICT_TEXT[row.verdict], "clock_ns": plane.clock_ns,
              "set": golden.difference(base, golden.world_of(plane))}
    return packet, frame


def collect(plane, rows, clock_ns):
    """What is kept of them, and what not, with why."""
    begin(plane)
    plane.session(ADDRESS)
    document, out, left = {"world": golden.world_of(plane), "packets": []}, [], []
    for row in rows:
        clock_ns += 1 << 43  # two and a half hours
        packet, frame = recorded(plane, row, document["world"], clock_ns)
        if needs_routes(frame, row) or len(json.dumps(packet)) > WORLD_MAX:
            left.append((row, "needs routes" if needs_routes(frame, row) else "a large world"))
        elif golden.run(plane, document, packet, frame) != packet["verdict"]:
            left.append((row, "ends otherwise"))
        else:
            document["packets"].append(packet)
            out.append(frame)
    return document, out, left, clock_ns


def lines(document, about):
    """JSON with a line for each packet."""
    head = {"$comment": "SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only", "about": about, "world": document["world"]}
    packets = ",\n".join("  " + json.dumps(packet) for packet in document["packets"])
    return "{\n" + "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items()) + \
        f' "packets": [\n{packets}\n ]\n}}\n'


def main():
    plane = Plane()
    groups = {"bugs": BUGS}
    for row in test_packet_verdicts.ROWS:
        if row.verdict in NO_WORLD:
            continue
        groups.setdefault(feature_of(row), []).append(row)
    clock_ns = CLOCK
    for path in [*golden.HERE.glob("*.json"), *golden.HERE.glob("*.pcap")]:
        path.unlink()
    for name in sorted(groups):
        document, out, left, clock_ns = collect(plane, groups[name], clock_ns)
        (golden.HERE / f"{name}.json").write_text(lines(document, f"golden packets: {name}"))
        golden.pcap_write(golden.HERE / f"{name}.pcap", out)
        print(f"{name}: {len(out)} packets" + "".join(f"\n  left out: {row.entry} {row.description}: {why}" for row, why in left))
    plane.close()


if __name__ == "__main__":
    main()
