# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# `make demo` proves what it says, leaves nothing behind, also on Ctrl-C, and can
# be left running and ended later.
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import pytest

import sandbox
from rpc import RpcClient

DEMO = pathlib.Path(__file__).with_name("demo.py")


class Place:
    """Where one demo runs: a folder for temporary files of its own, so that what it leaves is seen."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-"))
        self.folder.chmod(0o755)
        self.demo = None

    def start(self, *arguments):
        # A session of its own: SIGINT reaches the demo alone, not the test.
        self.demo = subprocess.Popen(["/usr/bin/python3", str(DEMO), *arguments], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True, start_new_session=True,
                                     env=dict(os.environ, TMPDIR=str(self.folder)))
        return self.demo

    def stop_kept(self):
        return subprocess.run(["/usr/bin/python3", str(DEMO), "--stop"], capture_output=True, text=True).stdout

    def leftovers(self):
        prefix = f"hf{self.demo.pid}-"
        namespaces = [name for name in sandbox.run(["ip", "netns"]).stdout.split() if name.startswith(prefix)]
        records = [name for name in os.listdir(sandbox.RECORDS) if name.startswith(prefix)]
        processes = [pid for pid in os.listdir("/proc") if pid.isdigit() and self._runs_here(pid)]
        return namespaces + records + processes + sandbox.mounts_under(str(self.folder)) + os.listdir(self.folder)

    def _runs_here(self, pid):
        try:
            return str(self.folder) in pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return False


@pytest.fixture
def place():
    place = Place()
    yield place
    deadline = time.monotonic() + 60  # a client's lease script that had begun ends by itself
    while place.leftovers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert place.leftovers() == []
    place.folder.rmdir()


def test_demo_is_hitless(place):
    demo = place.start()
    output, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, output
    assert "HITLESS" in output.splitlines()[-1]
    rows = re.findall(r"packets (up|down) +([\d,]+) +([\d,]+) +(\d+)", output)
    assert [row[0] for row in rows] == ["up", "down"]
    for _, sent, received, lost in rows:
        assert sent == received and int(sent.replace(",", "")) > 100_000 and lost == "0"


@pytest.mark.parametrize("after", ["Starting the gateway", "Real traffic", "under load"])
def test_interrupted_demo_leaves_nothing(place, after):
    demo = place.start()
    output = ""
    for line in demo.stdout:
        output += line
        if after in line:
            break
    demo.send_signal(signal.SIGINT)
    output += demo.communicate(timeout=60)[0]
    assert demo.returncode == 130, output


def test_kept_demo_goes_on_and_can_be_ended(place):
    demo = place.start("--keep")
    output, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, output
    state = re.search(r"bngcli --state (\S+) status", output).group(1)
    with RpcClient(f"{state}/control/controld.sock") as controld:
        assert controld.call("status")["sessions"]["active"] == 1002
    commands = re.findall(r"^  (\S+/bngcli .*)$", output, re.MULTILINE)
    assert len(commands) >= 10
    for command in commands:
        if "events follow" not in command:  # has no end
            sandbox.run(command.split())
    assert "1 demo(s) ended" in place.stop_kept()
