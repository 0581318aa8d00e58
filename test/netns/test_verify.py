# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A new object is tried with packets before it runs: a good one passes, a bad one is
# refused with what it does wrong, and no subscriber notices either.
import contextlib
import json
import pathlib
import re
import shutil
import threading

import pytest

from faulty import FaultyPlane, changed_build
from lab import INTERNET, PATIENCE_S, Lab, default_config, wait_for
from traffic import Echoes

TOP = pathlib.Path(__file__).resolve().parents[2]
PACKETS, ROUNDS = 256, 9

# What the data plane does wrong, by a number in the object's read-only data.
FAULTS = """
static __always_inline int fault_end(struct xdp_md *ctx, __u32 verdict, __u32 length, __u64 outcome, int is_canary)
{
	__u32 slot = outcome_slot(outcome);
	struct bng_subscriber *session = slot ? subscriber_get(slot) : NULL;
	__u8 *data = (void *)(long)ctx->data;
	__u32 key = bpf_get_prandom_u32();

	if (fault[1] == 1 && verdict == BNG_FORWARD_UP && session && session->mac[5] == 0x0a && key % 100 == 0)
		verdict = BNG_DROP_INTERNAL;
	if (fault[1] == 2 && verdict == BNG_FORWARD_UP && (void *)(data + 34) <= (void *)(long)ctx->data_end)
		data[25] ^= 1;
	for (int i = 0; (fault[1] & 255) == 3 && i < (fault[1] >> 8); i++)
		length += bpf_ktime_get_ns() == 0;
	if (fault[1] == 4)
		bpf_map_update_elem(&slot_of_address, &key, &key, BPF_ANY);
	return entry_end(verdict, length, outcome, is_canary);
}

"""


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["issu"] = {"verify": {"packets": PACKETS, "seconds": 0.7}}
    with Lab(config) as lab:
        config["issu"]["verify"]["golden"] = str(lab.directory / "golden")
        shutil.copytree(TOP / "test" / "golden", lab.directory / "golden")
        lab.start_daemons()
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        entry = "static __always_inline int access_entry("
        ended = "outcome = access_step(ctx, access_again(ctx, outcome));\n\treturn %s(%sstep_take"
        lab.faults = FaultyPlane(lab, "faults", [(entry, FAULTS + entry),
                                                 (ended % ("entry_end", ""), ended % ("fault_end", "ctx, "))])
        yield lab


@contextlib.contextmanager
def traffic(lab):
    """Echoes all the time; none may be lost."""
    ending = threading.Event()

    def ping():
        while not ending.wait(0.002):
            alice.send()
            alice.read()
    with Echoes(lab.alice.namespace, INTERNET) as alice:
        thread = threading.Thread(target=ping)
        thread.start()
        try:
            wait_for("packets", lambda: alice.sent > 100)
            yield
        finally:
            ending.set()
            thread.join()
        assert alice.wait(PATIENCE_S) == alice.sent


def everything(lab):
    status = lab.call("issu.status")
    return lab.programs(), lab.digest()["sessions"], status["current"], [entry["generation"] for entry in status["generations"]]


def plan(lab, path, *options):
    result = lab.cli("--json", "issu", "plan", path, *options, check=False)
    return result.returncode, json.loads(result.stdout)


def test_a_good_object_passes_and_the_report_says_what_was_compared(lab):
    with traffic(lab):
        report = lab.cli_json("issu", "upgrade", lab.faults.object(0))
    verify = report["verify"]
    assert report["hitless"] and verify["passed"] and verify["differences"] == [] and verify["captured"] > PACKETS / 2
    assert verify["runs"] == ROUNDS * (verify["captured"] + verify["golden"])
    packets = sum(len(json.loads(path.read_text())["packets"]) for path in (TOP / "test" / "golden").glob("*.json"))
    assert verify["golden"] == packets > 150 and verify["golden_mended"] == verify["golden_elsewhere"] == 0
    assert 0.5 < verify["time"]["ratio"] < 1.5 and verify["time"]["tries"] <= 3 and verify["time"]["old_ns"] > 0
    (step,) = [step for step in report["steps"] if step["step"] == "packets compared"]
    assert re.match(rf"\d+ packets \({packets} golden, \d+ captured\), 9 runs of each by both: 0 verdicts, 0 bytes, 0 map entries "
                    r"differ; \d+ -> \d+ ns a packet \([\d.]+\)$", step["detail"]), step["detail"]


WRONG = {
    1: r"(\d+) runs of packets differ, /issu/verify/verdicts allows 0: most by verdict forward_up>drop_internal \(\1: captured "
       r"packet \d+, access, 98 bytes, IP protocol 1, 10\.0\.\d+\.\d+ > 198\.18\.0\.1\)",
    2: r"(\d+) runs of packets differ, /issu/verify/bytes allows 0: most by bytes ip\.checksum \(\1: captured packet \d+, "
       r"access, 98 bytes, ",
    4: r"(\d+) entries of maps differ, /issu/verify/map_effects allows 0: most by map slot_of_address "
       r"\(\1: (\d+) entries, not (\d+)\)",
}


@pytest.mark.parametrize("number", WRONG, ids=["drops-one-percent", "wrong-checksum", "leaks-an-entry"])
def test_a_bad_object_is_refused_with_what_it_does_wrong(lab, number):
    with traffic(lab):
        before = everything(lab)
        result = lab.cli("issu", "upgrade", lab.faults.object(number), check=False)
        assert everything(lab) == before
    assert result.returncode == 1
    message = re.search(r"^bngcli: issu.upgrade refused: packets compared: (.*); nothing was changed$", result.stderr, re.MULTILINE)
    assert message and re.match(WRONG[number], message[1]), result.stderr
    assert "[fail] packets compared" in result.stdout and "DIFFERENCE" in result.stdout and "{" not in result.stderr
    if number == 2:
        wrong = int(re.match(WRONG[2], message[1])[1])
        assert wrong % ROUNDS == 0 and wrong > ROUNDS * PACKETS / 8  # each packet up, each time
    if number == 4:
        leaked = int(re.match(WRONG[4], message[1])[1])
        assert ROUNDS * PACKETS / 8 < leaked <= ROUNDS * PACKETS * 2


SLOW, PROBE = 3, 60  # fault, and how often the clock is read


def slow(lab, times):
    return lab.faults.object(SLOW | times << 8)


def test_an_object_that_is_three_times_slower_is_refused_with_the_figure(lab):
    """How slow it must be for that is measured first, in the same way and on the same machine."""
    with traffic(lab):
        before = everything(lab)
        _, probed = plan(lab, slow(lab, PROBE))
        cost = (probed["verify"]["time"]["ratio"] - 1) / PROBE
        times = round(2 / cost)
        result = lab.cli("--json", "issu", "upgrade", slow(lab, times), check=False)
        assert everything(lab) == before
    error = json.loads(result.stderr)
    message = re.search(r"packets compared: a packet takes ([\d.]+) times as long as before, /issu/verify/time_ratio allows 1\.5; "
                        "nothing was changed$", error["message"])
    assert result.returncode == 1 and message, result.stderr
    print(f"\nread {PROBE} times: {1 + PROBE * cost:.2f}, {times} times: {message[1]}")
    assert 2 < float(message[1]) < 4.5
    verify = error["data"]["verify"]
    assert verify["time"]["tries"] == 3 and verify["differences"] == []


def test_a_plan_tells_all_changes_nothing_and_what_is_meant_is_allowed(lab):
    with traffic(lab):
        before = everything(lab)
        status, report = plan(lab, lab.faults.object(2), "--allow-diff", "ip.checksum", "--allow-diff", "ip.ttl")
        assert everything(lab) == before
    assert (status, report["possible"], report["reason"]) == (0, True, "") and report["verify"]["passed"]
    assert report["verify"]["allowed"] == ["ip.checksum", "ip.ttl"]
    (difference,) = report["verify"]["differences"]
    assert (difference["kind"], difference["name"], difference["allowed"]) == ("bytes", "ip.checksum", True)
    assert {program["name"] for program in report["programs"]} >= {"bng_access", "bng_core", "bng_inject", "bng_sweep"}
    assert all(program["verified"] > 0 and program["bytes"] > 0 for program in report["programs"])
    assert {entry["interface"] for entry in report["links"]} >= {"access0", "core0"}
    assert report["from"]["generation"] == before[2]


LACKING = "first_packet_prefix"


def object_without_a_map(lab):
    """As before subscribers came up by their first packet."""
    maps = (TOP / "dataplane" / "maps.h").read_text()
    end = maps.index("} " + LACKING + " SEC")
    begin = maps.rindex("struct {", 0, end)
    look_up = f"!bpf_map_lookup_elem(&{LACKING}, &key)"
    return changed_build(lab, "without", [("maps.h", maps[begin:maps.index("\n", end) + 1], ""),
                                          ("first_packet.h", look_up, "key.prefix_length")])


def test_objects_of_which_one_has_a_map_less_are_compared_by_what_both_have(lab):
    """To the older one what it cannot do must be allowed; back to the newer one that is no difference."""
    lost = [f"{verdict}>drop_no_session" for verdict in ("punt_first_packet", "drop_punt_subscriber")]
    with traffic(lab):
        down = lab.cli_json("issu", "upgrade", object_without_a_map(lab), *(word for name in lost for word in ("--allow-diff", name)))
        back = lab.cli_json("issu", "upgrade", lab.object)
    assert down["hitless"] and down["verify"]["note"] == f"the new object has no map {LACKING}"
    differences = {entry["name"]: entry["count"] for entry in down["verify"]["differences"]}
    assert set(differences) == set(lost) and sum(differences.values()) == ROUNDS
    assert back["hitless"] and back["verify"]["note"] == f"the running object has no map {LACKING}"
    assert back["verify"]["differences"] == [] and back["verify"]["golden_mended"] == 1
    assert all(report["verify"]["captured"] > PACKETS / 2 for report in (down, back))


def captures_left(lab):
    """What the running programs would still show."""
    (entry,) = json.loads(lab.run(lab.gateway, "bpftool", "-j", "map", "dump", "pinned", lab.state / "bpf" / "map" / "meta").stdout)
    return entry["formatted"]["value"]["capture_left"]


@pytest.mark.parametrize("ended_by", ["stop", "kill"])
def test_who_compares_may_end_at_any_moment(lab, ended_by):
    """What was staged is dropped by the next start, and nothing goes on being shown."""
    verify = lab.config["issu"]["verify"]
    lab.config["issu"]["verify"] = {**verify, "seconds": 30}  # packets are asked for until it has ended
    lab.reload()
    with lab.rpc() as client, open(lab.faults.object(0), "rb") as file:
        client.begin("issu.upgrade", {"name": "orphan"}, [file.fileno()])
        while client.next_notification(60)["params"]["step"] != "maps adopted":
            pass
        wait_for("packets to be asked for", lambda: captures_left(lab) > 0)
        if ended_by == "stop":
            lab.stop(lab.controld)
        else:
            lab.controld.kill()
            lab.reap(lab.controld)
    lab.config["issu"]["verify"] = verify
    lab.start_controld()
    assert captures_left(lab) == 0
    assert [entry for entry in lab.call("issu.status")["generations"] if entry["state"] == "staged"] == []
    assert lab.alice.ping(INTERNET) == 3


def test_the_comparison_can_be_left_out_and_the_report_says_so(lab):
    report = lab.cli_json("issu", "upgrade", slow(lab, PROBE), "--no-verify")
    (step,) = [step for step in report["steps"] if step["step"] == "packets compared"]
    assert step["detail"] == "left out (--no-verify)" and report["verify"] is None
    lab.cli("issu", "rollback")


def test_traffic_is_watched_and_packets_are_compared_while_a_trial_runs(lab):
    """The trial ends while the holder loads the object for the comparison: it is taken back then."""
    def swap(method="swap.status", **params):
        return lab.call(method, params, "holder")

    with traffic(lab):
        old = swap()["current"]
        with open(lab.faults.object(0), "rb") as file:
            new = lab.call("object.stage", {"name": "trial"}, "holder", [file.fileno()])["generation"]
        swap("swap.commit", generation=new, confirm_within_s=600)
        before, programs = swap()["trial"], lab.programs()
        assert lab.cli_json("issu", "verify", "--seconds", "1")["hitless"]
        now = swap()["trial"]
        assert (now["generation"], now["back"]) == (new, old) and now["left_ms"] < before["left_ms"] and lab.programs() == programs
        swap("swap.rollback")
        swap("swap.commit", generation=new, confirm_within_s=2)
        status, report = plan(lab, lab.faults.object(0))
        wait_for("it to be taken back", lambda: swap()["current"] == old)
        assert swap()["trial"] is None and swap()["previous"] == new
        assert (status, report["possible"]) == (0, True), report["reason"]
        assert "staged" not in [entry["state"] for entry in lab.call("issu.status")["generations"]]
