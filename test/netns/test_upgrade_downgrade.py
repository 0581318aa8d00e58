# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Every data plane that was ever kept (test/abi/) hands over to the one of today and takes
# over from it, with sessions and mappings, under load: nothing lost, nothing changed. Both
# ways by its file, compared by packets first, and by the generation that is kept.
import pathlib
import shutil
import sys

import pytest

from lab import Lab, default_config
from meter import Meter, add_sessions, faults

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "test" / "abi"))
import keep  # noqa: E402

SUBSCRIBERS, FLOWS = 100, 1000


def upgrade(lab, path):
    with lab.rpc() as client, open(path, "rb") as file:
        report = client.call("issu.upgrade", {"name": path.name}, [file.fileno()])
    assert report["hitless"] is True, report["lost"]
    assert report["verify"]["passed"] and report["verify"]["differences"] == []


def swap(lab, path):
    """Without a comparison: the same file again."""
    with lab.rpc() as client, open(path, "rb") as file:
        report = client.call("issu.upgrade", {"name": path.name, "no_verify": True}, [file.fileno()])
    assert report["hitless"] is True, report["lost"]


def back_to(lab, old):
    """A generation that is kept is gone back to as it was loaded."""
    generations = lab.call("issu.status")["generations"]
    report = lab.call("issu.rollback", {"generation": next(entry["generation"] for entry in generations if entry["name"] == old.name)})
    assert report["hitless"] is True, report["lost"]


def names(lab):
    status = lab.call("issu.status")
    return {entry["generation"]: entry["name"] for entry in status["generations"]}[status["current"]]


def start_on(lab, old):
    """The old object runs before today's controld is there; one that lacks a map of today's is replaced at its start."""
    lab.start_holder()
    with open(old, "rb") as file, lab.rpc("holder") as holder:
        sizes = {"subscriber": 131072, "closing": 131072 // 64, "slot_of_address": 131072, "pppoe_session": 131072,
                 "pool_address": 64, "mapping": 64 * 8192, "port_block": 8192, "exempt": 1024, "exempt_port": 1024}
        staged = holder.call("object.stage", {"name": old.name, "max_entries": sizes}, [file.fileno()])["generation"]
        holder.call("swap.commit", {"generation": staged})
    lab.start_controld()
    if names(lab) != old.name:
        lab.call("issu.rollback", {"generation": staged})
    assert names(lab) == old.name


def test_there_are_kept_versions():
    assert keep.versions()


@pytest.mark.parametrize("version", keep.versions(), ids=lambda path: path.name)
def test_from_it_to_the_newest_and_back(version):
    config = default_config()
    config["issu"] = {"verify": {"packets": 64, "seconds": 0.3}}
    with Lab(config) as lab:
        shutil.copytree(TOP / "test" / "golden", lab.directory / "golden")
        config["issu"]["verify"]["golden"] = str(lab.directory / "golden")
        old = keep.unpack(version, lab.directory / f"old-{version.name}.o")
        start_on(lab, old)
        add_sessions(lab, SUBSCRIBERS)
        with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
            assert meter.prime()["up"]["lost"] == 0  # mappings made by the old one
            before, sessions = lab.digest(), lab.sessions()
            assert before["mappings"]["count"] == FLOWS
            meter.start("both", rate=50000)
            for change, path in ((upgrade, lab.object), (upgrade, old), (swap, lab.object), (back_to, old)):
                change(lab, path)
                assert names(lab) == path.name
                assert lab.digest() == before and lab.sessions() == sessions
            lab.controld.kill()
            lab.reap(lab.controld)
            lab.start_controld()  # today's controld with the old object running
            assert names(lab) == old.name and lab.digest() == before and lab.sessions() == sessions
            report = meter.stop()
            assert faults(report) == {}
            packets = report["up"]["received"] + report["down"]["received"]
            assert packets == report["up"]["sent"] + report["down"]["sent"] > 10000
        print(f"\n{version.name} -> newest -> {version.name}, twice: {packets} packets sent = received, {FLOWS} mappings and "
              f"{SUBSCRIBERS} sessions the same")
