# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A bridge gives maps new sizes and layouts under traffic: nothing is lost, every packet is
# counted once, in the old record before the opening and in the new one after it; what cannot
# be done is refused and changes nothing.
import contextlib
import pathlib
import struct
import time

import pytest

import holder_fixture
from holder_fixture import BINARY, SUBSCRIBERS, HolderLab
from lab import wait_for

CONFLICT, INCOMPATIBLE, SYSTEM = -32003, -32004, -32006
OLD_ENTRIES = 256
SLOTS, PREFIXES = 1300, 1200  # more than the holder copies at a time
NARROW, WIDE = struct.Struct("<QQII"), struct.Struct("<II QQ 40x")


def place(number):
    """Where a subscriber's entry is: not in its own order."""
    return (number * 37 + 11) % SUBSCRIBERS if number < SUBSCRIBERS else 10 * number


class MigrateLab(HolderLab):
    def begin_with(self, name="migrate_v1"):
        generation = self.begin(name)
        self.fill_slots(range(SUBSCRIBERS))
        self.update("record_of", [(struct.pack("<I", index), NARROW.pack(0, 0, 1000 + index, 0))
                                  for index in range(OLD_ENTRIES)])
        return generation

    def fill_slots(self, numbers):
        self.update("slot", [(struct.pack("<I", number), struct.pack("<I", place(number))) for number in numbers])

    def fill_prefixes(self):
        self.update("prefix", [(struct.pack("<I4B", length, 10, number >> 8, number & 255, 0), struct.pack("<I", number * 3 + length))
                               for number in range(PREFIXES) for length in (16, 24) if length == 24 or number % 256 == 0])

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
        return wait_for(f"a migration that is {' or '.join(states)}",
                        lambda: (lambda found: found if found and found["state"] in states else None)(self.migration()))

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


class Load(holder_fixture.Load):
    def __init__(self, lab):
        super().__init__(lab, pause=0.002)

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
    lab.fill_slots(range(SUBSCRIBERS, SLOTS))
    lab.fill_prefixes()
    old, slots, prefixes = lab.ids("map"), lab.values("map/slot"), lab.values("map/prefix")
    assert (len(slots), len(prefixes)) == (SLOTS, PREFIXES + 5)
    with Load(lab) as load, lab.client() as listener:
        listener.call("holder.subscribe")
        staged = lab.stage("migrate_grows", record_of=1000, place=300, slot=5000)
        assert staged["bridge"] is True
        assert {row["name"]: row["type"] for row in staged["programs"]} == {
            "bng_access": "xdp", "bng_core": "xdp", "bng_sweep": "syscall", "bng_migrate": "raw_tracepoint",
            "bng_migrate_check": "raw_tracepoint"}
        rows = {row["name"]: row for row in staged["maps"]}
        assert rows["record_of"] == {"name": "record_of", "result": "migrate", "entries_old": 256, "entries_new": 1000}
        assert rows["slot"] == {"name": "slot", "result": "migrate", "entries_old": 4096, "entries_new": 5000}
        assert (rows["tx"]["result"], rows["record_of__moved"]["result"]) == ("same", "scratch")
        assert not [name for name in rows if name.endswith("__old")]
        result = lab.migrate(2)
        assert (result["from"], result["to"]) == (1, 2) and len(result["links"]) == 2
        status = lab.wait_for("done", "failed")
        load.goes_on()
        events = [told(listener) for _ in range(4)]
    assert_exact(lab, load)
    assert status == lab.call("holder.status")["migration"]
    assert (status["generation"], status["state"], status["reason"]) == (2, "done", "")
    assert (status["entries"], status["moved"]) == (512, 512)
    assert 1 <= status["attempts"] <= 100 and status["opening_us"] > 0
    assert status["maps"] == [{"name": name, "entries_old": before, "entries_new": after} for name, before, after in (
        ("place", 256, 300), ("prefix", 4096, 4096), ("record_of", 256, 1000), ("slot", 4096, 5000))]
    lab.assert_runs(2)
    assert (lab.values("map/slot"), lab.values("map/prefix")) == (slots, prefixes)
    now = lab.ids("map", "gen/2/old", "gen/2/durable")
    moved = ("record_of", "place", "prefix", "slot")
    assert all(now[f"gen/2/old/{name}"] == old[f"map/{name}"] != now[f"map/{name}"] == now[f"gen/2/durable/{name}"] for name in moved)
    assert all(now[f"map/{name}"] == old[f"map/{name}"] for name in ("tx", "swept"))
    states = {row["generation"]: (row["state"], row["bridge"]) for row in lab.call("holder.status")["generations"]}
    assert states == {1: ("previous", False), 2: ("current", True)}
    assert events == [("stage", None), ("swap", None), ("migrate", "moving"), ("migrate", "done")]
    lab.exec()
    lab.wait_for_execs(1)
    assert lab.migration() == status
    lab.stage_and_commit("migrate_v1")
    lab.assert_runs(3)
    assert lab.migration() is None and len(lab.records()) == 1000


def told(listener):
    note = listener.next_notification(20)["params"]
    return note["type"], note.get("state")


def test_a_layout_there_and_back(lab):
    """By two bridges and two ordinary objects; what a packet counted is in the record whatever its layout."""
    with Load(lab) as load:
        row = {row["name"]: row for row in lab.stage("migrate_widens")["maps"]}["record_of"]
        assert row == {"name": "record_of", "result": "migrate", "detail": "value_size", "entries_old": 256, "entries_new": 256}
        lab.migrate(2)
        lab.wait_for("done")
        error = lab.stage_refused("migrate_v1")  # what ran before knows the old layout
        assert error.code == INCOMPATIBLE and error.data["field"] == "value_size"
        lab.stage_and_commit("migrate_wide")
        lab.call("swap.rollback")  # the bridge is a generation like any other
        lab.assert_runs(2)
        assert lab.migration()["state"] == "done"
        lab.call("swap.rollback")
        lab.assert_runs(3)
        load.goes_on()
        wide = [name for name, _, _ in lab.records(layout=WIDE)]
        assert wide == [1000 + index for index in range(OLD_ENTRIES)]
        assert lab.stage("migrate_narrows")["generation"] == 4
        lab.migrate(4)
        assert lab.wait_for("done")["generation"] == 4
        lab.stage_and_commit("migrate_v1")
        load.goes_on()
    assert_exact(lab, load)
    lab.assert_runs(5)


REFUSED = {
    "smaller": ("record_of", "max_entries", "found 128, the running map has 256"),
    "migrate_devmap": ("tx", "type", "found it, the running map has one that does not migrate"),
    "migrate_other_type": ("slot", "type", "found 2, the running map has 1"),
    "migrate_other_value": ("slot", "value_size", "found 8, the running map has 4"),
    "migrate_scratch_old": (None, None, "map record_of__old: a map record_of that runs, and one in this object, both pinned"),
    "migrate_nothing": (None, None, "map nothing__old: a map nothing that runs, and one in this object"),
    "migrate_tracepoint": (None, None, "program bng_other: the holder takes"),
}


def test_what_cannot_migrate_is_refused_at_staging(lab):
    before = lab.everything()
    generations = sorted(lab.pin("gen").iterdir())
    for name, (map_name, field, text) in REFUSED.items():
        sizes = {"record_of": 128} if name == "smaller" else {}
        error = lab.stage_refused("migrate_grows" if sizes else name, **sizes)
        assert error.code == INCOMPATIBLE and text in error.message, error.message
        assert ((error.data or {}).get("map"), (error.data or {}).get("field")) == (map_name, field)
    assert lab.everything() == before
    assert sorted(lab.pin("gen").iterdir()) == generations


def test_the_old_side_must_be_what_runs(lab):
    """The bridge from the wide layout finds the narrow one."""
    before = lab.everything()
    error = lab.stage_refused("migrate_narrows")
    assert error.code == INCOMPATIBLE and error.data["map"] == "record_of__old" and error.data["field"] == "value_size"
    assert lab.everything() == before


def test_it_is_begun_only_by_a_starting_controller_and_only_when_nothing_else_is(lab):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    plain = lab.stage("migrate_v1")["generation"]
    before = lab.everything()

    def refused(method, params, text, code=CONFLICT):
        error = lab.refused(method, params)
        assert error.code == code and text in error.message, error.message

    refused("swap.migrate", {"generation": bridge}, "only a controller that is starting")
    with lab.starting() as client:
        client.call("controller.ready", {"epoch": 7})
        refused("swap.migrate", {"generation": bridge}, "only a controller that is starting")
    with lab.starting():
        refused("swap.migrate", {"generation": plain}, "it migrates no map: commit it")
        refused("swap.migrate", {"generation": 77}, "there is no such generation", -32002)
    refused("swap.commit", {"generation": bridge}, "it is a bridge, which migrates map")
    refused("swap.commit", {"generation": bridge, "confirm_within_s": 5}, "it is a bridge, which migrates map")
    refused("swap.commit", {"generation": bridge, "canary": {"steps": [{"share": 1, "bake_s": 1}]}}, "it offers no canary")
    refused("object.shadow", {"generation": bridge, "names": ["meta"]}, "it is a bridge")
    assert lab.everything() == before
    lab.call("swap.commit", {"generation": plain, "confirm_within_s": 600})
    with lab.starting():
        refused("swap.migrate", {"generation": bridge}, "a commit is on trial")
    lab.call("swap.confirm")
    lab.migrate(bridge)
    assert lab.wait_for("done")["generation"] == bridge


def test_after_the_opening_there_is_no_way_back_to_the_old_maps(lab):
    early = lab.stage("migrate_v1")["generation"]  # it has the old maps, too
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    lab.migrate(bridge)
    lab.wait_for("done")
    before = lab.everything()
    error = lab.refused("swap.rollback")
    assert error.code == CONFLICT and "was migrated: its old map is no longer true" in error.message
    assert "a bridge in the other direction" in error.message
    error = lab.refused("swap.commit", {"generation": early})
    assert error.code == CONFLICT and "stage it again" in error.message
    error = lab.refused("object.drop", {"generation": bridge})
    assert error.code == CONFLICT
    assert lab.everything() == before
    lab.stage_and_commit("migrate_v1")
    error = lab.migrate_refused(bridge)  # kept, and open
    assert error.code == CONFLICT and "it was opened before" in error.message
    kept = lab.ids(f"gen/{bridge}/old")
    lab.call("object.drop", {"generation": 1})
    classes = {row["id"]: row["class"] for row in lab.call("orphans.list")["orphans"] if row["kind"] == "map"}
    assert {classes[number] for number in kept.values()} == {"ours-live"}  # the bridge has them, too
    lab.call("object.drop", {"generation": early})
    lab.call("object.drop", {"generation": bridge})
    assert not lab.pin(f"gen/{bridge}").exists()


def test_nothing_follows_a_bridge_that_still_moves(lab):
    """Packets go on, and are counted in the new records."""
    lab.stage("migrate_stuck", record_of=300)
    with Load(lab) as load:
        lab.migrate(2)
        final = lab.stage("migrate_v1")["generation"]
        other = lab.stage("migrate_grows")["generation"]
        error = lab.refused("swap.commit", {"generation": final})
        assert error.code == CONFLICT and "generation 2 is a bridge that has not moved everything" in error.message
        error = lab.migrate_refused(other)
        assert error.code == CONFLICT and "another bridge has not moved everything" in error.message
        with open(lab.command[0], "rb") as file:
            error = lab.refused("holder.exec", {}, [file.fileno()])
        assert error.code == CONFLICT and "a bridge moves entries" in error.message
        status = lab.migration()
        assert (status["state"], status["move_ms"]) == ("moving", 0)
        load.goes_on()
    assert_exact(lab, load)
    lab.assert_runs(2)


def test_a_wrong_move_is_found_and_told(lab):
    """The old maps are all there, the bridge goes on serving, nothing follows it."""
    lab.stage("migrate_wrongly")
    old = lab.records()
    with Load(lab) as load, lab.client() as listener:
        listener.call("holder.subscribe")
        lab.migrate(2)
        status = lab.wait_for("failed", "done")
        assert status["state"] == "failed" and "what was moved is not what the old maps have" in status["reason"]
        assert [told(listener) for _ in range(3)] == [("swap", None), ("migrate", "moving"), ("migrate", "failed")]
        assert "what was moved is not" in lab.log()
        final = lab.stage("migrate_v1")["generation"]
        assert lab.refused("swap.commit", {"generation": final}).code == CONFLICT
        lab.kill()
        lab.start()
        assert lab.wait_for("failed", "done")["state"] == "failed"
        load.goes_on()
    assert load.lost() == [0, 0]
    assert [name for name, _, _ in lab.records("gen/2/old/record_of")] == [name for name, _, _ in old]
    assert [name for name, _, _ in lab.records()] == [1000 + index + (index == 77) for index in range(OLD_ENTRIES)]
    lab.assert_runs(2)


def test_pins_that_cannot_follow_are_tried_again(lab):
    """It is open, whatever the file system says: packets count in the new maps, nobody goes back."""
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    current = lab.stage_and_commit("migrate_v1")
    lab.pin("map_new").mkdir()
    with Load(lab) as load:
        with lab.client() as listener:
            listener.call("holder.subscribe")
            lab.migrate(bridge)
            note = listener.next_notification(20)["params"]
            assert (note["type"], note["generation"], note["state"]) == ("migrate", bridge, "moving") and note["reason"]
        for restarted in (False, True):
            if restarted:
                lab.kill()
                lab.start()
            lab.wait_for("moving")
            wait_for("the reason", lambda: lab.migration()["reason"])
            migration = lab.migration()
            assert (migration["generation"], migration["moved"] <= 512) == (bridge, True)
            assert "which is open: pinning map" in migration["reason"]
            assert lab.call("swap.status")["current"] == current
            whose = {row["class"] for row in lab.call("orphans.list")["orphans"] if f"generation {bridge}" in row["why"]}
            assert whose == {"ours-live"}
            assert lab.refused("swap.commit", {"generation": bridge}).code == CONFLICT
            assert lab.refused("swap.rollback").code == CONFLICT
            assert lab.refused("object.drop", {"generation": bridge}).code == CONFLICT
            lab.assert_runs(bridge)
        swept = lab.values("map/swept")
        lab.wait_for_ticks(1)
        assert lab.values("map/swept") == swept  # the old bng_sweep would have written
        lab.pin("map_new").rmdir()
        lab.wait_for("done")
        load.goes_on()
    assert_exact(lab, load)
    assert lab.call("swap.status")["current"] == bridge


# ---- A machine that is not as it seems --------------------------------------------


def restart_with(lab, realtime=False, **files):
    """The holder sees another machine: only it, in a mount namespace of its own."""
    lab.kill()
    script = lab.sandbox.directory / "holder.sh"
    lines = ["#!/bin/sh", "set -e"]
    if realtime:
        lines += ["mount -t tmpfs none /sys/kernel", "echo 1 >/sys/kernel/realtime"]
    for name, text in files.items():
        fake = lab.sandbox.directory / name
        fake.write_text(text + "\n")
        lines.append(f"mount --bind {fake} /sys/devices/system/cpu/{name}")
    script.write_text("\n".join([*lines, f'exec {lab.command[0]} "$@"', ""]))
    script.chmod(0o755)
    lab.command = ["unshare", "--mount", "--propagation", "private", script]
    lab.start()


def cpus():
    return int(pathlib.Path("/sys/devices/system/cpu/possible").read_text().strip().split("-")[-1]) + 1


def test_a_cpu_that_nobody_can_speak_for_is_given_up(lab):
    """One CPU more than there is: it is never seen to have left the old program. Nothing has changed."""
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    restart_with(lab, possible=f"0-{cpus()}", online=f"0-{cpus()}")
    with Load(lab) as load:
        before = lab.ids("map"), lab.attached_programs(), lab.call("swap.status")["current"]
        error = lab.migrate_refused(bridge)
        assert error.code == SYSTEM and f"given up after 100 attempts: nothing showed that CPU {cpus()}" in error.message
        assert error.data == {"attempts": 100, "cpu": cpus()}
        assert (lab.ids("map"), lab.attached_programs(), lab.call("swap.status")["current"]) == before
        assert state_word(lab, bridge) == 0 and lab.migration() is None
        load.goes_on()
    assert_exact(lab, load)
    lab.kill()
    lab.command = [BINARY]
    lab.start()
    lab.bpftool("map", "delete", "pinned", lab.pin("map/slot"), "key", "200", "0", "0", "0")
    slots = lab.values("map/slot")
    lab.migrate(bridge)  # a later attempt, with all that the first one left
    lab.wait_for("done")
    assert lab.values("map/slot") == slots and len(slots) == SUBSCRIBERS - 1
    lab.assert_runs(bridge)


def test_a_cpu_that_is_offline_needs_no_proof(lab):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    restart_with(lab, possible=f"0-{cpus()}")
    with Load(lab) as load:
        lab.migrate(bridge)
        lab.wait_for("done")
        load.goes_on()
    assert_exact(lab, load)


def test_a_realtime_kernel_is_refused(lab):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    restart_with(lab, realtime=True)
    error = lab.migrate_refused(bridge)
    assert error.code == INCOMPATIBLE and "on a PREEMPT_RT kernel nothing shows" in error.message
    lab.assert_runs(1)


def test_one_cpu_is_too_few(lab):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    restart_with(lab, online="0")
    error = lab.migrate_refused(bridge)
    assert error.code == INCOMPATIBLE and "it needs a second CPU" in error.message
    lab.assert_runs(1)


# ---- Death -------------------------------------------------------------------------


def state_word(lab, generation):
    value = lab.values(f"gen/{generation}/scratch/bridge")[bytes(4)]
    return int.from_bytes(value[:4], "little")


def asks_and_leaves(lab, generation):
    """A controller that ends without waiting for the answer."""
    with lab.client() as client:
        client.call("controller.hello", {"version": "test", "epoch": 9})
        client.begin("swap.migrate", {"generation": generation})


def test_the_controller_may_die_meanwhile(lab):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    with Load(lab) as load:
        asks_and_leaves(lab, bridge)
        lab.wait_for("done")
        load.goes_on()
    assert_exact(lab, load)
    assert lab.call("swap.status")["current"] == bridge


BEFORE = ["migrate_copy", "migrate_fill", "commit_intent", "commit_update_next", "commit_done", "migrate_open"]
AFTER = ["migrate_opened", "commit_map:2", "commit_keep", "commit_current", "commit_retire:2", "commit_done:2",
         "migrate_move", "migrate_check", "migrate_done"]


@pytest.mark.parametrize("step", BEFORE + AFTER)
def test_death_at_every_step(lab, step):
    """Before the opening it is undone, after it it is finished; no packet knows."""
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    lab.kill()
    lab.start(die_at=step)
    begun_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    with Load(lab) as load:
        with contextlib.suppress(OSError):
            lab.migrate(bridge)
        lab.dies()
        lab.start()
        if step in BEFORE:
            assert lab.call("swap.status")["current"] == 1 and state_word(lab, bridge) == 0
            lab.assert_runs(1)
            assert lab.migration() is None
            lab.migrate(bridge)
        migration = lab.wait_for("done")
        assert 0 <= migration["move_ms"] <= (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - begun_ns) // 1000000
        lab.assert_runs(bridge)
        load.goes_on()
    assert_exact(lab, load)
    status = lab.call("swap.status")
    assert (status["current"], status["previous"], status["journal"]["step"]) == (bridge, 1, "idle")
    assert lab.ids("map")["map/record_of"] == lab.ids(f"gen/{bridge}/durable")[f"gen/{bridge}/durable/record_of"]
    lab.stage_and_commit("migrate_v1")


def test_death_while_it_is_closed(lab):
    """Nobody opens it any more: it is left."""
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    lab.kill()
    lab.start(die_at="migrate_open")
    with contextlib.suppress(OSError):
        lab.migrate(bridge)
    lab.dies()
    pin = lab.pin(f"gen/{bridge}/scratch/bridge")
    value = bytearray(lab.values(f"gen/{bridge}/scratch/bridge")[bytes(4)])
    value[:4] = struct.pack("<I", 1 | 5 << 8)
    lab.bpftool("map", "update", "pinned", pin, "key", "hex", "00", "00", "00", "00", "value", "hex", *[f"{byte:02x}" for byte in value])
    lab.start()
    assert state_word(lab, bridge) == 0
    lab.assert_runs(1)
    with Load(lab) as load:
        lab.migrate(bridge)
        lab.wait_for("done")
        load.goes_on()
    assert_exact(lab, load)


@pytest.mark.parametrize("step", ["commit_map:2", "commit_current"])
def test_death_again_while_the_next_start_finishes(lab, step):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    lab.kill()
    lab.start(die_at="migrate_opened")
    with Load(lab) as load:
        with contextlib.suppress(OSError):
            lab.migrate(bridge)
        lab.dies()
        lab.start(die_at=step, wait=False)
        lab.dies()
        (lab.state / "journal.json").unlink()  # the pins know it, too
        lab.start()
        lab.wait_for("done")
        load.goes_on()
    assert_exact(lab, load)
    lab.assert_runs(bridge)


def test_death_while_it_is_given_up(lab):
    bridge = lab.stage("migrate_grows", record_of=300)["generation"]
    restart_with(lab, possible=f"0-{cpus()}", online=f"0-{cpus()}")
    lab.kill()
    lab.start(die_at="migrate_back")
    with contextlib.suppress(OSError):
        lab.migrate(bridge)
    lab.dies()
    lab.start()
    lab.assert_runs(1)
    assert lab.call("swap.status")["current"] == 1
