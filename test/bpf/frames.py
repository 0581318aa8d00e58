# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Frames, built and judged by scapy: an implementation of every checksum that is
# not ours.
import struct

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPPoE
from scapy.packet import Raw

from plane import ETH_P_PPP_SES, MACS, NEXT_HOP_MAC, PUBLIC, REMOTE, mac_bytes

PPP_IP = 0x0021
PPP_LCP = 0xc021
LCP_ECHO_REQUEST, LCP_ECHO_REPLY = 9, 10
PADI, PADO, PADR, PADS, PADT = 0x09, 0x07, 0x19, 0x65, 0xa7
PPPOE_BYTES = 8  # with the PPP protocol
CORE_MAC = MACS["core1"]


def ethernet(source, destination, tags):
    """Ethernet and tags; `tags` is ((tpid, vid), ...), the last one may be (ETH_P_PPP_SES, PPPoE session id)."""
    frame = Ether(src=source, dst=destination)
    for tpid, vid in tags:
        if tpid == ETH_P_PPP_SES:
            frame = frame / PPPoE(sessionid=vid) / Raw(PPP_IP.to_bytes(2, "big"))
        else:
            frame = frame / (Dot1AD if tpid == 0x88a8 else Dot1Q)(vlan=vid)
    return frame


def size_of(tags):
    """Bytes between the Ethernet header and IP."""
    return sum(PPPOE_BYTES if tpid == ETH_P_PPP_SES else 4 for tpid, _ in tags)


def encapsulated(source, destination, tags, ip):
    """The whole frame around the bytes of an IP packet (and its padding), without scapy's help."""
    frame, inside = mac_bytes(destination) + mac_bytes(source), b"\x08\x00"
    for tpid, vid in tags:
        frame += struct.pack("!H", tpid)
        if tpid == ETH_P_PPP_SES:
            frame, inside = frame + struct.pack("!BBHH", 0x11, 0, vid, 2 + ip_length(ip)), struct.pack("!H", PPP_IP)
        else:
            frame += struct.pack("!H", vid)
    return frame + inside + ip


def pppoe(source, destination, tags, session, body, kind=(0x11, 0), length=None, ethertype=ETH_P_PPP_SES):
    """A PPPoE frame; `body` is what the PPPoE length counts, `tags` those of Ethernet."""
    frame = mac_bytes(destination) + mac_bytes(source) + b"".join(struct.pack("!HH", *tag) for tag in tags)
    length = len(body) if length is None else length
    return frame + struct.pack("!HBBHH", ethertype, *kind, session, length) + body


def ppp(session, protocol, packet, number=None, **more):
    """A PPP packet from a PPPoE subscriber, of its session or of another."""
    *tags, (_, own) = session.tags
    return pppoe(session.mac, session.interface_mac, tags, own if number is None else number,
                 struct.pack("!H", protocol) + packet, **more)


def lcp(code, magic, data=b"", identifier=7, length=None):
    length = 8 + len(data) if length is None else length
    return struct.pack("!BBHI", code, identifier, length, magic) + data


def discovery(code, source, destination, tags=(), body=b"\x01\x01\0\0", session=0, **more):
    """By default with an empty service name."""
    return pppoe(source, destination, tags, session, body, **{"kind": (0x11, code), "ethertype": 0x8863, **more})


def ip_length(ip):
    return int.from_bytes(ip[2:4], "big")


def with_ip(frame, ip):
    """The frame with another IP packet."""
    at = len(frame) - len(Ether(frame)[IP])
    before = frame[:at]
    if before.endswith(PPP_IP.to_bytes(2, "big")):
        before = before[:-4] + (2 + ip_length(ip)).to_bytes(2, "big") + before[-2:]
    return before + ip


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
    inner = None if exempt else (session.address, inner_port)
    return encapsulated(session.interface_mac, session.mac, session.tags, translated(frame, destination=inner))


def ip_of(frame):
    return Ether(frame)[IP]


def parse(frame):
    return Ether(frame)
