# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Golden packets: FEATURE.pcap, and FEATURE.json beside it with what each packet is
# meant for: the program that gets it, its verdict, the clock, and the world (what is
# in the maps; the file's own, and what is other for this packet).
#
# A world is bytes by map and key, in hexadecimal, zeros at the end of a record left
# out: {"subscriber": {"21": "0a00..."}, "gateway": {"<key>": "<value>"}}. Interfaces have
# no number of the kernel's: whoever uses a world has his own. null: no such key.
import ctypes
import json
import pathlib
import re
import struct

import abi
import plane as planes
from bpfobject import libbpf

HERE = pathlib.Path(__file__).resolve().parent
ARRAYS = ["meta", "subscriber", "closing", "pool", "port_timer", "pool_address", "port_block", "mapping", "flow", "tunnel",
          "fragment", "range", "interface", "pcp", "punt_limit", "pppoe_limit", "filter"]
HASHES = {"slot_of_address": 4, "exempt": 8, "exempt_port": 12, "first_packet_prefix": 12, "gateway": 8, "pppoe_session": 16,
          "alg": 12}
LIMITS = ("pppoe_bucket", "first_packet_source")  # an object's own: each packet is the first
PROGRAMS = {"access": "bng_access", "core": "bng_core", "inject": "bng_inject"}
DEVICES = {index: name for name, index in planes.DEVICES.items() if index}
NOT_ZERO = re.compile(rb"[^\0]")
HEADER = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
VERDICT_TEXT = dict(re.findall(r'X\((\w+), +"(\w+)"', (HERE.parents[1] / "dataplane" / "abi" / "verdict.h").read_text()))


def records(array):
    """{index: bytes} of those that are not all zero."""
    data, size, found = bytes(array), ctypes.sizeof(array._type_), {}
    hit = NOT_ZERO.search(data)
    while hit:
        index = hit.start() // size
        found[str(index)] = data[index * size:(index + 1) * size].rstrip(b"\0").hex()
        hit = NOT_ZERO.search(data, (index + 1) * size)
    return found


def entries(item, key_size):
    """{key: value} of a hash or trie."""
    found, key, following = {}, None, ctypes.create_string_buffer(key_size)
    while libbpf.bpf_map_get_next_key(item.fd, key, following) == 0:
        found[following.raw.hex()] = item.lookup(following.raw).hex()
        key = ctypes.create_string_buffer(following.raw, key_size)
    return found


def world_of(plane):
    """What is in its maps, for somebody else."""
    numbers = [(record, record.ifindex) for record in plane.interface if record.ifindex]
    clock = plane.meta.clock_offset_ns, plane.meta.clock_injected_ns
    plane.meta.clock_offset_ns = plane.meta.clock_injected_ns = 0
    for record, _ in numbers:
        record.ifindex = 0
    world = {name: records(plane.meta_array if name == "meta" else getattr(plane, name)) for name in ARRAYS}
    plane.meta.clock_offset_ns, plane.meta.clock_injected_ns = clock
    for record, ifindex in numbers:
        record.ifindex = ifindex
    world.update({name: entries(plane.maps[name], size) for name, size in HASHES.items()})
    return {name: content for name, content in world.items() if content}


def difference(base, world):
    """What makes the one of the other."""
    changes = {}
    for name in base.keys() | world.keys():
        before, after = base.get(name, {}), world.get(name, {})
        gone = {key: "" if name in ARRAYS else None for key in before.keys() - after.keys()}
        change = {**{key: value for key, value in after.items() if before.get(key) != value}, **gone}
        if change:
            changes[name] = dict(sorted(change.items()))
    return dict(sorted(changes.items()))


def world_set(plane, changes):
    for name, content in changes.items():
        for key, value in content.items():
            if name in HASHES:
                if value is None:
                    plane.maps[name].delete(bytes.fromhex(key))
                else:
                    plane.maps[name].update(bytes.fromhex(key), bytes.fromhex(value))
                continue
            array = plane.meta_array if name == "meta" else getattr(plane, name)
            record = bytes.fromhex(value).ljust(ctypes.sizeof(array._type_), b"\0")
            ctypes.memmove(ctypes.addressof(array[int(key)]), record, len(record))
    for index, name in DEVICES.items():
        plane.interface[index].ifindex = plane.ifindex[name]


def run(plane, document, packet, frame):
    """The verdict's text, of a packet in its world."""
    plane.reset()
    for name, size in HASHES.items():
        plane.maps[name].clear(size)
    for name in LIMITS:
        plane.maps[name].zero()
    offset = plane.meta.clock_offset_ns
    ctypes.memset(plane.interface, 0, ctypes.sizeof(plane.interface))
    ctypes.memset(plane.range, 0, ctypes.sizeof(plane.range))
    world_set(plane, document["world"])
    world_set(plane, packet["set"])
    plane.meta.clock_offset_ns, plane.clock_ns = offset, packet["clock_ns"]
    with plane.namespace.entered():
        result = plane.run(PROGRAMS[packet["program"]], frame, DEVICES[packet["interface"]])
    return VERDICT_TEXT[result.verdict]


def pcap_write(path, frames):
    path.write_bytes(HEADER + b"".join(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame for frame in frames))


def pcap_read(path):
    data, at, frames = path.read_bytes(), len(HEADER), []
    assert data[:at] == HEADER, path
    while at < len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        frames.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return frames


def load(feature):
    """The document and its frames."""
    document = json.loads((HERE / f"{feature}.json").read_text())
    frames = pcap_read(HERE / f"{feature}.pcap")
    assert len(frames) == len(document["packets"])
    return document, frames


def features():
    return sorted(path.stem for path in HERE.glob("*.json"))
