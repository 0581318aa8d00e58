# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the real controld holds for the data plane: fragments before their first, and
# unsolicited SYNs. Frames are put on the wire in the order a test wants and read from
# the wire on the other side; counters are compared exactly.
import itertools
import json
import select
import signal
import socket
import struct
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

import sandbox
from lab import CORE_PEER, INTERNET, PATIENCE_S, Lab, default_config, wait_for

ALICE, BOB = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
DATA = bytes(number * 7 & 255 for number in range(3000))
ORDERS = list(itertools.permutations(range(3)))
orders = pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
SILENT = 6.0  # RFC 5382 REQ-4


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["sizes"]["flows"] = 4096
    with Lab(config) as lab:
        lab.start_daemons()
        for name, mac in (("alice", ALICE), ("bob", BOB)):
            client = lab.client(name, mac)
            client.start_dhcp()
            client.wait_bound()
            setattr(lab, name, client)
            assert client.ping(INTERNET, 1) == 1  # neighbours resolve
        with sandbox.entered(lab.internet):
            sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in (9, 5000)]
        for sink, port in zip(sinks, (9, 5000)):
            sink.bind((INTERNET, port))
        lab.access_mac = lab.mac(lab.gateway, "access0")
        lab.core_mac, lab.router_mac = lab.mac(lab.gateway, "core0"), lab.mac(lab.internet, "eth0")
        yield lab
        for sink in sinks:
            sink.close()


def counted(lab, before):
    """Verdicts that moved since `before`; kernels look for their neighbours when they like."""
    return {name: packets - before[name] for name, packets in lab.drops().items()
            if packets != before[name] and name not in ("answer_arp", "pass_local")}


def queue(lab, name):
    """What controld says about one of its queues."""
    return {each["name"]: each for each in lab.call("hold.status")["queues"]}[name]


def lost(lab):
    return lab.call("hold.status")["lost"]


def from_alice(lab, ip):
    return bytes(Ether(src=ALICE, dst=lab.access_mac) / ip)


def from_core(lab, ip):
    return bytes(Ether(src=lab.router_mac, dst=lab.core_mac) / ip)


class Wire:
    """Every frame that arrives on an interface, from when it was made."""

    def __init__(self, namespace, interface):
        with sandbox.entered(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((interface, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def until(self, wanted, count, timeout=PATIENCE_S):
        """(time, IP packet) of the next `count` frames that `wanted` says yes to; fewer if time is over."""
        found, deadline = [], time.monotonic() + timeout
        while len(found) < count:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                break
            frame, sender = self.socket.recvfrom(4096)
            if sender[2] == socket.PACKET_OUTGOING or frame[12:14] != b"\x08\x00":
                continue
            packet = Ether(frame)[IP]
            if wanted(packet):
                found.append((time.monotonic(), packet))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()


def public_of(lab, port):
    """Opens a UDP mapping of alice's by a packet of hers: its public end."""
    with Wire(lab.internet, "eth0") as wire:
        lab.send_frames(lab.alice.namespace, "eth0",
                        [from_alice(lab, IP(src=lab.alice.address, dst=INTERNET) / UDP(sport=port, dport=9) / Raw(b"x"))])
        (_, packet), = wire.until(lambda packet: UDP in packet and packet[UDP].dport == 9, 1)
    return packet.src, packet[UDP].sport


def offsets(found):
    return [packet.frag * 8 for _, packet in found]


def payload(found):
    return b"".join(bytes(packet.payload) for _, packet in sorted(found, key=lambda each: each[1].frag))


# ---- fragments ------------------------------------------------------------------------

def expected_order(order):
    """Those behind the first pass it by at once; those before it come after, sorted."""
    at = order.index(0)
    return [0, *order[at + 1:], *sorted(order[:at])]


@orders
def test_rfc4787_req14_fragments_in_any_order_leave_in_theirs(lab, order):
    number = ORDERS.index(order)
    packet = IP(src=lab.alice.address, dst=INTERNET, id=100 + number) / UDP(sport=4000, dport=5000) / Raw(DATA)
    whole = IP(bytes(packet))
    pieces = [from_alice(lab, piece) for piece in fragment(whole, 1024)]
    before = lab.drops()
    with Wire(lab.internet, "eth0") as wire:
        lab.send_frames(lab.alice.namespace, "eth0", [pieces[each] for each in order])
        found = wire.until(lambda each: each.id == whole.id, 3)
    assert offsets(found) == [1024 * each for each in expected_order(order)]
    said = bytes(UDP(payload(found)).payload)
    assert said == DATA
    held = order.index(0)
    expected = {"forward_up": 3, **({"punt_fragment": held} if held else {})}
    assert counted(lab, before) == expected


@orders
def test_rfc4787_req14_fragments_from_outside_in_any_order(lab, order):
    """The subscriber's kernel puts them together: a socket of alice's gets the datagram."""
    with sandbox.entered(lab.alice.namespace):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("0.0.0.0", 4001))
    receiver.settimeout(PATIENCE_S)
    public, port = public_of(lab, 4001)
    whole = IP(src=INTERNET, dst=public, id=200 + ORDERS.index(order)) / UDP(sport=5000, dport=port) / Raw(DATA)
    pieces = [from_core(lab, piece) for piece in fragment(IP(bytes(whole)), 1024)]
    before = lab.drops()
    lab.send_frames(lab.internet, "eth0", [pieces[each] for each in order])
    assert receiver.recv(65535) == DATA
    receiver.close()
    held = order.index(0)
    assert counted(lab, before) == {"forward_down": 3, **({"punt_fragment": held} if held else {})}


def test_rfc4787_req14_a_ping_whose_fragments_come_backwards_is_answered(lab):
    echo = IP(src=lab.alice.address, dst=INTERNET, id=300) / ICMP(id=77, seq=1) / Raw(DATA)
    pieces = [from_alice(lab, piece) for piece in fragment(IP(bytes(echo)), 1024)]
    with Wire(lab.alice.namespace, "eth0") as wire:
        lab.send_frames(lab.alice.namespace, "eth0", pieces[::-1])
        found = wire.until(lambda each: each.proto == 1 and each.src == INTERNET, 3)
    answer = ICMP(payload(found))
    assert (answer.type, answer.id, bytes(answer.payload)) == (0, 77, DATA)


def test_rfc4787_req14_hairpinned_fragments_come_backwards(lab):
    with sandbox.entered(lab.bob.namespace):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("0.0.0.0", 4002))
    receiver.settimeout(PATIENCE_S)
    with Wire(lab.internet, "eth0") as wire:
        receiver.sendto(b"x", (INTERNET, 9))
        (_, seen), = wire.until(lambda packet: UDP in packet and packet[UDP].dport == 9, 1)
    whole = IP(src=lab.alice.address, dst=seen.src, id=301) / UDP(sport=4003, dport=seen[UDP].sport) / Raw(DATA)
    pieces = [from_alice(lab, piece) for piece in fragment(IP(bytes(whole)), 1024)]
    before = lab.drops()
    lab.send_frames(lab.alice.namespace, "eth0", pieces[::-1])
    assert receiver.recv(65535) == DATA
    receiver.close()
    assert counted(lab, before) == {"forward_hairpin": 3, "punt_fragment": 2}


def test_a_fragment_whose_first_does_not_come_is_dropped_after_two_seconds(lab):
    whole = IP(src=lab.alice.address, dst=INTERNET, id=302) / UDP(sport=4000, dport=5000) / Raw(DATA)
    pieces = [from_alice(lab, piece) for piece in fragment(IP(bytes(whole)), 1024)]
    before = lab.drops()
    lab.send_frames(lab.alice.namespace, "eth0", pieces[1:])
    wait_for("them to be held", lambda: queue(lab, "fragments_up")["held"] == 2)
    wait_for("them to be dropped", lambda: counted(lab, before) == {"punt_fragment": 2, "drop_fragment": 2})
    status = queue(lab, "fragments_up")
    assert (status["held"], status["bytes"]) == (0, 0)


def flood(lab, count):
    """Later fragments from outside, each of another datagram of another host, a few bytes long."""
    head = from_core(lab, IP(src="198.18.0.0", dst="203.0.113.1", proto=17, id=0, frag=100) / Raw(b"12345678"))
    for number in range(count):
        frame = bytearray(head)
        frame[28:30] = struct.pack("!H", number)
        frame[24:26] = struct.pack("!H", ~fold(~int.from_bytes(head[24:26], "big") & 0xffff, number) & 0xffff)
        yield bytes(frame)


def fold(*words):
    total = sum(words)
    return (total & 0xffff) + (total >> 16)


def test_rfc4787_req14a_a_flood_is_bounded_counted_and_hurts_nobody(lab):
    frames = list(flood(lab, 4000))
    earlier, lost_before = queue(lab, "fragments_down"), lost(lab)
    before = lab.drops()
    lab.send_frames(lab.internet, "eth0", frames)
    held = queue(lab, "fragments_down")
    assert held["held"] <= held["room"] == 1024 and held["bytes"] <= held["room_bytes"]
    # Meanwhile: pings, fragments in order, and a subscriber's own out of order.
    assert lab.alice.ping(INTERNET, 5) == 5
    assert lab.alice.ping(INTERNET, size=4000) == 3
    test_rfc4787_req14_a_ping_whose_fragments_come_backwards_is_answered(lab)

    def ended():
        moved = counted(lab, before)
        ends = moved.get("drop_fragment", 0) + moved.get("drop_hold_full", 0)
        return moved if ends == 4000 else None
    moved = wait_for("every fragment of the flood to be dropped", ended)
    refused = queue(lab, "fragments_down")["refused"] - earlier["refused"]
    assert moved["drop_fragment"] >= 500 and moved["drop_hold_full"] >= refused
    # Of the flood, and the two of alice's ping.
    assert moved["punt_fragment"] == moved["drop_fragment"] + refused + 2
    assert lost(lab) == lost_before
    assert queue(lab, "fragments_down")["held"] == 0


def test_the_command_line_shows_what_is_held(lab):
    shown = lab.cli("cgnat", "held").stdout.splitlines()
    assert shown[0].split() == ["lost", "0"]
    assert [line.split()[0] for line in shown[2:]] == ["QUEUE", "fragments_up", "fragments_down", "syns"]
    assert shown[4].split()[1:3] == ["0", "1024"]


def test_one_source_has_a_share(lab):
    head = IP(bytes(IP(src="198.18.0.99", dst="203.0.113.1", proto=17, id=9) / Raw(b"12345678")))
    frames = []
    for number in range(200):
        head.frag, head.chksum = 1 + number, None
        frames.append(from_core(lab, head))
    before = lab.drops()
    lab.send_frames(lab.internet, "eth0", frames)
    wait_for("them to be judged", lambda: counted(lab, before).get("drop_hold_full") == 200 - 64)
    wait_for("them to end", lambda: counted(lab, before).get("drop_fragment") == 64)


def test_what_is_held_ends_with_controld_and_what_comes_then_waits(lab):
    """Ended: handed back. Away: the kernel keeps them. Nothing but those packets is lost."""
    digest = lab.digest()
    whole = IP(src=lab.alice.address, dst=INTERNET, id=303) / UDP(sport=4000, dport=5000) / Raw(DATA)
    pieces = [from_alice(lab, piece) for piece in fragment(IP(bytes(whole)), 1024)]
    before = lab.drops()
    lab.send_frames(lab.alice.namespace, "eth0", pieces[1:])
    wait_for("them to be held", lambda: queue(lab, "fragments_up")["held"] == 2)
    lab.stop(lab.controld)
    with Wire(lab.internet, "eth0") as wire:
        lab.send_frames(lab.alice.namespace, "eth0", [pieces[2], pieces[0], pieces[1]])
        assert offsets(wire.until(lambda each: each.id == 303, 2)) == [0, 1024]
        assert wire.until(lambda each: each.id == 303, 1, 0.2) == []
        lab.start_controld()
        assert offsets(wire.until(lambda each: each.id == 303, 1)) == [2048]
    assert counted(lab, before) == {"punt_fragment": 3, "drop_fragment": 2, "forward_up": 3}
    assert lab.digest() == digest


def waiting(lab):
    """Bytes that wait in each packet socket on the punt veth, in the kernel's order."""
    lines = lab.run(lab.gateway, "cat", "/proc/net/packet").stdout.splitlines()[1:]
    with sandbox.entered(lab.gateway):
        index = socket.if_nametoindex("bngpunt1")
    return [int(line.split()[6]) for line in lines if int(line.split()[4]) == index]


def punted(lab):
    """Packets that came by the punt veth."""
    link, = json.loads(lab.run(lab.gateway, "ip", "-j", "-s", "link", "show", "bngpunt1").stdout)
    return link["stats64"]["rx"]["packets"]


def test_what_is_held_takes_no_place_from_what_subscribers_wait_for(lab):
    lab.controld.send_signal(signal.SIGSTOP)
    try:
        assert waiting(lab) == [0, 0]
        before = punted(lab)
        lab.send_frames(lab.internet, "eth0", list(flood(lab, 50)))
        wait_for("all to be punted", lambda: punted(lab) == before + 50)
        assert sorted(waiting(lab))[0] == 0
        held = waiting(lab).index(max(waiting(lab)))
        full = waiting(lab)[held]
        assert full > 0
        lab.alice.renew()
        wait_for("a DHCP packet to wait in the other socket", lambda: waiting(lab)[1 - held])
        assert waiting(lab)[held] == full
    finally:
        lab.controld.send_signal(signal.SIGCONT)
    wait_for("both to be read", lambda: waiting(lab) == [0, 0])
    wait_for("the fragments to be dropped", lambda: queue(lab, "fragments_down")["held"] == 0)


def test_fragments_are_held_across_a_swap(lab):
    """Punted by one generation, handed back to the next."""
    with lab.rpc("holder") as holder, open(lab.object, "rb") as file, Wire(lab.internet, "eth0") as wire:
        old = holder.call("holder.status")["generation"]
        new = holder.call("object.stage", {"name": "again"}, [file.fileno()])["generation"]
        for number, (source, target) in enumerate([(old, new), (new, old)]):
            whole = IP(src=lab.alice.address, dst=INTERNET, id=400 + number) / UDP(sport=4000, dport=5000) / Raw(DATA)
            pieces = [from_alice(lab, piece) for piece in fragment(IP(bytes(whole)), 1024)]
            before = lab.drops()
            lab.send_frames(lab.alice.namespace, "eth0", pieces[:0:-1])
            wait_for("them to be held", lambda: queue(lab, "fragments_up")["held"] == 2)
            holder.call("swap.commit", {"generation": target, "expected": source})
            lab.send_frames(lab.alice.namespace, "eth0", pieces[:1])
            found = wire.until(lambda each, number=number: each.id == 400 + number, 3)
            assert offsets(found) == [0, 1024, 2048]
            assert counted(lab, before) == {"punt_fragment": 2, "forward_up": 3}


# ---- unsolicited SYNs ---------------------------------------------------------------------

def syn(lab, public, port, sport=4444, seq=1):
    return from_core(lab, IP(src=CORE_PEER, dst=public, id=seq) / TCP(sport=sport, dport=port, flags="S", seq=seq))


def is_unreachable(packet):
    return ICMP in packet and packet[ICMP].type == 3 and packet[ICMP].code == 3


def quoted_port(packet):
    return struct.unpack("!H", bytes(packet[ICMP].payload)[22:24])[0]


def tcp_public_of(lab, port):
    """A TCP mapping of alice's, by a SYN of hers to somewhere that does not answer."""
    with Wire(lab.internet, "eth0") as wire:
        lab.send_frames(lab.alice.namespace, "eth0", [from_alice(
            lab, IP(src=lab.alice.address, dst="198.18.77.77") / TCP(sport=port, dport=9, flags="S"))])
        (_, packet), = wire.until(lambda packet: TCP in packet and packet[TCP].dport == 9, 1)
    return packet.src, packet[TCP].sport


def test_rfc5382_req4_rfc5382_req2a_unsolicited_syns(lab):
    """Together, as each takes six seconds: one to a port that nobody has; one, repeated; two kept out by the filter, of
    which one is met by a SYN from inside."""
    pool = lab.config["cgnat"]["pools"][0]
    pool["filtering"] = "address-and-port-dependent"
    lab.write_config()
    lab.call("config.reload")
    public, port = tcp_public_of(lab, 4100)
    drops = lab.call("cgnat.pools")["pools"][0]["addresses"]
    before = lab.drops()
    with Wire(lab.internet, "eth0") as wire, Wire(lab.alice.namespace, "eth0") as inside:
        begun = time.monotonic()
        lab.send_frames(lab.internet, "eth0", [
            syn(lab, public, 5), syn(lab, public, 6), syn(lab, public, 6, seq=2), syn(lab, public, port, sport=4444),
            syn(lab, public, port, sport=5555)])
        wait_for("them to be judged", lambda: counted(lab, before) == {"drop_cgnat_no_mapping": 3, "drop_cgnat_filter": 2})
        wait_for("them to be held", lambda: queue(lab, "syns")["held"] == 4)
        # The inside's SYN for the same connection: it goes out, and from then on the outside's is let in.
        lab.send_frames(lab.alice.namespace, "eth0", [from_alice(
            lab, IP(src=lab.alice.address, dst=CORE_PEER) / TCP(sport=4100, dport=4444, flags="S"))])
        assert len(wire.until(lambda packet: TCP in packet and packet[TCP].dport == 4444, 1)) == 1
        lab.send_frames(lab.internet, "eth0", [syn(lab, public, port, sport=4444, seq=7)])
        assert len(inside.until(lambda packet: TCP in packet and packet[TCP].sport == 4444, 1)) == 1
        answers = wire.until(is_unreachable, 3)
        assert wire.until(is_unreachable, 1, 0.5) == []
    assert sorted(quoted_port(packet) for _, packet in answers) == sorted([5, 6, port])
    assert all(SILENT <= seen - begun for seen, _ in answers), [seen - begun for seen, _ in answers]
    assert {(packet.src, packet.dst) for _, packet in answers} == {(public, CORE_PEER)}
    for _, packet in answers:
        assert bytes(IP(bytes(packet))) == rebuilt(packet)
    moved = counted(lab, before)
    assert (moved["answer_unreachable"], moved["inject_forgotten"]) == (3, 1)
    after = lab.call("cgnat.pools")["pools"][0]["addresses"]
    assert sum(each["drops"] for each in after) - sum(each["drops"] for each in drops) == 3
    status = queue(lab, "syns")
    assert (status["held"], status["repeated"]) == (0, 1)


def rebuilt(packet):
    copy = packet.copy()
    del copy.chksum
    del copy[ICMP].chksum
    return bytes(copy)


def test_rfc5382_req4a_a_pool_may_be_silent(lab):
    lab.config["cgnat"]["pools"][0]["answer_syn"] = False
    lab.write_config()
    lab.call("config.reload")
    before, held = lab.drops(), queue(lab, "syns")
    lab.send_frames(lab.internet, "eth0", [syn(lab, "203.0.113.1", 5, sport=sport) for sport in range(10)])
    wait_for("them to be dropped", lambda: counted(lab, before) == {"drop_cgnat_no_mapping": 10})
    assert queue(lab, "syns") == held
