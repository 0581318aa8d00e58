# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A PCP client (RFC 6887), with its own idea of the wire.
import dataclasses
import ipaddress
import os
import socket
import struct

import sandbox

PORT = 5351
ANNOUNCE, MAP, PEER = 0, 1, 2
UDP, TCP = socket.IPPROTO_UDP, socket.IPPROTO_TCP
PREFER_FAILURE = b"\x02\x00\x00\x00"
THIRD_PARTY = b"\x01\x00\x00\x10" + bytes(16)
FILTER = b"\x03\x00\x00\x14" + bytes(20)


def mapped(address):
    return bytes(10) + b"\xff\xff" + ipaddress.ip_address(address).packed


@dataclasses.dataclass
class Response:
    version: int
    opcode: int
    result: int
    lifetime: int
    epoch: int
    nonce: bytes = b""
    protocol: int = 0
    inner_port: int = 0
    port: int = 0
    address: str = ""
    rest: bytes = b""

    @classmethod
    def read(cls, data):
        version, opcode, _, result, lifetime, epoch = struct.unpack("!BBBBII", data[:12])
        assert opcode & 0x80 and len(data) % 4 == 0 and data[12:24] == bytes(12)
        response = cls(version, opcode & 0x7f, result, lifetime, epoch, rest=data[24:])
        if response.opcode in (MAP, PEER) and version == 2 and len(data) >= 60:
            response.nonce = data[24:36]
            response.protocol, response.inner_port, response.port = struct.unpack("!B3xHH", data[36:44])
            assert data[44:56] == mapped("0.0.0.0")[:12] or result
            response.address = str(ipaddress.ip_address(data[56:60]))
            response.rest = data[60:]
        return response


class PcpClient:
    def __init__(self, namespace, address, gateway):
        self.namespace, self.address, self.gateway = namespace, address, gateway
        self.socket = self._open(0.5)
        self.nonce = os.urandom(12)

    def _open(self, timeout):
        with sandbox.entered(self.namespace):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.address, 0))
        made.settimeout(timeout)
        return made

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def header(self, opcode, lifetime, version=2, client=None):
        return struct.pack("!BBHI", version, opcode, 0, lifetime) + mapped(client or self.address)

    def exchange(self, message, tries=10):
        """The response, asking again when none comes; None if none ever does."""
        for number in range(tries):
            self.socket.sendto(message, (self.gateway, PORT))
            try:
                response = Response.read(self.socket.recv(2048))
            except TimeoutError:
                continue
            if number:  # what still comes to the others is not taken for an answer to something else
                old, self.socket = self.socket, self._open(self.socket.gettimeout())
                old.close()
            return response
        return None

    def announce(self, **more):
        return self.exchange(self.header(ANNOUNCE, 0, **more))

    def data(self, protocol, inner_port, port, address, nonce):
        return (nonce or self.nonce) + struct.pack("!B3xHH", protocol, inner_port, port) + mapped(address)

    def map(self, inner_port, lifetime=3600, protocol=UDP, port=0, address="0.0.0.0", nonce=None, options=b"", **more):
        return self.exchange(self.header(MAP, lifetime, **more) +
                             self.data(protocol, inner_port, port, address, nonce) + options)

    def peer(self, inner_port, remote, lifetime=3600, protocol=UDP, nonce=None, options=b"", **more):
        host, number = remote
        return self.exchange(self.header(PEER, lifetime, **more) +
                             self.data(protocol, inner_port, 0, "0.0.0.0", nonce) +
                             struct.pack("!HH", number, 0) + mapped(host) + options)
