# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Commit-confirmed: what nobody confirms goes back by itself, whoever died meanwhile;
# and every generation that is kept can be gone back to.
import time

import pytest

from holder_fixture import holder_with
from lab import wait_for

CONFLICT, INVALID_PARAMS = -32003, -32602


lab = holder_with()


def commit_on_trial(lab, seconds, name="holder_v2"):
    generation = lab.stage(name)["generation"]
    lab.call("swap.commit", {"generation": generation, "confirm_within_s": seconds})
    return generation


def wait_for_generation(lab, generation):
    wait_for(f"generation {generation}", lambda: lab.call("swap.status")["current"] == generation)


def test_not_confirmed_goes_back(lab):
    with lab.client() as client:
        client.call("holder.subscribe")
        assert commit_on_trial(lab, 4) == 2
        trial = lab.call("swap.status")["trial"]
        assert (trial["generation"], trial["back"]) == (2, 1) and 0 < trial["left_ms"] <= 4000
        lab.assert_runs(2)
        wait_for_generation(lab, 1)
        lab.assert_runs(1)
        types = [client.next_notification(20)["params"] for _ in range(4)]
    assert types == [{"type": "stage", "generation": 2, "name": "holder_v2"}, {"type": "swap", "from": 1, "to": 2},
                     {"type": "swap", "from": 2, "to": 1}, {"type": "not_confirmed", "from": 2, "to": 1}]
    assert lab.call("swap.status") == {"current": 1, "previous": 2, "journal": {"step": "idle", "from": 2, "to": 1},
                                       "trial": None, "canary": None, "migration": None}
    assert "not confirmed in time: back to 1" in lab.log()


def test_confirmed_stays(lab):
    commit_on_trial(lab, 2)
    lab.call("swap.confirm")
    assert lab.refused("swap.confirm").code == CONFLICT
    time.sleep(3)  # longer than the trial: nothing may happen
    lab.assert_runs(2)
    assert lab.call("holder.status")["trial"] is None


@pytest.mark.parametrize("away_s", [0, 3])
def test_a_dead_holder_makes_no_trial_longer(lab, away_s):
    """Back at the time that was said, or as soon as there is a holder after it."""
    begun = time.monotonic()
    commit_on_trial(lab, 3 if not away_s else 2)
    lab.kill()
    time.sleep(away_s)
    lab.start()
    wait_for_generation(lab, 1)
    assert time.monotonic() - begun >= (3 if not away_s else 2)
    lab.assert_runs(1)
    assert lab.call("swap.status")["trial"] is None


def test_death_while_confirming_is_no_confirmation(lab):
    lab.kill()
    lab.start(die_at="confirm")
    commit_on_trial(lab, 6)
    lab.dies(lambda: lab.call("swap.confirm"))
    lab.start()
    assert lab.call("swap.status")["trial"]["generation"] == 2
    wait_for_generation(lab, 1)
    lab.assert_runs(1)


def test_one_trial_at_a_time(lab):
    commit_on_trial(lab, 600)
    third = lab.stage("holder_v1")["generation"]
    error = lab.refused("swap.commit", {"generation": third})
    assert error.code == CONFLICT and "generation 2 is on trial" in error.message
    assert lab.refused("object.drop", {"generation": 1}).code == CONFLICT
    lab.call("swap.rollback")
    lab.assert_runs(1)
    assert lab.call("swap.status")["trial"] is None
    lab.commit(2)  # this time for good
    assert lab.call("swap.status")["trial"] is None
    lab.commit(third)
    lab.assert_runs(third)


@pytest.mark.parametrize("seconds", [0, 86401])
def test_time_out_of_bounds_is_refused(lab, seconds):
    generation = lab.stage("holder_v2")["generation"]
    error = lab.refused("swap.commit", {"generation": generation, "confirm_within_s": seconds})
    assert error.code == INVALID_PARAMS and "confirm_within_s" in error.message
    lab.assert_runs(1)


def test_a_link_detached_behind_our_back_does_not_keep_a_bad_generation(lab):
    commit_on_trial(lab, 2)
    lab.detach_behind_its_back("c0")
    wait_for_generation(lab, 1)
    assert lab.attached_programs() == {"a0": lab.programs_of(1)["bng_access"]}


def test_back_to_any_generation_that_is_kept(lab):
    for name in ("holder_v2", "holder_v1", "holder_v2"):
        lab.stage_and_commit(name)
    staged = lab.stage("holder_v1")["generation"]
    for generation in (1, 4, 2, 3, 1):
        assert lab.call("swap.rollback", {"generation": generation})["to"] == generation
        lab.assert_runs(generation)
    assert lab.call("swap.rollback")["to"] == 3  # what was current last
    for generation in (3, staged, 77):
        error = lab.refused("swap.rollback", {"generation": generation})
        assert error.code == CONFLICT and f"generation {generation} never ran or is not kept" in error.message
    lab.assert_runs(3)
