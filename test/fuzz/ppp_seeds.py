#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/ppp: links of each kind, as far as they come.
import pathlib
import struct

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "ppp"
LCP, IPCP, PAP, CHAP = 0xC021, 0x8021, 0xC023, 0xC223
LINE, BY_PAP, BY_CHAP, BY_MSCHAP2 = bytes([0, 0, 0]), bytes([1, 0, 0]), bytes([2, 1, 0]), bytes([3, 2, 1])


def frame(protocol, code, number, data=b""):
    body = struct.pack("!HBBH", protocol, code, number, 4 + len(data)) + data
    return bytes([6, len(body)]) + body


def raw(data):
    return bytes([6, len(data)]) + data


def wait(seconds):
    return bytes([0, int(seconds * 10)])


def option(kind, value):
    return bytes([kind, 2 + len(value)]) + value


GRANT, DENY, READY, CLOSE = b"\x01\x03", b"\x02\x01", b"\x03\0", b"\x04\0"
MRU = option(1, b"\x05\xd4")


def auth(value):
    return option(3, value)


def magic(number):
    return option(5, bytes([number]) * 4)


# What chance gives in the target is 1, 2, 3 ...: the first is our number, later ones depend.
def lcp_up(value):
    own = MRU + (auth(value) if value else b"") + magic(1)
    return frame(LCP, 1, 1, MRU + magic(0xC0)) + frame(LCP, 2, 1, own)


def pap(user=b"alice", password=b"a secret of some length", number=1):
    return frame(PAP, 1, number, bytes([len(user)]) + user + bytes([len(password)]) + password)


ADDRESS, GATEWAY = option(3, bytes([10, 0, 0, 1])), option(3, bytes([10, 0, 0, 2]))
DNS = option(129, b"\x08\x08\x08\x08") + option(131, b"\x01\x01\x01\x01")
TO_ASKED = lcp_up(b"\xc0\x23") + pap()
TO_PREPARE = TO_ASKED + GRANT + frame(IPCP, 2, 1, GATEWAY) + frame(IPCP, 1, 1, option(3, bytes(4))) + frame(IPCP, 1, 2, ADDRESS + DNS)
TO_OPEN = TO_PREPARE + READY
SEEDS = {
    "silent": BY_PAP + wait(25) * 3,
    "pap": BY_PAP + TO_OPEN,
    "pap_denied": BY_PAP + TO_ASKED + DENY + frame(LCP, 6, 2),
    "pap_again": BY_PAP + TO_ASKED + pap(number=2) + pap(number=3) + GRANT + pap(number=4),
    "pap_short": BY_PAP + lcp_up(b"\xc0\x23") + frame(PAP, 1, 1, b"\x05ali"),
    "pap_user": BY_PAP + lcp_up(b"\xc0\x23") + pap(user=b"\xff\xfe"),
    "chap": BY_CHAP + lcp_up(b"\xc2\x23\x05") + frame(CHAP, 2, 1, b"\x10" + bytes(16) + b"alice") + GRANT,
    "chap_wait": BY_CHAP + lcp_up(b"\xc2\x23\x05") + wait(3) + wait(3) + frame(CHAP, 2, 1, b"\x10" + bytes(16) + b"alice") + DENY,
    "mschap2": BY_MSCHAP2 + lcp_up(b"\xc2\x23\x81") + frame(CHAP, 2, 1, b"\x31" + bytes(49) + b"alice") + GRANT,
    "mschap2_denied": BY_MSCHAP2 + lcp_up(b"\xc2\x23\x81") + frame(CHAP, 2, 1, b"\x31" + bytes(49) + b"alice") + DENY,
    "line": LINE + lcp_up(b"") + GRANT + frame(IPCP, 2, 1, GATEWAY) + frame(IPCP, 1, 1, ADDRESS) + READY,
    "auth_nak": BY_MSCHAP2 + frame(LCP, 3, 1, auth(b"\xc2\x27")) + frame(LCP, 3, 2, auth(b"\xc0\x23")) + frame(LCP, 4, 3, auth(b"\xc0\x23")),
    "options": BY_PAP + frame(LCP, 1, 1, option(1, b"\x05\xdc") + option(7, b"") + option(8, b"") + auth(b"\xc0\x23")) +
    frame(LCP, 1, 2, option(1, b"\x05\xdc")) * 7 + frame(LCP, 1, 3, option(1, b"") + magic(0)),
    "loop": BY_PAP + frame(LCP, 1, 1, MRU + auth(b"\xc0\x23") + magic(1)) * 6,
    "rejects": BY_PAP + lcp_up(b"\xc0\x23") + frame(LCP, 7, 9, b"\x0c\x01\0\x04") + frame(LCP, 8, 9, b"\x80\xfd") + frame(LCP, 7, 9, b"\x01\x01\0\x04"),
    "codes": BY_PAP + lcp_up(b"\xc0\x23") + b"".join(frame(LCP, code, 9, bytes(8)) for code in range(8, 16)),
    "protocols": BY_PAP + TO_ASKED + GRANT + frame(0x8057, 1, 1, option(1, bytes(8))) + frame(0x80FD, 1, 1) + raw(b"\0\x21E"),
    "ipcp_insists": BY_PAP + TO_ASKED + GRANT + frame(IPCP, 1, 1, option(3, b"\xc0\xa8\0\x01") + option(129, bytes(4))) * 8,
    "ipcp_reject": BY_PAP + TO_ASKED + GRANT + frame(IPCP, 4, 1, GATEWAY) + frame(IPCP, 1, 1, option(2, b"\0\x2d\x0f\1")),
    "leave": BY_PAP + TO_OPEN + frame(LCP, 5, 7),
    "leave_network": BY_PAP + TO_OPEN + frame(IPCP, 5, 7) + frame(LCP, 6, 2),
    "close": BY_PAP + TO_OPEN + CLOSE + wait(3) + wait(3),
    "close_in_prepare": BY_PAP + TO_PREPARE + CLOSE + READY + frame(LCP, 6, 2),
    "anew": BY_PAP + TO_OPEN + frame(LCP, 1, 9, MRU + magic(0xBE)) + wait(3),
    "anew_network": BY_PAP + TO_OPEN + frame(IPCP, 1, 9, ADDRESS) + frame(IPCP, 2, 2, GATEWAY),
    "repeated": BY_PAP + TO_OPEN + frame(LCP, 1, 1, MRU + magic(0xC0)) + frame(IPCP, 1, 2, ADDRESS + DNS),
    "changed_mind": BY_PAP + TO_PREPARE + frame(IPCP, 1, 3, option(130, bytes(4))) + READY + frame(IPCP, 1, 4, ADDRESS),
    "prepare_ends": BY_PAP + TO_PREPARE + frame(LCP, 5, 7),
    "short": BY_PAP + raw(b"") + raw(b"\xc0") + raw(b"\xc0\x21\x01\x01\0") + raw(b"\xc0\x21\x01\x01\xff\xff") + raw(b"\xc0\x21\x01\x01\0\x05\x01"),
}

FOLDER.mkdir(parents=True, exist_ok=True)
for name, steps in SEEDS.items():
    (FOLDER / name).write_bytes(steps)
