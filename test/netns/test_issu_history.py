# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What is measured around a swap is what was sent, and what was done is remembered: by
# whom, with which outcome, over the death of everybody, and when nobody was looking.
import json
import os
import pathlib
import threading

import pytest
from scapy.all import Ether, IP, UDP  # pylint: disable=no-name-in-module

import sandbox
from lab import Lab, wait_for
from meter import Meter, add_sessions, faults
from rpc import RpcError

SUBSCRIBERS, FLOWS = 50, 200
KEPT = 100


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        add_sessions(lab, SUBSCRIBERS)
        lab.second = lab.second_build()
        yield lab


def records(lab, **params):
    return lab.call("issu.history", params)["records"]


def last(lab):
    return records(lab)[-1]


def upgrade(lab, path, **params):
    with lab.rpc() as client, open(path, "rb") as file:
        return client.call("issu.upgrade", {"name": pathlib.Path(path).name, **params}, [file.fileno()])


def kill_controld(lab):
    lab.controld.kill()
    lab.reap(lab.controld)


def received(lab, name):
    return next(entry["rx_packets"] for entry in lab.call("interfaces")["interfaces"] if entry["name"] == name)


def test_the_first_start_is_a_record_and_who_upgraded_is_known(lab):
    first = wait_for("the first record", lambda: records(lab))
    assert [(entry["number"], entry["kind"], entry["from"], entry["to"]) for entry in first] == [(1, "found", 0, 1)]
    report = upgrade(lab, lab.second)
    record = last(lab)
    assert (record["number"], record["kind"], record["outcome"], record["detail"]) == (2, "upgrade", "hitless", "")
    assert (record["from"], record["to"], record["name"]) == (1, 2, lab.second.name)
    assert (record["uid"], record["pid"]) == (0, os.getpid())
    assert record["lost"] == 0 and record["trial"] is None
    assert records(lab, number=2)[0]["report"] == report and "report" not in record
    lab.call("issu.rollback")
    assert (last(lab)["kind"], last(lab)["from"], last(lab)["to"]) == ("rollback", 2, 1)


def test_it_outlives_controld(lab):
    before = records(lab)
    kill_controld(lab)
    lab.start_controld()
    assert records(lab) == before


def test_what_is_refused_is_told_with_its_reason(lab, tmp_path):
    garbage = tmp_path / "garbage.o"
    garbage.write_bytes(b"\x7fELF" + bytes(4096))
    with pytest.raises(RpcError):
        upgrade(lab, garbage)
    assert (last(lab)["outcome"], last(lab)["name"], last(lab)["lost"]) == ("refused", "garbage.o", None)
    assert last(lab)["detail"].startswith("object staged: ")


def test_the_holder_going_back_by_itself_is_a_record(lab):
    was = lab.call("issu.status")["current"]
    report = upgrade(lab, lab.second, confirm_s=5)
    number = last(lab)["number"]
    assert last(lab)["trial"] == "running"
    wait_for("the record", lambda: last(lab)["kind"] == "not_confirmed")
    assert (last(lab)["from"], last(lab)["to"], last(lab)["number"]) == (report["to"]["generation"], was, number + 1)
    assert records(lab, number=number)[0]["trial"] == "not confirmed" and last(lab)["uid"] is None


def test_also_when_controld_was_dead(lab):
    was = lab.call("issu.status")["current"]
    report = upgrade(lab, lab.second, confirm_s=1)
    kill_controld(lab)
    wait_for("the old generation", lambda: lab.call("swap.status", server="holder")["current"] == was)
    lab.start_controld()
    record = wait_for("the record", lambda: last(lab) if last(lab)["kind"] == "not_confirmed" else None)
    assert (record["from"], record["to"]) == (report["to"]["generation"], was)


def test_trials_that_are_confirmed_or_rolled_back(lab):
    upgrade(lab, lab.second, confirm_s=600)
    lab.call("issu.confirm")
    assert last(lab)["trial"] == "confirmed"
    upgrade(lab, lab.object, confirm_s=600)
    with pytest.raises(RpcError):  # it is recorded, and changes nothing of the trial
        upgrade(lab, lab.second)
    lab.call("issu.rollback")
    assert [entry["trial"] for entry in records(lab)[-3:]] == ["rolled back", None, None]
    upgrade(lab, lab.object, confirm_s=600)
    lab.call("swap.confirm", server="holder")  # root, past controld
    wait_for("controld to see it", lambda: last(lab)["trial"] == "confirmed")


def test_what_came_of_a_canary(lab):
    upgrade(lab, lab.second, no_verify=True, canary={"steps": [{"share": 5000, "bake_s": 1}]})
    assert (last(lab)["kind"], last(lab)["outcome"]) == ("upgrade", "hitless") and last(lab)["canary"].startswith("passed")
    assert last(lab)["to"] == lab.call("issu.status")["current"]
    (step,) = [step for step in records(lab, number=last(lab)["number"])[0]["report"]["steps"] if step["step"] == "canary 50 %"]
    assert step["detail"].startswith("0 packets, 0 of the rest: too few to be judged")


def test_a_swap_past_controld_is_found(lab):
    now = lab.call("issu.status")["current"]
    lab.call("swap.rollback", server="holder")
    wait_for("the record", lambda: last(lab)["kind"] == "found")
    assert last(lab)["from"] == now and last(lab)["outcome"] == "unmeasured"


def test_with_the_bus_away_it_is_kept_and_published_later(lab):
    before = records(lab)
    lab.stop(lab.bngsync)
    upgrade(lab, lab.object)
    assert last(lab)["number"] == before[-1]["number"] + 1
    kill_controld(lab)
    lab.start_controld()  # knows nothing of before
    upgrade(lab, lab.second)
    mine = lab.call("issu.history")
    assert mine["whole"] is False and [entry["number"] for entry in mine["records"]] == [1]
    assert "bngsync is away" in lab.cli("issu", "history").stdout
    lab.start_bngsync()
    after = wait_for("the bus", lambda: (lambda reply: reply["records"] if reply["whole"] else None)(lab.call("issu.history")))
    # The upgrade that only the dead controld knew is lost; the next one stands behind what was kept.
    assert after[:-1] == before and after[-1]["number"] == before[-1]["number"] + 1
    assert after[-1]["pid"] == os.getpid()
    topic = {entry["name"]: entry["records"] for entry in lab.call("sync.status", server="bngsync")["topics"]}
    assert wait_for("the record", lambda: {entry["name"]: entry["records"] for entry in lab.call(
        "sync.status", server="bngsync")["topics"]}["upgrade"] == len(after)), topic


def test_the_oldest_go_first(lab, tmp_path):
    newest = last(lab)["number"]
    empty = tmp_path / "empty.o"
    empty.write_bytes(b"")
    for _ in range(KEPT + 5):
        with pytest.raises(RpcError):
            upgrade(lab, empty)
    numbers = [entry["number"] for entry in records(lab)]
    assert numbers == list(range(newest + 6, newest + KEPT + 6))
    kill_controld(lab)
    lab.start_controld()
    found = records(lab)
    assert [entry["number"] for entry in found] == numbers
    with pytest.raises(RpcError) as caught:
        records(lab, number=1)
    assert caught.value.code == -32002 and f"{found[0]['number']} to {found[-1]['number']}" in caught.value.message


def test_the_list_and_a_report_for_people(lab):
    upgrade(lab, lab.object)
    lines = lab.cli("issu", "history").stdout.splitlines()
    assert lines[0].split() == ["N", "TIME", "KIND", "GENERATION", "NAME", "OUTCOME", "LOST", "GAP", "TRIAL", "CANARY", "BY"]
    assert "hitless" in lines[-1] and f"uid 0, process {os.getpid()}" in lines[-1]
    text = lab.cli("issu", "history", last(lab)["number"]).stdout
    assert "[ ok ] program swapped" in text and "UPGRADE: hitless" in text
    wrong = lab.cli("issu", "history", "x", check=False)
    assert wrong.returncode == 2 and "issu history" in wrong.stderr


def test_verify_counts_what_was_sent(lab):
    """All that the meter sent, and nothing else, while it was measured."""
    found = {}

    def measure():
        found.update(lab.call("issu.verify", {"seconds": 3}))
    with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
        meter.prime()
        thread = threading.Thread(target=measure)
        thread.start()
        wait_for("it to run", lambda: lab.call("issu.status")["running"] == "traffic watched", interval=0.005)
        meter.start("both", rate=20000)
        with pytest.raises(RpcError) as caught:
            lab.call("issu.verify")
        assert "in progress" in caught.value.message
        wait_for("packets", lambda: meter.report()["up"]["sent"] > 1000)
        report = meter.stop()
        assert thread.is_alive()
        thread.join()
    sent = report["up"]["sent"] + report["down"]["sent"]
    assert faults(report) == {} and found["hitless"] is True and found["lost"] == ""
    traffic = found["traffic"]
    assert (traffic["forwarded"], traffic["lost"]) == (sent, 0)
    assert sent <= traffic["received"] <= sent + 50  # what the kernel says besides
    assert found["digest"]["before"] == found["digest"]["after"] and found["longest_gap_us"] < 3000000


def test_verify_sees_packets_that_no_program_judges(lab):
    """Last: a link is torn off while packets come in by it."""
    frames = [Ether(dst=lab.mac(lab.gateway, "core1")) / IP(dst="203.0.113.1") / UDP(dport=9)] * 5000
    sandbox.run(["bpftool", "link", "detach", "pinned", str(lab.state / "bpf" / "if" / "core1" / "link")])
    process = lab.start(lab.gateway, lab.directory / "bngcli", "--state", lab.state, "--json", "issu", "verify",
                        "--seconds", "3", log="verify.log")
    wait_for("it to run", lambda: lab.call("issu.status")["running"] == "traffic watched")
    before = received(lab, "core1")
    lab.send_frames(lab.load, "down0", frames)
    assert process.wait(60) == 4
    lab.processes.remove(process)
    report = json.loads((lab.directory / "verify.log").read_text())
    assert report["hitless"] is False and "neither left nor were dropped" in report["lost"]
    came = received(lab, "core1") - before  # not all that was sent: without a program the device takes no more than a queue full
    assert came > 500 and abs(report["traffic"]["lost"] - came) <= report["traffic"]["uncertain"]
