#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/coa.
import pathlib

from radius_seeds import SIGNED, attribute, packet, vendor

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus" / "coa"
ACCT, USER = attribute(44, b"0000000000000001"), attribute(1, b"anna")
PACKETS = {
    "disconnect": packet(40, ACCT, attribute(55, bytes(4)), SIGNED), "coa": packet(43, USER, attribute(11, b"walled")),
    "all": packet(43, ACCT, USER, attribute(8, bytes(4)), attribute(87, b"eth0:1.2"), attribute(31, b"02-00-00-00-00-01"),
                  attribute(32, b"bng"), attribute(4, bytes([127, 0, 0, 1])), attribute(33, b"proxy"), attribute(49, bytes(4))),
    "vendor": packet(43, USER, vendor(14988, attribute(8, b"1M/2M")), vendor(9, b"\x01\x09xy")),
    "twice": packet(40, USER, USER), "empty_user": packet(40, attribute(1, b"")), "service": packet(43, USER, attribute(6, bytes(4))),
    "wrong_sizes": packet(43, USER, attribute(8, bytes(3)), attribute(4, bytes(5)), attribute(55, b"")),
    "nobody": packet(40, SIGNED), "other_code": packet(99, USER), "cut": packet(43, USER)[:21], "nothing": b"",
    "length_long": packet(40, USER, length=400), "length_short": packet(40, USER, length=10),
}

if __name__ == "__main__":
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, data in PACKETS.items():
        (CORPUS / name).write_bytes(data)
