#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/first_packet: lists of frames, each behind a byte that says
# what happens after it and one with its length, as test/fuzz/first_packet.c reads them.
import pathlib

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "first_packet"
NOTHING, GRANT, DENY, SILENCE, SECONDS, RESTART, NOBODY = range(7)
EVERYWHERE = 0x80  # on the first one: all addresses may have a session
HOST = "172.20.1.5"


def frame(source=HOST, tags=0, mac="02:00:00:00:00:0a"):
    link = Ether(src=mac, dst="02:00:00:00:00:fe")
    if tags == 2:
        link /= Dot1AD(vlan=100)
    if tags:
        link /= Dot1Q(vlan=7)
    return bytes(link / IP(src=source, dst="198.18.0.1") / UDP(sport=1, dport=2))


def listed(*pairs):
    return b"".join(bytes([what, len(data)]) + data for what, data in pairs)


SEEDS = {
    "granted": listed((GRANT, frame()), (NOTHING, frame())),
    "granted-tags": listed((GRANT, frame(tags=1)), (GRANT, frame(source="172.20.1.6", tags=2))),
    "denied-held-again": listed((DENY, frame()), (SECONDS, frame()), (GRANT, frame())),
    "unanswered": listed((SILENCE, frame()), (NOTHING, frame())),
    "repeated": listed((NOTHING, frame()), (NOTHING, frame()), (GRANT, frame())),
    "restarted": listed((RESTART, frame()), (GRANT, b"")),
    "nobody-to-ask": listed((NOBODY, b""), (NOTHING, frame()), (NOTHING, frame(source="172.20.9.9", mac="02:00:00:00:00:0b"))),
    "elsewhere": listed((GRANT, frame(source="10.9.9.9"))),
    "gateway": listed((EVERYWHERE, b""), (GRANT, frame(source="10.0.0.1"))),
    "no-hosts": listed((EVERYWHERE, b""), *((GRANT, frame(source=source)) for source in (
        "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"))),
    "multicast-mac": listed((GRANT, frame(mac="03:00:00:00:00:0a"))),
    "no-ipv4": listed((GRANT, bytes(Ether() / ARP(psrc=HOST)))),
    "pppoe": listed((GRANT, bytes(Ether(type=0x8864) / PPPoE(sessionid=1) / PPP(proto=0x21) / IP(src=HOST)))),
    "three-tags": listed((GRANT, frame(tags=2)[:12] + b"\x81\x00\x00\x05" + frame(tags=2)[12:])),
    "cut-ip": listed((GRANT, frame()[:30])),
    "cut-tag": listed((GRANT, frame(tags=2)[:17])),
    "empty": b"",
}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        (FOLDER / name).write_bytes(seed)
