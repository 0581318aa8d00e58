# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Judges the checksums of a capture: tshark those of every packet, fragments put
# together first, and the IP headers that ICMP errors quote; here, where tshark does not
# look, what is behind these. A quote must also be the beginning of a packet of the same
# capture: what its reader has sent or was sent.
import subprocess

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

CHECKED = ("ip", "udp", "tcp", "icmp")
BAD, GOOD = "0", "1"
ERRORS = (3, 4, 5, 11, 12)


def tshark(capture):
    """Per frame: {"ip": [status, ...], ...}, the quoted packets' included."""
    options = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "udp", "tcp")]
    fields = [option for name in CHECKED for option in ("-e", f"{name}.checksum.status")]
    said = subprocess.run(["tshark", "-n", "-r", str(capture), *options, "-oip.defragment:TRUE", "-Tfields", *fields],
                          capture_output=True, text=True, check=True)
    return [{name: column.split(",") if column else [] for name, column in zip(CHECKED, row.split("\t"))}
            for row in said.stdout.splitlines()]


def sums_to_ones(data):
    """Whether bytes with their own checksum in them add up (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[at:at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total == 0xffff


def l4_sum_is_right(packet):
    """Of raw bytes of a whole IP packet; a UDP checksum of 0 says nothing."""
    header, protocol = (packet[0] & 15) * 4, packet[9]
    l4 = packet[header:int.from_bytes(packet[2:4], "big")]
    if protocol == 17 and l4[6:8] == b"\0\0":
        return True
    pseudo = b"" if protocol == 1 else packet[12:20] + bytes([0, protocol]) + len(l4).to_bytes(2, "big")
    return sums_to_ones(pseudo + l4)


def quotes(packets):
    """(frame number, bytes quoted) of each ICMP error."""
    for number, packet in enumerate(packets, 1):
        if ICMP in packet and packet[ICMP].type in ERRORS and packet[IP].frag == 0:
            yield number, bytes(packet[IP])[packet[IP].ihl * 4 + 8:packet[IP].len]


def unaged(packet):
    """Without what routers change on the way: TTL and the header's checksum."""
    return packet[:8] + packet[9:10] + packet[12:]


def comparable(packet):
    """What of a quoted packet its sender must find in what it sent: of a SYN all but its options, as the MSS may have
    been lowered on the way."""
    header = (packet[0] & 15) * 4
    if packet[9] == 6 and len(packet) > header + 13 and packet[header + 13] & 2:
        packet = packet[:header + 16]
    return unaged(packet)


def quote_problem(quote, seen):
    """What is wrong with a quote, or ""."""
    length = int.from_bytes(quote[2:4], "big")
    fragment = int.from_bytes(quote[6:8], "big") & 0x3fff
    if len(quote) >= length and not fragment and not l4_sum_is_right(quote[:length]):
        return "quoted transport header"
    if not any(whole.startswith(comparable(quote[:length])) for whole in seen):
        return "quote of a packet that nobody sent"
    return ""


class Audit:
    """`bad`: [(frame number, what)]; `seen`: how many checksums of each kind were good; `quotes`: how many there were."""

    def __init__(self, capture):
        self.packets = [packet for packet in rdpcap(str(capture))]
        self.rows = tshark(capture)
        assert len(self.rows) == len(self.packets)
        found = list(quotes(self.packets))
        # tshark sums up what was quoted of a segment, as if it were all of it.
        for number, quote in found:
            if len(quote) < int.from_bytes(quote[2:4], "big"):
                self.rows[number - 1]["udp"] = self.rows[number - 1]["tcp"] = []
        self.bad = [(number, name) for number, row in enumerate(self.rows, 1) for name in CHECKED if BAD in row[name]]
        self.seen = {name: sum(row[name].count(GOOD) for row in self.rows) for name in CHECKED}
        seen = [unaged(bytes(packet[IP])[:packet[IP].len]) for packet in self.packets if IP in packet]
        problems = [(number, quote_problem(quote, seen)) for number, quote in found]
        self.quotes = len(found)
        self.bad += [(number, problem) for number, problem in problems if problem]

    def count(self, layer):
        return sum(layer in packet for packet in self.packets)


def frame_with(frame, layer, **fields):
    """The frame with fields changed and no checksum mended."""
    packet = Ether(bytes(frame))
    for name, value in fields.items():
        setattr(packet[layer], name, value)
    return packet


def broken(packets):
    """One frame for each checksum there is, each wrong in nothing but that: (what the audit must say, frame)."""
    def first(kind):
        return next(packet for packet in packets if kind(packet))

    def whole(packet):
        return IP in packet and packet[IP].frag == 0 and not packet[IP].flags & 1

    def error(packet):
        return whole(packet) and ICMP in packet and packet[ICMP].type in ERRORS

    udp = first(lambda packet: whole(packet) and UDP in packet and ICMP not in packet and packet[UDP].chksum)
    tcp = first(lambda packet: whole(packet) and TCP in packet and ICMP not in packet)
    echo = first(lambda packet: whole(packet) and ICMP in packet and packet[ICMP].type in (0, 8))
    yield "ip", frame_with(udp, IP, chksum=udp[IP].chksum ^ 0x100)
    yield "udp", frame_with(udp, UDP, chksum=udp[UDP].chksum ^ 0x100)
    yield "tcp", frame_with(tcp, TCP, chksum=tcp[TCP].chksum ^ 0x100)
    yield "icmp", frame_with(echo, ICMP, chksum=echo[ICMP].chksum ^ 0x100)
    quoting = first(error)
    yield "icmp", frame_with(quoting, ICMP, chksum=quoting[ICMP].chksum ^ 0x100)
    at = len(quoting) - len(quoting[IP]) + quoting[IP].ihl * 4 + 8
    yield "ip", quoted_changed(quoting, at + 10, mend=at - 6)
    yield "quote of a packet that nobody sent", quoted_changed(quoting, at + 20, mend=at - 6)


def quoted_changed(packet, at, mend):
    """Two bytes of the quote changed, the ICMP checksum made right for it."""
    frame = bytearray(bytes(packet))
    before = int.from_bytes(frame[at:at + 2], "big")
    after = before ^ 0x0101
    frame[at:at + 2] = after.to_bytes(2, "big")
    total = (~int.from_bytes(frame[mend:mend + 2], "big") & 0xffff) + (~before & 0xffff) + after
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    frame[mend:mend + 2] = (~total & 0xffff).to_bytes(2, "big")
    return Ether(bytes(frame))
