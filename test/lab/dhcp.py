# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A DHCP client that says exactly what it is told, for what real clients never say.
import socket
import time

from scapy.all import BOOTP, DHCP, IP, UDP, Ether  # pylint: disable=no-name-in-module

import sandbox
from lab import GATEWAY, PATIENCE_S, wait_for


class RawClient:
    """A client that says exactly what it is told, untagged."""

    def __init__(self, lab, name):
        self.namespace = lab.namespace(name)
        self.mac = f"02:00:00:01:00:{len(lab.namespaces):02x}"
        self.name, self.gateway_mac = name, lab.mac(lab.gateway, "access0")
        client = type("Port", (), {"namespace": self.namespace, "tags": [], "mtu": 1500, "name": name, "mac": self.mac})
        lab.attach_to_bridge(client)
        with sandbox.entered(self.namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.bind(("eth0", 0))

    def send(self, kind, mac=None, source="0.0.0.0", destination="255.255.255.255", xid=1, damage=0, options=(), **fields):
        mac = mac or self.mac
        far = "ff:ff:ff:ff:ff:ff" if destination == "255.255.255.255" else self.gateway_mac
        frame = (Ether(src=mac, dst=far) / IP(src=source, dst=destination) / UDP(sport=68, dport=67) /
                 BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=xid, ciaddr=source, **fields) /
                 DHCP(options=[("message-type", kind), *options, "end"]))
        data = bytearray(bytes(frame))
        data[-5] ^= damage
        self.socket.send(bytes(data))

    def receive(self, xid=1, timeout=PATIENCE_S):
        """The reply as (type name, address, {option: value}, frame); None when none came."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                frame = Ether(self.socket.recv(2048))
            except TimeoutError:
                return None
            if BOOTP in frame and frame[BOOTP].op == 2 and frame[BOOTP].xid == xid:
                options = {option[0]: option[1] for option in frame[DHCP].options if isinstance(option, tuple)}
                kinds = {2: "offer", 5: "ack", 6: "nak"}
                return kinds[options["message-type"]], frame[BOOTP].yiaddr, options, frame
        return None

    def ask(self, kind, timeout=PATIENCE_S, **arguments):
        self.send(kind, **arguments)
        return self.receive(timeout=timeout)

    def unanswered(self, kind, judged, **arguments):
        """Whether nothing comes back; `judged` says when the server has seen it."""
        self.send(kind, **arguments)
        wait_for("it to be judged", judged)
        return self.receive(timeout=0.1) is None

    def lease(self, mac=None, wanted=None):
        options = [("requested_addr", wanted)] if wanted else []
        _, address, _, _ = self.ask("discover", mac=mac, options=options)
        chosen = [("requested_addr", address), ("server_id", GATEWAY)]
        assert self.ask("request", mac=mac, options=chosen)[:2] == ("ack", address)
        return address
