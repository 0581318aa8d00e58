#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/hold: lists of frames, each behind its length in units of
# four (frames are padded to that), as test/fuzz/hold.c reads them.
import pathlib

from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "hold"
UNIT = 4


def wrapped(*frames):
    out = b""
    for frame in map(bytes, frames):
        frame += bytes(-len(frame) % UNIT)
        out += bytes([len(frame) // UNIT]) + frame
    return out


def pieces(identification, tags=0):
    link = Ether()
    if tags == 2:
        link /= Dot1AD(vlan=5)
    if tags:
        link /= Dot1Q(vlan=7)
    whole = IP(src="10.0.0.5", dst="192.0.2.1", id=identification) / UDP(sport=1, dport=2) / Raw(bytes(40))
    return [link / piece for piece in fragment(IP(bytes(whole)), 16)]


def syn(port):
    return Ether() / IP(src="192.0.2.1", dst="203.0.113.1") / TCP(sport=4444, dport=port)


SEEDS = {
    "in-order": wrapped(*pieces(1)),
    "backwards": wrapped(*pieces(1)[::-1]),
    "never-the-first": wrapped(*pieces(2)[1:], *pieces(4)[1:]),
    "tags": wrapped(*pieces(3, 1)[::-1], *pieces(3, 2)[::-1]),
    "twice": wrapped(*pieces(5)[1:], *pieces(5)[1:]),
    "syns": wrapped(*map(syn, (1, 2, 3, 1, 4, 5, 6))),
    "mixed": wrapped(syn(9), *pieces(7)[::-1], syn(9)),
    "cut": wrapped(*pieces(1))[:-9],
    "nothing": b"",
}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        (FOLDER / name).write_bytes(seed)
