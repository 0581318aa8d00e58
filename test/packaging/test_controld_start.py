# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# controld-start by itself: becomes the program that can be run, counts one that cannot, and
# becomes the version before when it is that one's turn. test_systemd.py has it under systemd.
import json
import os
import pathlib
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
GOOD = pathlib.Path(os.environ["BNG_BUILD"]) / "bin" / "bng-controld"
OPTIONS = ["--config", "/c", "--object", "/o/bng.bpf.o", "--from-later", "x"]
SAYS = "#!/bin/sh\necho \"${BNG_CONTROLD_IN_PLACE-}|$*\"\n"
BROKEN = {"empty": b"", "a text": b"echo bng-controld 7\n", "cut off": GOOD.read_bytes()[:20000],
          "another program": pathlib.Path("/bin/true").read_bytes()}


class Gateway:
    def __init__(self, folder):
        self.folder, self.program, self.previous = folder, folder / "bng-controld", folder / "previous" / "bng-controld"
        self.record = folder / "control" / "start.json"
        self.record.parent.mkdir()
        self.previous.parent.mkdir()

    def put(self, data, mode=0o755):
        """In place of the one that is there, as an installation does."""
        new = self.folder / "new"
        new.write_bytes(data)
        new.chmod(mode)
        new.rename(self.program)

    def keep(self, text=SAYS):
        self.previous.write_text(text)
        self.previous.chmod(0o755)

    def start(self, *more):
        done = subprocess.run([TOP / "packaging" / "controld-start", self.program, *OPTIONS, "--state", self.folder,
                               "--previous", self.previous, *more], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def counts(self):
        found = json.loads(self.record.read_text())
        return found["failures"], found["previous_failures"], found["starts"]


@pytest.fixture
def gateway(tmp_path):
    return Gateway(tmp_path)


def test_a_good_program_gets_its_options_and_no_file_is_touched(gateway):
    gateway.put(GOOD.read_bytes())
    gateway.keep()
    status, _, said = gateway.start()
    assert status == 2 and "unrecognized option '--from-later'" in said
    assert not gateway.record.exists()


@pytest.mark.parametrize("how", BROKEN)
def test_after_three_failures_the_previous_one_has_three_and_so_on(gateway, how):
    gateway.put(BROKEN[how])
    gateway.keep()
    expected = f"1|--config /c --state {gateway.folder} --object /o/bng.bpf.o\n"
    for counts in ((1, 0, 1), (2, 0, 2), (3, 0, 3)):
        status, out, said = gateway.start()
        assert (status, out) == (1, "") and gateway.counts() == counts and f"{counts[0]} failed starts in a row" in said
    for counts in ((3, 1, 4), (3, 2, 5), (3, 3, 6)):  # it says nothing of being ready
        status, out, said = gateway.start()
        assert (status, out) == (0, expected) and gateway.counts() == counts and "starting the previous version" in said
    (gateway.previous.parent / "bng.bpf.o").write_text("")
    gateway.record.write_text(gateway.record.read_text().replace('"starts": 6', '"starts": 0'))  # spares the pause
    assert gateway.start()[0] == 1 and gateway.counts() == (1, 0, 1)
    found = json.loads(gateway.record.read_text())
    assert set(found) == {"program", "version", "failures", "previous_failures", "starts", "phase", "reason", "at"}
    facts = gateway.program.stat()
    assert found["program"] == f"{facts.st_dev}:{facts.st_ino}:{facts.st_mtime_ns // 10**9}.{facts.st_mtime_ns % 10**9:09d}"


def test_another_program_begins_anew_and_so_does_one_that_is_gone(gateway):
    gateway.put(b"")
    assert gateway.start()[0] == 1 and gateway.start()[0] == 1 and gateway.counts() == (2, 0, 2)
    gateway.put(b"other")
    assert gateway.start()[0] == 1 and gateway.counts() == (1, 0, 1)
    gateway.program.unlink()
    assert gateway.start()[0] == 1 and gateway.counts() == (1, 0, 1)
    assert gateway.start()[0] == 1 and gateway.counts() == (2, 0, 2)
    gateway.keep()
    (gateway.previous.parent / "bng.bpf.o").write_text("")
    assert gateway.start()[0] == 1 and gateway.counts() == (3, 0, 3)
    assert gateway.start()[1] == f"1|--config /c --state {gateway.folder} --object {gateway.previous.parent}/bng.bpf.o\n"


@pytest.mark.parametrize("garbage", [b"\0\xff" * 50, b'{\n "failures": 99999999999999999999,\n "starts": -1\n}', b'"$(reboot)"'])
def test_a_record_that_is_garbage_counts_for_nothing(gateway, garbage):
    gateway.put(b"")
    gateway.record.write_bytes(garbage)
    assert gateway.start()[0] == 1 and gateway.counts() == (1, 0, 1)


def test_what_it_says_is_kept_as_json(gateway):
    source = gateway.folder / "source.c"
    source.write_text(r'int puts(const char *); int main(void) { return puts("\"a\\b\" \303\251\t$(x)") < 0; }')
    subprocess.run(["gcc", source, "-o", gateway.folder / "made"], check=True)
    gateway.put((gateway.folder / "made").read_bytes())
    assert gateway.start()[0] == 1
    assert json.loads(gateway.record.read_text())["reason"] == " a b     $(x)"


def test_without_a_previous_version_it_goes_on_trying_with_pauses(gateway):
    gateway.put(b"")
    for turn in range(1, 6):
        assert gateway.start()[0] == 1 and gateway.counts() == (turn, 0, turn)
    assert not gateway.previous.exists()
