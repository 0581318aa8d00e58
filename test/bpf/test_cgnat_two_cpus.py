# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A million operations from two CPUs at once (two_cpus.c), among them opening and
# losing mappings, sweeping, closing and moving sessions: no port is given twice.
import json
import subprocess

import pytest

import abi

OPERATIONS = 1_000_000
# All that may become of its packets.
POSSIBLE = {"FORWARD_UP", "FORWARD_DOWN", "DROP_NO_SESSION", "DROP_CGNAT_NO_BLOCK", "DROP_CGNAT_BLOCK_LIMIT",
            "DROP_CGNAT_MAPPING_LIMIT", "DROP_CGNAT_NO_MAPPING", "DROP_CGNAT_STALE", "DROP_NOT_SUBSCRIBER",
            "DROP_CGNAT_BUSY"}


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_two_cpus(plane, seed):
    command = [abi.BUILD / "bin" / "two_cpus", abi.OBJECT, str(OPERATIONS), str(seed)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[:4000]
    report = json.loads(result.stdout)
    verdicts = {name: count for name, count in report["verdicts"].items() if count}
    assert report["wrong"] == 0
    assert report["counted"] == report["operations"] == OPERATIONS  # every packet counted once
    assert (verdicts["FORWARD_UP"], verdicts["FORWARD_DOWN"]) == (report["up"], report["down"])
    assert set(verdicts) <= POSSIBLE, verdicts
    # It has been what it says, also on a busy machine: much of each, and hardly ever a wait in vain.
    assert report["up"] > OPERATIONS // 8 and report["down"] > OPERATIONS // 50
    assert min(verdicts[name] for name in POSSIBLE - {"DROP_NOT_SUBSCRIBER", "DROP_CGNAT_BUSY"}) > 0, verdicts
    assert verdicts.get("DROP_CGNAT_BUSY", 0) < OPERATIONS // 10000, verdicts
    assert report["expired"] > 10_000 and report["released"] > 200 and report["closed"] > 10 and report["moved"] > 200, report
