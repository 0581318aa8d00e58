# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The benchmark runs, tells the truth about faults, and cleans up. Its figures are
# not judged here: the machine is busy with other tests.
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import report
import run as bench

BUILD = pathlib.Path(os.environ.get("BNG_BUILD", bench.ROOT / "build" / "test")).resolve()


def benchmark(folder, *arguments):
    """Runs the benchmark: (exit status, standard output, standard error). It must leave no namespace of its own."""
    command = [sys.executable, str(bench.ROOT / "test" / "bench" / "run.py"), "--build", str(BUILD), "--output", str(folder),
               "--rounds", "1", "--seconds", "0.05", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        output, error = process.communicate(timeout=300)
    assert not [name for name in os.listdir("/run/netns") if name.startswith(f"hf{process.pid}-")]
    return process.returncode, output, error


def test_all_gateways_forward_every_packet(tmp_path):
    status, output, error = benchmark(tmp_path, "--direct", "--subscribers", "100", "--flows", "1000", "--gateways", "bare,kernel,nftables,direct")
    assert status == 0, output + error
    result = json.loads((tmp_path / "result.json").read_text())
    assert [row["kind"] for row in result["rows"]] == ["bare", "kernel", "nftables", "direct"]
    for row in result["rows"]:
        for direction in ("up", "down", "both"):
            assert row[direction]["sent"] == row[direction]["received"] > 0
            assert all(row[direction][fault] == 0 for fault in report.FAULTS)
        assert row["up"]["ratio"] > 0
    assert (tmp_path / "ratio.svg").read_text().startswith("<?xml")


def test_what_features_cost_is_shown(tmp_path):
    status, output, error = benchmark(tmp_path, "--subscribers", "10", "--flows", "1000", "--gateways", "bare,holdfast,holdfast+all")
    assert status == 0, output + error
    (line,) = [line for line in output.split("\n") if line.startswith("  all ")]
    _, up, up_ns, down, down_ns, *_ = line.split()
    assert (up, down) == ("up", "down") and int(up_ns) and int(down_ns)
    rows = json.loads((tmp_path / "result.json").read_text())["rows"]
    assert [row["kind"] for row in rows] == ["bare", "holdfast", "holdfast+all"]
    assert all(row[direction]["lost"] == 0 < row[direction]["sent"] for row in rows for direction in ("up", "down"))


def test_it_cleans_up_when_it_is_interrupted(tmp_path):
    command = [sys.executable, str(bench.ROOT / "test" / "bench" / "run.py"), "--build", str(BUILD), "--output", str(tmp_path),
               "--direct", "--subscribers", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        own = f"hf{process.pid}-"
        deadline = time.monotonic() + 60
        while sum(name.startswith(own) for name in os.listdir("/run/netns")) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert not [name for name in os.listdir("/run/netns") if name.startswith(own)]


def test_two_queues(tmp_path):
    status, output, error = benchmark(tmp_path, "--direct", "--only", "queue")
    assert status == 0, output + error
    rows = json.loads((tmp_path / "result.json").read_text())["rows"]
    assert [row["queues"] for row in rows] == [1, 1, 2, 2]


def test_an_unknown_case_is_refused(tmp_path):
    status, _, error = benchmark(tmp_path, "--only", "nothing like it")
    assert status == 1
    assert "1,000 subscribers, 1,000 flows, 64" in error


def phase(mpps, **wrong):
    part = {"mpps": mpps, "sent": 100, "received": 100, "refused": 0, "longest_gap_us": 5.0}
    return {"up": {**part, **dict.fromkeys(report.FAULTS, 0), **wrong}, "down": {**part, **dict.fromkeys(report.FAULTS, 0)}}


def measured(*phases):
    return {"best": phases[0], "all": list(phases)}


def rows_of(*kinds):
    """kinds: (kind, Mpps of each round)."""
    case = bench.Case(1000, 100000)
    rows = [report.median_row(case, kind, [{direction: measured(phase(value)) for direction in ("up", "down", "both")}
                                           for value in speeds])
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
    good, bad = measured(phase(1.0)), measured(phase(1.0), phase(1.0, **{fault: 3}))
    row = report.median_row(case, "holdfast", [{"up": good}, {"up": bad}, {"up": good}])
    assert report.faults([row]) == [f"{case.name}, holdfast, up: {fault} 3"]


def test_a_start_is_measured():
    command = [sys.executable, str(bench.ROOT / "test" / "bench" / "start.py"), "--sessions", "300", "--rounds", "2"]
    done = subprocess.run(command, env=dict(os.environ, BNG_BUILD=str(BUILD)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 sessions, medians of 2 restarts" in done.stdout
    assert [float(line.split()[5]) for line in done.stdout.split("\n") if line.startswith("away, from kill to ready")][0] > 0
