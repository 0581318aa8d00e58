# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A new layout of sessions and port blocks (other_layout.py), while packets flow: over a bridge
# there, the new release's own object, and over a bridge back. What the fields say stays what it
# was, in whatever place; counters go on; ports stay.
import ctypes
import random

import pytest

import abi
import frames
from bpfobject import BpfObject
from bridge import ARRAYS, COPIED, DONE, FAILED, Bridge, golden
from plane import PUBLIC

BPF = abi.BUILD / "bpf"
MOVING = ("bng_migrate", "bng_migrate_check", "bng_access", "bng_core")
SESSIONS = 24
UNUSED = range(7000, 7100)  # slots and blocks that nobody has, with something in every field


@pytest.fixture(scope="module")
def there(loaded_plane):
    with loaded_plane.namespace.entered():
        bridge = Bridge(loaded_plane, BPF / "bridge_to_other.bpf.o", programs=MOVING)
    yield bridge
    bridge.close()


@pytest.fixture(scope="module")
def other(loaded_plane, there):
    """The new release: everything there is, as the bridge left it."""
    maps = {name: there.maps[name] for name in there.object.durable if not name.endswith("__old")}
    with loaded_plane.namespace.entered():
        release = BpfObject(BPF / "other_layout.bpf.o", reuse=maps, programs=("bng_access", "bng_core"))
    yield release
    release.close()


@pytest.fixture(scope="module")
def back(loaded_plane, other):
    with loaded_plane.namespace.entered():
        bridge = Bridge(loaded_plane, BPF / "bridge_from_other.bpf.o", old=other, programs=MOVING)
    yield bridge
    bridge.close()


def meaning(array, count):
    """[{field: value}] of the first ones, wherever the fields are; arrays within as lists."""
    def value(found):
        if isinstance(found, ctypes.Array):
            return [value(item) for item in found]
        return value_of(found) if isinstance(found, ctypes.Structure) else found

    def value_of(record):
        return {name: value(getattr(record, name)) for name, _ in record._fields_ if not name.startswith("reserved")}
    return [value_of(array[index]) for index in range(count)]


def meanings(place, plane):
    return {name: meaning(getattr(place, name), len(getattr(plane, name))) for name in ("subscriber", "port_block")}


def scramble(plane):
    generator = random.Random(5)
    for array, state in ((plane.subscriber, abi.SUBSCRIBER_FREE), (plane.port_block, abi.BLOCK_HELD)):
        size = ctypes.sizeof(array._type_)
        for index in UNUSED:
            ctypes.memmove(ctypes.addressof(array[index]), generator.randbytes(size), size)
            array[index].state = state


def differences(before, after):
    """{(map, index, field): (before, after)}."""
    return {(name, index, field): (old[field], new[field])
            for name in before for index, (old, new) in enumerate(zip(before[name], after[name])) if old != new
            for field in old if old[field] != new[field]}


def packets(place, plane, sessions, ports):
    """One packet each way: everybody keeps the port."""
    for session, port in zip(sessions, ports):
        assert frames.public_end(run(place, plane, "access", up(session), "acc1")) == port
        frame = frames.down(PUBLIC[port >> 16], frames.reply_to("udp", port & 0xffff))
        assert run(place, plane, "core", frame, "core1").verdict == "FORWARD_DOWN"


def run(place, plane, role, frame, device):
    with plane.running(place):
        return plane.run(f"bng_{role}", frame, device)


def up(session):
    return frames.up(session, frames.udp(4000))


def cross(bridge, plane, sessions, ports):
    """Over the bridge: the first sessions' packets move them, bng_migrate the rest."""
    bridge.reset()
    bridge.open()
    packets(bridge.object, plane, sessions[:8], ports)
    assert bridge.run_all()[0] == DONE and bridge.run_all("bng_migrate_check")[0] == DONE
    assert bridge.state.map[0].moved.held >= len(sessions) + len(UNUSED)


def counted(sessions, each):
    """What so many packets each way change."""
    moves = {"up_packets": 1, "up_bytes": 20 + len(frames.udp(4000)),
             "down_packets": 1, "down_bytes": 20 + len(frames.reply_to("udp", 4000))}
    return {("subscriber", session.slot, field): each * move for session in sessions for field, move in moves.items()}


def moved_on(found):
    """The counters of it, as how many more; ticks left out."""
    return {key: new - old for key, (old, new) in found.items() if key[2] != "last_up_tick"}


def test_there_and_back(plane, there, other, back):
    assert {name for name in ARRAYS if ctypes.sizeof(getattr(there, name)._type_) != ctypes.sizeof(abi.STRUCTS[ARRAYS[name]])} \
        == {"subscriber", "port_block"}
    scramble(plane)
    sessions = [plane.session(f"10.0.2.{number}") for number in range(1, 1 + SESSIONS)]
    ports = [frames.public_end(plane.access(up(session))) for session in sessions]
    before = meanings(plane, plane)
    cross(there, plane, sessions, ports)
    assert plane.meta.abi_version == abi.ABI_VERSION + 1  # a controller of before does not touch them
    middle = meanings(there, plane)
    assert moved_on(differences(before, middle)) == counted(sessions[:8], 1)
    packets(other, plane, sessions, ports)
    cross(back, plane, sessions, ports)
    assert plane.meta.abi_version == abi.ABI_VERSION
    after = meanings(back, plane)
    assert moved_on(differences(middle, after)) == {**counted(sessions, 1), **counted(sessions[:8], 2)}
    for name, key_size in COPIED.items():
        assert golden.entries(back.maps[name], key_size) == golden.entries(plane.maps[name], key_size)


def test_an_entry_that_says_something_else_is_found(plane, there):
    """Any field of the old layout, in one entry: bng_migrate_check is not content."""
    scramble(plane)
    for field in ("drop_packets", "mac", "refused_tick", "mss", "pool"):
        there.reset()
        there.open()
        assert there.run_all()[0] == DONE
        record = plane.subscriber[UNUSED[3]]
        offset = getattr(type(record), field).offset
        byte = ctypes.c_ubyte.from_address(ctypes.addressof(record) + offset)
        byte.value ^= 0x10
        assert there.run_all("bng_migrate_check")[0] == FAILED, field
