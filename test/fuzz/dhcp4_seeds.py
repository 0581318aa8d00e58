#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/dhcp4: frames that scapy builds, each kind of message
# in each kind of wrapping, and some that are wrong in one place.
import pathlib

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "dhcp4"
MAC = "02:00:00:00:00:0a"
CHADDR = bytes.fromhex("02000000000a")
ADDRESS, SERVER = "10.0.0.10", "10.0.0.1"


def frame(options, tags=0, source="0.0.0.0", destination="255.255.255.255", ip_options=b"", **fields):
    link = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff")
    if tags == 2:
        link /= Dot1AD(vlan=100)
    if tags:
        link /= Dot1Q(vlan=7)
    ip = IP(src=source, dst=destination, options=ip_options)
    bootp = BOOTP(chaddr=CHADDR, xid=0x12345678, **fields)
    return bytes(link / ip / UDP(sport=68, dport=67) / bootp / DHCP(options=options))


def messages():
    wanted = ("requested_addr", ADDRESS)
    server = ("server_id", SERVER)
    asked = ("param_req_list", [1, 3, 6, 26, 42])
    yield "discover", frame([("message-type", "discover"), asked, "end"])
    yield "discover-vlan", frame([("message-type", "discover"), wanted, "end"], tags=1)
    yield "discover-qinq", frame([("message-type", "discover"), wanted, asked, "end"], tags=2)
    yield "discover-broadcast", frame([("message-type", "discover"), "end"], flags=0x8000)
    yield "discover-client-id", frame([("message-type", "discover"), ("client_id", b"\x01" + CHADDR), "end"])
    yield "discover-relay-agent", frame([("message-type", "discover"), ("relay_agent_information", b"\x01\x02xy"), "end"])
    line = ("relay_agent_information", b"\x01\x05port7\x02\x03cpe")
    yield "discover-line", frame([("message-type", "discover"), wanted, line, "end"], tags=2)
    yield "select-line", frame([("message-type", "request"), wanted, server, line, "end"], tags=2)
    yield "discover-line-denied", frame([("message-type", "discover"), line, "end"]) + b"\0\0"
    yield "discover-size", frame([("message-type", "discover"), ("max_dhcp_size", 1500), "end"])
    yield "select", frame([("message-type", "request"), wanted, server, "end"], tags=2)
    yield "select-other", frame([("message-type", "request"), wanted, ("server_id", "10.0.0.2"), "end"])
    yield "reboot", frame([("message-type", "request"), wanted, "end"])
    yield "reboot-elsewhere", frame([("message-type", "request"), ("requested_addr", "192.168.1.9"), "end"])
    yield "renew", frame([("message-type", "request"), "end"], source=ADDRESS, destination=SERVER, ciaddr=ADDRESS)
    yield "rebind", frame([("message-type", "request"), "end"], source=ADDRESS, ciaddr=ADDRESS)
    yield "decline", frame([("message-type", "decline"), wanted, server, "end"])
    yield "release", frame([("message-type", "release"), server, "end"], source=ADDRESS, destination=SERVER,
                           ciaddr=ADDRESS)
    yield "inform", frame([("message-type", "inform"), asked, "end"], source=ADDRESS, ciaddr=ADDRESS)
    yield "relayed", frame([("message-type", "discover"), "end"], giaddr="10.0.0.2", hops=1)
    yield "reply", frame([("message-type", "ack"), "end"], op=2)
    yield "bootp", frame(["end"])
    yield "ip-options", frame([("message-type", "discover"), "end"], ip_options=b"\x94\x04\x00\x00")


def wrong():
    whole = frame([("message-type", "discover"), ("requested_addr", ADDRESS), "end"], tags=2)
    overload = frame([("message-type", "request"), ("dhcp-option-overload", 3), "end"],
                     sname=b"\x32\x04\x0a\x00\x00\x0a\xff", file=b"\x36\x04\x0a\x00\x00\x01\xff")
    yield "overload", overload
    yield "overload-endless", overload.replace(b"\x0a\x00\x00\x01\xff", b"\x0a\x00\x00\x01\x0c")
    yield "option-too-long", frame([("message-type", "discover"), ("hostname", b"x" * 8)]).replace(b"\x0c\x08", b"\x0c\xfe")
    yield "option-parts", frame([("message-type", "discover"), ("client_id", b"ab"), ("client_id", b"cd"), "end"])
    yield "line-too-long", frame([("message-type", "discover"), ("relay_agent_information", b"\x01\x09port7"), "end"])
    yield "line-cut", frame([("message-type", "discover"), ("relay_agent_information", b"\x01\x02xy\x02"), "end"])
    yield "two-types", frame([("message-type", "discover"), ("message-type", "request"), "end"])
    yield "three-tags", whole[:20] + b"\x81\x00\x00\x05" + whole[20:]
    yield "cut-message", whole[:200]
    yield "cut-ip", whole[:30]
    yield "empty", b""


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in [*messages(), *wrong()]:
        (FOLDER / name).write_bytes(data)
