#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/alg: frames with FTP commands, good and bad.
import pathlib

from scapy.layers.inet import IP, IPOption, TCP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "alg"
MACS = {"src": "02:00:00:00:00:0a", "dst": "02:00:00:00:00:01"}


def frame(text, tags=0, ip_options=b"", **fields):
    link = Ether(**MACS)
    if tags == 2:
        link /= Dot1AD(vlan=5)
    if tags:
        link /= Dot1Q(vlan=7)
    tcp = TCP(sport=4000, dport=21, flags="PA", **fields)
    return bytes(link / IP(src="10.0.0.5", dst="192.0.2.1", options=ip_options) / tcp / Raw(text))


SEEDS = {
    "port": frame(b"PORT 10,0,0,5,156,65\r\n"),
    "port-more": frame(b"port 10,0,0,5,156,65\r\nRETR x\r\n", tags=1),
    "eprt": frame(b"EPRT |1|10.0.0.5|40001|\r\n", tags=2),
    "eprt-6": frame(b"EPRT |2|2001:db8::1|40001|\r\n"),
    "other-address": frame(b"PORT 10,0,0,6,1,1\r\n"),
    "no-end": frame(b"PORT 10,0,0,5,1,1"),
    "options": frame(b"PORT 10,0,0,5,1,1\r\n", ip_options=IPOption(b"\x94\x04\x00\x00"), options=[("Timestamp", (1, 2))]),
    "padded": frame(b"PORT 10,0,0,5,1,1\r\n") + bytes(9),
    "nothing": b"",
}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        (FOLDER / name).write_bytes(seed)
