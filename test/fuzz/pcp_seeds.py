#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/pcp: requests of each kind, alone and one after the other.
import pathlib
import struct

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "pcp"
CLIENT = bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 10])
ANY, PEER = bytes(10) + b"\xff\xff" + bytes(4), bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])


def header(opcode, lifetime, version=2, client=CLIENT):
    return struct.pack("!BBHI", version, opcode, 0, lifetime) + client


def map_(lifetime=3600, nonce=1, protocol=17, inner=5000, public=0, options=b"", **more):
    return header(1, lifetime, **more) + bytes([nonce]) * 12 + struct.pack("!B3xHH", protocol, inner, public) + ANY + options


def peer(lifetime=3600, nonce=1, protocol=17, inner=5000, number=53, options=b"", **more):
    return (header(2, lifetime, **more) + bytes([nonce]) * 12 + struct.pack("!B3xHH", protocol, inner, 0) + ANY +
            struct.pack("!HH", number, 0) + PEER + options)


PREFER_FAILURE, THIRD_PARTY = b"\x02\0\0\0", b"\x01\0\0\x10" + CLIENT
SEEDS = {
    "announce": [header(0, 0)], "nat_pmp": [b"\0\0"], "version_1": [map_(version=1)], "short": [map_()[:40]],
    "map": [map_()], "map_tcp": [map_(protocol=6)], "map_twice": [map_(), map_()], "map_delete": [map_(), map_(0)],
    "map_nonce": [map_(), map_(nonce=2), map_(0, nonce=2)], "map_all": [map_(), map_(0, protocol=0, inner=0)],
    "map_prefer": [map_(public=2080, options=PREFER_FAILURE), map_(inner=5001, public=2080, options=PREFER_FAILURE)],
    "map_quota": [map_(inner=5000 + number) for number in range(6)], "map_third": [map_(options=THIRD_PARTY)],
    "map_option_long": [map_(options=b"\x80\0\xff\xff")], "map_mismatch": [map_(client=ANY)],
    "peer": [peer()], "peer_map": [peer(), map_(nonce=2), map_(0, nonce=2), peer(0)],
    "peer_other": [peer(), peer(nonce=2, number=54), peer(nonce=3)], "opcode_3": [header(3, 60) + bytes(40)],
    "delete_again": [map_(), map_(0), map_(nonce=2), map_(0, nonce=2), map_(0)],
}

FOLDER.mkdir(parents=True, exist_ok=True)
for name, requests in SEEDS.items():
    (FOLDER / name).write_bytes(b"".join(struct.pack("!H", len(request)) + request for request in requests))
