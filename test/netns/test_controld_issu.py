# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Upgrades by way of controld: the report, and what is left when one cannot be.
import os

import pytest

from lab import INTERNET, Lab, wait_for
from rpc import RpcError

CONFLICT, SYSTEM = -32003, -32006
STEPS = ["links found", "object staged", "maps adopted", "packets compared", "state recorded", "program swapped", "traffic watched",
         "state compared"]


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_daemons()
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        lab.second = lab.second_build()
        yield lab


def upgrade(client, path):
    with open(path, "rb") as file:
        return client.call("issu.upgrade", {"name": path.name}, [file.fileno()])


def begin_upgrade(client, file, name):
    return client.begin("issu.upgrade", {"name": name}, [file.fileno()])


def staged(lab):
    return [entry for entry in lab.call("issu.status")["generations"] if entry["state"] == "staged"]


def test_an_upgrade_reports_every_step_and_keeps_everything(lab):
    assert lab.alice.ping(INTERNET) == 3
    before, people = lab.call("cgnat.digest"), lab.sessions()
    generation = lab.call("issu.status")["current"]
    with lab.rpc() as client:
        report = upgrade(client, lab.second)
        told = [note["params"] for note in client.notifications if note["method"] == "issu.step"]
    assert [step["step"] for step in report["steps"]] == STEPS
    assert told == report["steps"] and {step["outcome"] for step in told} == {"ok"}
    assert report["hitless"] is True and report["lost"] == ""
    assert (report["from"]["generation"], report["to"]["generation"]) == (generation, generation + 1)
    assert set(report["from"]["program_ids"]).isdisjoint(report["to"]["program_ids"])
    assert report["digest"] == {"before": before, "after": before}
    assert report["swap"]["skew_us"] > 0  # several links: never at the same instant
    assert set(lab.programs().values()) <= set(report["to"]["program_ids"])
    assert lab.sessions() == people
    assert lab.alice.ping(INTERNET) == 3


def test_rolling_back_is_an_upgrade_to_what_was(lab):
    status = lab.call("issu.status")
    report = lab.call("issu.rollback")
    assert report["hitless"] is True
    assert report["to"]["generation"] == status["previous"] and report["from"]["generation"] == status["current"]
    assert lab.call("issu.status")["current"] == status["previous"]
    assert lab.alice.ping(INTERNET) == 3


def test_what_is_no_object_changes_nothing(lab, tmp_path):
    garbage = tmp_path / "garbage.o"
    garbage.write_bytes(b"\x7fELF" + os.urandom(4096))
    programs, status = lab.programs(), lab.call("issu.status")
    with lab.rpc() as client, pytest.raises(RpcError) as caught:
        upgrade(client, garbage)
    assert "object staged" in caught.value.message and "nothing was changed" in caught.value.message
    assert lab.programs() == programs and lab.call("issu.status") == status


def test_only_one_upgrade_at_a_time(lab):
    with lab.rpc() as first, lab.rpc() as second, open(lab.second, "rb") as file:
        request = begin_upgrade(first, file, "first")
        wait_for("the upgrade to run", lambda: second.call("issu.status")["running"], interval=0.005)
        with pytest.raises(RpcError) as caught:
            second.call("issu.rollback")
        assert caught.value.code == CONFLICT and "in progress" in caught.value.message
        assert first.end(request)["hitless"] is True
    assert lab.call("issu.status")["running"] is None


def test_a_caller_that_hangs_up_does_not_stop_it(lab):
    current = lab.call("issu.status")["current"]
    with lab.rpc() as client, open(lab.second, "rb") as file:
        begin_upgrade(client, file, "left alone")
        assert client.next_notification(60)["method"] == "issu.step"
    status = wait_for("the swap", lambda: (lambda s: s if not s["running"] and s["current"] > current else None)(
        lab.call("issu.status")))
    assert status["current"] == current + 1
    assert lab.alice.ping(INTERNET) == 3


def test_what_a_dying_controld_staged_is_dropped_by_the_next(lab):
    current = lab.call("issu.status")["current"]
    lab.config["issu"]["verify"]["enabled"] = True  # takes longer than to kill who does it: the swap is far away
    lab.reload()
    with lab.rpc() as client, open(lab.second, "rb") as file:
        begin_upgrade(client, file, "orphan")
        while client.next_notification(60)["params"]["step"] != "object staged":
            pass
        lab.controld.kill()
        lab.reap(lab.controld)
    holder = lab.call("holder.status", server="holder")
    assert [entry["name"] for entry in holder["generations"] if entry["state"] == "staged"] == ["orphan"]
    lab.config["issu"]["verify"]["enabled"] = False
    lab.start_controld()
    assert staged(lab) == [] and lab.call("issu.status")["current"] == current
    assert lab.alice.ping(INTERNET) == 3


def test_an_upgrade_without_the_holder_says_so(lab):
    lab.holder.kill()
    lab.reap(lab.holder)
    wait_for("controld to notice", lambda: not lab.call("status")["holder"]["connected"])
    with lab.rpc() as client, pytest.raises(RpcError) as caught:
        upgrade(client, lab.second)
    assert "not connected" in caught.value.message
    lab.start_holder()
    wait_for("controld to be back", lambda: lab.call("holder.status", server="holder")["controller"]["ready"])
    with lab.rpc() as client:
        assert upgrade(client, lab.second)["hitless"] is True


def sizes(lab):
    return {entry["name"]: entry["max_entries"] for entry in lab.call("holder.status", server="holder")["maps"]}


def test_a_new_controld_brings_the_object_it_needs():
    """The running object knows nothing of two maps: its successor comes with the new controld, and
    stays. New maps are as large as configured, also those of an object that is newer than controld."""
    with Lab() as lab:
        lab.config["sizes"]["subscribers"] = 200000
        newer = lab.object
        lab.object = lab.second_build("-Dtunnel=tunnel_of_old", "-Dslot_of_address=slots_of_old", name="older")
        lab.start_holder()
        lab.start_controld(wait=False)  # has nothing better to load, and says what is missing
        assert lab.controld.wait(60) == 1
        lab.reap(lab.controld)
        assert "tunnel: there is none of this name" in lab.log("controld")
        assert sizes(lab)["slots_of_old"] == 200000
        generation = lab.call("holder.status", server="holder")["generation"]
        lab.object = newer
        lab.config["sizes"]["exempt"] = 2048  # in vain: that map is there
        lab.start_controld()
        assert "older than this bng-controld" in lab.log("controld")
        assert lab.call("issu.status")["current"] == generation + 1
        assert [entry["name"] for entry in lab.call("maps")["maps"] if "tunnel" in entry["name"]] == ["tunnel"]
        made = sizes(lab)
        assert (made["slot_of_address"], made["subscriber"], made["closing"], made["exempt"]) == (200000, 200000, 391, 1024)
        lab.cli("issu", "rollback")
        lab.stop(lab.controld)
        lab.start_controld()
        assert lab.call("issu.status")["current"] == generation  # as the operator wants it
        later = lab.directory / "later.bpf.o"
        later.write_bytes(lab.directory.joinpath("older.bpf.o").read_bytes().replace(b"tunnel_of_old", b"tunnel_of_new")
                          .replace(b"slots_of_old", b"slots_of_new"))
        with lab.rpc() as client:
            report = upgrade(client, later)
        assert {entry["name"] for entry in report["maps"] if entry["result"] == "new"} == {"slots_of_new", "tunnel_of_new"}
        assert sizes(lab) == {**made, "slots_of_new": 200000, "tunnel_of_new": made["tunnel"]}  # this one follows no size


def test_an_upgrade_on_trial_goes_back_unless_it_is_confirmed(lab):
    before = lab.call("issu.status")["current"]
    with lab.rpc() as client, open(lab.second, "rb") as file:
        report = client.call("issu.upgrade", {"name": "trial", "confirm_s": 6}, [file.fileno()])
    assert report["hitless"] is True and report["to"]["generation"] > before
    trial = lab.call("issu.status")["trial"]
    assert (trial["generation"], trial["back"]) == (report["to"]["generation"], before)
    lab.controld.kill()  # who goes back is the holder
    lab.reap(lab.controld)
    wait_for("the old generation", lambda: lab.call("swap.status", server="holder")["current"] == before)
    lab.start_controld()
    assert lab.call("issu.status")["trial"] is None and lab.call("issu.status")["current"] == before
    assert lab.alice.ping(INTERNET) == 3


def test_a_confirmed_upgrade_stays(lab):
    result = lab.cli("issu", "upgrade", lab.second, "--confirm", "5m").stdout
    assert "UPGRADE: hitless" in result and "On trial" in result
    assert "is on trial: back to" in lab.cli("issu", "status").stdout and "ON TRIAL" in lab.cli("status").stdout
    refused = lab.cli("issu", "upgrade", lab.object, check=False)
    assert refused.returncode == 1 and "links found: generation" in refused.stderr and "bngcli issu confirm" in refused.stderr
    assert "object staged" not in refused.stdout
    current = lab.call("issu.status")["current"]
    assert lab.cli("issu", "confirm").stdout == "Confirmed: it stays.\n" and "ON TRIAL" not in lab.cli("status").stdout
    assert lab.call("issu.status")["trial"] is None and lab.call("issu.status")["current"] == current
    with pytest.raises(RpcError) as caught:
        lab.call("issu.confirm")
    assert caught.value.code == CONFLICT and "nothing is on trial" in caught.value.message
