# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bngsync with a full disk, a damaged store, killed again and again. What was
# acknowledged is there; what cannot be done is said, and everything else goes on.
import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

import sandbox
from lab import AS_BNG, BUILD, wait_for
from rpc import RpcClient, RpcError

FULL, UNAVAILABLE, NOT_PERMITTED, INVALID = -32005, -32007, -32001, -32602
SECONDS = float(os.environ.get("BNG_CRASH_SECONDS", "8"))


class Bus:
    """A bngsync in a folder of its own, as user bng."""

    def __init__(self):
        self.sandbox = sandbox.Sandbox()
        self.folder = self.sandbox.directory
        self.store = self.folder / "store" / "sync.db"
        for name in ("control", "store"):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, "bng", "bng")
        shutil.copy(BUILD / "bin" / "bngsync", self.folder / "bngsync")
        self.namespace = self.sandbox.namespace("sync")
        self.process = None

    def start(self, *options):
        self.process = self.sandbox.start(self.namespace, *AS_BNG, self.folder / "bngsync", "--state", self.folder, "--store",
                                          self.store, "--group", "bng", *options, log="bngsync.log")
        wait_for("bngsync to answer", self.answers)

    def answers(self):
        assert self.process.poll() is None, self.log()
        with contextlib.suppress(OSError), self.client() as client:
            return client.call("sync.status")["pid"] == self.process.pid
        return False

    def end(self, how=signal.SIGTERM):
        return self.sandbox.stop(self.process, how)

    def client(self):
        return RpcClient(self.folder / "control" / "bngsync.sock")

    def call(self, method, params=None):
        with self.client() as client:
            return client.call(method, params)

    def refused(self, method, params=None):
        with pytest.raises(RpcError) as refusal:
            self.call(method, params)
        return refusal.value

    def publish(self, records, topic="session"):
        return self.call("sync.publish", {"topic": topic, "records": [{"key": key, "value": value}
                                                                      for key, value in records.items()]})

    def status(self):
        return self.call("sync.status")

    def store_status(self):
        return self.status()["store"]

    def records(self, topic="session"):
        """Everything, as a fresh subscriber is told it."""
        found = {}
        with self.client() as client:
            client.call("sync.subscribe", {"topic": topic})
            while (line := client.next_notification(60))["method"] != "sync.snapshot_done":
                found.update({record["key"]: record["value"] for record in line["params"]["records"]})
            return found, line["params"]["damaged"]

    def log(self):
        return (self.folder / "bngsync.log").read_text()

    def sql(self, text):
        sandbox.run(["sqlite3", str(self.store), text])


@pytest.fixture
def bus():
    made = Bus()
    yield made
    if made.process and made.process.poll() is None:
        assert made.end() == 0, made.log()
    assert "Sanitizer" not in made.log() and "runtime error" not in made.log()
    made.sandbox.close()


@pytest.fixture
def small_disk(bus):
    """The store's folder is a disk of 2 MiB."""
    folder = str(bus.store.parent)
    sandbox.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", folder])
    shutil.chown(folder, "bng", "bng")
    yield pathlib.Path(folder)
    if bus.process.poll() is None:
        bus.end()
    sandbox.run(["umount", "-l", folder])


def large(count, number, size=2000):
    return {f"large{index}": {"n": number, "text": "x" * size} for index in range(count)}


# ---- Death ------------------------------------------------------------------------------------


def test_no_acknowledged_record_is_lost(tmp_path):
    """Either side, or both, killed at random moments; by hand: sync_crash FOLDER 0, without an end."""
    with contextlib.ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="bngsync-crash-", dir="/dev/shm")
        stack.callback(shutil.rmtree, folder)
        result = subprocess.run([BUILD / "bin" / "sync_crash", folder, str(SECONDS)], capture_output=True, text=True)
    print(result.stdout)
    assert result.returncode == 0, result.stderr
    numbers = [int(number) for number in re.findall(r"\d+", result.stdout)]
    assert len(numbers) == 5 and all(numbers) and numbers[0] == sum(numbers[1:4])


def test_killed_with_records_in_the_log(bus):
    bus.start()
    revision = bus.publish({f"key{index}": {"n": index} for index in range(1000)})["revision"]
    before = bus.store_status()["id"]
    bus.end(signal.SIGKILL)
    assert (bus.store.parent / "sync.db-wal").stat().st_size > 0
    bus.start()
    assert bus.records() == ({f"key{index}": {"n": index} for index in range(1000)}, 0)
    assert (bus.store_status()["id"], bus.status()["topics"][0]["revision"]) == (before, revision)


# ---- A full disk --------------------------------------------------------------------------------


def test_full_disk_is_told_and_reading_goes_on(bus, small_disk):
    bus.start()
    bus.publish({"first": {"n": 1}})
    acknowledged = {"first": {"n": 1}}
    refusal = None
    for number in range(1, 50):
        try:
            bus.publish(large(100, number))
            acknowledged.update(large(100, number))
        except RpcError as error:
            refusal = error
            break
    assert refusal.code == FULL and "no space" in refusal.message and str(bus.store) in refusal.message
    store = bus.store_status()
    assert store["state"] == "full" and "no space" in store["error"] and store["errors"] >= 1
    assert bus.records() == (acknowledged, 0)
    assert bus.call("sync.get", {"topic": "session", "key": "first"})["value"] == {"n": 1}
    sandbox.run(["mount", "-o", "remount,size=32m", str(small_disk)])
    bus.publish(large(100, 99))
    acknowledged.update(large(100, 99))
    store = bus.store_status()
    assert (store["state"], store["error"]) == ("ok", None)
    bus.end(signal.SIGKILL)
    bus.start()
    assert bus.records() == (acknowledged, 0)


def test_no_room_for_a_new_store(bus, small_disk):
    fill = small_disk / "fill"
    with contextlib.suppress(OSError), open(fill, "wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    bus.start()
    store = bus.store_status()
    assert store["state"] == "closed" and "no space" in store["error"]
    error = bus.refused("sync.publish", {"topic": "session", "records": [{"key": "a", "value": {}}]})
    assert error.code == FULL and error.message.endswith(store["error"])
    fill.unlink()
    wait_for("the store", lambda: bus.store_status()["state"] == "ok")
    bus.publish({"a": {}})


def test_limit_of_its_own(bus):
    bus.start("--max-bytes", str(1 << 20))
    with pytest.raises(RpcError) as refusal:
        for number in range(100):
            bus.publish(large(20, number))
    assert refusal.value.code == FULL
    assert bus.publish({"small": {}})["revision"]


# ---- A damaged store ------------------------------------------------------------------------------


def filled(bus):
    bus.start()
    bus.publish(large(200, 1, 500))
    bus.end()
    assert not (bus.store.parent / "sync.db-wal").exists()
    return bus.store.read_bytes()


def assert_refuses_everything(bus, words):
    store = bus.store_status()
    assert store["state"] == "closed" and words in store["error"] and str(bus.store) in store["error"]
    for method, params in (("sync.publish", {"topic": "session", "records": [{"key": "a", "value": {}}]}),
                           ("sync.delete", {"topic": "session", "keys": ["a"]}),
                           ("sync.get", {"topic": "session", "key": "a"}), ("sync.subscribe", {"topic": "session"})):
        error = bus.refused(method, params)
        assert error.code == UNAVAILABLE and words in error.message


@pytest.mark.parametrize("damage, words", [
    (lambda whole: whole[:len(whole) // 2], "damaged"),
    (lambda whole: whole[:20000] + bytes(20000) + whole[40000:], "damaged"),
    (lambda whole: b"", "empty"),
    (lambda whole: b"this is no database " * 4000, "no database"),
], ids=["cut", "zeros", "empty", "other"])
def test_damaged_store_is_refused_and_stays_as_it_is(bus, damage, words):
    whole = filled(bus)
    broken = damage(whole)
    bus.store.write_bytes(broken)
    bus.start()
    assert_refuses_everything(bus, words)
    assert bus.store.read_bytes() == broken
    assert bus.log().count(bus.store_status()["error"]) == 1
    # Put right again, it is opened without a restart.
    replacement = bus.store.with_suffix(".good")
    replacement.write_bytes(whole)
    shutil.chown(replacement, "bng", "bng")
    replacement.rename(bus.store)
    wait_for("the store", lambda: bus.store_status()["state"] == "ok")
    assert bus.records() == (large(200, 1, 500), 0)


def test_flipped_bits_are_counted_and_told(bus):
    filled(bus)
    bus.sql("UPDATE log SET value = replace(value, 'xxx', 'xxy') WHERE key = 'large7'")
    bus.start()
    records, damaged = bus.records()
    assert damaged == 1 and records == {key: value for key, value in large(200, 1, 500).items() if key != "large7"}
    assert bus.store_status()["damaged"] == 1 and "1 rows are damaged" in bus.log()


def test_removed_while_it_runs(bus):
    bus.start()
    bus.publish({"a": {"n": 1}})
    moved = bus.store.with_suffix(".away")
    bus.store.rename(moved)
    error = bus.refused("sync.publish", {"topic": "session", "records": [{"key": "b", "value": {}}]})
    assert error.code == UNAVAILABLE and "moved or removed" in error.message
    assert bus.store_status()["state"] == "failed"
    assert bus.records() == ({"a": {"n": 1}}, 0)
    moved.rename(bus.store)
    bus.publish({"b": {}})
    assert bus.records() == ({"a": {"n": 1}, "b": {}}, 0)


def test_a_second_one_leaves_the_first_alone(bus):
    bus.start()
    bus.publish({"a": {}})
    second = subprocess.run([*AS_BNG, bus.folder / "bngsync", "--state", bus.folder, "--store", bus.store, "--group", "bng"],
                            capture_output=True, text=True, timeout=60)
    assert second.returncode == 1 and "another process has it open" in second.stderr
    assert bus.records() == ({"a": {}}, 0)


# ---- Who may call, and what ---------------------------------------------------------------------------


def test_only_root_and_the_group(bus):
    bus.start()
    path = bus.folder / "control" / "bngsync.sock"
    assert path.stat().st_mode & 0o777 == 0o660
    path.chmod(0o666)
    program = ("import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);"
               "s.send(b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"'+sys.argv[2].encode()+b'\",\"params\":{}}\\n');"
               "print(s.recv(4096).decode())")
    for method in ("sync.publish", "sync.status"):
        for user, allowed in (("nobody", False), ("bng", True)):
            ids = pwd.getpwnam(user)
            text = subprocess.run(["setpriv", f"--reuid={ids.pw_uid}", f"--regid={ids.pw_gid}", "--clear-groups",
                                   "/usr/bin/python3", "-c", program, str(path), method],
                                  capture_output=True, text=True, check=True).stdout
            code = json.loads(text).get("error", {}).get("code")
            assert (code == NOT_PERMITTED) != allowed


def test_nothing_of_a_wrong_call_is_done(bus):
    bus.start()
    bus.publish({"a": {"n": 1}})
    records = [{"key": "a", "value": {"n": 2}}, {"key": "b", "value": 7}]
    error = bus.refused("sync.publish", {"topic": "session", "records": records})
    assert error.code == INVALID and "params/records/1/value: 7: must be an object" in error.message
    assert bus.records() == ({"a": {"n": 1}}, 0)


def test_lines_in_other_forms_are_the_same_calls(bus):
    """What the quick reader of lines does not take goes the long way, to the same end."""
    bus.start()
    with bus.client() as client:
        params = {"topic": "session", "records": [{"key": "a", "value": {"n": 1}}]}
        assert client.exchange({"id": 1, "params": params, "extra": 1, "method": "sync.publish", "jsonrpc": "2.0"}) == \
            {"jsonrpc": "2.0", "id": 1, "result": {"revision": 1}}
        reply = client.exchange({"jsonrpc": "2.0", "id": "x", "method": "sync.publish", "params": [1]})
        assert (reply["id"], reply["error"]["code"]) == ("x", INVALID)
        client.socket.sendall(b'{"jsonrpc":"2.0","method":"sync.publish","params":{"topic":"session","records":'
                              b'[{"key":"quiet","value":{}}]}}\n')
        assert client.call("sync.status")["pid"]
    wait_for("the call without id", lambda: set(bus.records()[0]) == {"a", "quiet"})


def test_a_client_that_never_reads_costs_nobody(bus):
    bus.start()
    bus.publish(large(400, 0))
    with bus.client() as idle:
        idle.call("sync.subscribe", {"topic": "session"})
        for number in range(1, 8):
            bus.publish(large(400, number))
        assert bus.records() == (large(400, 7), 0)
        subscriber = bus.status()["subscribers"][0]
        assert subscriber["paused"] and subscriber["lag"] > 0 and subscriber["unsent"] < 2 << 20
    wait_for("its end", lambda: bus.status()["subscribers"] == [])
