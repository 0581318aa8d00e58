#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/radius and corpus/radius_dictionary.
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def attribute(kind, value):
    return bytes([kind, 2 + len(value)]) + value


def vendor(number, *attributes):
    return attribute(26, struct.pack("!I", number) + b"".join(attributes))


def packet(code, *attributes, length=None):
    body = b"".join(attributes)
    return struct.pack("!BBH", code, 1, 20 + len(body) if length is None else length) + bytes(range(16)) + body


SIGNED = attribute(80, bytes(16))
PACKETS = {
    "accept": packet(2, SIGNED, attribute(8, bytes([10, 0, 0, 7])), attribute(18, b"hello"), attribute(25, b"\xff\0")),
    "reject": packet(3, SIGNED), "challenge": packet(11, SIGNED, attribute(24, b"state")), "accounted": packet(5),
    "vendors": packet(2, vendor(9, attribute(1, b"a=b"), attribute(2, b"")), vendor(14988, attribute(8, b"1M/1M"))),
    "vendor_wrong": packet(2, vendor(9, b"\x01\x09xy"), vendor(0, attribute(1, b"x")), attribute(26, b"\0\0")),
    "request": packet(1, SIGNED, attribute(1, b"nemo"), attribute(2, b"0123456789abcdef" * 2)),
    "request_odd": packet(1, SIGNED, attribute(2, b"0123456789abcdef0"), attribute(2, b"")),
    "accounting": packet(4, attribute(40, bytes([0, 0, 0, 7]))), "twice": packet(2, SIGNED, SIGNED),
    "short_authenticator": packet(1, attribute(80, bytes(15))), "no_attributes": packet(2), "nothing": b"",
    "length_long": packet(2, length=60), "length_short": packet(2, SIGNED, length=19), "zero": packet(2, b"\x01\x00"),
    "cut": packet(2, SIGNED)[:30], "ipv6": packet(2, attribute(97, bytes([0, 56]) + bytes(7)), attribute(95, bytes(16))),
    "numbers": packet(2, attribute(5, bytes([0, 0, 0, 1])), attribute(6, b"\xff\xff\xff\xff"), attribute(5, bytes(9))),
}
TEXTS = {
    "small": "ATTRIBUTE A 1 string\nVALUE A One 1\n", "comments": "# only\n\n  # this\nATTRIBUTE\tB\t2\tipaddr # and\r\n",
    "vendor": "VENDOR V 9\nBEGIN-VENDOR V\nATTRIBUTE C 3 integer\nVALUE C Two 0x2\nEND-VENDOR V\n",
    "format": "VENDOR V 9 format=2,2\nBEGIN-VENDOR V\nATTRIBUTE C 3 integer\nEND-VENDOR V\n",
    "tlv": "ATTRIBUTE T 1 tlv\nBEGIN-TLV T\nATTRIBUTE U 1 octets\nEND-TLV T\n", "include": "$INCLUDE /dev/zero\n",
    "old_vendor": "VENDOR V 9\nATTRIBUTE D 1 string V\n", "twice": "ATTRIBUTE A 1 string\nATTRIBUTE E 1 date\n",
    "wrong": "ATTRIBUTE A\n", "number": "ATTRIBUTE A 99999999999999999999 string\n", "word": "HELLO world\n",
    "unended": "VENDOR V 9\nBEGIN-VENDOR V", "value": "VALUE A B 18446744073709551615\n", "nul": "ATTR\0IBUTE\n",
    "long": "A" * 600, "many": "ATTRIBUTE a b c d e f g h i j k l m n o p\n", "flags": "FLAGS internal\nEND-TLV\n",
}

if __name__ == "__main__":
    for folder, seeds in (("radius", PACKETS), ("radius_dictionary", TEXTS)):
        (CORPUS / folder).mkdir(parents=True, exist_ok=True)
        for name, seed in seeds.items():
            (CORPUS / folder / name).write_bytes(seed if isinstance(seed, bytes) else seed.encode())
