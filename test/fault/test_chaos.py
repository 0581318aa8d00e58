# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Whoever is killed, whenever, while the data plane is swapped under load: what must hold
# holds after every round. Which round does what is drawn from a seed, which is printed:
#   make test-chaos ROUNDS=100 SEED=7      ROUNDS=0: until it is interrupted
import contextlib
import itertools
import os
import pathlib
import random
import signal
import sys
import threading
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "netns"))
from holder_fixture import steps  # noqa: E402
from lab import wait_for  # noqa: E402
from rounds import DAEMONS, RoundsLab, Unharmed  # noqa: E402
from rpc import RpcError  # noqa: E402

ROUNDS = int(os.environ.get("BNG_CHAOS_ROUNDS", "3"))
SEED = int(os.environ.get("BNG_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
STEPS = [name for name in steps() if name.startswith(("commit_", "stage_", "journal_"))]


@pytest.fixture(scope="module")
def lab():
    with RoundsLab(accounted=True) as lab:
        yield lab


def act(lab, kind, choice):
    """What an operator does; what it comes to when somebody dies is not judged here."""
    if kind == "upgrade":
        lab.upgrade(lab.objects[choice % 2])
    elif kind == "trial":
        lab.upgrade(lab.objects[choice % 2], confirm_s=1)
    elif kind == "swap":
        lab.swap()


def draw(chance):
    """(action, step at which the holder dies or None, [(seconds into it, who is killed, how)])."""
    kind = chance.choice(["upgrade", "upgrade", "trial", "swap", "nothing"])
    step = chance.choice(STEPS) if chance.random() < 0.5 else None
    victims = chance.sample(DAEMONS, chance.choice([1, 1, 2, 3]))
    kills = sorted((chance.random() * 1.5, name, chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])) for name in victims)
    return kind, step, kills, chance.randrange(1 << 16)


def play(lab, unharmed, chance):
    kind, step, kills, choice = draw(chance)
    said = ", ".join(f"{name} {how.name} after {after:.2f} s" for after, name, how in kills)
    print(f"round {unharmed.rounds + 1}: {kind}{f', holder dies at {step}' if step else ''}; {said}", flush=True)
    if step:
        lab.holder_dies_at(step)
    unharmed.load()
    begin = time.monotonic()
    action = threading.Thread(target=act, args=(lab, kind, choice))
    action.start()
    for after, name, how in kills:
        time.sleep(max(0, begin + after - time.monotonic()))
        lab.kill(name, how)
        unharmed.check_links_in_between()
    lab.revive()
    action.join()
    settle(lab)
    unharmed.check()


def settle(lab):
    """Nothing under way: the holder may still die at its step, or go back from a trial."""
    def still():
        lab.revive()
        with contextlib.suppress(OSError, RpcError):  # of a holder that dies just now
            return lab.call("swap.status", server="holder")["trial"] is None and not lab.call("issu.status")["running"]
    wait_for("nothing to be on trial", still, interval=0.2)


def test_chaos(lab):
    print(f"\nchaos with seed {SEED}", flush=True)
    chance = random.Random(SEED)
    unharmed = Unharmed(lab)
    assert lab.upgrade(lab.objects[0]), lab.refusal
    try:
        for _ in itertools.count() if not ROUNDS else range(ROUNDS):
            play(lab, unharmed, chance)
    except KeyboardInterrupt:
        pass
    print(unharmed.proof(f"chaos with seed {SEED}"))
    unharmed.close()
