# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Under traffic, every packet counted: each daemon is stopped and killed, the holder dies at
# every step of a swap, and controld at every step of an upgrade. No link is ever without a
# program, none is on another generation than the rest when everybody is back, and nothing is lost.
import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "netns"))
from holder_fixture import steps  # noqa: E402
from lab import wait_for  # noqa: E402
from rounds import DAEMONS, RoundsLab, Unharmed  # noqa: E402
from rpc import RpcClient  # noqa: E402

# Both objects have the same maps: where one is new, test_holder_migrate.py has the step.
SWAP = sorted(name for name in steps() if name.startswith("commit_") and name != "commit_map" or name == "journal_rename")
UPGRADE = ["links found", "object staged", "maps adopted", "state recorded", "program swapped", "traffic watched",
           "state compared"]
CYCLES = int(os.environ.get("BNG_TEST_CYCLES", "1"))
DEATHS = UPGRADE if CYCLES > 1 else ["object staged", "program swapped", "state compared"]


@pytest.fixture(scope="module")
def lab():
    with RoundsLab() as lab:
        yield lab


@pytest.fixture(scope="module")
def unharmed(lab):
    made = Unharmed(lab)
    assert lab.upgrade(lab.objects[0]), lab.refusal
    yield made
    print(made.proof("kills in swaps"))
    made.close()


def generation(lab):
    return lab.call("swap.status", server="holder")["current"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stop", "kill"])
@pytest.mark.parametrize("name", DAEMONS)
def test_a_restart_of(lab, unharmed, name, how):
    programs = lab.programs()
    for _ in range(CYCLES):
        unharmed.load()
        lab.kill(name, how)
        assert unharmed.check_links_in_between() == programs
        lab.revive()
        assert lab.programs() == programs
        unharmed.check()


@pytest.mark.parametrize("step", SWAP)
def test_the_holder_dies_at(lab, unharmed, step):
    before = generation(lab)
    lab.holder_dies_at(step)
    unharmed.load()
    assert lab.swap() is False
    wait_for("the holder's death", lambda: lab.is_dead("holder"))
    assert lab.holder.returncode == -9, lab.refusal
    unharmed.check_links_in_between()
    lab.revive()
    finished = step in ("commit_vacate", "commit_retire", "commit_done")
    assert (generation(lab) != before) == finished
    unharmed.check()


@pytest.mark.parametrize("step", DEATHS)
def test_controld_dies_after(lab, unharmed, step):
    before = generation(lab)
    unharmed.load()
    with RpcClient(lab.socket_path("controld"), 60) as client, open(lab.objects[0], "rb") as file:
        # Who is to be killed before the swap has packets to compare before it: that takes longer than to kill him.
        early = UPGRADE.index(step) < UPGRADE.index("state recorded")
        client.begin("issu.upgrade", {"name": "dies", "no_verify": not early}, [file.fileno()])
        while client.next_notification(60)["params"]["step"] != step:
            pass
        lab.kill("controld")
    unharmed.check_links_in_between()
    lab.revive()
    if step != "state recorded":  # the swap follows it by itself: who is killed late enough has asked for it
        assert (generation(lab) > before) == (UPGRADE.index(step) >= UPGRADE.index("program swapped"))
    assert "staged" not in [entry["state"] for entry in lab.call("issu.status")["generations"]]
    unharmed.check()
    last = lab.call("issu.history")["records"][-1]
    assert last["to"] == generation(lab)  # whoever died: what runs has a record
