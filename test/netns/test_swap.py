# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The data plane is exchanged under full load both ways, a thousand times and with every
# feature on, and refuses to be exchanged for something that does not fit.
import json
import os
import pathlib
import re

import pytest

import features
import sandbox
from lab import Lab
from meter import Meter, add_sessions, faults
from rpc import RpcError

SUBSCRIBERS = 200
FLOWS = 2000
SWAPS = int(os.environ.get("BNG_TEST_SWAPS", "1000"))


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        features.turn_on(lab.config, features.FILTERED, 2 * FLOWS, lab.directory)
        lab.start_daemons()
        add_sessions(lab, SUBSCRIBERS)
        yield lab


@pytest.fixture
def load(lab):
    with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
        assert meter.prime()["up"]["lost"] == 0
        meter.start("both")
        yield meter


def everything(lab):
    """What a refused swap must not change."""
    status = lab.call("holder.status", server="holder")
    return lab.programs(), lab.digest(), status["generation"], status["links"], status["maps"]


def generation(lab):
    return lab.call("holder.status", server="holder")["generation"]


def test_a_thousand_swaps_lose_nothing(lab, load):
    before = lab.digest()
    assert before["mappings"]["count"] == FLOWS
    with open(lab.second_build(), "rb") as object_file, lab.rpc("holder") as holder:
        first = holder.call("holder.status")["generation"]
        second = holder.call("object.stage", {"name": "bng2"}, [object_file.fileno()])["generation"]
        running = [first, second]
        for number in range(SWAPS):
            old, new = running[number % 2], running[(number + 1) % 2]
            report = holder.call("swap.commit", {"generation": new, "expected": old})
            assert (report["from"], report["to"]) == (old, new) and len(report["links"]) == 5
    report = load.stop()
    assert faults(report) == {}
    assert report["up"]["received"] > SWAPS and report["down"]["received"] > SWAPS
    assert lab.digest() == before
    print(f"\n{SWAPS} swaps: {report['up']['received'] + report['down']['received']} packets, longest gap "
          f"{max(report['up']['longest_gap_us'], report['down']['longest_gap_us']):.0f} us")


def test_upgrade_by_command_is_hitless_and_goes_back(lab, load):
    before = everything(lab)
    result = lab.cli("issu", "upgrade", lab.object)
    assert "hitless" in result.stdout.splitlines()[-1].lower()
    after = everything(lab)
    assert after[1] == before[1] and after[4] == before[4]
    assert all(after[0][name] != before[0][name] for name in before[0])
    lab.cli("issu", "rollback")
    assert lab.programs() == before[0] and generation(lab) == before[2]
    assert faults(load.stop()) == {}


def swapped_fields(lab):
    """The data plane compiled with two fields of the session record exchanged."""
    top = pathlib.Path(__file__).resolve().parents[2]
    header = (top / "dataplane" / "abi" / "subscriber.h").read_text()
    exchanged = re.sub(r"(\t__u16 outer_vid;[^\n]*\n)(\t__u16 inner_vid;[^\n]*\n)", r"\2\1", header)
    assert exchanged != header
    copy = lab.directory / "swapped"
    (copy / "dataplane").mkdir(parents=True, exist_ok=True)
    sandbox.run(["cp", "-r", str(top / "dataplane"), str(copy)])
    (copy / "dataplane" / "abi" / "subscriber.h").write_text(exchanged)
    return lab.second_build(name="swapped", top=copy)


def test_exchanged_fields_are_refused_and_named(lab, load):
    before = everything(lab)
    result = lab.cli("issu", "upgrade", swapped_fields(lab), check=False)
    assert result.returncode == 1
    assert re.search(r"subscriber.*(outer_vid|inner_vid)", result.stdout + result.stderr, re.DOTALL)
    assert everything(lab) == before
    with open(lab.directory / "swapped.bpf.o", "rb") as object_file, lab.rpc("holder") as holder:
        with pytest.raises(RpcError) as refusal:
            holder.call("object.stage", {"name": "swapped"}, [object_file.fileno()])
    assert refusal.value.code == -32004 and refusal.value.data["map"] == "subscriber"
    assert refusal.value.data["field"] in ("value.outer_vid", "value.inner_vid")
    assert everything(lab) == before
    assert faults(load.stop()) == {}


def test_object_the_verifier_refuses(lab, load):
    before = everything(lab)
    top = pathlib.Path(__file__).resolve().parents[2]
    copy = lab.directory / "broken"
    copy.mkdir(exist_ok=True)
    sandbox.run(["cp", "-r", str(top / "dataplane"), str(copy)])
    source = copy / "dataplane" / "bng.bpf.c"
    broken = re.sub(r"(int access_entry\(struct xdp_md \*(\w+), int is_canary\)\n\{\n)",
                    r"\1\tif (*(volatile __u8 *)(long)\2->data == 1)\n\t\treturn XDP_DROP;\n", source.read_text())
    assert broken != source.read_text()
    source.write_text(broken)
    result = lab.cli("issu", "upgrade", lab.second_build(name="broken", top=copy), check=False)
    assert result.returncode == 1
    assert "invalid access to packet" in result.stdout + result.stderr
    assert everything(lab) == before
    assert faults(load.stop()) == {}


def test_second_interface_failing_leaves_all_on_the_old_program(lab):
    """Last: core1's link is torn off behind the holder's back, as `bpftool link detach` does."""
    status = lab.call("holder.status", server="holder")
    before = lab.programs()
    name = lab.state / "bpf" / "if" / "core1" / "link"
    sandbox.run(["bpftool", "link", "detach", "pinned", str(name)])
    result = lab.cli("issu", "upgrade", lab.object, check=False)
    assert result.returncode == 1 and "core1" in result.stdout + result.stderr
    del before["core1"]
    assert lab.programs() == before
    after = lab.call("holder.status", server="holder")
    assert after["generation"] == status["generation"]
    assert json.dumps(after["links"]).count('"detached"') == 1
