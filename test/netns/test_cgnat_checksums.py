# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Mixed traffic through the real gateway, captured on both sides, and judged by
# tshark: not one wrong checksum, those of quoted packets included. Some of it comes
# from real hosts, the rest is built: what hosts seldom send.
import pytest
from scapy.error import Scapy_Exception
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption, fragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import rdpcap, wrpcap

from checksums import Audit, broken
from lab import INTERNET, LOAD_CORE_PEER, Lab, default_config, wait_for
from traffic import WhoCalled, ask, tcp_ask, udp_socket

REMOTE, ROUTER = "198.19.0.1", "198.19.7.7"
NARROW = "198.19.64.1"     # behind a route with an MTU of 1000
CORE_MTU = 1600            # more than a subscriber's link takes
FIRST = {"address": "10.128.1.10", "mac": "02:00:00:02:00:0a", "interface": "access1", "mss": 1200}
SECOND = {"address": "10.128.1.11", "mac": "02:00:00:02:00:0b", "interface": "access1", "outer_vid": 7,
          "pool": "second"}  # so that they never share a public address
OPTIONS = [IPOption(b"\x94\x04\x00\x00")]  # router alert
MSS = [("MSS", 1460), ("NOP", None), ("WScale", 7)]
BIG = bytes(number * 7 & 255 for number in range(3001))


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["cgnat"]["pools"].append({"name": "second", "prefixes": ["203.0.113.32/32"]})
    with Lab(config) as lab:
        for namespace, name in ((lab.gateway, "core1"), (lab.load, "down0")):
            lab.ip(namespace, f"link set {name} mtu {CORE_MTU}")
        lab.ip(lab.gateway, f"route add 198.19.64.0/18 via {LOAD_CORE_PEER} mtu lock 1000")
        lab.wire(lab.load, "pass", "up0", "down0")
        lab.start_daemons()
        lab.call("session.add", {"sessions": [FIRST, SECOND]})
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        yield lab


def udp(sport, dport, **fields):
    return UDP(sport=sport, dport=dport, **fields)


def tcp(sport, dport, **fields):
    return TCP(sport=sport, dport=dport, **fields)


class Capture:
    """tcpdump on an interface, which is never ended before what is expected is in its file."""

    def __init__(self, lab, namespace, interface):
        name = f"{namespace}-{interface}-capture"
        self.lab, self.file = lab, lab.directory / f"{name}.pcap"
        self.process = lab.start(namespace, "tcpdump", "-n", "-i", interface, "-w", self.file, "-U", "-Z", "root",
                                 "--immediate-mode", "-s", "0", "ip or (vlan and ip)", log=f"{name}.log")
        wait_for("tcpdump to listen", lambda: "listening on" in lab.log(name))

    def packets(self):
        try:
            return rdpcap(str(self.file))
        except Scapy_Exception:  # its header is not written yet
            return []

    def wait(self, count):
        wait_for(f"{count} packets in {self.file.name}", lambda: len(self.packets()) >= count)
        return self.packets()

    def end(self, count):
        self.wait(count)
        self.lab.stop(self.process)
        return Audit(self.file)


class Peer:
    """Builds what a subscriber sends, and what the internet sends to it."""

    def __init__(self, lab, session):
        self.lab, self.session = lab, session
        self.gateway = lab.mac(lab.gateway, "access1")
        self.core = lab.mac(lab.gateway, "core1")
        self.far = lab.mac(lab.load, "down0")

    def up(self, l4, **fields):
        frame = Ether(src=self.session["mac"], dst=self.gateway)
        if "outer_vid" in self.session:
            frame /= Dot1Q(vlan=self.session["outer_vid"])
        return frame / IP(**{"src": self.session["address"], "dst": REMOTE, "ttl": 64, **fields}) / l4

    def down(self, l4, **fields):
        return Ether(src=self.far, dst=self.core) / IP(**{"src": REMOTE, "dst": self.public, "ttl": 60, **fields}) / l4

    def learn(self):
        """Where its mappings are: (protocol, inner port) -> public port."""
        found = self.lab.call("cgnat.mappings", {"filter": {"address": self.session["address"]}})["mappings"]
        self.public, = {entry["public"] for entry in found}
        self.port = {(entry["protocol"], entry["inner_port"]): entry["public_port"] for entry in found}


def pieces(frame):
    """An Ethernet frame's packet as fragments."""
    header = bytes(frame)[:len(frame) - len(frame[IP])]
    return [Ether(header + bytes(piece)) for piece in fragment(IP(bytes(frame[IP])), 1024)]


def opening(peer):
    return [peer.up(udp(4000, 53) / b"odd"), peer.up(tcp(4001, 80, flags="S", options=MSS)),
            peer.up(ICMP(type=8, id=4002, seq=1) / b"abcdefg")]


def going_up(peer):
    yield from opening(peer)
    yield peer.up(udp(4000, 53) / b"hello")
    yield peer.up(udp(4000, 53, chksum=0) / b"no checksum")
    yield peer.up(udp(4000, 53) / b"options", options=OPTIONS)
    yield peer.up(tcp(4001, 80, flags="A", seq=9) / bytes(range(256)), options=OPTIONS, tos=0xb8)
    yield peer.up(tcp(4001, 80, flags="FA", seq=300))
    yield from pieces(peer.up(udp(4000, 53) / BIG, id=21))
    yield from pieces(peer.up(ICMP(type=8, id=4002, seq=2) / BIG, id=22))
    yield from pieces(peer.up(tcp(4001, 80, flags="A") / BIG, id=23))


def coming_down(peer):
    to_udp, to_tcp, to_icmp = (peer.port[key] for key in (("udp", 4000), ("tcp", 4001), ("icmp", 4002)))
    yield peer.down(udp(53, to_udp) / b"answer")
    yield peer.down(udp(53, to_udp, chksum=0) / b"odd")
    yield peer.down(tcp(80, to_tcp, flags="SA", options=MSS))
    yield peer.down(tcp(80, to_tcp, flags="PA") / bytes(999), options=OPTIONS, tos=0x28)
    yield peer.down(ICMP(type=0, id=to_icmp, seq=1) / b"abcdefg")
    yield peer.down(ICMP(type=8, id=to_icmp, seq=3) / b"who asks")
    yield from pieces(peer.down(udp(53, to_udp) / BIG, id=31))
    yield from pieces(peer.down(ICMP(type=0, id=to_icmp, seq=2) / BIG, id=32))


def errors(build, packets, source):
    """An ICMP error about each packet as it was seen: quoted whole, cut, with zeros behind it."""
    for number, packet in enumerate(packets):
        quote = bytes(packet[IP])
        shortest = packet[IP].ihl * 4 + 8
        for kind, cut in ((3, quote), (11, quote[:shortest]), (3, quote[:shortest + 13] if len(quote) > 41 else quote),
                          (12, quote)):
            code = 4 if kind == 3 and number % 2 else 1 if kind == 3 else 0
            error = ICMP(type=kind, code=code, nexthopmtu=1400 if code == 4 else 0) if kind == 3 else ICMP(type=kind)
            yield build(error / Raw(cut), **source)


def whole(packets, *, source=None, destination=None):
    """Packets of a capture that an error can be about."""
    return [packet for packet in packets if IP in packet and not packet[IP].frag and not packet[IP].flags & 1
            and (UDP in packet or TCP in packet or ICMP in packet and packet[ICMP].type in (0, 8))
            and source in (None, packet[IP].src) and destination in (None, packet[IP].dst)]


def refused_by_the_gateway(peer):
    """(side, frame): it answers each with an error of its own."""
    yield "up0", peer.up(udp(4000, 53) / b"expires here", ttl=1)
    yield "up0", peer.up(tcp(4001, 80, flags="A") / bytes(1300), dst=NARROW, flags="DF")
    yield "down0", peer.down(udp(53, peer.port["udp", 4000]) / b"expires here", ttl=1)
    yield "down0", peer.down(udp(53, peer.port["udp", 4000]) / bytes(1560), flags="DF")


def hairpins(first, second):
    target = second.port["udp", 4000]
    yield first.up(udp(4000, target) / b"neighbour", dst=second.public)
    yield first.up(udp(4000, target, chksum=0) / b"neighbour", dst=second.public, options=OPTIONS)
    yield first.up(tcp(4001, second.port["tcp", 4001], flags="S", options=MSS), dst=second.public)
    yield from pieces(first.up(udp(4000, target) / BIG, dst=second.public, id=41))


def test_built_packets(lab):
    """Each packet that goes in comes out, and not one checksum is wrong; a wrong one in the same file is found."""
    inside, outside = Capture(lab, lab.load, "up0"), Capture(lab, lab.load, "down0")
    before = lab.drops()
    first, second = Peer(lab, FIRST), Peer(lab, SECOND)
    ups = [frame for peer in (first, second) for frame in going_up(peer)]
    lab.send_frames(lab.load, "up0", ups)
    wait_for("all to be forwarded", lambda: lab.drops()["forward_up"] - before["forward_up"] == len(ups))
    for peer in (first, second):
        peer.learn()
    downs = [frame for peer in (first, second) for frame in coming_down(peer)]
    lab.send_frames(lab.load, "down0", downs)
    turned = list(hairpins(first, second))
    lab.send_frames(lab.load, "up0", turned)
    for side, frame in refused_by_the_gateway(first):
        lab.send_frames(lab.load, side, [frame])
    fragmented = first.up(udp(4000, 53) / bytes(1400), dst=NARROW, id=51)
    lab.send_frames(lab.load, "up0", [fragmented])
    outside_count = len(ups) + len(downs) + 2 * 2 + 2
    inside_count = len(ups) + len(downs) + 2 * len(turned) + 2 * 2 + 1
    seen_inside, seen_outside = inside.wait(inside_count), outside.wait(outside_count)

    # Errors about what each side has really seen; about hairpinned packets too.
    from_outside = [error for peer in (first, second)
                    for error in errors(peer.down, whole(seen_outside, source=peer.public, destination=REMOTE), {"src": ROUTER})]
    from_inside = [error for peer in (first, second)
                   for error in errors(peer.up, whole(seen_inside, source=REMOTE, destination=peer.session["address"]), {})]
    back = [error for error in errors(second.up, whole(seen_inside, source=first.public, destination=SECOND["address"]),
                                      {"dst": first.public})]
    assert len(from_outside) == 2 * 8 * 4 and len(from_inside) == 2 * 6 * 4 and len(back) == 3 * 4
    lab.send_frames(lab.load, "down0", from_outside)
    lab.send_frames(lab.load, "up0", from_inside + back)

    outside_count += len(from_outside) + len(from_inside)
    inside_count += len(from_outside) + len(from_inside) + 2 * len(back)
    inside, outside = inside.end(inside_count), outside.end(outside_count)
    moved = {name: packets - before[name] for name, packets in lab.drops().items() if packets != before[name]}
    assert moved == {"forward_up": len(ups), "forward_down": len(downs), "forward_hairpin": len(turned), "answer_ttl": 2,
                     "drop_mtu": 2, "pass_fragment": 1, "forward_icmp_down": len(from_outside) + len(back),
                     "forward_icmp_up": len(from_inside)}
    assert (inside.bad, outside.bad) == ([], [])
    assert (len(inside.packets), len(outside.packets)) == (inside_count, outside_count)
    for audit, errors_seen in ((inside, len(from_outside) + len(from_inside) + 2 * len(back) + 2),
                               (outside, len(from_outside) + len(from_inside) + 2)):
        assert audit.quotes == errors_seen and audit.seen["icmp"] > errors_seen
        assert min(audit.seen["udp"], audit.seen["tcp"]) > 10
        assert audit.seen["ip"] == len(audit.packets) + errors_seen  # each quoted header was looked at, too
    clamped = [dict(packet[TCP].options)["MSS"] for packet in outside.packets if TCP in packet and ICMP not in packet
               and packet[TCP].flags.S and packet[IP].src == first.public]
    assert clamped == [1200]
    in_order = [packet[IP].frag for packet in outside.packets if packet[IP].id == 51]
    assert len(in_order) == 2 and in_order == sorted(in_order)
    assert_found(lab, inside)
    assert_found(lab, outside)


def assert_found(lab, audit):
    """Broken packets behind the others in the file: each is found, for what it is, and nothing else is."""
    wrong = list(broken(audit.packets))
    assert len(wrong) == 7
    file = lab.directory / "broken.pcap"
    wrpcap(str(file), audit.packets + [frame for _, frame in wrong])
    first = len(audit.packets) + 1
    assert sorted(Audit(file).bad) == sorted((first + number, what) for number, (what, _) in enumerate(wrong))


def closed_port(lab, client, address, port=9):
    """A real host's port unreachable comes back to the socket that asked."""
    with udp_socket(client.namespace) as asking:
        asking.connect((address, port))
        asking.send(b"anybody?" * 100)
        with pytest.raises(ConnectionRefusedError):
            asking.recv(100)


def test_real_hosts(lab):
    """Linux on both sides: TCP, UDP, pings in fragments, port unreachable both ways."""
    inside, outside = Capture(lab, lab.alice.namespace, "eth0"), Capture(lab, lab.internet, "eth0")
    with WhoCalled(lab.internet, INTERNET), udp_socket(lab.alice.namespace) as talker:
        public, port = ask(talker, INTERNET)
        assert tcp_ask(lab.alice.namespace, INTERNET)[0] == public
    closed_port(lab, lab.alice, INTERNET)
    assert lab.alice.ping(INTERNET, size=4000) == 3
    with udp_socket(lab.internet) as stranger:
        stranger.connect((public, port))  # she has closed it
        stranger.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            stranger.recv(100)
    for capture in (inside, outside):  # the second error is the last packet
        wait_for("both errors", lambda: sum(ICMP in packet and packet[ICMP].type == 3 for packet in capture.packets()) == 2)
    wait_for("both files to have the same", lambda: len(inside.packets()) == len(outside.packets()) > 30)
    inside, outside = inside.end(30), outside.end(30)
    assert (inside.bad, outside.bad) == ([], [])
    assert (inside.quotes, outside.quotes) == (2, 2)
    assert inside.seen["tcp"] == outside.seen["tcp"] > 6
    assert inside.seen["icmp"] == outside.seen["icmp"] == 2 + 6
