# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Packets of addresses without session, where one may come up: handed to controld whole,
# few of each source; everybody else's are dropped as before.
import ctypes
import dataclasses

import pytest
from scapy.layers.l2 import Ether

import abi
import frames
import plane as planes
from plane import ACC1, ACC2, GATEWAY

BURST = 4  # of one source at once


def may_come_up(plane, session):
    plane.first_packet_add(ACC1, "172.20.0.0/16")


def from_stranger(plane, session):
    return frames.up(dataclasses.replace(session, address="172.20.0.1"), frames.udp(4000))


@pytest.fixture
def stranger(plane):
    may_come_up(plane, None)
    return planes.Session(plane, 0, "172.20.1.5", "02:99:00:00:00:01", ACC1, ((0x88a8, 100), (0x8100, 7)))


def elsewhere(session, **fields):
    return dataclasses.replace(session, **fields)


def punted(plane, frame):
    return plane.access(frame).verdict == "PUNT_FIRST_PACKET"


def test_first_packet_is_handed_over_whole(plane, stranger):
    frame = frames.up(stranger, frames.udp(4000))
    result = plane.access(frame)
    header = abi.bng_punt.from_buffer_copy(result.frame)
    assert (result.verdict, result.action) == ("PUNT_FIRST_PACKET", abi.XDP_REDIRECT)
    assert (header.reason, header.slot, header.interface) == (abi.PUNT_REASON_FIRST_PACKET, 0, ACC1)
    assert result.frame[ctypes.sizeof(abi.bng_punt):] == frame


@pytest.mark.parametrize("remote", [GATEWAY, "10.0.0.99", planes.PUBLIC[0], planes.REMOTE])
def test_wherever_it_is_for(plane, stranger, remote):
    assert punted(plane, frames.up(stranger, frames.udp(4000), remote=remote))


@pytest.mark.parametrize("fields", [{"interface": ACC2}, {"address": "172.21.0.1"}, {"address": "172.19.255.255"},
                                    {"address": "10.0.3.7"}], ids=["interface", "above", "below", "range"])
def test_elsewhere_there_is_no_session(plane, stranger, fields):
    frame = frames.up(elsewhere(stranger, **fields), frames.udp(4000))
    assert plane.access(frame, interface=fields.get("interface", ACC1)).verdict == "DROP_NO_SESSION"


def test_longest_prefix_is_of_one_interface(plane, stranger):
    plane.first_packet_add(ACC2, "10.0.3.0/24")
    other = elsewhere(stranger, interface=ACC2, address="10.0.3.7")
    assert plane.access(frames.up(other, frames.udp(1)), interface=ACC2).verdict == "PUNT_FIRST_PACKET"
    assert plane.access(frames.up(elsewhere(other, address="172.20.1.5"), frames.udp(1)), interface=ACC2).verdict == "DROP_NO_SESSION"


def test_frame_for_another_station_is_not_a_first_packet(plane, stranger):
    frame = Ether(frames.up(stranger, frames.udp(4000)))
    frame.dst = "02:77:00:00:00:01"
    assert plane.access(bytes(frame)).verdict == "DROP_OTHER_STATION"


def test_session_that_came_up_is_forwarded(plane, stranger):
    session = plane.session(stranger.address, mac=stranger.mac, tags=stranger.tags)
    plane.pool_build()
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "FORWARD_UP"


def test_one_source_takes_nothing_from_the_others(plane, stranger):
    frame = frames.up(stranger, frames.udp(4000))
    verdicts = [plane.access(frame).verdict for _ in range(2 * BURST)]
    assert verdicts == ["PUNT_FIRST_PACKET"] * BURST + ["DROP_PUNT_SUBSCRIBER"] * BURST
    assert punted(plane, frames.up(elsewhere(stranger, address="172.20.1.6"), frames.udp(4000)))
    plane.advance_seconds(1 + BURST)
    assert punted(plane, frame)


def test_all_sources_together_have_a_limit(plane, stranger):
    limit = plane.punt_limit[abi.PUNT_REASON_FIRST_PACKET]
    limit.rate, limit.burst = 1, 1
    verdicts = [plane.access(frames.up(elsewhere(stranger, address=f"172.20.9.{last}"), frames.udp(1))).verdict
                for last in range(1, 6)]
    assert verdicts == ["PUNT_FIRST_PACKET"] * 2 + ["DROP_PUNT_LIMIT"] * 3
