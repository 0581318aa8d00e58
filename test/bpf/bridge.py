# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A bridge beside a plane, as the holder sets it up: M__old is what the plane runs on, M is
# new and larger, everything else is shared; hashes and tries are copied, and the plane's own
# programs are the old ones.
import contextlib
import ctypes
import os
import pathlib
import struct
import sys
import threading

import abi
from bpfobject import BpfObject, libbpf
from btf import Btf

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "golden"))
import golden  # noqa: E402

ZERO = struct.pack("=I", 0)
OLD, CLOSED, NEW = range(3)
MORE, DONE, FAILED = range(3)
STAYS, MOVING, MOVED = range(3)
ARRAYS = {"subscriber": "bng_subscriber", "closing": "bng_slot_group", "pool_address": "bng_pool_address",
          "port_block": "bng_port_block", "mapping": "bng_mapping_bucket", "pcp": "bng_pcp"}
COPIED = {name: golden.HASHES[name] for name in ("slot_of_address", "pppoe_session", "exempt", "exempt_port")}
ROLES = ("access", "core", "inject")
CPU = 1  # where bng_migrate runs, which the caller is not on


def closed(attempt):
    return CLOSED | attempt << 8


@contextlib.contextmanager
def pinned(cpu):
    """This thread runs there, and nowhere else."""
    thread, before = threading.get_native_id(), os.sched_getaffinity(0)
    os.sched_setaffinity(thread, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(thread, before)


class Bridge:
    """`structs`: those of the new layout where it is another."""

    def __init__(self, plane, path, structs=None, old=None):
        types = Btf(path)
        self.plane, self.old = plane, old or plane.object
        shared = {name + "__old" * (name in ARRAYS or name in COPIED): self.old.maps[name] for name in self.old.durable}
        entries = {name: 2 * self.old.maps[name].entries for name in (*ARRAYS, *COPIED)}
        entries.update({f"{name}__moved": entries[name] for name in ARRAYS})
        self.object = BpfObject(path, entries, shared)
        self.maps = self.object.maps
        self.structs = {**{name: abi.STRUCTS[kind] for name, kind in ARRAYS.items()},
                        **{name: types.structs[ARRAYS[name]] for name in structs or ()}}
        for name in ARRAYS:
            setattr(self, name, self.object.array(name, self.structs[name]))
        self.all = self.object.array("bridge", types.structs["bng_bridge"])
        self.state = self.all[0]
        self.cpu = self.object.array("bridge_cpu", types.structs["bng_bridge_cpu"])
        self.old_set(self.old)

    def old_set(self, old):
        for role in ROLES:
            self.maps[f"bridge_old_{role}"].update(ZERO, struct.pack("=i", old.program(f"bng_{role}")))

    def close(self):
        self.object.close()

    def reset(self):
        """As staged: nothing has moved, nobody has seen it."""
        for array in (self.all, self.cpu, *(getattr(self, name) for name in ARRAYS)):
            ctypes.memset(array, 0, ctypes.sizeof(array))
        for name in ARRAYS:
            self.marks_write(name, bytes(4 * self.maps[f"{name}__moved"].entries))
        self.state.cpus = 2

    def copy(self):
        """The holder's part: hashes and tries."""
        for name, key_size in COPIED.items():
            self.maps[name].clear(key_size)
            for key, value in golden.entries(self.old.maps[name], key_size).items():
                self.maps[name].update(bytes.fromhex(key), bytes.fromhex(value))

    def open(self):
        self.copy()
        self.state.state = NEW

    # ---- marks ----------------------------------------------------------------------

    def _batch(self, name, function, values):
        item = self.maps[f"{name}__moved"]
        keys = struct.pack(f"={item.entries}I", *range(item.entries))
        following, count = ctypes.create_string_buffer(4), ctypes.c_uint32(item.entries)
        function(item.fd, keys, values, following, count)
        assert count.value == item.entries
        return values

    def marks_write(self, name, values):
        self._batch(name, lambda fd, keys, values, following, count: libbpf.bpf_map_update_batch(
            fd, keys, values, ctypes.byref(count), None), values)

    def marks(self, name):
        size = 4 * self.maps[f"{name}__moved"].entries
        found = self._batch(name, lambda fd, keys, values, following, count: libbpf.bpf_map_lookup_batch(
            fd, None, following, ctypes.create_string_buffer(keys, len(keys)), values, ctypes.byref(count), None),
            ctypes.create_string_buffer(size))
        return struct.unpack(f"={size // 4}I", found.raw)

    def moved(self):
        """{array: indexes} of those that were moved; nothing is being moved."""
        found = {}
        for name in ARRAYS:
            marks = self.marks(name)
            assert set(marks) <= {STAYS, MOVED}
            if any(marks):
                found[name] = {index for index, mark in enumerate(marks) if mark == MOVED}
        return found

    # ---- running ----------------------------------------------------------------------

    @contextlib.contextmanager
    def serving(self):
        """The plane's packets go through the bridge."""
        self.plane.object = self.object
        try:
            yield
        finally:
            self.plane.object = self.old

    def run(self, role, frame, device):
        with self.serving():
            return self.plane.run(f"bng_{role}", frame, device)

    def chunk(self, program="bng_migrate"):
        with pinned(1 - CPU):
            return self.object.run_raw(program, CPU)

    def run_all(self, program="bng_migrate"):
        """The last run's answer, and how many it took."""
        with pinned(1 - CPU):
            for number in range(1, 10000):
                answer = self.object.run_raw(program, CPU)
                if answer != MORE:
                    return answer, number
        raise AssertionError(f"{program} does not end")
