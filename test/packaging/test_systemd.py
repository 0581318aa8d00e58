# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The installed gateway under a systemd of its own, with a subscriber's packets numbered both
# ways: whatever is done to a unit, none of them is lost, and nothing that was there changes.
import os
import shutil

import pytest

from lab import wait_for
from machine import UNITS, Machine
from meter import Meter, add_sessions, faults

SUBSCRIBERS, FLOWS, RATE = 1, 16, 5000
VERSION, OLDER = "0.1.0", "0.0.9"


@pytest.fixture(scope="module")
def machine():
    with Machine() as made:
        add_sessions(made, SUBSCRIBERS)
        with Meter(made, SUBSCRIBERS, FLOWS) as made.meter:
            assert made.meter.prime()["up"]["lost"] == 0
            yield made


@pytest.fixture(autouse=True)
def unharmed(machine):
    """What is there before is there afterwards, and every packet sent meanwhile has arrived."""
    digest, sessions, programs = machine.digest(), machine.sessions(), machine.programs()
    machine.meter.start("both", rate=RATE)
    yield
    report = machine.meter.stop()
    assert faults(report) == {}
    assert report["up"]["received"] == report["up"]["sent"] > 0 and report["down"]["received"] == report["down"]["sent"] > 0
    assert machine.digest() == digest and machine.sessions() == sessions and len(sessions) == SUBSCRIBERS
    assert machine.programs() == programs


def stored_by_systemd(machine):
    return int(machine.property("bpfholder", "NFileDescriptorStore"))


def stored(machine):
    """How many descriptors systemd keeps for the holder, and the names that the holder has them by."""
    return stored_by_systemd(machine), set(machine.call("holder.status", server="holder")["sockets"])


def socket_inode(machine, name):
    with machine.rpc("holder") as client:
        _, (fd,) = client.call_fds("fd.take", {"name": name})
    try:
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


def inodes(machine):
    return {name: socket_inode(machine, name) for name in stored(machine)[1]}


def together(machine):
    """controld knows the holder that runs, and has given it what it keeps."""
    return machine.call("status")["holder"]["pid"] == machine.pid("bpfholder")


def wait_as_before(machine, kept):
    """controld is with the holder; both the holder and systemd have what they had."""
    wait_for("controld to be with the holder", lambda: together(machine))
    wait_for("all that is stored", lambda: inodes(machine) == kept and stored(machine)[0] == len(kept))


@pytest.mark.parametrize("unit", UNITS)
def test_systemctl_restart(machine, unit):
    pids, kept = {name: machine.pid(name) for name in UNITS}, inodes(machine)
    machine.systemctl("restart", unit)  # which ends when it is ready
    assert machine.serves(unit, but=pids[unit])
    assert {name for name in UNITS if machine.pid(name) != pids[name]} == {unit}  # nobody went with it
    wait_as_before(machine, kept)
    assert machine.property(unit, "NRestarts") == "0"


def test_systemctl_restart_of_all_at_once(machine):
    """As a package that is upgraded may do: what systemd keeps for the holder is there although nobody else has it."""
    pids, kept = {name: machine.pid(name) for name in UNITS}, inodes(machine)
    machine.systemctl("restart", *UNITS)
    for unit in UNITS:
        assert machine.serves(unit, but=pids[unit])
    wait_as_before(machine, kept)
    assert machine.call("status")["start"]["adopted"]["sessions"] == SUBSCRIBERS


def test_the_holder_stopped_and_started(machine):
    """systemd drops what it keeps of a unit that is stopped; who uses the sockets gives them again."""
    kept = inodes(machine)
    machine.systemctl("stop", "bpfholder")
    assert stored_by_systemd(machine) == 0 and machine.call("status")["version"] == VERSION
    machine.systemctl("start", "bpfholder")
    wait_as_before(machine, kept)


def test_systemctl_reload(machine):
    pid, loaded = machine.pid("bng-controld"), machine.call("status")["config"]["loaded"]
    machine.systemctl("reload", "bng-controld")
    wait_for("the configuration", lambda: machine.call("status")["config"]["loaded"] != loaded)
    assert machine.pid("bng-controld") == pid


@pytest.mark.parametrize("unit", UNITS)
def test_kill(machine, unit):
    pids, kept = {name: machine.pid(name) for name in UNITS}, inodes(machine)
    restarts = int(machine.property(unit, "NRestarts"))
    machine.systemctl("kill", "--signal=KILL", "--kill-who=main", unit)
    machine.wait_unit(unit, but=pids[unit])
    assert int(machine.property(unit, "NRestarts")) == restarts + 1
    assert {name for name in UNITS if machine.pid(name) != pids[name]} == {unit}
    wait_as_before(machine, kept)


def test_the_holder_replaced_in_place(machine):
    """systemd sees the same process go on, and listens to it: what is stored afterwards it keeps as well."""
    pid, kept, restarts = machine.pid("bpfholder"), inodes(machine), machine.property("bpfholder", "NRestarts")
    execs = machine.call("holder.status", server="holder")["execs"]
    assert f"goes on as process {pid}" in machine.cli("holder", "upgrade").stdout
    wait_for("the new one", lambda: machine.serves("bpfholder") and machine.call_unit("bpfholder")["execs"] == execs + 1)
    wait_for("controld to be with the holder", lambda: together(machine))
    assert machine.pid("bpfholder") == pid and machine.property("bpfholder", "NRestarts") == restarts
    assert inodes(machine) == kept and stored(machine)[0] == len(kept)
    read, write = os.pipe()
    with machine.rpc("holder") as client:
        client.call("fd.store", {"name": "mine"}, [read])
    os.close(read)
    wait_for("systemd to have it", lambda: stored(machine)[0] == len(kept) + 1)
    mine = inodes(machine)
    machine.systemctl("kill", "--signal=KILL", "--kill-who=main", "bpfholder")
    machine.wait_unit("bpfholder", but=pid)
    assert inodes(machine) == mine
    machine.call("fd.drop", {"name": "mine"}, server="holder")
    wait_for("systemd to have dropped it", lambda: stored(machine)[0] == len(kept))
    os.close(write)
    wait_for("controld to be with the holder", lambda: together(machine))


# ---- A bng-controld that cannot be run -----------------------------------------------------------


def patched(path, old, new):
    text = path.read_bytes()
    assert text.count(old) > 0 and len(old) == len(new)
    return text.replace(old, new)


def replace(path, data, mode=0o755):
    """As an installation does: another file of that name."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(mode)
    new.rename(path)


# test_controld_start.py has more.
BROKEN = {
    "not executable": (lambda path: path.read_bytes(), 0o644, "Permission denied"),
    "of another machine": (lambda path: patched(path, b"/ld-linux-x86-64.so.2\0", b"/ld-linux-x86-64.so.9\0"), 0o755,
                           "No such file or directory"),
    "without a library": (lambda path: patched(path, b"libjansson.so.4\0", b"libjansson.so.9\0"), 0o755,
                          "error while loading shared libraries: libjansson.so.9: cannot open shared object file"),
}


@pytest.fixture
def previous(machine):
    """Kept as an installation keeps it; with another version in it, so that one sees which runs."""
    installed, kept = machine.root / "usr/sbin/bng-controld", machine.root / "usr/lib/bng/previous/bng-controld"
    good = installed.read_bytes()
    kept.parent.mkdir(exist_ok=True)
    replace(kept, patched(installed, VERSION.encode() + b"\0", OLDER.encode() + b"\0"))
    yield kept
    replace(installed, good)
    machine.systemctl("restart", "bng-controld")
    assert machine.call("status")["version"] == VERSION
    assert not (machine.state / "control/start.json").exists()
    shutil.rmtree(kept.parent)


@pytest.mark.parametrize("how", BROKEN)
def test_after_three_starts_of_what_cannot_be_run_the_previous_version_runs(machine, previous, how):
    make, mode, why = BROKEN[how]
    installed = machine.root / "usr/sbin/bng-controld"
    replace(installed, make(installed), mode)
    assert machine.systemctl("restart", "bng-controld", check=False).returncode != 0  # the first of them
    machine.wait_unit("bng-controld")
    start = machine.call("status")["start"]
    assert machine.call("status")["version"] == OLDER and start["in_place"] and start["adopted"]["sessions"] == SUBSCRIBERS
    assert start["failed"]["failures"] == 3 and machine.property("bng-controld", "NRestarts") == "3"
    last = f"running the previous version {OLDER}, because the one installed failed 3 times: program run: "
    wait_for("the journal to have it", lambda: last in machine.journal("bng-controld"))
    assert why in machine.journal("bng-controld")
    assert "PREVIOUS VERSION" in machine.cli("status").stdout
    machine.systemctl("restart", "bng-controld")  # does not try the bad one three times again
    assert machine.call("status")["version"] == OLDER and machine.property("bng-controld", "NRestarts") == "0"
