# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The holder replaced by a new binary in place: nothing that it holds changes, no packet
# is lost, and whatever fails before exec leaves the old one.
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

from holder_fixture import BINARY, BUILD, holder_with
from lab import wait_for
from rpc import RpcError
from sandbox import entered

INVALID_PARAMS, INCOMPATIBLE = -32602, -32004


lab = holder_with()


def refused(lab, path):
    with pytest.raises(RpcError) as caught:
        lab.exec(path)
    return caught.value


def inode_of(lab, name):
    with lab.client() as client:
        _, fds = client.call_fds("fd.take", {"name": name})
    inode = os.fstat(fds[0]).st_ino
    os.close(fds[0])
    return inode


def test_everything_is_as_it_was(lab):
    with entered(lab.namespace):
        kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    kept.bind(("127.0.0.1", 7200))
    lab.call("fd.store", {"name": "kept"}, [kept.fileno()])
    second = lab.stage("holder_v2")["generation"]
    lab.call("swap.commit", {"generation": second, "confirm_within_s": 600})
    before, inode, programs = lab.call("holder.status"), inode_of(lab, "kept"), lab.attached_programs()
    open_before = lab.descriptors()  # or one more, of who has just hung up
    sweeps = lab.swept()
    for count in range(1, 4):
        client.sendto(b"x", ("127.0.0.1", 7200))  # waits in the socket meanwhile
        answer = lab.exec()
        assert answer["pid"] == lab.process.pid and answer["execs"] == count and "it can go on: generation 2, 2 links" in answer["says"]
        lab.wait_for_execs(count)
        assert kept.recv(10) == b"x"
    after = lab.call("holder.status")
    changing = {"started", "uptime_ns", "sweep", "trial", "execs", "controller"}
    assert {key: value for key, value in after.items() if key not in changing} == \
        {key: value for key, value in before.items() if key not in changing}
    assert after["sweep"]["runs"] >= before["sweep"]["runs"] and after["trial"]["back"] == 1
    assert after["trial"]["left_ms"] < before["trial"]["left_ms"]
    assert inode_of(lab, "kept") == inode and lab.attached_programs() == programs
    assert pathlib.Path(f"/proc/{lab.process.pid}/comm").read_text() == "bpfholder\n"
    wait_for("no more descriptors", lambda: lab.descriptors() <= open_before)
    wait_for("a sweep", lambda: lab.swept() > sweeps)
    lab.call("swap.confirm")
    lab.call("swap.rollback")
    lab.assert_runs(1)
    for made in (kept, client):
        made.close()


def test_no_packet_is_lost(lab):
    frame = b"\x02\x00\x00\x00\x00\x01" + b"\x02\x00\x00\x00\x00\x02" + b"\x08\x00" + bytes(100)
    stop, sent = threading.Event(), []

    def send():
        with entered(lab.outside):
            sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with sender:
            sender.bind(("a1", 0))
            while not stop.is_set():
                sent.append(sender.send(frame))
                time.sleep(0.0002)

    before, received = sum(lab.counts().values()), lab.link_statistics("c1")["rx"]["packets"]
    thread = threading.Thread(target=send)
    thread.start()
    for count in range(1, 6):
        lab.exec()
        lab.wait_for_execs(count)
    stop.set()
    thread.join()
    wait_for("what is on its way", lambda: lab.link_statistics("c1")["rx"]["packets"] - received >= len(sent))
    assert len(sent) > 500
    assert sum(lab.counts().values()) - before == len(sent)
    assert lab.link_statistics("c1")["rx"]["packets"] - received == len(sent)


def test_a_trial_ends_in_time(lab):
    generation = lab.stage("holder_v2")["generation"]
    lab.call("swap.commit", {"generation": generation, "confirm_within_s": 2})
    lab.exec()
    lab.wait_for_execs(1)
    wait_for("the old generation", lambda: lab.call("swap.status")["current"] == 1)
    lab.assert_runs(1)


def test_what_cannot_go_on_is_refused(lab, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    assert refused(lab, script).code == INVALID_PARAMS
    no_program = tmp_path / "no_program"
    no_program.write_bytes(b"\x7fELF" + os.urandom(2000))
    no_program.chmod(0o755)
    error = refused(lab, no_program)
    assert error.code == INCOMPATIBLE and "it cannot be started" in error.message
    for program in ("false", "true"):  # to end well is not enough
        other = refused(lab, shutil.which(program))
        assert other.code == INCOMPATIBLE and "this one does" in other.message
    compiled = tmp_path / "hangs"
    subprocess.run(["gcc", "-x", "c", "-", "-o", compiled], text=True, check=True, input="#include <unistd.h>\nint main(void) { close(1); close(2); return pause(); }")
    assert refused(lab, compiled).code == INCOMPATIBLE  # and it is not waited for for ever
    status = lab.call("holder.status")
    assert status["execs"] == 0 and status["pid"] == lab.process.pid
    lab.stage_and_commit("holder_v2")
    lab.assert_runs(2)


def test_a_pin_that_is_missing_is_said_by_the_new_one(lab):
    os.unlink(lab.pin("if/c0/link"))
    error = refused(lab, BINARY)
    assert error.code == INCOMPATIBLE and "it cannot go on: generation 1, 1 links" in error.message
    assert lab.call("holder.status")["execs"] == 0


@pytest.mark.parametrize("step", ["exec_check", "exec_now", "exec_resume"])
def test_death_on_the_way(lab, step):
    lab.kill()
    lab.start(die_at=step)
    try:
        lab.exec()
    except OSError:
        assert step == "exec_check"
    lab.dies()
    assert set(lab.attached_programs()) == {"a0", "c0"}
    lab.start()
    lab.assert_runs(1)
    lab.exec()
    lab.wait_for_execs(1)
    lab.stage_and_commit("holder_v2")
    lab.assert_runs(2)


def test_by_bngcli(lab, tmp_path):
    new = tmp_path / "bpfholder"
    shutil.copy(BINARY, new)
    command = [BUILD / "bin" / "bngcli", "--state", lab.state, "holder", "upgrade", "--file"]
    done = subprocess.run([*command, new], capture_output=True, text=True)
    assert done.returncode == 0 and f"goes on as process {lab.process.pid}" in done.stdout, done.stderr
    assert os.readlink(f"/proc/{lab.process.pid}/exe") == str(new)
    done = subprocess.run([*command, shutil.which("false")], capture_output=True, text=True)
    assert done.returncode == 1 and "did not say that it can go on" in done.stderr
    lab.assert_runs(1)
