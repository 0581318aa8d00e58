# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Two things at once: a holder that is replaced, or that cleans, while a generation is
# staged, on trial or a canary. What is under way goes on as if nothing else was.
import json
import socket

import pytest

from holder_fixture import BINARY, holder_with
from lab import wait_for

CONFLICT = -32003


lab = holder_with("canary_v1")


def stage(lab):
    return lab.stage("canary_v2", canary=True)["generation"]


def commit_on_trial(lab, seconds=600):
    generation = stage(lab)
    lab.call("swap.commit", {"generation": generation, "confirm_within_s": seconds})
    return generation


def begin_canary(lab):
    generation = stage(lab)
    lab.call("swap.commit", {"generation": generation, "canary": {"steps": [{"share": 5000, "bake_s": 600}]}})
    return generation


def state(lab):
    status = lab.call("holder.status")
    return status["generation"], status["previous"], status["generations"], [
        {name: link[name] for name in ("interface", "program_id", "generation", "state")} for link in status["links"]], \
        lab.attached_programs(), lab.call("swap.status")["canary"] and lab.call("swap.status")["canary"]["state"]


def clean(lab):
    return {row["name"] for row in lab.call("orphans.clean")["orphans"] if row.get("removed")}


def commit(lab, generation):
    lab.commit(generation)
    lab.assert_runs(generation)


def confirm(lab, generation):
    lab.call("swap.confirm")
    lab.assert_runs(generation)


def go_back(lab, generation):
    lab.call("swap.rollback")
    lab.assert_runs(1)
    assert lab.pin(f"gen/{generation}").exists()


@pytest.mark.parametrize("begin, end", [(stage, commit), (commit_on_trial, confirm), (commit_on_trial, go_back),
                                        (begin_canary, go_back)], ids=["staged", "confirmed", "taken-back", "canary"])
def test_cleaning_takes_nothing_of_what_is_under_way(lab, begin, end):
    generation = begin(lab)
    before = state(lab)
    lab.pin("if/x9").mkdir()
    lab.pin("gen/new/program").mkdir(parents=True)
    assert clean(lab) == {"if/x9", "gen/new"}
    assert state(lab) == before
    end(lab, generation)
    assert clean(lab) == set()


@pytest.mark.parametrize("begin, ran", [(stage, 1), (commit_on_trial, 2), (begin_canary, 1)], ids=["staged", "trial", "canary"])
def test_death_while_cleaning_ends_only_a_canary(lab, begin, ran):
    lab.kill()
    lab.start(die_at="orphans_remove")
    generation = begin(lab)
    lab.pin("if/x9").mkdir()
    lab.dies(lambda: clean(lab))
    lab.start()
    wait_for("all links on one generation", lambda: set(lab.attached_programs().values()) == {
        lab.programs_of(ran)[program] for program in ("bng_access", "bng_core")})
    assert not lab.pin("if/x9").exists() and clean(lab) == set()
    trial = lab.call("swap.status")["trial"]
    assert (trial["generation"] if trial else None) == (generation if ran == 2 else None)
    if trial:
        lab.call("swap.confirm")
    else:
        commit(lab, generation)
    lab.assert_runs(generation)


def test_the_holder_is_not_replaced_while_a_canary_runs(lab):
    begin_canary(lab)
    before, opened = state(lab), lab.descriptors()
    with open(BINARY, "rb") as file:
        error = lab.refused("holder.exec", None, [file.fileno()])
    assert error.code == CONFLICT and "a canary runs: wait for its end" in error.message
    assert state(lab) == before and lab.call("holder.status")["execs"] == 0
    wait_for("no more descriptors", lambda: lab.descriptors() <= opened)
    lab.call("swap.rollback")
    lab.assert_runs(1)
    lab.exec()
    lab.wait_for_execs(1)
    lab.assert_runs(1)


@pytest.mark.parametrize("begin, end", [(stage, commit), (commit_on_trial, confirm), (commit_on_trial, go_back)],
                         ids=["staged", "confirmed", "taken-back"])
def test_the_holder_is_replaced_while_something_waits(lab, begin, end):
    generation = begin(lab)
    before = state(lab)
    lab.exec()
    lab.wait_for_execs(1)
    assert state(lab) == before
    end(lab, generation)


def test_no_canary_begins_while_the_holder_is_replaced(lab):
    """It is asked in the moment between the answer and exec, which would end it."""
    generation = stage(lab)
    commit_it = {"jsonrpc": "2.0", "id": 1, "method": "swap.commit",
                 "params": {"generation": generation, "canary": {"steps": [{"share": 5000, "bake_s": 600}]}}}
    with lab.client() as client, open(BINARY, "rb") as file:
        # The second is there when the first is answered: the end of the one comes with it.
        socket.send_fds(client.socket, [b'{"jsonrpc": "2.0", "id": 0, "method": "holder.exec"}'], [file.fileno()])
        client.socket.sendall(b"\n" + json.dumps(commit_it).encode() + b"\n")
        answer, refusal = client.next_reply(), client.next_reply()
    assert answer["result"]["execs"] == 1 and refusal["error"]["code"] == CONFLICT
    assert refusal["error"]["message"].endswith("bpfholder is being replaced: wait for its end")
    lab.wait_for_execs(1)
    lab.assert_runs(1)
    begin_canary(lab)
