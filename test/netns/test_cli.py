# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bngcli as operators and scripts use it: exit statuses, tables, --json against
# the RPC's own answers, errors, completion in a real bash, the man page.
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

from lab import Lab, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
ADDRESS, MAC = "10.0.200.1", "02:00:00:00:09:01"


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_daemons()
        lab.start_bngsync()
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        assert lab.alice.ping("198.18.0.1", 2) == 2
        yield lab


def status_of(lab, *arguments):
    return lab.cli(*arguments, check=False).returncode


# ---- With --json: the daemon's own objects ------------------------------------------

SAME = {
    "issu status": ("issu.status", "controld"), "config show": ("config.show", "controld"),
    "cgnat pools": ("cgnat.pools", "controld"), "sessions": ("session.list", "controld"),
}


@pytest.mark.parametrize("command", SAME)
def test_json_is_what_the_rpc_says(lab, command):
    method, server = SAME[command]
    def is_the_same():  # but for seconds that pass between the two
        return lab.cli_json(*command.split()) == lab.call(method, {} if method == "session.list" else None, server=server)
    wait_for("both to say the same", is_the_same)


MEMBERS = {
    "status": {"version", "pid", "sessions", "blocks", "config", "start", "holder", "totals"},
    "drops": {"reasons"}, "interfaces": {"interfaces"}, "maps": {"maps"}, "cgnat blocks": {"blocks", "total"},
    "cgnat mappings": {"mappings", "total"}, "cgnat tunnels": {"tunnels", "total"}, "dhcp4 stats": {"received", "sent", "refused", "leases"},
    "pppoe stats": {"received", "sent", "refused", "sessions", "peers", "setup"}, "pppoe setup": {"setups", "total"},
    "qos": {"default_up", "default_down", "sessions", "limited", "drops_up", "drops_down"}, "routes": {"routes"},
    "filters": {"filters", "drops_up", "drops_down", "unknown", "closed"},
    "holder status": {"version", "generation", "links", "controller", "sweep"}, "version": {"version"},
    "config reload": {"changed", "applied"}, "holder groups": {"groups"}, "sync status": {"version", "store", "topics", "subscribers"},
}


@pytest.mark.parametrize("command", MEMBERS)
def test_json_objects(lab, command):
    assert MEMBERS[command] <= set(lab.cli_json(*command.split()))


# ---- Tables --------------------------------------------------------------------------------

TITLES = {
    "sessions": "ID ADDRESS USER MAC INTERFACE VLAN STATE", "interfaces": "NAME ROLE MODE STATE PROGRAM",
    "maps": "NAME TYPE USED SIZE USE", "drops --all": "REASON KIND PACKETS BYTES MEANING",
    "cgnat mappings": "PROTOCOL INNER PORT PUBLIC PORT STATE", "cgnat blocks": "PUBLIC FIRST LAST STATE SESSION",
    "issu status": "GENERATION STATE NAME PROGRAMS",
}


@pytest.mark.parametrize("command", TITLES)
def test_tables_have_titles_and_rows(lab, command):
    lines = lab.cli(*command.split()).stdout.splitlines()
    assert lines[0].split()[:len(TITLES[command].split())] == TITLES[command].split()
    assert len(lines) > 1 and "\033" not in "".join(lines)


@pytest.mark.parametrize("command", ["status", "cgnat pools", "dhcp4 stats", "pppoe stats --all", "pppoe setup", "holder status", "sync status", "config show",
                                     "config reload", "version", "help"])
def test_texts(lab, command):
    assert lab.cli(*command.split()).stdout.strip()


def test_drops_are_sorted_and_zeros_hidden(lab):
    for _ in range(3):
        lab.send_frames(lab.alice.namespace, "eth0", [bytes.fromhex("ffffffffffff02000000000a88b5") + bytes(50)])
    wait_for("the drops", lambda: lab.drops()["drop_ethertype"] >= 3)
    lines = lab.cli("drops").stdout.splitlines()[1:]
    counts = [int(line.split()[2]) for line in lines]
    assert counts == sorted(counts, reverse=True) and 0 not in counts
    assert {line.split()[1] for line in lines} == {"drop"}
    assert len(lab.cli("drops", "--all").stdout.splitlines()) == len(lab.call("drops")["reasons"]) + 1


def test_separators_only_on_a_terminal(lab):
    size = lab.call("maps")["maps"]
    largest = max(entry["max_entries"] for entry in size)
    command = [str(lab.directory / "bngcli"), "--state", str(lab.state), "maps"]
    on_terminal = subprocess.run(["script", "-qec", " ".join(command), "/dev/null"], capture_output=True, text=True,
                                 stdin=subprocess.DEVNULL, check=True).stdout
    assert f"{largest:,}" in on_terminal
    assert str(largest) in lab.cli("maps").stdout and f"{largest:,}" not in lab.cli("maps").stdout


# ---- Sessions ------------------------------------------------------------------------------


def test_session_is_added_shown_found_and_ended(lab):
    assert lab.cli("session", "add", ADDRESS, MAC, "access0", "--outer-vid", 9, "--outer-tpid", "802.1ad",
                   "--max-blocks", 2).stdout == f"session {lab.cli_json('session', 'show', ADDRESS)['id']} ({ADDRESS}) added\n"
    shown = lab.cli_json("session", "show", ADDRESS)
    assert (shown["mac"], shown["outer_vid"], shown["outer_tpid"], shown["max_blocks"]) == (MAC, 9, "802.1ad", 2)
    assert MAC in lab.cli("session", "show", shown["id"]).stdout
    for options in (["--address", ADDRESS], ["--mac", MAC], ["--vlan", 9], ["--vlan", 9, "--in-state", "active"]):
        assert [entry["id"] for entry in lab.cli_json("sessions", *options)["sessions"]] == [shown["id"]]
    assert lab.cli_json("sessions", "--vlan", 8)["sessions"] == []
    assert lab.cli("sessions", "--vlan", 8).stdout == "none\n"
    assert lab.cli("session", "disconnect", ADDRESS).stdout == f"session {shown['id']} ({ADDRESS}) disconnected\n"
    gone = lab.cli("session", "show", ADDRESS, check=False)
    assert gone.returncode == 1 and ADDRESS in gone.stderr and gone.stdout == ""


def test_a_session_is_named_by_mac_and_ambiguity_is_told(lab):
    for vid in (21, 22):
        lab.cli("session", "add", f"10.0.77.{vid}", MAC, "access0", "--outer-vid", vid)
    twice = lab.cli("session", "show", MAC, check=False)
    assert twice.returncode == 1 and f"2 sessions have mac {MAC}: name one by its id or address" in twice.stderr
    lab.cli("session", "disconnect", "10.0.77.21")
    shown = lab.cli_json("session", "show", MAC)
    assert (shown["address"], shown["kind"], shown["user"], shown["known"]) == ("10.0.77.22", "added", None, True)
    assert shown["acct_session_id"] == f"{shown['id']:016x}" and shown["history"][0]["text"] == "up"
    assert shown["timers"] == {"session_left_s": None, "idle_left_s": None, "lease_left_s": None}
    assert lab.cli_json("session", "show", shown["acct_session_id"])["id"] == shown["id"]
    text = lab.cli("session", "show", MAC).stdout
    assert "WHAT HAPPENED" in text and "timers.idle_left_s" in text and "no port blocks\n" in text
    facts = [line for line in text.split("\n\n")[0].splitlines()]
    values = {line.index(line.split(maxsplit=1)[1], len(line.split()[0])) for line in facts}
    assert len(values) == 1, "one column"
    assert "outer_tpid" in text and "inner_tpid" not in text  # there is one tag
    assert len(lab.cli_json("sessions", "--kind", "added", "--mac", MAC, "--in-state", "active")["sessions"]) == 1
    assert lab.cli_json("sessions", "--kind", "pppoe")["sessions"] == []
    assert lab.cli_json("sessions", "--user", "anna*")["sessions"] == []
    nobody = lab.cli("session", "show", "anna", check=False)
    assert nobody.returncode == 1 and "there is no session with user anna" in nobody.stderr
    lab.cli("session", "disconnect", MAC)


def test_a_trace_shows_a_client_from_before_it_has_a_session(lab):
    other = "02:00:00:00:09:02"
    command = [str(lab.directory / "bngcli"), "--state", str(lab.state), "session", "trace", MAC, "--count", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trace:
        for turn in range(600):  # as soon as it listens, two rounds of ours are four lines
            for address, mac in ((f"10.0.{78 + turn // 100}.{2 * (turn % 100) + 1}", other),
                                 (f"10.0.{78 + turn // 100}.{2 * (turn % 100) + 2}", MAC)):
                lab.call("session.add", {"sessions": [{"address": address, "mac": mac, "interface": "access0"}]})
                lab.call("session.disconnect", {"address": address})
            time.sleep(0.05)
            if trace.poll() is not None:
                break
        out, _ = trace.communicate(timeout=60)
    lines = out.splitlines()
    assert trace.returncode == 0 and len(lines) == 4 and all(f"mac={MAC}" in line for line in lines)
    told = [re.match(r"\S+Z (up|down: disconnected by RPC) session=", line).group(1) for line in lines]
    assert sorted(told) == ["down: disconnected by RPC"] * 2 + ["up"] * 2


def test_list_of_sessions_comes_in_pages(lab):
    wanted = [{"address": f"10.129.{number // 250}.{number % 250 + 1}", "mac": f"02:00:00:0a:{number >> 8:02x}:{number & 255:02x}",
               "interface": "access1"} for number in range(4500)]
    for start in range(0, len(wanted), 500):
        lab.call("session.add", {"sessions": wanted[start:start + 500]})
    listed = lab.cli_json("sessions", "--interface", "access1")["sessions"]
    assert [entry["address"] for entry in listed] != []
    assert {entry["address"] for entry in listed} == {entry["address"] for entry in wanted} and len(listed) == 4500
    assert len(lab.cli_json("sessions", "--limit", 2500)["sessions"]) == 2500
    assert "there are more" in lab.cli("sessions", "--limit", 3).stdout


# ---- Exit statuses and errors -----------------------------------------------------------------


def test_refusal_is_status_one_and_told_as_json(lab):
    assert status_of(lab, "session", "disconnect", "999999999") == 1
    refused = lab.cli("--json", "session", "show", "999999999", check=False)
    error = json.loads(refused.stderr)
    assert refused.returncode == 1 and error["code"] == -32002 and refused.stdout == ""


@pytest.mark.parametrize("line", ["", "nonsense", "session show", "sessions --limit 0", "status --nonsense",
                                  "issu upgrade /nonexistent"])
def test_wrong_usage_is_status_two(lab, line):
    result = lab.cli(*line.split(), check=False)
    assert result.returncode == 2 and result.stderr.startswith("bngcli: ") and result.stdout == ""


@pytest.mark.parametrize("command", ["status", "holder status", "sessions", "issu rollback", "events follow"])
def test_no_daemon_is_status_three(lab, command):
    result = lab.run(lab.gateway, lab.directory / "bngcli", "--state", lab.directory / "nowhere", *command.split(), check=False)
    assert result.returncode == 3 and "is it running" in result.stderr


def test_daemon_that_does_not_answer_is_status_three(lab):
    lab.controld.send_signal(19)
    try:
        result = lab.cli("--timeout", 1, "status", check=False)
    finally:
        lab.controld.send_signal(18)
    assert result.returncode == 3 and "1000 ms" in result.stderr


def test_output_that_cannot_be_written_is_an_error(lab):
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert lab.cli("status", check=False, stdout=full, stderr=subprocess.PIPE).returncode == 1


# ---- Configuration, events, upgrade ---------------------------------------------------------------


def test_config_check(lab):
    good = lab.cli("config", "check", lab.config_file)
    assert good.stdout == f"{lab.config_file}: no errors\n"
    assert lab.cli_json("config", "check", lab.config_file) == {"ok": True}
    bad = lab.directory / "bad.json"
    bad.write_text(json.dumps(dict(lab.config, cgnat={"pools": [{"name": "x", "prefixes": ["203.0.113.0/33"]}]})))
    result = lab.cli("config", "check", bad, check=False)
    assert result.returncode == 1 and "/cgnat/pools/0/prefixes/0" in result.stderr and "203.0.113.0/33" in result.stderr
    assert lab.cli("config", "check", lab.directory / "absent.json", check=False).returncode == 1


def test_config_reload_says_what_changed(lab):
    assert lab.cli("config", "reload").stdout == "nothing changed\n"
    lab.config["dhcp4"]["pools"][0]["lease_seconds"] = 1800
    lab.write_config()
    reloaded = lab.cli("config", "reload").stdout  # or inotify was faster
    assert reloaded.strip()
    assert lab.cli_json("config", "show")["dhcp4"]["pools"][0]["lease_seconds"] == 1800


def test_events_are_followed(lab):
    follower = lab.start(lab.gateway, lab.directory / "bngcli", "--state", lab.state, "--json", "events", "follow",
                         "--count", "1", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    follower.stdout.readable()
    deadline = 20
    while follower.poll() is None and deadline:
        wait_for("the last session to be released", lambda: lab.call("status")["sessions"]["closing"] == 0)
        lab.call("session.add", {"sessions": [{"address": ADDRESS, "mac": MAC, "interface": "access0"}]})
        lab.call("session.disconnect", {"address": ADDRESS})
        deadline -= 1
    assert follower.wait(60) == 0
    event = json.loads(follower.stdout.read())
    assert event["type"] and event["time"].endswith("Z")
    lab.processes.remove(follower)


def test_upgrade_prints_steps_and_a_verdict(lab):
    result = lab.cli("issu", "upgrade", lab.object)
    *steps, packets, last = result.stdout.splitlines()
    timed = [step for step in steps if re.match(r"  \[ ok \] .{80} +[\d,]+\.\d ms$", step)]
    assert len(timed) >= 5
    assert all(step.startswith(24 * " ") or step in timed for step in steps)  # a long detail goes on below
    assert "[fail]" not in result.stdout
    assert re.match(r"  Packets: \d+ received, \d+ forwarded, \d+ dropped by name, 0 lost \(", packets)
    assert re.match(r"  UPGRADE: hitless\. Forwarded meanwhile \d+ packets, lost 0", last)
    rollback = lab.cli("issu", "rollback").stdout.splitlines()
    assert rollback[-1].startswith("  ROLLBACK: hitless")


def test_upgrade_to_something_that_is_no_object(lab):
    before = lab.programs()
    wrong = lab.directory / "wrong.o"
    wrong.write_text("not an object")
    result = lab.cli("issu", "upgrade", wrong, check=False)
    assert result.returncode == 1 and "[fail]" in result.stdout and "refused" in result.stderr
    assert lab.programs() == before


# ---- Help, completion, man page ---------------------------------------------------------------------


def command_paths(lab):
    text = lab.cli("help").stdout.split("For every command:")[0]
    return [re.match(r"  ((?:[a-z0-9-]+ )+)", line + " ").group(1).strip() for line in text.splitlines() if line.startswith("  ")]


def test_every_command_is_in_help_and_man_page(lab):
    paths = command_paths(lab)
    assert len(paths) == len(set(paths)) >= 20
    page = re.sub(r"\\f.|\\", "", (TOP / "packaging/man/bngcli.8").read_text())
    for path in paths:
        assert re.search(rf'^\.(B|BR) "?{path}\b', page, re.MULTILINE), path
        for option in re.findall(r"^  (--[a-z-]+)", lab.cli("help", *path.split()).stdout, re.MULTILINE):
            assert option in page, f"{path} {option}"


def test_completion_in_bash(lab):
    def complete(*words):
        script = (f"source {TOP}/packaging/completion/bngcli; COMP_WORDS=(bngcli {' '.join(words)}); "
                  f"COMP_CWORD={len(words)}; _bngcli; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        environment = dict(os.environ, PATH=f"{lab.directory}:{os.environ['PATH']}")
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=environment,
                              cwd=lab.directory).stdout.split()
    assert complete("cg") == ["cgnat"]
    assert complete("cgnat", "''") == ["pools", "blocks", "mappings", "tunnels", "lookup", "forward", "pcp", "log", "held",
                                     "reputation", "steering"]
    assert complete("issu", "upgrade", "bng.bpf") == ["bng.bpf.o"]
    assert complete("sessions", "--in-state", "a") == ["active"]
