#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/pppoe: what a client says from PADI to PADT, whole and with
# something wrong, with what happens in between (see pppoe.c).
import pathlib
import struct

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "pppoe"
NOTHING, SECOND, GRANT, DENY, DURABLE, RESTART, RELEASE, KEEPALIVE = range(8)
SERVER, CLIENT = bytes.fromhex("0200000000fe"), bytes.fromhex("020000000007")
COOKIE, YOURS = 20, 0xFFFF


def tag(kind, value=b""):
    return struct.pack("!HH", kind, len(value)) + value


def link(kind, vlan=None, destination=SERVER):
    tags = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return destination + CLIENT + tags + struct.pack("!H", kind)


def discovery(code, *tags, session=0, **more):
    body = b"".join(tags)
    return link(0x8863, **more) + struct.pack("!BBHH", 0x11, code, session, len(body)) + body


def ppp(text, **more):
    body = bytes.fromhex(text)
    return link(0x8864, **more) + struct.pack("!BBHH", 0x11, 0, YOURS, len(body)) + body


LINE = tag(0x105, struct.pack("!I", 3561) + b"\x01\x05eth 1\x02\x02r1")
PADI = discovery(0x09, tag(0x101), tag(0x103, b"uniq"), LINE, destination=b"\xff" * 6)
PADR = discovery(0x19, tag(0x101), tag(0x103, b"uniq"), tag(0x104, bytes(COOKIE)), LINE)
PADT = discovery(0xA7, session=YOURS)
LCP_ACK = ppp("c021 02 01 0012 0104 05d4 0304 c023 0506 00000000")
LCP = ppp("c021 01 01 000e 0104 05d4 0506 01020304")
PAP = ppp("c023 01 07 000d 04 6e656d6f 03 736563")
IPCP_ACK = ppp("8021 02 01 000a 0306 0a400001")
IPCP = ppp("8021 01 01 0016 0306 00000000 8106 00000000 8306 00000000")
IPCP_AGAIN = ppp("8021 01 02 000a 0306 0a40000a")
TERMINATE = ppp("c021 05 09 0004")
ECHO = ppp("c021 09 01 0008 00000000")
IP6 = ppp("8057 01 01 000e 010a 0000000000000001")
UP = [(NOTHING, PADI), (NOTHING, PADR), (NOTHING, LCP_ACK), (NOTHING, LCP), (NOTHING, PAP), (GRANT, IPCP_ACK), (NOTHING, IPCP),
      (NOTHING, IPCP_AGAIN), (DURABLE, ECHO)]


def restarted():
    for place in range(1, len(UP)):
        yield f"restart-{place}", [*UP[:place], (RESTART, ECHO), *UP[place:]]


def sequences():
    yield "up", UP
    yield "up-down", [*UP, (NOTHING, TERMINATE), (SECOND, PADT)]
    yield "up-padt", [*UP, (SECOND, PADT)]
    yield "up-again", [*UP, (SECOND, LCP), (RELEASE, LCP_ACK), (NOTHING, PAP), (GRANT, IPCP)]
    yield "up-replaced", [*UP, (SECOND, PADI), (NOTHING, PADR)]
    yield "denied", [*UP[:5], (DENY, ECHO), (SECOND, ECHO)]
    yield "other-protocols", [*UP[:6], (NOTHING, IP6), (NOTHING, ppp("80fd 01 01 0004")), (NOTHING, ppp("1234 00"))]
    yield "silent", [*UP, *[(KEEPALIVE, b"")] * 6]
    yield "twice", [(NOTHING, PADI), (NOTHING, PADR), (NOTHING, PADR), (SECOND, PADI), (NOTHING, PADR)]
    yield "vlan", [(NOTHING, discovery(0x09, tag(0x101), vlan=100)), (NOTHING, ppp("c021 01 01 0004", vlan=100))]
    yield "no-cookie", [(NOTHING, discovery(0x19, tag(0x101)))]
    yield "payload", [(NOTHING, discovery(0x09, tag(0x101), tag(0x120, b"\x05\xdc")))]
    yield "stranger", [(NOTHING, ppp("c021 01 01 0004")), (NOTHING, PADT)]
    yield "cut", [(NOTHING, PADI[:30]), (NOTHING, LCP[:22]), (NOTHING, b"")]
    yield "tag-out", [(NOTHING, discovery(0x09, b"\x01\x01\xff\xff"))]
    yield from restarted()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, frames in sequences():
        (FOLDER / name).write_bytes(b"".join(struct.pack("!BH", before, len(frame)) + frame for before, frame in frames))
