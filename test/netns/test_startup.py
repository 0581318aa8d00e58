# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The start of bng-controld against daemons that hang, and what becomes of starts that fail: each
# phase has a deadline, failures are counted, and after three the version before takes over.
import contextlib
import json
import pathlib
import shutil
import signal
import socket
import time

import pytest

from lab import Lab, default_config, wait_for

LATE, REFUSED = 10, 11
VERSION, OLDER = "0.1.0", "0.0.9"
START = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "controld-start"


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_holder()
        lab.previous = lab.directory / "previous" / "bng-controld"
        lab.start_controld()
        lab.call("session.add", {"sessions": [
            {"address": f"10.0.1.{n}", "mac": f"02:00:00:00:02:{n:02x}", "interface": "access0"} for n in range(1, 101)]})
        yield lab


@pytest.fixture
def stopped(lab):
    """Nothing has failed yet, and no controld runs."""
    if lab.controld in lab.processes:
        lab.stop(lab.controld)
    record(lab).unlink(missing_ok=True)
    lab.config = default_config()
    return lab


def record(lab):
    return lab.state / "control" / "start.json"


def failed(lab):
    return json.loads(record(lab).read_text())


def log_of(lab, start):
    """What one start says."""
    before = (lab.directory / "controld.log").stat().st_size
    start()
    with open(lab.directory / "controld.log", encoding="utf-8") as file:
        file.seek(before)
        return file.read()


def fails(lab, *options, status=LATE):
    """A start that ends by itself with this status; what it said."""
    def start():
        lab.start_controld(*options, wait=False)
        assert lab.controld.wait(60) == status
        lab.processes.remove(lab.controld)
    return log_of(lab, start)


@contextlib.contextmanager
def hanging(process):
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def connections(lab):
    """To bpfholder, also those that it has not taken yet; .new: as its socket was called when it was made."""
    return pathlib.Path(f"/proc/{lab.holder.pid}/net/unix").read_text().count(f" {lab.state}/holder.sock.new\n")


@contextlib.contextmanager
def silent_bus(lab):
    """Takes connections and never answers."""
    path = lab.state / "control" / "bngsync.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        shutil.chown(path, "bng", "bng")
        listener.listen(8)
        try:
            yield
        finally:
            path.unlink()


def adopted(lab):
    return lab.call("status")["start"]["adopted"]["sessions"]


def test_a_holder_that_hangs_is_named_when_the_deadline_is_over(stopped):
    lab = stopped
    lab.config["startup"] = {"deadline_s": {"hello": 1}}
    with hanging(lab.holder):
        said = fails(lab)
    reason = "not done within 1 s; it waited for bpfholder (controller.hello)"
    assert f'start: phase "holder greeted" {reason}: see journalctl -u bpfholder; it can be restarted at any moment, ' \
        "/startup/deadline_s/hello. Ending; forwarding goes on, the next start tries again\n" in said
    assert {name: failed(lab)[name] for name in ("version", "failures", "phase", "reason")} == {
        "version": VERSION, "failures": 1, "phase": "holder greeted", "reason": reason}
    lab.start_controld()
    start = lab.call("status")["start"]
    assert (start["failed"]["failures"], start["failed"]["phase"], start["failed"]["reason"]) == (1, "holder greeted", reason)
    assert start["in_place"] is False and adopted(lab) == 100
    assert [(phase["name"], phase["deadline_s"]) for phase in start["phases"]][:3] == [
        ("configuration read", 10), ("holder greeted", 1), ("object loaded", 60)]
    assert not record(lab).exists()
    page = lab.cli("status").stdout
    assert f"{VERSION}, 1 times in a row, last {start['failed']['at']}: holder greeted: {reason}" in page and " of 1 s\n" in page


def test_a_holder_that_is_busy_for_long_is_waited_for(stopped):
    """Longer than any call waits once controld is ready: it may be loading an object for somebody."""
    lab = stopped
    with hanging(lab.holder):
        lab.start_controld(wait=False)
        wait_for("it to greet", lambda: record(lab).exists() and failed(lab)["phase"] == "holder greeted")
        time.sleep(5.5)  # a call waits for five seconds
    lab.wait_daemon(lab.controld, "controld", "status")
    start = lab.call("status")["start"]
    assert start["failed"] is None and start["phases"][1]["ms"] > 5000 and adopted(lab) == 100
    assert not record(lab).exists()


def test_a_holder_that_is_not_there_is_waited_for_and_is_nobodys_failure(stopped):
    lab = stopped
    lab.stop(lab.holder)
    lab.config["startup"] = {"deadline_s": {"hello": 1}}
    said = fails(lab, status=REFUSED)
    path = f"{lab.state}/holder.sock"
    assert f"bpfholder is not there ({path}: Connection refused): waiting for it\n" in said
    assert f"connecting to bpfholder at {path} failed: Connection refused: is bpfholder running" in said
    assert failed(lab)["failures"] == 0 and "is bpfholder running" in failed(lab)["reason"]
    lab.config["startup"] = {"deadline_s": {"hello": 60}}
    lab.start_controld(wait=False)
    wait_for("it to wait", lambda: lab.log("controld").endswith("waiting for it\n"))
    lab.start_holder()
    lab.wait_daemon(lab.controld, "controld", "status")
    assert adopted(lab) == 100 and not record(lab).exists()


def test_a_holder_that_dies_before_it_answers_is_greeted_again(stopped):
    lab = stopped
    with hanging(lab.holder):
        before = connections(lab)
        lab.start_controld(wait=False)
        wait_for("it to call", lambda: connections(lab) > before)
        lab.holder.kill()
        lab.reap(lab.holder)
    lab.start_holder()
    lab.wait_daemon(lab.controld, "controld", "status")
    assert "connection lost (controller.hello: " in lab.log("controld")
    assert lab.call("status")["start"]["failed"] is None and adopted(lab) == 100 and not record(lab).exists()


def test_a_bus_that_hangs_is_told_to_the_holder(stopped):
    lab = stopped
    lab.config["startup"] = {"deadline_s": {"records": 1}}
    with silent_bus(lab):
        said = fails(lab)
    reason = "not done within 1 s; it waited for bngsync to tell all that it keeps"
    assert f'start: phase "records received" {reason}: see bngcli sync status; with bngsync stopped the start goes on ' \
        "without it, /startup/deadline_s/records. Ending" in said
    told = lab.call("holder.status", server="holder")["controller"]
    assert not told["connected"] and {name: told["failure"][name] for name in ("version", "phase", "reason")} == {
        "version": VERSION, "phase": "records received", "reason": reason}
    assert f"failed in phase \"records received\": {reason}\n" in lab.log("holder")
    assert reason in lab.cli("holder", "status").stdout
    lab.start_controld()
    assert adopted(lab) == 100


def test_a_configuration_that_is_wrong_is_nobodys_failure(stopped):
    lab = stopped
    lab.config["startup"] = {"deadline_s": {"hello": 0}}
    said = fails(lab, status=REFUSED)
    assert "/startup/deadline_s/hello: 0: must be" in said
    assert failed(lab)["failures"] == 0 and "/startup/deadline_s/hello" in failed(lab)["reason"]


def keep_previous(lab, version=OLDER):
    """As an installation keeps it; with another version in it, so that one sees which runs."""
    lab.previous.parent.mkdir(exist_ok=True)
    text = (lab.directory / "bng-controld").read_bytes()
    assert text.count(VERSION.encode() + b"\0") > 0
    lab.previous.write_bytes(text.replace(VERSION.encode() + b"\0", version.encode() + b"\0"))
    lab.previous.chmod(0o755)


def test_after_three_failures_the_previous_version_runs(stopped):
    lab = stopped
    keep_previous(lab)
    options = ("--previous", lab.previous)
    lab.config["startup"] = {"deadline_s": {"hello": 1}}
    with hanging(lab.holder):
        fails(lab, *options)
        fails(lab, *options)
        lab.config["startup"] = {"deadline_s": {"hello": 10}}
        lab.start_controld(*options, wait=False)  # and one that cannot say why
        wait_for("it to greet", lambda: failed(lab)["failures"] == 3 and failed(lab)["phase"] == "holder greeted")
        lab.controld.kill()
        lab.reap(lab.controld)
    said = log_of(lab, lambda: lab.start_controld(*options))
    why = "(holder greeted: it ended without a word: killed, or crashed)"
    assert f"version {VERSION} failed 3 times in a row {why}: starting the previous version, {lab.previous}\n" in said
    assert f"running the previous version {OLDER}, because {VERSION} failed 3 times: {why[1:-1]}\n" in said
    status = lab.call("status")
    assert status["version"] == OLDER and status["pid"] == lab.controld.pid and adopted(lab) == 100
    assert status["start"]["in_place"] and status["start"]["failed"]["failures"] == 3
    assert "PREVIOUS VERSION" in lab.cli("status").stdout

    lab.stop(lab.controld)  # a restart does not try the bad one again
    lab.start_controld(*options)
    assert lab.call("status")["version"] == OLDER and failed(lab)["previous_failures"] == 0

    lab.stop(lab.controld)  # what is installed in its place is another program
    new = lab.directory / "bng-controld.new"
    shutil.copy(lab.directory / "bng-controld", new)
    new.rename(lab.directory / "bng-controld")
    lab.start_controld(*options)
    status = lab.call("status")
    assert status["version"] == VERSION and not status["start"]["in_place"] and not record(lab).exists()
    assert adopted(lab) == 100


def test_what_can_no_longer_be_run_is_counted_with_the_rest(stopped):
    """By packaging/controld-start, in the file that bng-controld wrote: the same program, if not any more."""
    lab = stopped
    keep_previous(lab)
    lab.config["startup"] = {"deadline_s": {"hello": 1}}
    program, lab.launcher = lab.directory / "bng-controld", [START]
    with hanging(lab.holder):
        fails(lab)
        fails(lab)
    program.chmod(0o644)
    try:
        lab.start_controld("--previous", lab.previous, wait=False)
        assert lab.controld.wait(60) == 1
        lab.processes.remove(lab.controld)
        assert (failed(lab)["failures"], failed(lab)["phase"]) == (3, "program run")
        assert failed(lab)["reason"].endswith("Permission denied") and str(program) in failed(lab)["reason"]
        lab.start_controld("--previous", lab.previous)
        status = lab.call("status")
        assert status["version"] == OLDER and status["start"]["in_place"] and adopted(lab) == 100
        assert failed(lab)["starts"] == 0 and failed(lab)["previous_failures"] == 0 and failed(lab)["failures"] == 3
    finally:
        lab.launcher = ()
        program.chmod(0o755)


def test_without_a_previous_version_it_goes_on_trying(stopped):
    lab = stopped
    record(lab).write_text(json.dumps({"program": "?", "failures": 9}))  # of another program: counts for nothing
    lab.config["startup"] = {"deadline_s": {"hello": 1}}
    with hanging(lab.holder):
        for turn in range(1, 3):
            fails(lab, "--previous", lab.directory / "none")
            assert failed(lab)["failures"] == turn
    record(lab).write_text(json.dumps(dict(failed(lab), starts=6)))
    begun = time.monotonic()
    said = log_of(lab, lambda: lab.start_controld("--previous", lab.directory / "none"))
    assert "6 starts in a row got nowhere: waiting 1 s\n" in said and time.monotonic() - begun > 1
    assert lab.call("status")["version"] == VERSION


def test_a_record_that_is_garbage_stops_nothing(stopped):
    lab = stopped
    for text in (b"", b"\0" * 100, b"[1]", b'{"failures": -1, "program": 3}', b"x" * 100000):
        record(lab).write_bytes(text)
        lab.start_controld()
        assert lab.call("status")["start"]["failed"] is None
        lab.stop(lab.controld)
        assert not record(lab).exists()


def test_what_is_starting_is_not_robbed_and_is_told_when_late(stopped):
    """Until a controller is ready, nobody else drops a generation; one that is stopped ends nothing itself."""
    lab = stopped
    lab.config["startup"] = {"deadline_s": {"records": 3}}
    with silent_bus(lab), lab.rpc("holder") as one, open(lab.object, "rb") as file:
        one.call("holder.subscribe")
        lab.start_controld(wait=False)
        wait_for("the phase", lambda: lab.call("holder.status", server="holder")["controller"]["phase"] == "records received")
        with hanging(lab.controld):
            generation = one.call("object.stage", {"name": "other"}, [file.fileno()])["generation"]
            with pytest.raises(Exception, match=f"generation {generation}: a controller \\(process {lab.controld.pid}, phase "
                                                '"records received"\\) is starting: try again when it is ready'):
                one.call("object.drop", {"generation": generation})
            late = {"type": "controller_late", "pid": lab.controld.pid, "phase": "records received"}
            wait_for("it to be told", lambda: one.next_notification(20)["params"] == late)
            lab.controld.kill()
        lab.reap(lab.controld)
    assert "has not ended: if it is stopped, kill it\n" in lab.log("holder")
    lab.call("object.drop", {"generation": generation}, server="holder")
