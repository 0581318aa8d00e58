# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What is empty, or has shrunk, where there was state is not believed: a start is refused, and
# changes nothing, until somebody says that it is meant. A reboot is no such surprise.
import contextlib
import hashlib
import json
import mmap
import os
import pathlib
import random
import re
import shutil
import time

import pytest

import sandbox
from lab import Lab, default_config, wait_for
from rpc import RpcError

REFUSED = 11
SESSIONS = 200
RECORD, STATE, ACTIVE = 256, 18, 1  # of struct bng_subscriber


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        add(lab, range(SESSIONS))
        wait_counted(lab)
        yield lab


def address_of(number):
    return f"10.0.{10 + number // 250}.{number % 250 + 1}"


def add(lab, numbers):
    lab.call("session.add", {"sessions": [
        {"address": address_of(n), "mac": f"02:00:00:03:{n >> 8:02x}:{n & 255:02x}", "interface": "access0"} for n in numbers]})


def kill(lab, process):
    process.kill()
    lab.reap(process)


def sync(lab):
    return lab.call("status")["sync"]


def active(lab):
    return lab.call("status")["sessions"]["active"]


def wait_counted(lab):
    """All is durable, and counted as such."""
    wait_for("all to be durable", lambda: sync(lab)["up"] and sync(lab)["synced"] and not sync(lab)["waiting"])
    wait_for("it to be counted", lambda: seen(lab)["records"] == active(lab))


def seen(lab):
    """The counts for the next start, read where controld has them mapped."""
    names = ("sessions", "records", "interfaces", "address_pools", "nat_pools")
    for line in pathlib.Path(f"/proc/{lab.controld.pid}/maps").read_text().splitlines():
        if "memfd:controld.seen" in line:
            with open(f"/proc/{lab.controld.pid}/mem", "rb") as memory:
                memory.seek(int(line.split("-")[0], 16) + 24)  # header, is_counted
                return {name: int.from_bytes(memory.read(8), "little") for name in names}
    raise AssertionError("no such memory")


def refused(lab):
    """What a start says that ends at once; nothing of what there was is different."""
    before = digest(lab)
    said = refused_start(lab)
    assert digest(lab) == before
    return said


def refused_start(lab):
    before = (lab.directory / "controld.log").stat().st_size
    lab.start_controld(wait=False)
    assert lab.controld.wait(60) == REFUSED
    lab.processes.remove(lab.controld)
    with open(lab.directory / "controld.log", encoding="utf-8") as file:
        file.seek(before)
        return file.read()


def advice(lab):
    return ". Nothing was changed, forwarding goes on as it is. If this is meant: touch " \
        f"{lab.state}/control/accept-empty (for one start), or give --accept-empty\n"


COUNTED = ", as the last bng-controld counted in memory that bpfholder keeps"


@contextlib.contextmanager
def sessions_in_map(lab):
    """The map `subscriber`, mapped."""
    with lab.rpc("holder") as holder:
        _, fds = holder.call_fds("map.open", {"names": ["subscriber"]})
    with mmap.mmap(fds[0], lab.config["sizes"]["subscribers"] * RECORD) as memory:
        yield memory
    os.close(fds[0])


def places(memory):
    """Of the sessions that are up; others the sweep may be taking away."""
    return [place for place in range(0, len(memory), RECORD) if memory[place + STATE] == ACTIVE]


def digest(lab):
    with sessions_in_map(lab) as memory:
        return hashlib.sha256(b"".join(memory[place:place + RECORD] for place in places(memory))).digest()


@contextlib.contextmanager
def lost(lab, count):
    """So many sessions are gone from the map, and come back."""
    with sessions_in_map(lab) as memory:
        kept = [(place, memory[place:place + RECORD]) for place in places(memory)[:count]]
        for place, _ in kept:
            memory[place:place + RECORD] = bytes(RECORD)
    try:
        yield
    finally:
        with sessions_in_map(lab) as memory:
            for place, record in kept:
                memory[place:place + RECORD] = record


@contextlib.contextmanager
def wiped_store(lab):
    """The bus with an empty store; then it has its own again."""
    folder, kept = lab.state / "store", lab.state / "store.kept"
    kill(lab, lab.bngsync)
    folder.rename(kept)
    lab.start_bngsync()
    try:
        yield
    finally:
        kill(lab, lab.bngsync)
        shutil.rmtree(folder)
        kept.rename(folder)
        lab.start_bngsync()


def records_on_bus(lab):
    return {topic["name"]: topic["records"] for topic in lab.call("sync.status", server="bngsync")["topics"]}["session"]


@pytest.mark.parametrize("gone", [1, SESSIONS], ids=["one", "all"])
def test_sessions_missing_in_the_map_are_refused(lab, gone):
    kill(lab, lab.controld)
    with lost(lab, gone):
        said = refused(lab)
        assert f"sessions in the map subscriber: {SESSIONS - gone} found, {SESSIONS} expected{COUNTED}{advice(lab)}" in said
        assert "[FAIL] state compared         refused" in said
        told = lab.call("holder.status", server="holder")["controller"]["failure"]
        assert told["phase"] == "state compared" and f"{SESSIONS} expected" in told["reason"]
        for _ in range(3):  # it is the state, not the version: nothing counts as failed
            refused(lab)
        assert json.loads((lab.state / "control" / "start.json").read_text())["failures"] == 0
    lab.start_controld()
    assert lab.call("status")["start"]["adopted"]["sessions"] == SESSIONS
    assert lab.call("status")["start"]["failed"]["phase"] == "state compared"
    assert re.search(r"^refused before +last .*: state compared: sessions in the map", lab.cli("status").stdout, re.MULTILINE)


def test_an_empty_snapshot_is_refused(lab):
    wait_counted(lab)
    before = digest(lab)
    kill(lab, lab.controld)
    with wiped_store(lab):
        said = refused(lab)
        assert f"session records on the bus: 0 found, {SESSIONS} expected{COUNTED}{advice(lab)}" in said
        assert records_on_bus(lab) == 0
    lab.start_controld()
    assert lab.call("status")["sync"]["synced"] and digest(lab) == before


def test_an_empty_snapshot_that_comes_late_is_left_alone(lab):
    wait_counted(lab)
    kill(lab, lab.controld)
    with wiped_store(lab):
        kill(lab, lab.bngsync)
        lab.start_controld()  # the bus is away: from the maps alone
        lab.start_bngsync()
        wait_for("it to be said", lambda: f"not believed: session records on the bus: 0 found, {SESSIONS} expected. Give it"
                 in lab.log("controld"))
        assert not sync(lab)["synced"] and records_on_bus(lab) == 0 and active(lab) == SESSIONS
    wait_for("its own records", lambda: sync(lab)["synced"])
    assert records_on_bus(lab) == SESSIONS
    assert all(lab.call("session.show", {"address": f"10.0.10.{n}"})["known"] for n in (1, 2, 200))


def test_a_configuration_that_lost_everything_is_refused(lab):
    what = "address pools in the configuration, /dhcp4/pools and /pppoe/pools: 0 found, 1 expected"
    before = lab.call("config.show")
    lab.config["dhcp4"]["pools"] = []
    lab.write_config()
    with pytest.raises(RpcError, match=f"{what}: if this is meant, bngcli config reload --accept-empty"):
        lab.call("config.reload")
    assert lab.call("config.show") == before
    check = lab.call("config.check", {"file": str(lab.config_file)})
    assert check["ok"] and not check["live"] and what in check["detail"]
    kill(lab, lab.controld)
    assert f"{what}{COUNTED}{advice(lab)}" in refused(lab)
    lab.config = default_config()
    lab.start_controld()
    lab.config["dhcp4"]["pools"] = []
    lab.write_config()
    assert "/dhcp4/pools/homes" in lab.cli("config", "reload", "--accept-empty").stdout
    kill(lab, lab.controld)
    lab.start_controld()  # what was accepted is what is expected
    lab.config = default_config()
    lab.write_config()
    lab.call("config.reload")
    assert active(lab) == SESSIONS


def test_killed_while_sessions_come_and_go_nothing_seems_to_be_missing(lab):
    """The count never says more than there is."""
    choose = random.Random(5)
    for turn in range(4):
        first = 1000 + turn * 300
        add(lab, range(first, first + 300))
        with lab.rpc() as client:
            client.call("status")  # so that it is this controld that has the connection
            client.send_all([("session.disconnect", {"address": address_of(n)})
                             for n in range(first, first + 100 + choose.randrange(100))])
            time.sleep(choose.random() * 0.02)
            kill(lab, lab.controld)
        lab.start_controld()
        assert seen(lab)["sessions"] == active(lab)


def test_what_is_meant_is_accepted_once(lab):
    wait_counted(lab)
    sessions = active(lab)
    kill(lab, lab.controld)
    with lost(lab, 50):
        (lab.state / "control" / "accept-empty").touch()
        lab.start_controld()
        assert active(lab) == sessions - 50 and not (lab.state / "control" / "accept-empty").exists()
        assert f"accepted, as --accept-empty or the file accept-empty says: sessions in the map subscriber: {sessions - 50} " \
            f"found, {sessions} expected{COUNTED}\n" in lab.log("controld")
        kill(lab, lab.controld)
    lab.start_controld("--accept-empty")
    kill(lab, lab.controld)
    with lost(lab, 1):
        refused(lab)
    lab.start_controld()


def on_bus(lab):
    return lab.call("sync.get", {"topic": "controller", "key": "seen"}, server="bngsync")["value"]["sessions"]


def test_the_copy_on_the_bus_is_never_far_too_high(lab):
    kill(lab, lab.controld)
    lab.start_controld()
    wait_for("the count", lambda: on_bus(lab) == active(lab))
    with lab.rpc() as client:
        up = client.call("session.list", {"filter": {"state": "active"}, "limit": 10000})["sessions"]
        for session in up[20:]:
            client.call("session.disconnect", {"id": session["id"]})
    assert 20 <= wait_for("the count to follow", lambda: on_bus(lab) if on_bus(lab) < 40 else 0)


def test_a_reboot_is_no_surprise_but_lost_pins_are(lab):
    wait_counted(lab)
    sessions = active(lab)
    kill(lab, lab.controld)
    lab.start_controld()  # which tells the bus
    wait_counted(lab)
    kill(lab, lab.controld)
    kill(lab, lab.holder)
    sandbox.run(["umount", str(lab.state / "bpf")])
    (lab.state / "journal.json").unlink()
    lab.start_holder()
    said = refused_start(lab)
    assert f"sessions in the map subscriber: 0 found, {sessions} expected, as the last bng-controld told the bus at 2" in said
    lab.start_controld_after_reboot()
    assert active(lab) == 0 and lab.call("status")["start"]["failed"]["phase"] == "state compared"
