# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Upgrades by way of a canary, with the real data plane under load: a good object gets
# everybody in the end, a bad one is taken back, and only the chosen noticed.
import struct

import pytest

from faulty import FaultyPlane
from lab import Lab, wait_for
from meter import FIRST_ADDRESS, FIRST_MAC, Meter, add_sessions, faults
from rpc import RpcError

SUBSCRIBERS = 200
FLOWS = 1000
RATE = 20000


@pytest.fixture(scope="module")
def lab():
    with Lab() as made:
        made.start_daemons()
        add_sessions(made, SUBSCRIBERS)
        yield made


DROPS, MIX = 1, 2
FAULTS = [("\thit = range_public(ranges, destination);\n\treturn hit ? access_hairpin",
           "\tif (fault[1] == 1 && !(bpf_get_prandom_u32() & 7))\n\t\treturn BNG_DROP_ADDRESS;\n"
           "\thit = range_public(ranges, destination);\n\treturn hit ? access_hairpin"),
          ("\treturn access_nat(pkt, 0, 0);\n",
           "\tif (fault[1] == 2)\n\t\treturn BNG_FORWARD_UP_EXEMPT;\n\treturn access_nat(pkt, 0, 0);\n")]


@pytest.fixture(scope="module")
def bad(lab):
    return FaultyPlane(lab, "bad", FAULTS)


@pytest.fixture
def load(lab):
    with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
        assert meter.prime()["up"]["lost"] == 0
        meter.start("both", RATE)
        yield meter


def mix(word):
    for shift, factor in ((16, 0x85ebca6b), (13, 0xc2b2ae35)):
        word = (word ^ word >> shift) * factor & 0xffffffff
    return word ^ word >> 16


def chosen(share):
    """Numbers of the meter's subscribers that a share of 10,000 takes, as dataplane/canary.h chooses them."""
    def place(number):
        first, last = struct.unpack("<IH", (FIRST_MAC + number).to_bytes(6, "big"))
        return mix(mix(first) ^ last) * 10000 >> 32
    return {number for number in range(SUBSCRIBERS) if place(number) < share}


def drops_of_sessions(lab):
    """What each subscriber lost so far."""
    with lab.rpc() as client:
        return [client.call("session.show", {"address": str(FIRST_ADDRESS + number)})["drop_packets"]
                for number in range(SUBSCRIBERS)]


def generation(lab):
    return lab.call("swap.status", server="holder")["current"]


def test_a_good_object_gets_everybody_and_loses_nothing(lab, load):
    before, current = lab.digest(), generation(lab)
    result = lab.cli("issu", "upgrade", lab.second_build(), "--no-verify", "--canary", "10%", "--bake", "2s",
                     "--then", "50%", "--bake", "1s", "--then", "100%")
    assert "canary 10 %" in result.stdout and "canary 50 %" in result.stdout
    assert "no figure left its bound" in result.stdout and "UPGRADE: hitless" in result.stdout
    assert generation(lab) == current + 1
    canary = lab.call("swap.status", server="holder")["canary"]
    assert canary["state"] == "passed" and canary["share"] == 5000
    packets = canary["packets"] + canary["rest_packets"]
    # Every flow is served in turn, each way: a part of a turn may be of anybody.
    assert abs(canary["packets"] - packets * len(chosen(5000)) / SUBSCRIBERS) < 0.02 * packets + 2 * FLOWS
    assert "passed" in lab.cli("issu", "status").stdout
    report = load.stop()
    assert faults(report) == {} and lab.digest() == before
    assert sum(drops_of_sessions(lab)) == 0


def test_an_object_that_drops_is_taken_back_and_only_the_chosen_lost(lab, bad, load):
    current, before = generation(lab), drops_of_sessions(lab)
    result = lab.cli("issu", "upgrade", bad.object(DROPS), "--no-verify", "--canary", "20%", "--bake", "60s",
                     "--then", "100%", "--bound", "packets=8000", check=False)
    assert result.returncode == 1
    assert "breached: drop_address: " in result.stderr and "bound 0.50 %" in result.stderr
    assert "everybody is back on the old program" in result.stderr
    assert generation(lab) == current and "breached: drop_address" in lab.cli("issu", "status").stdout
    assert "canary: {" not in result.stderr
    listed = next(line for line in lab.cli("issu", "history").stdout.splitlines() if " breached " in line)
    assert "drop_address" not in listed
    programs = next(entry for entry in lab.call("holder.status", server="holder")["generations"]
                    if entry["generation"] == current)["programs"]
    assert set(lab.programs().values()) <= {program["id"] for program in programs}
    report = load.stop()
    lost = [after - first for after, first in zip(drops_of_sessions(lab), before)]
    assert {number for number in range(SUBSCRIBERS) if lost[number]} == chosen(2000)
    assert faults(report) == {"up lost": sum(lost)}


def test_an_object_that_changes_the_mix_of_verdicts_is_taken_back_and_only_the_chosen_notice(lab, bad):
    """Nothing is dropped: the packets of the chosen go out with their inner addresses, and again with their public ones."""
    current, plain = generation(lab), lab.drops()["forward_up_exempt"]
    with Meter(lab, SUBSCRIBERS, FLOWS) as meter:
        assert meter.prime()["up"]["lost"] == 0
        before = lab.digest()
        meter.start("up", RATE)
        result = lab.cli("issu", "upgrade", bad.object(MIX), "--no-verify", "--canary", "20%", "--bake", "60s",
                         "--then", "100%", "--bound", "packets=2000", check=False)
        report = meter.stop()
    assert result.returncode == 1
    assert "breached: forward_up_exempt: " in result.stderr and "bound 20.00 %" in result.stderr
    assert "everybody is back on the old program" in result.stderr
    assert generation(lab) == current and lab.digest() == before
    assert faults(report) == {"up remapped": 2 * len(chosen(2000)) * FLOWS // SUBSCRIBERS}
    assert lab.drops()["forward_up_exempt"] - plain >= 2000


def test_the_canary_goes_on_when_controld_dies(lab, load):
    current, steps = generation(lab), [{"share": 1000, "bake_s": 8}]
    with lab.rpc() as client, open(lab.object, "rb") as file:
        begin(client, file, {"name": "left", "no_verify": True, "canary": {"steps": steps}})
        wait_for("the canary", lambda: running(lab))
        lab.controld.kill()
        lab.reap(lab.controld)
    lab.start_controld()
    assert running(lab)  # as it was: a start attaches nothing anew
    assert "is a canary: 10 % of the subscribers, step 1 of 1" in lab.cli("issu", "status").stdout
    wait_for("everybody", lambda: generation(lab) > current)
    assert lab.call("issu.status")["canary"]["state"] == "passed"
    assert faults(load.stop()) == {}


def begin(client, file, params):
    return client.begin("issu.upgrade", params, [file.fileno()])


def running(lab):
    canary = lab.call("swap.status", server="holder")["canary"]
    return canary and canary["state"] == "running"


def test_the_holders_death_takes_everybody_back_and_the_upgrade_says_so(lab, load):
    current = generation(lab)
    with lab.rpc() as client, open(lab.object, "rb") as file:
        request = begin(client, file, {"name": "left", "no_verify": True, "canary": {"steps": [{"share": 1000, "bake_s": 60}]}})
        wait_for("the canary", lambda: running(lab))
        lab.holder.kill()
        lab.reap(lab.holder)
        lab.start_holder()
        with pytest.raises(RpcError, match="interrupted: the holder ended"):
            client.end(request)
    assert generation(lab) == current and not running(lab)
    assert faults(load.stop()) == {}


def test_the_operator_ends_it_while_the_upgrade_runs(lab, load):
    current = generation(lab)
    with lab.rpc() as client, open(lab.object, "rb") as file:
        begin(client, file, {"name": "ended", "no_verify": True, "canary": {"steps": [{"share": 1000, "bake_s": 600}]}})
        wait_for("the canary", lambda: running(lab))
        tried = lab.call("issu.status")["canary"]["generation"]
        ended = lab.cli("issu", "rollback").stdout
        assert ended == f"The canary of generation {tried} has ended: generation {current} serves everybody.\n"
        assert generation(lab) == current and not running(lab)
        line = client._read_line()
        while "method" in line:
            line = client._read_line()
    assert "canary: stopped: on request; everybody is back on the old program" in line["error"]["message"]
    assert faults(load.stop()) == {}


WRONG = {
    ("--canary", "0%"): "--canary: \"0%\": must be a share such as 1%",
    ("--canary", "101%"): "must be a share such as 1%",
    ("--canary", "1"): "must be a share such as 1%",
    ("--canary", "1%", "--then", "100%"): "--bake is missing",
    ("--canary", "1%", "--bake", "5s"): "--then: the last share must be 100%",
    ("--canary", "1%", "--bake", "5s", "--then", "50%"): "--then: the last share must be 100%",
    ("--canary", "100%"): "--bake is missing",
    ("--then", "100%"): "--canary names the first share",
    ("--bake", "5s"): "--bake: must follow the share",
    ("--canary", "1%", "--bake", "5s", "--bake", "5s", "--then", "100%"): "--bake: must follow the share",
    ("--canary", "1%", "--canary", "2%"): "given twice",
    ("--bound", "drops=1%"): "--bound: is for a canary",
    ("--canary", "1%", "--bake", "1s", "--then", "100%", "--bound", "drops"): "must be a name and a value",
}


def test_what_makes_no_sense_is_refused_at_once(lab):
    before = lab.call("issu.status")
    for options, text in WRONG.items():
        result = lab.cli("issu", "upgrade", lab.object, *options, check=False)
        assert result.returncode == 2 and text in result.stderr, (options, result.stderr)
    for options, text in {("--canary", "5%", "--bake", "1s", "--then", "2%", "--bake", "1s", "--then", "100%"):
                          "/canary/steps/1/share: 200: must be an integer 501-10000",
                          ("--canary", "5%", "--bake", "1s", "--then", "100%", "--bound", "drops=2"):
                          "/canary/bounds/drops: 2: must be a number 0-1"}.items():
        result = lab.cli("issu", "upgrade", lab.object, *options, check=False)
        assert result.returncode == 1 and text in result.stderr, (options, result.stderr)
    assert lab.call("issu.status") == before


UNKNOWN = {
    ("--canary", "5%", "--bake", "1s", "--then", "100%", "--bound", "drop_nothing=1%"):
    ("params /canary/bounds/drop_nothing: 0.01: is no bound: no verdict of the object has this name",
     {"errors", "drops", "verdicts", "bytes", "packets", "drop_ttl", "forward_up", "punt_dhcp4"}),
    ("--allow-diff", "time", "--allow-diff", "ip.tll"):
    ('params /allow_diff/1: "ip.tll": is no difference that is told apart', {"time", "ip.ttl", "subscriber", "l4.checksum"}),
    ("--allow-diff", "drop_ttl>forward_upp"):
    ('params /allow_diff/0: "drop_ttl>forward_upp": is no difference that is told apart', {"VERDICT>VERDICT (bngcli drops has them)"}),
}


@pytest.mark.parametrize("options", UNKNOWN, ids=["bound", "field", "verdict"])
def test_names_that_do_not_exist_are_refused_before_anything_is_done(lab, options):
    before, (text, names) = lab.call("holder.status", server="holder"), UNKNOWN[options]
    result = lab.cli("issu", "upgrade", lab.object, *options, check=False)
    after = lab.call("holder.status", server="holder")
    assert result.returncode == 1 and f"refused: {text}\n" in result.stderr and "[" not in result.stdout
    assert names <= set(result.stderr.split("names: ")[1].strip().split(", "))
    assert before["generations"] == after["generations"] and after["maps"] == before["maps"]
