# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Frames, built and judged by scapy: an implementation of every checksum that is
# not ours.
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from plane import MACS, NEXT_HOP_MAC, PUBLIC, REMOTE

CORE_MAC = MACS["core1"]


def ethernet(source, destination, tags):
    """Ethernet and tags; `tags` is ((tpid, vid), ...)."""
    frame = Ether(src=source, dst=destination)
    for tpid, vid in tags:
        frame = frame / (Dot1AD if tpid == 0x88a8 else Dot1Q)(vlan=vid)
    return frame


def up(session, l4, remote=REMOTE, pad=b"", **ip):
    """A frame from a subscriber; keyword arguments are IP fields."""
    fields = {"src": session.address, "dst": remote, "ttl": 64, **ip}
    return bytes(ethernet(session.mac, session.interface_mac, session.tags) / IP(**fields) / l4) + pad


def down(public, l4, remote=REMOTE, pad=b"", **ip):
    """A frame from the internet to a public (or any) address."""
    fields = {"src": remote, "dst": public, "ttl": 64, **ip}
    return bytes(Ether(src=NEXT_HOP_MAC, dst=CORE_MAC) / IP(**fields) / l4) + pad


def tcp(sport, dport=80, flags="S", data=b"", **fields):
    return TCP(sport=sport, dport=dport, flags=flags, seq=0x01020304, ack=7, **fields) / Raw(data)


def udp(sport, dport=53, data=b"hello", **fields):
    return UDP(sport=sport, dport=dport, **fields) / Raw(data)


def echo(identifier, kind="echo-request", sequence=1, data=b"abcdefgh"):
    return ICMP(type=kind, id=identifier, seq=sequence) / Raw(data)


PROTOCOLS = {
    "udp": lambda port, **more: udp(port, **more),
    "tcp": lambda port, **more: tcp(port, **more),
    "icmp": lambda port, **more: echo(port, **more),
}


def reply_to(protocol, public_port, data=b"world!!"):
    """What a remote end sends back."""
    if protocol == "icmp":
        return echo(public_port, kind="echo-reply", data=data)
    if protocol == "tcp":
        return tcp(80, public_port, flags="SA", data=data)
    return udp(53, public_port, data=data)


def inner_end(packet, side):
    """Address and port (or identifier) of one side, "s" or "d"."""
    ip = packet[IP]
    if ICMP in packet:
        return (ip.src if side == "s" else ip.dst), packet[ICMP].id
    layer = packet[TCP] if TCP in packet else packet[UDP]
    return (ip.src, layer.sport) if side == "s" else (ip.dst, layer.dport)


def public_end(result):
    """Public address index << 16 | port of a frame that was sent up."""
    address, port = inner_end(Ether(result.frame), "s")
    return PUBLIC.index(address) << 16 | port


def endpoint(port):
    return PUBLIC[port >> 16], port & 0xffff


def rebuilt(ip_packet):
    """The same packet with every checksum computed anew (a UDP checksum of 0 stays)."""
    copy = IP(bytes(ip_packet))
    del copy.chksum
    for layer in (TCP, UDP, ICMP):
        if layer in copy and not (layer is UDP and copy[UDP].chksum == 0):
            del copy[layer].chksum
    return bytes(copy)


def rebuilt_header(ip_packet):
    """The same packet with its IP checksum computed anew, and nothing else."""
    copy = IP(bytes(ip_packet))
    del copy.chksum
    return bytes(copy)


def checksums_are_right(frame):
    ip = Ether(frame)[IP]
    return rebuilt(ip) == bytes(ip)


def translated(frame, source=None, destination=None, hops=1):
    """What IP packet must come out: new ends, TTL less, checksums anew."""
    ip = IP(bytes(Ether(frame)[IP]))
    ip.ttl -= hops
    if source:
        ip.src, port = source
        _set_port(ip, "sport", port)
    if destination:
        ip.dst, port = destination
        _set_port(ip, "dport", port)
    return rebuilt(ip)


def _set_port(ip, field, port):
    if ICMP in ip:
        ip[ICMP].id = port
    elif port is not None:
        setattr(ip[TCP] if TCP in ip else ip[UDP], field, port)


def expected_up(frame, public, mac=NEXT_HOP_MAC):
    """The whole frame that leaves towards the core; `public` (address, port), or None: exempt."""
    return bytes(Ether(src=CORE_MAC, dst=mac, type=0x800)) + translated(frame, source=public)


def expected_down(frame, session, inner_port=None, exempt=False):
    """The whole frame that leaves towards a subscriber."""
    header = ethernet(session.interface_mac, session.mac, session.tags) / IP()
    length = 14 + 4 * len(session.tags)
    inner = None if exempt else (session.address, inner_port)
    return bytes(header)[:length] + translated(frame, destination=inner)


def ip_of(frame):
    return Ether(frame)[IP]


def parse(frame):
    return Ether(frame)
