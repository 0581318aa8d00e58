# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A packet and what becomes of it, as a row of test_packet_verdicts.py: how it is
# built, from whom, and what is done before.
import dataclasses
import typing

from scapy.layers.l2 import Ether

import frames

ADDRESS = "10.0.0.5"
BROADCAST = "ff:ff:ff:ff:ff:ff"


@dataclasses.dataclass
class Row:
    description: str
    verdict: str
    entry: str  # access, core or inject
    build: typing.Callable  # (plane, session) -> frame
    pool: dict = dataclasses.field(default_factory=dict)
    session: dict = dataclasses.field(default_factory=dict)
    blamed: bool = None  # whether the session's drop_packets moves; None: it is no drop
    told: bool = False  # a drop of which the sender hears by ICMP


def access(description, verdict, build, blamed=None, **more):
    return Row(description, verdict, "access", build, blamed=blamed, **more)


def core(description, verdict, build, blamed=None, **more):
    return Row(description, verdict, "core", build, blamed=blamed, **more)


def inject(description, verdict, build, blamed=False, **more):
    return Row(description, verdict, "inject", build, blamed=blamed, **more)


def from_subscriber(l4=None, **fields):
    return lambda plane, session: frames.up(session, l4 or frames.udp(4000), **fields)


def from_core(destination, l4=None, **fields):
    return lambda plane, session: frames.down(destination, l4 or frames.udp(53, 4000), **fields)


def frame_of(payload, **fields):
    """An untagged frame on the access side with any payload behind Ethernet."""
    return lambda plane, session: bytes(
        Ether(src=session.mac, dst=session.interface_mac, **fields) / payload)


def cut(build, length):
    return lambda plane, session: build(plane, session)[:length]


def patched(build, offset, value):
    def patch(plane, session):
        frame = bytearray(build(plane, session))
        frame[offset:offset + len(value)] = value
        return bytes(frame)
    return patch


def after(prepare, build):
    """`prepare(plane, session)` first."""
    def run(plane, session):
        prepare(plane, session)
        return build(plane, session)
    return run


def changed(**fields):
    """Sets fields of the session's record."""
    def change(plane, session):
        for name, value in fields.items():
            setattr(session.record, name, value)
    return change
