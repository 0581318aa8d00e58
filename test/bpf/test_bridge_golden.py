# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Each golden packet through the old program, and through a bridge that has just been opened over
# the same maps: the same verdict, the same bytes, the same maps afterwards, and nothing of the
# old maps is written.
import ctypes

import pytest

import abi
import bridge as bridges
import golden
from bridge import ARRAYS

TRIES = 20


class Noted:
    """In place of an object: with one free block only, so that it is no matter of chance which one is taken."""

    def __init__(self, plane, bridge):
        self.plane, self.bridge, self.object = plane, bridge, (bridge or plane).object

    def limits_zero(self):
        for name in golden.LIMITS:
            self.object.maps[name].zero()

    def run_xdp(self, program, frame, ifindex):
        offer_one_block(self.plane)
        self.limits_zero()
        self.before = contents(self.plane)
        if self.bridge:
            self.bridge.reset()
            self.bridge.open()
        self.plane.clock_set()
        self.result = self.object.run_xdp(program, frame, ifindex)
        self.still = self.plane.still()
        return self.result


def offer_one_block(plane):
    found = False
    for record in plane.pool_address:
        for word, taken in enumerate(record.taken):
            free = ~taken & (1 << 64) - 1 if record.free_blocks and not found else 0
            found = found or bool(free)
            record.taken[word] = ~(free & -free) & (1 << 64) - 1
        record.free_blocks = sum(64 - bin(taken).count("1") for taken in record.taken)


def contents(plane):
    return {name: bytes(getattr(plane, name)) for name in ARRAYS}


def run(plane, bridge, document, packet, frame):
    """How one packet ends, again until no jiffy went by meanwhile: (verdict, action, bytes), and the maps before."""
    for _ in range(TRIES):
        noted = Noted(plane, bridge)
        with plane.running(noted):
            verdict = golden.run(plane, document, packet, frame)
        if noted.still:
            noted.limits_zero()
            return (verdict, *noted.result), noted.before
    raise AssertionError("the clock never stood still")


def joined(bridge, before):
    """What the gateway knows: of each entry the new one, if it was moved, else the old one."""
    found = {}
    for name, marks in bridge.marks.items():
        content, new = bytearray(before[name]), getattr(bridge, name)
        size = ctypes.sizeof(new._type_)
        for index in map(int, golden.records(marks)):
            assert marks[index] == bridges.MOVED
            content[index * size:(index + 1) * size] = bytes(new[index])
        found[name] = bytes(content)
        assert len(content) == len(before[name])
    return found


def differing(one, other):
    """{array: indexes}; small enough to be printed."""
    found = {}
    for name in ARRAYS:
        size = ctypes.sizeof(abi.STRUCTS[ARRAYS[name]])
        if one[name] != other[name]:
            found[name] = [at // size for at in range(0, len(one[name]), size)
                           if one[name][at:at + size] != other[name][at:at + size]]
    return found


@pytest.mark.parametrize("feature", golden.features())
def test_golden_packets_end_as_without_a_bridge(loaded_plane, loaded_bridge, feature):
    document, packets = golden.load(feature)
    for packet, frame in zip(document["packets"], packets):
        expected, _ = run(loaded_plane, None, document, packet, frame)
        afterwards = contents(loaded_plane)
        found, before = run(loaded_plane, loaded_bridge, document, packet, frame)
        assert found == expected, packet["what"]
        assert found[0] == packet["verdict"]
        assert differing(contents(loaded_plane), before) == {}, packet["what"]
        assert differing(joined(loaded_bridge, before), afterwards) == {}, packet["what"]
