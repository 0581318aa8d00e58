# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A share of the subscribers goes first: exactly those, for as long as was said; a breach,
# a request or the holder's death takes everybody back, and nobody else notices.
import re
import time

import pytest

from holder_fixture import SUBSCRIBERS, Load, holder_with, mac
from lab import wait_for

CONFLICT, INVALID_PARAMS = -32003, -32602
PAUSE = 0.01  # of the load, after each round


lab = holder_with("canary_v1")


def served(lab, version):
    """Packets of each subscriber that this version of the program served."""
    entries = lab.bpftool("map", "dump", "pinned", lab.pin("map/served"))
    packets = {entry["formatted"]["key"]: entry["formatted"]["value"] for entry in entries}
    return [packets[version * SUBSCRIBERS + number] for number in range(SUBSCRIBERS)]


def chosen(share):
    return {number for number in range(SUBSCRIBERS) if number * 10000 // 256 < share}


def begin_canary(lab, *steps, name="canary_v2", bounds=None, **more):
    generation = lab.stage(name, canary=True)["generation"]
    canary = {"steps": [{"share": share, "bake_s": bake} for share, bake in steps]}
    if bounds:
        canary["bounds"] = bounds
    lab.call("swap.commit", {"generation": generation, "canary": canary, **more})
    return generation


def wait_for_state(lab, *states):
    def canary():
        found = lab.call("swap.status")["canary"]
        return found if found["state"] in states else None
    return wait_for(f"a canary that is {' or '.join(states)}", canary)


def canary_programs(lab, generation):
    programs = lab.programs_of(generation)
    return {"a0": programs["bng_canary_access"], "c0": programs["bng_canary_core"]}


def running(lab):
    return {name: program for name, program in lab.attached_programs().items() if name in ("a0", "c0")}


def test_exactly_the_chosen_are_served_by_the_new_program(lab):
    """A small share is part of the larger one, nothing is lost, and in the end all are served."""
    with lab.client() as client, Load(lab, PAUSE) as load:
        client.call("holder.subscribe")
        begin_canary(lab, (100, 2), (5000, 2))
        status = lab.call("swap.status")
        assert running(lab) == canary_programs(lab, 2)
        assert status["current"] == 1 and status["canary"]["state"] == "running" and status["canary"]["share"] == 100
        states = {entry["generation"]: entry["state"] for entry in lab.call("holder.status")["generations"]}
        assert states == {1: "current", 2: "canary"}
        first = last_served(lab, lambda canary: canary["step"] == 1)
        assert {number for number in range(SUBSCRIBERS) if first[number]} == chosen(100)
        second = last_served(lab, lambda canary: canary["state"] == "running")
        assert {number for number in range(SUBSCRIBERS) if second[number]} == chosen(5000)
        lab.assert_runs(2)
        load.goes_on()
        events = [client_event(client.next_notification(20)) for _ in range(5)]
    assert load.lost() == [0, 0]
    assert [one + two for one, two in zip(served(lab, 1), served(lab, 2))] == load.of_each()
    assert all(served(lab, 2))
    assert events == [("stage", None, None), ("canary", "running", 100), ("canary", "running", 5000),
                      ("swap", None, None), ("canary", "passed", 5000)]


def last_served(lab, holds):
    """By the new program, when the canary was seen like this for the last time."""
    last = None
    while True:
        now = served(lab, 2)
        if not holds(lab.call("swap.status")["canary"]):
            return last
        last = now


def client_event(note):
    return note["params"]["type"], note["params"].get("state"), note["params"].get("share")


# Of each subscriber the first packet is a bad one, so that a few are worse than many.
BAD = {
    "canary_drops": (r"drop_rate: [23]\d\.\d\d % of the canary's packets, 0\.\d\d % of the rest's, 0\.00 % before, bound 0\.50 %"),
    "canary_fails": (r"drop_internal: \d+\.\d\d % of the canary's packets, 0\.\d\d % of the rest's, .*, bound 0\.01 %"),
    "canary_plain": (r"forward_plain: 100\.00 % of the canary's packets, 0\.\d\d % of the rest's, .*, bound 20\.00 %"),
}


def reasons(lab):
    entries = lab.bpftool("map", "dump", "pinned", lab.pin("map/reason_count"))
    return {entry["formatted"]["key"]: sum(value["value"]["packets"] for value in entry["formatted"]["values"])
            for entry in entries}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_program_is_taken_back_and_told_why(lab, name):
    """In time, and nobody outside the canary lost a packet."""
    with Load(lab, PAUSE) as load, lab.client() as client:
        client.call("holder.subscribe")
        time.sleep(1.1)  # what is usual is known from the second before
        begin_canary(lab, (1000, 60), (5000, 60), name=name, bounds={"packets": 200})
        canary = wait_for_state(lab, "breached")
        lab.assert_runs(1)
        assert re.fullmatch(BAD[name], canary["reason"])
        assert canary["step"] == 1 and lab.call("swap.status")["current"] == 1
        told = [client.next_notification(20)["params"] for _ in range(3)][-1]
        assert told == {"type": "canary", "generation": 2, "state": "breached", "share": 1000, "reason": canary["reason"]}
        after = served(lab, 2)
        load.goes_on()
        assert served(lab, 2) == after  # everybody is back
    assert {number for number in range(SUBSCRIBERS) if after[number]} == chosen(1000)
    dropped = sum(packets for verdict, packets in reasons(lab).items() if verdict >= 3)
    assert sum(load.lost(dropped)) == dropped and dropped <= sum(after)
    assert [one + two for one, two in zip(served(lab, 1), after)] == load.of_each()
    lab.commit(lab.stage("canary_v2", canary=True)["generation"])


def test_how_long_a_breach_takes_is_told(lab):
    """From when enough was counted until everybody is back: less than a second, where others leave this machine to us."""
    with Load(lab, PAUSE):
        begin_canary(lab, (5000, 60), name="canary_drops", bounds={"packets": 500})
        wait_for("enough packets", lambda: sum(served(lab, 2)) > 500, interval=0)
        begun = time.monotonic()
        wait_for_state(lab, "breached")
        print(f"\n{time.monotonic() - begun:.2f} s from when enough was counted until everybody was back")
        lab.assert_runs(1)


def test_a_bound_that_was_asked_for_is_the_one_that_counts(lab):
    with Load(lab, PAUSE):
        begin_canary(lab, (5000, 2), name="canary_drops", bounds={"packets": 200, "drop_rate": 0.5})
        assert wait_for_state(lab, "passed", "breached")["state"] == "passed"
        lab.assert_runs(2)


def test_few_packets_are_no_breach(lab):
    up = lab.open_wire("a1")
    begin_canary(lab, (10000, 2), name="canary_drops")
    for _ in range(100):
        up.send(bytes(6) + mac(7) + bytes(50))
    assert wait_for_state(lab, "passed", "breached")["packets"] == 100
    up.close()


def test_ends_on_request_and_lets_nothing_between(lab):
    begin_canary(lab, (100, 600))
    third = lab.stage("canary_v2", canary=True)["generation"]
    for method, params, what in (("swap.commit", {"generation": third}, "generation 2 is a canary"),
                                 ("swap.commit", {"generation": third, "canary": {"steps": []}}, "generation 2 is a canary"),
                                 ("swap.rollback", {"generation": third}, "generation 2 is a canary"),
                                 ("object.drop", {"generation": 2}, "generation 2 is a canary")):
        error = lab.refused(method, params)
        assert error.code == CONFLICT and what in error.message
    assert running(lab) == canary_programs(lab, 2)
    for interface, role in (("a0", "access"), ("c0", "core")):  # as a new controld does
        assert lab.attach(interface, role)["adopted"]
    assert running(lab) == canary_programs(lab, 2)
    assert {link["generation"] for link in lab.call("holder.status")["links"]} == {2}
    lab.call("swap.rollback")
    lab.assert_runs(1)
    canary = lab.call("swap.status")["canary"]
    assert (canary["state"], canary["reason"]) == ("stopped", "on request")
    assert lab.call("swap.status")["journal"]["step"] == "idle"
    lab.call("object.drop", {"generation": 2})
    lab.commit(third)
    lab.assert_runs(third)


def test_the_commit_after_it_may_be_on_trial(lab):
    begin_canary(lab, (10000, 1), confirm_within_s=4)
    wait_for_state(lab, "passed")
    assert lab.call("swap.status")["trial"]["generation"] == 2
    wait_for("the old generation", lambda: lab.call("swap.status")["current"] == 1)
    lab.assert_runs(1)


def test_a_kept_generation_may_be_the_canary(lab):
    kept = lab.stage("canary_v2", canary=True)["generation"]
    lab.commit(kept)
    lab.call("swap.rollback")
    lab.call("swap.commit", {"generation": kept, "canary": {"steps": [{"share": 5000, "bake_s": 1}]}})
    assert running(lab) == canary_programs(lab, kept)
    wait_for_state(lab, "passed")
    lab.assert_runs(kept)
    assert lab.call("swap.status")["previous"] == 1


STEP = {"share": 100, "bake_s": 1}
WRONG = {
    "no steps": ({}, "params/canary/steps: missing: must be an array of 1-16 steps"),
    "none": ({"steps": []}, "params/canary/steps: []: must be an array of 1-16 steps"),
    "too many": ({"steps": [{"share": n, "bake_s": 1} for n in range(1, 18)]}, "must be an array of 1-16 steps"),
    "no share": ({"steps": [{"bake_s": 1}]}, "params/canary/steps/0/share: missing: must be given"),
    "all and more": ({"steps": [{"share": 10001, "bake_s": 1}]}, "params/canary/steps/0/share: 10001: must be"),
    "not more": ({"steps": [STEP, STEP]}, "params/canary/steps/1/share: 100: must be an integer 101-10000"),
    "no time": ({"steps": [{"share": 1, "bake_s": 0}]}, "params/canary/steps/0/bake_s: 0: must be an integer 1-86400"),
    "more": ({"steps": [STEP], "pace": 1}, "pace"),
    "a bound of nothing": ({"steps": [STEP], "bounds": {"drop_nothing": 0.1}}, "params/canary/bounds/drop_nothing: 0.1: is no bound"),
    "too large a bound": ({"steps": [STEP], "bounds": {"drops": 5}}, "params/canary/bounds/drops: 5: must be a number 0-1"),
    "no bounds": ({"steps": [STEP], "bounds": 5}, "params/canary/bounds: 5: must be an object"),
}


def test_what_makes_no_sense_is_refused_and_changes_nothing(lab):
    generation = lab.stage("canary_v2", canary=True)["generation"]
    before = lab.call("swap.status"), running(lab)
    for canary, text in WRONG.values():
        error = lab.refused("swap.commit", {"generation": generation, "canary": canary})
        assert error.code == INVALID_PARAMS and text in error.message, error.message
    for other, text in ((1, "must be one that is staged or kept"), (77, "must be one that is staged or kept")):
        error = lab.refused("swap.commit", {"generation": other, "canary": {"steps": [STEP]}})
        assert error.code == CONFLICT and text in error.message
    without = lab.stage("canary_v2")["generation"]
    error = lab.refused("swap.commit", {"generation": without, "canary": {"steps": [STEP]}})
    assert error.code == CONFLICT and "it has no program bng_canary_access" in error.message
    assert "staged without canary" in error.message
    none = lab.stage("canary_none", canary=True)["generation"]
    error = lab.refused("swap.commit", {"generation": none, "canary": {"steps": [STEP]}})
    assert error.code == CONFLICT and "it has no map canary: it offers no canary" in error.message
    assert (lab.call("swap.status"), running(lab)) == before
    lab.assert_runs(1)


def test_a_link_detached_behind_our_back_does_not_keep_a_canary(lab):
    begin_canary(lab, (100, 600))
    lab.detach_behind_its_back("c0")
    lab.call("swap.rollback")
    assert running(lab) == {"a0": lab.programs_of(1)["bng_access"]}


BEGIN = ["canary_fill", "canary_share", "commit_intent", "commit_update_next", "commit_readback", "commit_done"]
RUN = ["canary_share:2", "canary_commit", "canary_back", "commit_intent:2", "commit_update_next:2", "commit_maps",
       "commit_current", "none"]


def assert_old_everywhere(lab, load):
    lab.assert_runs(1)
    status = lab.call("swap.status")
    assert status["current"] == 1 and status["journal"]["step"] == "idle"
    load.goes_on()
    after = served(lab, 2)
    load.goes_on()
    assert served(lab, 2) == after
    return status["canary"]


@pytest.mark.parametrize("step", BEGIN)
def test_death_while_it_begins(lab, step):
    generation = lab.stage("canary_v2", canary=True)["generation"]
    lab.kill()
    lab.start(die_at=step)
    with Load(lab, PAUSE) as load:
        lab.dies(lambda: lab.call("swap.commit", {"generation": generation, "canary": {"steps": [STEP]}}))
        lab.start()
        assert_old_everywhere(lab, load)
    assert load.lost() == [0, 0]
    lab.commit(generation)
    lab.assert_runs(generation)


@pytest.mark.parametrize("step", RUN)
def test_death_while_it_runs(lab, step):
    """The next start takes everybody back, and says so."""
    generation = lab.stage("canary_v2", canary=True)["generation"]
    lab.kill()
    lab.start(die_at=step)
    bake = 600 if step in ("canary_back", "none") else 1  # it must not be over before it is ended
    with Load(lab, PAUSE) as load:
        lab.call("swap.commit", {"generation": generation, "canary": {
            "steps": [STEP, {"share": 5000, "bake_s": 1}] if step == "canary_share:2" else [{"share": 100, "bake_s": bake}]}})
        if step == "none":
            lab.kill()
        elif step == "canary_back":
            lab.dies(lambda: lab.call("swap.rollback"))
        lab.dies()
        lab.start()
        canary = assert_old_everywhere(lab, load)
    assert load.lost() == [0, 0]
    assert (canary["generation"], canary["state"]) == (generation, "interrupted") and "back to the old program" in canary["reason"]
    assert "canary of generation 2" in lab.log()
