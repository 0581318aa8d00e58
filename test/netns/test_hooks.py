# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Sessions told to the outside by the real daemon: to a command, and as events.
import json

import pytest

from lab import Lab, wait_for

SCRIPT = """#!/bin/sh
cat >> "$1"; echo >> "$1"
"""


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.told = lab.directory / "told"
        lab.told.touch()
        lab.told.chmod(0o666)
        lab.script = lab.directory / "hook"
        lab.script.write_text(SCRIPT)
        lab.script.chmod(0o755)
        lab.config["hooks"] = {"commands": [{"events": ["up", "down"], "command": [str(lab.script), str(lab.told)],
                                             "concurrency": 1}]}
        lab.start_daemons()
        yield lab


def told(lab):
    return [json.loads(line) for line in lab.told.read_text().split("\n")[:-1]]  # whole ones


def test_a_command_and_followers_are_told_of_up_and_down(lab):
    with lab.rpc() as follower:
        follower.call("events.follow")
        added = lab.call("session.add", {"sessions": [{"address": "10.0.0.50", "mac": "02:00:00:00:00:50", "interface": "access0",
                                                       "pool": "default"}]})["ids"][0]
        lab.call("session.disconnect", {"id": added})
        wait_for("the command", lambda: len(told(lab)) == 2)
        events = []
        while len(events) < 2:
            event = follower.next_notification(60)["params"]
            if event["type"].startswith("session_") and event["type"] != "session_released":
                events.append(event)
    assert [(entry["type"], entry["id"], entry["address"]) for entry in told(lab)] == [
        ("session_up", added, "10.0.0.50"), ("session_down", added, "10.0.0.50")]
    assert (told(lab)[1]["end"], told(lab)[1]["reason"]) == ("admin_reset", "disconnected by RPC")
    assert [(event["type"], event["session"]) for event in events] == [("session_up", added), ("session_down", added)]
    assert events[1]["end"] == "admin_reset"


def test_the_cli_shows_what_became_of_them(lab):
    wait_for("both to have ended", lambda: lab.call("hooks.stats")["hooks"][0]["succeeded"] == 2)
    assert str(lab.script) in lab.cli("hooks", "stats").stdout
    entry = lab.cli_json("hooks", "stats")["hooks"][0]
    assert (entry["started"], entry["failed"], entry["dropped"]) == (2, 0, 0)


def test_a_restart_tells_nothing_again(lab):
    lab.call("session.add", {"sessions": [{"address": "10.0.0.51", "mac": "02:00:00:00:00:51", "interface": "access0",
                                           "pool": "default"}]})
    wait_for("the command", lambda: len(told(lab)) == 3)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    lab.call("session.disconnect", {"address": "10.0.0.51"})
    wait_for("the command", lambda: len(told(lab)) == 4)
    assert [entry["type"] for entry in told(lab)[2:]] == ["session_up", "session_down"]


@pytest.mark.parametrize("hooks, where", [
    ({"commands": [{"events": ["up"], "command": ["relative"]}]}, "/hooks/commands/0/command"),
    ({"commands": [{"events": ["boom"], "command": ["/bin/true"]}]}, "/hooks/commands/0/events/0"),
    ({"commands": [{"events": [], "command": ["/bin/true"]}]}, "/hooks/commands/0/events"),
    ({"commands": [{"events": ["up"], "command": ["/bin/true", 7]}]}, "/hooks/commands/0/command/1"),
    ({"commands": [{"events": ["up"], "command": ["/bin/true"]}] * 2}, "/hooks/commands/1"),
    ({"queue": 0}, "/hooks/queue")])
def test_a_wrong_configuration_is_refused_with_its_place(lab, hooks, where):
    file = lab.directory / "wrong.json"
    file.write_text(json.dumps({**lab.config, "hooks": hooks}))
    result = lab.cli("config", "check", file, check=False)
    assert result.returncode == 1 and f"{where}:" in result.stderr + result.stdout
