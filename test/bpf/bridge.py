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
from bpfobject import BpfObject
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
    """`old`: the object it comes after, if not the plane's. `programs`: as of BpfObject."""

    def __init__(self, plane, path, old=None, programs=None):
        types = Btf(path)
        self.plane, self.old = plane, old or plane.object
        shared = {name + "__old" * (name in ARRAYS or name in COPIED): self.old.maps[name] for name in self.old.durable}
        entries = {name: 2 * self.old.maps[name].entries for name in (*ARRAYS, *COPIED)}
        entries.update({f"{name}__moved": entries[name] for name in ARRAYS})
        self.object = BpfObject(path, entries, shared, programs)
        self.maps = self.object.maps
        for name, kind in ARRAYS.items():
            setattr(self, name, self.object.array(name, types.structs[kind]))
        self.marks = {name: self.object.array(f"{name}__moved", ctypes.c_uint64) for name in ARRAYS}
        self.all = self.object.array("bridge", types.structs["bng_bridge"])
        self.state = self.all[0]
        self.cpu = self.object.array("bridge_cpu", types.structs["bng_bridge_cpu"])
        self.old_set(self.old)

    def old_set(self, old):
        for role in ROLES:
            if f"bng_{role}" not in old.loaded:
                continue
            self.maps[f"bridge_old_{role}"].update(ZERO, struct.pack("=i", old.program(f"bng_{role}")))

    def close(self):
        self.object.close()

    def reset(self):
        """As staged: nothing has moved, nobody has seen it."""
        for array in (self.all, self.cpu, *self.marks.values(), *(getattr(self, name) for name in ARRAYS)):
            ctypes.memset(array, 0, ctypes.sizeof(array))
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

    def moved(self):
        """{array: indexes} of those that were moved; nothing is being moved."""
        found = {}
        for name, marks in self.marks.items():
            content = bytes(marks)
            assert len(content) == content.count(0) + content.count(MOVED)
            if content.count(MOVED):
                found[name] = {int(index) for index in golden.records(marks)}
        return found

    # ---- running ----------------------------------------------------------------------

    def run(self, role, frame, device):
        with self.plane.running(self.object):
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
