#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/aaa: replies with attributes that mean something.
import pathlib
import struct

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "aaa"


def attribute(kind, value):
    return bytes([kind, 2 + len(value)]) + value


def vendor(number, kind, value):
    return attribute(26, struct.pack("!I", number) + attribute(kind, value))


def number(value):
    return struct.pack("!I", value)


def accept(*attributes):
    body = b"".join(attributes)
    return struct.pack("!BBH", 2, 1, 20 + len(body)) + bytes(16) + body


def pair(text):
    return vendor(9, 1, text)


SEEDS = {
    "usual": accept(attribute(8, bytes([10, 0, 0, 7])), attribute(27, number(3600)), attribute(85, number(300)),
                    attribute(88, b"homes"), attribute(18, b"hello"), attribute(25, b"\xff\0")),
    "ours": accept(vendor(32473, 1, number(10000)), vendor(32473, 2, number(20000)), vendor(32473, 3, b"gold"),
                   vendor(32473, 4, number(2)), vendor(32473, 5, number(100)), vendor(32473, 10, number(1))),
    "routes": accept(attribute(8, bytes([10, 0, 0, 7])), attribute(22, b"10.1.0.0/24 10.0.0.7 1"), attribute(22, b"192.0.2.0"),
                     attribute(22, b"10.2.0.0/16 10.0.0.9"), attribute(22, b"10.2.0.0/99"), *[attribute(22, b"10.3.0.0/16")] * 8),
    "mikrotik": accept(vendor(14988, 8, b"10M/20M 20M/40M 8M/16M 16/16s 8 1M/1M"), vendor(14988, 8, b"1G")),
    "cisco": accept(pair(b"sub:Ingress-Committed-Data-Rate=5000000"), pair(b"ip:addr-pool=homes"), pair(b"ip:dns-servers=1.2.3.4 1.2.3.5"),
                    pair(b"lcp:interface-config#1=rate-limit output access-group 1 128000 4000 8000 conform-action transmit")),
    "cisco_odd": accept(pair(b"="), pair(b"a#=b"), pair(b"lcp:interface-config#1=rate-limit"), pair(b"ip:dns-servers=,"), pair(b"ip:addr-pool=")),
    "class": accept(*[attribute(25, bytes(253))] * 5), "class_empty": accept(*[attribute(25, b"")] * 600),
    "filters": accept(*[attribute(11, b"x" * 253)] * 6), "filter_comma": accept(attribute(11, b"a,b")),
    "prefix": accept(attribute(123, bytes([0, 56]) + bytes(7)), attribute(123, bytes([0, 128]) + b"\xff" * 16), attribute(123, b"")),
    "others": accept(vendor(311, 28, number(1)), vendor(311, 29, bytes([8, 8, 8, 8])), vendor(14122, 7, number(5)),
                     vendor(2011, 5, number(7)), vendor(4874, 2, b"homes"), vendor(529, 136, bytes([9, 9, 9, 9]))),
    "configured": accept(attribute(2, number(4294968)), attribute(3, b"5M/6M"), vendor(9, 2, b"10.0.0.9")),
    "text_odd": accept(attribute(1, b"a\0b"), attribute(1, b"\xff\xfe"), attribute(1, b""), attribute(18, b"\x01\xff")),
    "large": accept(vendor(32473, 1, b"\xff" * 8), attribute(27, b"\xff" * 8), vendor(14122, 7, b"\xff" * 4)),
    "user": accept(attribute(1, b"caf\xe9"), attribute(11, b"\xff\\x00")),
}

FOLDER.mkdir(parents=True, exist_ok=True)
for name, seed in SEEDS.items():
    (FOLDER / name).write_bytes(seed)
