# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A bridge gives maps new sizes and layouts under traffic: nothing is lost, every packet is
# counted once, in the old record before the opening and in the new one after it; what cannot
# be done is refused and changes nothing.
import contextlib
import os
import pathlib
import socket
import struct
import threading
import time

import pytest

from holder_fixture import HolderLab
from sandbox import entered

CONFLICT, INCOMPATIBLE, SYSTEM = -32003, -32004, -32006
SUBSCRIBERS = 256
OLD_ENTRIES = 256
NARROW, WIDE = struct.Struct("<QQII"), struct.Struct("<II QQ 40x")


def place(number):
    """Where a subscriber's entry is: not in its own order."""
    return (number * 37 + 11) % SUBSCRIBERS


class MigrateLab(HolderLab):
    def begin_with(self, name="migrate_v1"):
        generation = self.begin(name)
        rows = b"".join(struct.pack("<II", number, place(number)) for number in range(SUBSCRIBERS))
        self.update("slot", [(row[:4], row[4:]) for row in (rows[i:i + 8] for i in range(0, len(rows), 8))])
        self.update("record_of", [(struct.pack("<I", index), NARROW.pack(0, 0, 1000 + index, 0))
                                  for index in range(OLD_ENTRIES)])
        return generation

    def update(self, name, rows):
        batch = self.sandbox.directory / "batch"
        batch.write_text("".join(f"map update pinned {self.pin('map/' + name)} key hex {key.hex(' ')} value hex {value.hex(' ')}\n"
                                 for key, value in rows))
        self.bpftool("batch", "file", batch)

    def values(self, path):
        """What is in an array or hash: {key: value}, as bytes."""
        def in_bytes(words):
            return bytes(int(word, 16) for word in words)
        return {in_bytes(entry["key"]): in_bytes(entry["value"]) for entry in self.bpftool("map", "dump", "pinned", self.pin(path))}

    def records(self, path="map/record_of", layout=NARROW):
        """[(name, up, down)] of each entry."""
        rows = {int.from_bytes(key, "little"): layout.unpack(value) for key, value in self.values(path).items()}
        if layout is WIDE:
            return [(rows[i][0], rows[i][3], rows[i][2]) for i in range(len(rows))]
        return [(rows[i][2], rows[i][0], rows[i][1]) for i in range(len(rows))]

    def places(self, path="map/place"):
        rows = {int.from_bytes(key, "little"): int.from_bytes(value, "little") for key, value in self.values(path).items()}
        return [rows[i] for i in range(len(rows))]

    @contextlib.contextmanager
    def starting(self, epoch=7):
        """A controller that has said hello and is not ready."""
        with self.client() as client:
            client.call("controller.hello", {"version": "test", "epoch": epoch})
            yield client

    def migrate(self, generation):
        with self.starting() as client:
            return client.call("swap.migrate", {"generation": generation})

    def migrate_refused(self, generation):
        with self.starting():
            return self.refused("swap.migrate", {"generation": generation})

    def migration(self):
        return self.call("swap.status")["migration"]

    def wait_for(self, *states):
        deadline = time.monotonic() + 20
        while True:
            migration = self.migration()
            if migration and migration["state"] in states:
                return migration
            assert time.monotonic() < deadline, (migration, self.log())
            time.sleep(0.02)

    def ids(self, *folders):
        """The map behind each pin."""
        return {f"{folder}/{path.name}": self.bpftool("map", "show", "pinned", path)["id"]
                for folder in folders for path in self.pin(folder).iterdir()}

    def everything(self):
        """All that a refusal must leave as it is."""
        status = self.call("swap.status")
        return status, self.ids("map"), self.attached_programs(), self.records(), self.places()


@pytest.fixture
def lab():
    with MigrateLab() as made:
        made.start()
        made.begin_with()
        yield made


def open_wire(lab, interface):
    with entered(lab.outside):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind((interface, 0))
    return wire


class Load:
    """All subscribers in turn, both ways, from two threads, until it is ended."""

    def __init__(self, lab):
        self.lab, self.ending = lab, threading.Event()
        self.sent = [[0] * SUBSCRIBERS, [0] * SUBSCRIBERS]
        self.before = {name: lab.link_statistics(name)["rx"]["packets"] for name in ("a1", "c1")}
        self.wires = open_wire(lab, "a1"), open_wire(lab, "c1")
        self.threads = [threading.Thread(target=self.run, args=(way,)) for way in (0, 1)]

    def run(self, way):
        server, wire, sent = bytes([2, 0, 0, 0, 1, 0]), self.wires[way], self.sent[way]
        frames = [(server + bytes([2, 0, 0, 0, 0, number]) if way == 0 else bytes([2, 0, 0, 0, 0, number]) + server) + bytes(50)
                  for number in range(SUBSCRIBERS)]
        while not self.ending.is_set():
            for number, frame in enumerate(frames):
                wire.send(frame)
                sent[number] += 1
            time.sleep(0.002)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for wire in self.wires:
            wire.close()

    def lost(self):
        """How many packets did not come out: upwards, downwards."""
        deadline = time.monotonic() + 3
        while True:
            got = [self.lab.link_statistics(name)["rx"]["packets"] - self.before[name] for name in ("c1", "a1")]
            lost = [sum(sent) - arrived for sent, arrived in zip(self.sent, got)]
            if lost == [0, 0] or time.monotonic() > deadline:
                return lost
            time.sleep(0.05)

    def expected(self):
        """The records, if each packet was counted once."""
        number_at = {place(number): number for number in range(SUBSCRIBERS)}
        return [(1000 + index, self.sent[0][number_at[index]], self.sent[1][number_at[index]]) for index in range(OLD_ENTRIES)]


def assert_exact(lab, load, layout=NARROW):
    assert load.lost() == [0, 0]
    assert lab.records(layout=layout)[:OLD_ENTRIES] == load.expected()
    assert lab.places()[:OLD_ENTRIES] == [up + down for _, up, down in load.expected()]
    assert min(load.sent[0]) > 0 and min(load.sent[1]) > 0


def test_maps_grow_under_traffic(lab):
    """Nothing is lost, nothing counted twice, all entries are there; then the ordinary object follows."""
    old = lab.ids("map")
    slots = lab.values("map/slot")
    with Load(lab) as load, lab.client() as listener:
        listener.call("holder.subscribe")
        staged = lab.stage("migrate_grows", record_of=1000, place=300, slot=2000)
        assert staged["bridge"] is True
        rows = {row["name"]: row for row in staged["maps"]}
        assert rows["record_of"] == {"name": "record_of", "result": "migrate", "entries_old": 256, "entries_new": 1000}
        assert rows["slot"] == {"name": "slot", "result": "migrate", "entries_old": 512, "entries_new": 2000}
        assert (rows["tx"]["result"], rows["record_of__moved"]["result"]) == ("same", "scratch")
        assert not [name for name in rows if name.endswith("__old")]
        result = lab.migrate(2)
        assert (result["from"], result["to"]) == (1, 2) and len(result["links"]) == 2
        status = lab.wait_for("done", "failed")
        time.sleep(0.1)
        events = [told(listener) for _ in range(4)]
    assert_exact(lab, load)
    assert status == lab.call("holder.status")["migration"]
    assert (status["generation"], status["state"], status["reason"]) == (2, "done", "")
    assert (status["entries"], status["moved"]) == (512, 512)
    assert 1 <= status["attempts"] <= 100 and status["opening_us"] < 5000
    assert status["maps"] == [{"name": name, "entries_old": before, "entries_new": after}
                              for name, before, after in (("place", 256, 300), ("record_of", 256, 1000), ("slot", 512, 2000))]
    lab.assert_runs(2)
    assert lab.values("map/slot") == slots
    now = lab.ids("map", "gen/2/old", "gen/2/durable")
    moved = ("record_of", "place", "slot")
    assert all(now[f"gen/2/old/{name}"] == old[f"map/{name}"] != now[f"map/{name}"] == now[f"gen/2/durable/{name}"] for name in moved)
    assert all(now[f"map/{name}"] == old[f"map/{name}"] for name in ("tx", "swept"))
    states = {row["generation"]: (row["state"], row["bridge"]) for row in lab.call("holder.status")["generations"]}
    assert states == {1: ("previous", False), 2: ("current", True)}
    assert events == [("stage", None), ("swap", None), ("migrate", "moving"), ("migrate", "done")]
    lab.stage_and_commit("migrate_v1")
    lab.assert_runs(3)
    assert lab.migration() is None and len(lab.records()) == 1000


def told(listener):
    note = listener.next_notification(5)["params"]
    return note["type"], note.get("state")
