# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The benchmark runs, tells the truth about faults, and cleans up. Its figures are
# not judged here: the machine is busy with other tests.
import json
import os
import pathlib
import subprocess
import sys

import pytest

import report
import run as bench

BUILD = pathlib.Path(os.environ.get("BNG_BUILD", bench.ROOT / "build" / "test")).resolve()


def benchmark(folder, *arguments):
    command = [sys.executable, str(bench.ROOT / "test" / "bench" / "run.py"), "--build", str(BUILD), "--output", str(folder),
               "--rounds", "1", "--seconds", "0.05", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def sandboxes(pid_prefix="hf"):
    return {name for name in os.listdir("/run/netns") if name.startswith(pid_prefix)} if os.path.isdir("/run/netns") else set()


def test_all_gateways_forward_every_packet(tmp_path):
    before = sandboxes()
    done = benchmark(tmp_path, "--direct", "--subscribers", "100", "--flows", "1000", "--gateways", "bare,kernel,nftables,direct")
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert [row["kind"] for row in result["rows"]] == ["bare", "kernel", "nftables", "direct"]
    for row in result["rows"]:
        for direction in ("up", "down", "both"):
            assert row[direction]["sent"] == row[direction]["received"] > 0
            assert all(row[direction][fault] == 0 for fault in report.FAULTS)
        assert row["up"]["ratio"] > 0
    assert (tmp_path / "ratio.svg").read_text().startswith("<?xml")
    assert sandboxes() <= before


def test_two_queues(tmp_path):
    done = benchmark(tmp_path, "--direct", "--only", "queue")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "result.json").read_text())["rows"]
    assert [row["queues"] for row in rows] == [1, 1, 2, 2]


def test_an_unknown_case_is_refused(tmp_path):
    done = benchmark(tmp_path, "--only", "nothing like it")
    assert done.returncode == 1
    assert "1,000 subscribers, 1,000 flows, 64" in done.stderr


def phase(mpps, **wrong):
    part = {"mpps": mpps, "sent": 100, "received": 100, "refused": 0, "longest_gap_us": 5.0}
    return {"up": {**part, **dict.fromkeys(report.FAULTS, 0), **wrong}, "down": {**part, **dict.fromkeys(report.FAULTS, 0)}}


def rows_of(*kinds):
    """kinds: (kind, Mpps of each round)."""
    case = bench.Case(1000, 100000)
    rows = [report.median_row(case, kind, [{"up": phase(value), "down": phase(value), "both": phase(value)} for value in speeds])
            for kind, speeds in kinds]
    report.add_ratios(rows)
    return rows


def test_medians_and_ratios():
    rows = rows_of(("bare", [9.0, 10.0, 50.0]), ("holdfast", [1.0, 5.0, 5.2]))
    assert rows[1]["up"]["mpps"] == 5.0
    assert rows[1]["up"]["ratio"] == 0.5
    assert rows[1]["up"]["added_ns"] == pytest.approx(100)
    assert rows[1]["both"]["mpps"] == 10.0


def test_targets_are_judged():
    rows = rows_of(("bare", [10.0]), ("nftables", [1.0]), ("holdfast", [5.1]))
    met = {goal["name"].split(": ")[1]: goal["met"] for goal in report.goals(rows, [])}
    assert met == {"holdfast up to bare": False, "holdfast up to nftables": True,
                   "holdfast down to bare": False, "holdfast down to nftables": True}


@pytest.mark.parametrize("fault", report.FAULTS)
def test_a_fault_in_any_round_is_told(fault):
    case = bench.Case(1000, 1000)
    good, bad = phase(1.0), phase(1.0, **{fault: 3})
    row = report.median_row(case, "holdfast", [{"up": good}, {"up": bad}, {"up": good}])
    assert report.faults([row]) == [f"{case.name}, holdfast, up: {fault} 3"]
