# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Packets shown on request: as many as were asked for, as they came in, and then no more.
import pytest

import abi
import frames
from bpfobject import RingBuffer
from plane import PUBLIC


@pytest.fixture(scope="module")
def ring(loaded_plane):
    return RingBuffer(loaded_plane.maps["capture"])


def captured(ring):
    records = map(abi.bng_capture.from_buffer_copy, ring.read())
    return [(record.entry, record.ifindex, bytes(record.frame[:record.length])) for record in records]


def test_as_many_as_were_asked_for_before_they_are_translated(plane, ring):
    session = plane.session("10.0.0.5", tags=((0x8100, 100),))
    up = frames.up(session, frames.udp(4000))
    public = frames.public_end(plane.access(up))
    down = frames.down(PUBLIC[0], frames.udp(53, public & 0xffff))
    assert captured(ring) == []
    plane.meta.capture_left = 3
    other = frames.up(session, frames.udp(4001), src="10.0.0.6")
    verdicts = [plane.access(up).verdict, plane.core(down).verdict, plane.access(other).verdict, plane.access(up).verdict]
    assert verdicts == ["FORWARD_UP", "FORWARD_DOWN", "DROP_NO_SESSION", "FORWARD_UP"]
    access, core = plane.ifindex["acc1"], plane.ifindex["core1"]
    assert captured(ring) == [(abi.CAPTURE_ACCESS, access, up), (abi.CAPTURE_CORE, core, down),
                              (abi.CAPTURE_ACCESS, access, other)]
    assert plane.meta.capture_left == 0


@pytest.mark.parametrize("extra, count", [(0, 1), (1, 0)])
def test_what_is_too_large_is_not_asked_for(plane, ring, extra, count):
    plane.meta.capture_left = 1
    plane.access(bytes(abi.CAPTURE_FRAME + extra))
    assert len(captured(ring)) == count and plane.meta.capture_left == 1 - count


def test_a_full_ring_loses_the_packet_s_picture_only(plane, ring):
    session = plane.session("10.0.0.5")
    up = frames.up(session, frames.udp(4000))
    plane.meta.capture_left = 1000
    for _ in range(300):
        assert plane.access(up).verdict == "FORWARD_UP"
    room = abi.CAPTURE_BYTES // (8 + 2048)
    assert plane.meta.capture_left == 700 and len(captured(ring)) in (room - 1, room)
    plane.meta.capture_left = 0
