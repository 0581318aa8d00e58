# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A PPPoE client: discovery, LCP, PAP or CHAP, IPCP, echo, data, in a thread of its own on a
# packet socket. It is strict: what a client of the RFCs would not expect is a fault, and
# it sends again what was not answered, as real clients do, only sooner.
import hashlib
import ipaddress
import os
import select
import socket
import struct
import threading
import time

import sandbox
from lab import PATIENCE_S, wait_for

DISCOVERY, SESSION = 0x8863, 0x8864
PADI, PADO, PADR, PADS, PADT = 0x09, 0x07, 0x19, 0x65, 0xA7
SERVICE, AC_NAME, HOST_UNIQ, COOKIE, VENDOR, RELAY, MAX_PAYLOAD = 0x101, 0x102, 0x103, 0x104, 0x105, 0x110, 0x120
SERVICE_ERROR, SYSTEM_ERROR, GENERIC_ERROR = 0x201, 0x202, 0x203
IPV4, IPCP, LCP, PAP, CHAP = 0x21, 0x8021, 0xC021, 0xC023, 0xC223
REQUEST, ACK, NAK, REJECT, TERMINATE, TERMINATE_ACK, CODE_REJECT, PROTOCOL_REJECT, ECHO, ECHO_REPLY = range(1, 11)
BROADCAST = b"\xff" * 6
AGAIN = 0.4  # seconds until something is said once more


def tags(*pairs):
    return b"".join(struct.pack("!HH", tag, len(value)) + value for tag, value in pairs)


def parse_tags(data):
    found, at = [], 0
    while at < len(data):
        tag, length = struct.unpack_from("!HH", data, at)
        assert at + 4 + length <= len(data), "a tag leads out of the packet"
        found.append((tag, data[at + 4:at + 4 + length]))
        at += 4 + length
    return found


def line_tag(circuit=None, remote=None):
    value = struct.pack("!I", 3561)
    for kind, text in ((1, circuit), (2, remote)):
        if text is not None:
            value += bytes([kind, len(text)]) + text
    return VENDOR, value


def options(data):
    found, at = {}, 0
    while at < len(data):
        length = data[at + 1]
        assert 2 <= length <= len(data) - at, "an option leads out of the packet"
        found[data[at]] = data[at + 2:at + length]
        at += length
    return found


def option(kind, value):
    return bytes([kind, len(value) + 2]) + value


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class PppoeClient:
    """`client`: of the lab. Attributes say how it behaves and what became of it."""

    def __init__(self, client, user="nemo", password="arctangent", service=b"", line=None, mru=1492, max_payload=None,
                 again=AGAIN, hold=()):
        self.mac = bytes.fromhex(client.mac.replace(":", ""))
        self.user, self.password, self.service, self.line = user.encode(), password.encode(), service, line
        self.mru, self.max_payload, self.again = mru, max_payload, again
        with sandbox.entered(client.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind(("eth0", 0))
        self.server, self.cookie, self.offers, self.errors = None, None, [], []
        self.faults, self.hold = [], set(hold)  # frames of these protocols are not answered
        self.answers_echo = True
        self.terminated = threading.Event()
        self.lock = threading.RLock()
        self.begin()
        self.ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def begin(self):
        """Everything that a client that was switched on again does not know."""
        with self.lock:
            self.uniq, self.state, self.session = os.urandom(6), "idle", 0
            self.magic, self.address, self.gateway = os.urandom(4), b"\0" * 4, None
            self.servers = {129: b"\0" * 4, 131: b"\0" * 4}  # of names, as far as they are not rejected
            self.lcp = {"acked": False, "acks": False, "id": 0}
            self.ipcp = {"acked": False, "acks": False, "id": 0}
            self.auth, self.auth_ok, self.auth_text = None, False, b""
            self.echo_sent, self.echo_got, self.echo_times = 0, 0, []
            self.pongs, self.padts, self.due = [], 0, 0
            self.asked_lcp, self.peer_mru, self.told_mru = None, None, None  # theirs; what ours was Nak'd to
            self.packets = []  # of UDP: (destination port, its IPv4 packet)
            self.terminated.clear()

    # ---- sending ----

    def _frame(self, kind, body, to=None):
        self.socket.send((to or self.server or BROADCAST) + self.mac + struct.pack("!H", kind) + body)

    def discovery(self, code, body, to=None, session=0):
        self._frame(DISCOVERY, struct.pack("!BBHH", 0x11, code, session, len(body)) + body, to)

    def ppp(self, protocol, body):
        body = struct.pack("!H", protocol) + body
        self._frame(SESSION, struct.pack("!BBHH", 0x11, 0, self.session, len(body)) + body)

    def control(self, protocol, code, identity, data=b""):
        self.ppp(protocol, struct.pack("!BBH", code, identity, len(data) + 4) + data)

    def _wanted_tags(self, *more):
        found = [(SERVICE, self.service), (HOST_UNIQ, self.uniq), *more]
        if self.max_payload:
            found.append((MAX_PAYLOAD, struct.pack("!H", self.max_payload)))
        if self.line:
            found.append(line_tag(*self.line))
        return tags(*found)

    def padi(self):
        self.discovery(PADI, self._wanted_tags(), BROADCAST)

    def padr(self):
        self.discovery(PADR, self._wanted_tags((COOKIE, self.cookie)))

    def padt(self):
        self.discovery(PADT, b"", session=self.session)
        self.state = "idle"

    def _ask_lcp(self):
        self.lcp["id"] = self.lcp["id"] % 255 + 1
        self.asked_lcp = option(1, struct.pack("!H", self.mru)) + option(5, self.magic)
        self.control(LCP, REQUEST, self.lcp["id"], self.asked_lcp)

    def _ask_ipcp(self):
        self.ipcp["id"] = self.ipcp["id"] % 255 + 1
        body = option(3, self.address) + b"".join(option(kind, value) for kind, value in self.servers.items())
        self.control(IPCP, REQUEST, self.ipcp["id"], body)

    def _ask_auth(self):
        if self.auth == PAP and PAP not in self.hold:
            self.control(PAP, 1, 1, bytes([len(self.user)]) + self.user + bytes([len(self.password)]) + self.password)

    def echo(self):
        self.echo_sent += 1
        self.control(LCP, ECHO, self.echo_sent & 0xFF, self.magic + struct.pack("!dI", time.monotonic(), self.echo_sent))

    def ping(self, address, identity=7, sequence=1):
        """An ICMP echo request as the session's data."""
        body = struct.pack("!BBHHH", 8, 0, 0, identity, sequence) + b"ping" * 8
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), sequence, 0, 64, 1, 0, self.address,
                           ipaddress.ip_address(address).packed)
        self.ppp(IPV4, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body)

    def udp(self, address, port, source_port, length):
        """A packet of so many bytes that must not be cut."""
        body = struct.pack("!HHHH", source_port, port, length - 20, 0) + bytes(length - 28)
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 1, 0x4000, 64, 17, 0, self.address,
                           ipaddress.ip_address(address).packed)
        self.ppp(IPV4, head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body)

    def terminate(self):
        self.terminated.clear()
        self.control(LCP, TERMINATE, 77, b"bye")

    # ---- time ----

    def _again(self):
        """What was not answered yet is said once more."""
        if self.state == "padi":
            self.padi()
        elif self.state == "padr":
            self.padr()
        elif self.state == "session":
            if not (self.lcp["acked"] and self.lcp["acks"]):
                if LCP not in self.hold and not self.lcp["acked"]:
                    self._ask_lcp()
            elif self.auth and not self.auth_ok:
                self._ask_auth()
            elif not self.ipcp["acked"] and IPCP not in self.hold:
                self._ask_ipcp()

    def _run(self):
        while not self.ending:
            ready = select.select([self.socket], [], [], 0.02)[0]
            with self.lock:
                if ready:
                    self._receive(self.socket.recv(4096))
                if time.monotonic() >= self.due and self.state != "idle":
                    self.due = time.monotonic() + self.again
                    self._again()

    # ---- receiving ----

    def _receive(self, frame):
        if len(frame) < 20 or frame[:6] != self.mac:
            return
        kind, = struct.unpack_from("!H", frame, 12)
        if kind not in (DISCOVERY, SESSION) or frame[14] != 0x11:
            return
        code, session, length = struct.unpack_from("!BHH", frame, 15)
        body = frame[20:20 + length]
        try:
            assert len(body) == length, "the length leads out of the frame"
            if kind == DISCOVERY:
                self._discovered(frame[6:12], code, session, parse_tags(body))
            elif session == self.session and code == 0 and self.state == "session":
                self._session(body)
        except (AssertionError, struct.error, IndexError, KeyError) as error:
            self.faults.append((repr(error), frame.hex()))

    def _discovered(self, source, code, session, found):
        named = dict(found)
        if code in (PADO, PADS):
            if named.get(HOST_UNIQ) != self.uniq:
                return
        if code == PADO:
            self.offers.append((source, found))
            assert SERVICE in named and AC_NAME in named and session == 0
            if self.state == "padi":
                self.server, self.cookie, self.state, self.due = source, named[COOKIE], "padr", 0
        elif code == PADS and self.state == "padr":
            errors = {tag: value for tag, value in found if tag in (SERVICE_ERROR, SYSTEM_ERROR, GENERIC_ERROR)}
            assert bool(errors) == (session == 0)
            self.pads = found
            if errors:
                self.errors.append(errors)
                self.state = "idle"
            else:
                self.session, self.state, self.due = session, "session", 0
        elif code == PADT and session == self.session and self.session:
            self.padts += 1
            self.state = "idle"

    def _session(self, body):
        protocol, = struct.unpack_from("!H", body)
        if protocol in self.hold:
            return
        if protocol == IPV4:
            self._data(body[2:])
            return
        code, identity, length = struct.unpack_from("!BBH", body, 2)
        assert 4 <= length <= len(body) - 2, "a packet leads out of its frame"
        data = body[6:2 + length]
        handler = {LCP: self._on_lcp, PAP: self._on_pap, CHAP: self._on_chap, IPCP: self._on_ipcp}.get(protocol)
        assert handler, f"protocol {protocol:04x}"
        handler(code, identity, data)

    def _on_lcp(self, code, identity, data):
        if code == REQUEST:
            asked = options(data)
            self.peer_mru, = struct.unpack("!H", asked[1])
            if 3 in asked:
                self.auth, = struct.unpack_from("!H", asked[3])
                assert self.auth == PAP or asked[3][2:] == b"\x05", f"authentication {asked[3].hex()}"
            if self.lcp["acks"] and self.lcp["acked"]:  # begun anew by the other side
                self.lcp.update(acked=False)
                self.auth_ok, self.ipcp = False, {"acked": False, "acks": False, "id": 0}
                self._ask_lcp()
            self.lcp["acks"] = True
            self.control(LCP, ACK, identity, data)
        elif code == ACK and identity == self.lcp["id"]:
            assert data == self.asked_lcp, "acknowledged what was not asked"
            self.lcp["acked"], self.due = True, 0
        elif code in (NAK, REJECT) and identity != self.lcp["id"]:
            return  # to what has been asked again since
        elif code == NAK and set(options(data)) == {1}:
            self.told_mru, = struct.unpack("!H", options(data)[1])
            self.mru = self.told_mru
            self._ask_lcp()
        elif code == ECHO and self.answers_echo:
            self.control(LCP, ECHO_REPLY, identity, self.magic + data[4:])
        elif code == ECHO_REPLY:
            sent, = struct.unpack_from("!d", data, 4)
            self.echo_got += 1
            self.echo_times.append(time.monotonic() - sent)
        elif code == TERMINATE:
            self.control(LCP, TERMINATE_ACK, identity)
            self.terminated.set()
        elif code == TERMINATE_ACK:
            self.terminated.set()
        elif code in (NAK, REJECT, CODE_REJECT, PROTOCOL_REJECT):
            assert False, f"LCP code {code}"
        if self.lcp["acked"] and self.lcp["acks"] and code in (REQUEST, ACK):
            self.due = 0

    def _on_pap(self, code, _, data):
        self.auth_text = data[1:]
        self.auth_ok = code == ACK
        self.due = 0

    def _on_chap(self, code, identity, data):
        if code == 1:
            challenge = data[1:1 + data[0]]
            proof = hashlib.md5(bytes([identity]) + self.password + challenge).digest()
            self.control(CHAP, 2, identity, bytes([16]) + proof + self.user)
        else:
            self.auth_text, self.auth_ok, self.due = data, code == 3, 0

    def _on_ipcp(self, code, identity, data):
        if code == REQUEST:
            self.gateway = options(data)[3]
            self.ipcp["acks"] = True
            self.control(IPCP, ACK, identity, data)
        elif code == NAK and identity == self.ipcp["id"]:
            told = options(data)
            self.address = told.get(3, self.address)
            self.servers.update({kind: told[kind] for kind in self.servers if kind in told})
            self._ask_ipcp()
        elif code == REJECT and identity == self.ipcp["id"]:
            assert 3 not in options(data), "the address was rejected"
            for kind in options(data):
                self.servers.pop(kind)
            self._ask_ipcp()
        elif code == ACK and identity == self.ipcp["id"]:
            self.ipcp["acked"] = True

    def _data(self, packet):
        assert checksum(packet[:20]) == 0, "IPv4 checksum"
        total, = struct.unpack_from("!H", packet, 2)
        if packet[9] == 17:
            self.packets.append((struct.unpack_from("!H", packet, 22)[0], packet[:total]))
        if packet[9] == 1 and packet[20] == 0:
            assert checksum(packet[20:total]) == 0, "ICMP checksum"
            self.pongs.append(struct.unpack_from("!HH", packet, 24))

    # ---- what tests say ----

    def dial(self):
        with self.lock:
            self.begin()
            self.state = "padi"

    @property
    def is_up(self):
        return self.state == "session" and self.ipcp["acked"] and self.ipcp["acks"]

    def wait_up(self, timeout=PATIENCE_S):
        wait_for(f"a session of {self.user.decode()}: {self.state}, LCP {self.lcp}, IPCP {self.ipcp}, {self.faults}",
                 lambda: self.is_up, timeout)
        return self.ip

    @property
    def dns(self):
        return [str(ipaddress.ip_address(value)) for value in self.servers.values()]

    @property
    def ip(self):
        return str(ipaddress.ip_address(self.address))

    def reaches(self, address, count=3, timeout=PATIENCE_S):
        """How many of so many echo requests were answered."""
        with self.lock:
            self.pongs = []
            for sequence in range(count):
                self.ping(address, sequence=sequence)
        deadline = time.monotonic() + timeout
        while len(self.pongs) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.pongs)

    def close(self):
        self.ending = True
        self.thread.join()
        self.socket.close()
