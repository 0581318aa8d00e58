# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What waits for the RADIUS servers, and how much of it may: beyond a bound the oldest
# interim records go, Start and Stop never. Out of service and back; an interval that the
# server gives; sessions that a reboot has ended.
import shutil
import time

import pytest

import accounting
import radius
import sandbox
from accounting import add, all_are, configure, kinds, records, restart, stats, waiting
from lab import Lab, wait_for
from rpc import RpcError

STORE_BYTES = 4 << 20
MAC = "02:00:00:00:07:01"
USERS = f"""
"{MAC}" Cleartext-Password := "line"
\tFramed-IP-Address = 10.0.0.5,
\tAcct-Interim-Interval = 1
"""


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        accounting.prepare(lab, USERS)
        lab.start_holder()
        lab.start_bngsync("--max-bytes", str(STORE_BYTES))
        lab.start_controld()
        wait_for("Accounting-On", lambda: stats(lab)["delivered"]["on"] == 1 and waiting(lab) == 0)
        yield lab


def disconnect(lab, sessions):
    with lab.rpc() as client:
        for session in sessions:
            client.call("session.disconnect", {"id": int(session, 16)})


def on_the_bus(lab):
    return {topic["name"]: topic for topic in lab.call("sync.status", server="bngsync")["topics"]}["accounting"]


def events(follower, last):
    """Of accounting, until this one was told."""
    told = []
    while not told or told[-1]["type"] != last:
        params = follower.next_notification(60)["params"]
        if params["type"].startswith("accounting_"):
            told.append(params)
    return told


def event_time(record):
    return time.mktime(time.strptime(record["Event-Timestamp"], "%b %d %Y %H:%M:%S %Z"))


def gone_by_kind(before, after, member):
    return {kind: after[member][kind] - before[member][kind] for kind in after[member]}


@pytest.mark.parametrize("bound", [{"spool_max": 50}, {"spool_disk_share": 1}])
def test_beyond_a_bound_the_oldest_interim_records_go(lab, bound):
    (name, _), = bound.items()
    before = stats(lab)
    configure(lab, timeout_ms=200, interim_s=1, **bound)
    up = list(add(lab, 80))
    wait_for("the Starts", lambda: stats(lab)["delivered"]["start"] == before["delivered"]["start"] + 80)
    with lab.rpc() as follower:
        follower.call("events.follow")
        lab.freeradius.stop()
        late, down = list(add(lab, 5)), up[:3]
        disconnect(lab, down)
        seen = []  # (when, interim records made until then)

        def enough():
            seen.append((time.time(), (now := stats(lab))["made"]["interim"]))
            return now["dropped"] >= before["dropped"] + 60
        wait_for("records to be dropped", enough)
        configure(lab, timeout_ms=200, **bound)
        full = stats(lab)
        dropped, told = full["dropped"] - before["dropped"], 0
        while told < dropped:
            event = events(follower, "accounting_dropped")[-1]
            assert event["bound"] == name
            told += event["records"]
        assert told == dropped
    restart(lab)  # which neither forgets nor drops
    with lab.rpc() as follower:
        follower.call("events.follow")
        after = stats(lab)
        for member in ("made", "waiting", "dropped", "bytes", "bytes_max"):
            assert full[member] == after[member], member
        kept = full["waiting"]["interim"]
        assert full["waiting"] == {"on": 0, "start": 5, "interim": kept, "stop": 3, "off": 0} and full["overfull"] is None
        wait_for("the bus to forget the others", lambda: on_the_bus(lab)["records"] == waiting(lab))
        if name == "spool_max":
            assert waiting(lab) == 50
        else:  # One more would be too much; and what is reckoned is not less than what is stored.
            assert full["bytes_max"] == STORE_BYTES // 100
            bus = on_the_bus(lab)  # what was deleted leaves a key there, of 25 bytes
            assert bus["bytes"] - 25 * bus["tombstones"] <= full["bytes"] <= full["bytes_max"] < full["bytes"] + 1000
        lab.freeradius.start()
        assert events(follower, "accounting_resumed")[-1]["waiting"] < waiting(lab) + 58 + kept
    wait_for("delivery", lambda: waiting(lab) == 0)
    assert gone_by_kind(before, stats(lab), "delivered") == {"on": 0, "start": 85, "stop": 3, "off": 0,
                                                              "interim": full["made"]["interim"] - before["made"]["interim"] - dropped}
    for session, told in kinds(lab, *up, *late).items():
        assert told[0] == "Start" and told.count("Start") == 1
        assert told.count("Stop") == (session in down) and (session not in down or told[-1] == "Stop")
    mine = [record for record in radius.accounted(lab) if record.get("Acct-Session-Id") in up + late]
    times = [event_time(record) for record in mine if record["Acct-Status-Type"] == "Interim-Update"][-kept:]
    # The last ones that were made; one was under way, and is not dropped. Times of records are whole seconds.
    made = full["made"]["interim"]
    assert max(times) >= int(max(when for when, number in seen if number < made))
    assert sorted(times)[1] >= int(max(when for when, number in seen if number <= made - kept))
    disconnect(lab, up[3:] + late)
    wait_for("every Stop", lambda: stats(lab)["delivered"]["stop"] == before["delivered"]["stop"] + 85)


def test_start_and_stop_are_kept_beyond_every_bound(lab):
    before = stats(lab)
    # The last of those below is the 25th: whoever looks in between, as is done every second, sees no more than are allowed.
    configure(lab, timeout_ms=200, interim_s=1, spool_max=24)
    with lab.rpc() as follower:
        follower.call("events.follow")
        lab.freeradius.stop()
        up = list(add(lab, 20))
        disconnect(lab, up[:5])
        assert [(event["bound"], event["waiting"]) for event in events(follower, "accounting_overfull")
                if event["type"] == "accounting_overfull"] == [("spool_max", 25)]
        wait_for("interim records to be dropped", lambda: stats(lab)["dropped"] >= before["dropped"] + 5)
        assert stats(lab)["overfull"] == "spool_max"
        assert "OVERFULL" in lab.cli("accounting").stdout and "/accounting/spool_max" in lab.cli("accounting").stdout
    restart(lab)
    assert stats(lab)["overfull"] == "spool_max"
    configure(lab, timeout_ms=200, spool_max=24)
    with lab.rpc() as follower:
        follower.call("events.follow")
        lab.freeradius.start()
        told = [event["type"] for event in events(follower, "accounting_overfull_over")]
        assert "accounting_overfull" not in told  # nobody is told twice
    wait_for("delivery", lambda: waiting(lab) == 0)
    assert all_are(lab, up[:5], ["Start", "Stop"]) and all_are(lab, up[5:], ["Start"])
    assert stats(lab)["overfull"] is None
    disconnect(lab, up[5:])
    wait_for("every Stop", lambda: all_are(lab, up, ["Start", "Stop"]))


def test_out_of_service_and_back(lab):
    configure(lab, timeout_ms=200)
    up = list(add(lab, 3))
    wait_for("the Starts", lambda: all_are(lab, up, ["Start"]) and waiting(lab) == 0)
    before = stats(lab)
    lab.freeradius.stop()
    disconnect(lab, up[:1])
    assert lab.cli("accounting", "off").stdout.split()[:2] == ["accounting", "off,"]
    assert stats(lab)["sessions"] == before["sessions"]  # one of them has a Stop that waits, Accounting-Off is none
    with pytest.raises(RpcError, match="accounting is off already"):
        lab.call("accounting.off")
    silent = list(add(lab, 2))
    disconnect(lab, up[1:2] + silent[:1])
    restart(lab)
    assert stats(lab)["state"] == "off"
    lab.freeradius.start()
    wait_for("Accounting-Off", lambda: waiting(lab) == 0)
    assert [record["Acct-Status-Type"] for record in radius.accounted(lab)][-2:] == ["Stop", "Accounting-Off"]
    lab.cli("accounting", "on")
    with pytest.raises(RpcError, match="accounting is on already"):
        lab.call("accounting.on")
    back = list(add(lab, 2))
    wait_for("the Starts", lambda: all_are(lab, back, ["Start"]))
    disconnect(lab, back + up[2:] + silent[1:])
    wait_for("the Stops", lambda: all_are(lab, back, ["Start", "Stop"]) and waiting(lab) == 0)
    assert gone_by_kind(before, stats(lab), "delivered") == {"on": 1, "start": 2, "interim": 0, "stop": 3, "off": 1}
    assert all_are(lab, up[1:], ["Start"]) and kinds(lab, *silent) == {session: [] for session in silent}
    last = [record["Acct-Status-Type"] for record in radius.accounted(lab)]
    assert last[last.index("Accounting-Off") + 1] == "Accounting-On"


def test_the_server_gives_the_interval(lab):
    configure(lab)  # no interim records where the server says nothing
    lab.config["aaa"] = {"ipoe": {"method": "radius", "username": "%{mac}", "password": "line"}}
    configure(lab)
    client = lab.client("granted", MAC)
    client.start_dhcp()
    client.wait_bound()
    session = f"{lab.call('session.show', {'mac': MAC})['id']:016x}"
    other, = add(lab)
    wait_for("interim records", lambda: len(records(lab, session)[session]) >= 3)
    restart(lab)
    wait_for("one more", lambda: len(records(lab, session)[session]) >= 4)
    start, *interims = records(lab, session)[session]
    assert (start["Acct-Status-Type"], start["User-Name"]) == ("Start", MAC)
    assert {record["Acct-Status-Type"] for record in interims} == {"Interim-Update"}
    times = [int(record["Acct-Session-Time"]) for record in interims]
    assert all(later - earlier >= 1 for earlier, later in zip(times, times[1:])), times  # not more often than was said
    assert kinds(lab, other)[other] == ["Start"]
    lab.stop(client.dhcp_process)
    lab.call("session.disconnect", {"id": int(session, 16)})  # no interim record of its comes between what follows
    wait_for("the Stop", lambda: kinds(lab, session)[session][-1] == "Stop" and waiting(lab) == 0)


def reboot(lab):
    """What /run held and what the kernel had is gone; the bus's store is there."""
    for process in (lab.controld, lab.bngsync, lab.holder):
        process.kill()
        lab.reap(process)
    sandbox.run(["umount", lab.state / "bpf"])
    store = lab.directory / "store"
    (lab.state / "store").rename(store)
    shutil.rmtree(lab.state)
    lab.start_holder()
    store.rename(lab.state / "store")
    lab.start_bngsync()
    lab.start_controld_after_reboot()


def test_sessions_that_a_reboot_ended_are_stopped(lab):
    configure(lab, timeout_ms=200)
    told = list(add(lab, 10))
    wait_for("the Starts", lambda: all_are(lab, told, ["Start"]))
    wait_for("nothing to wait", lambda: waiting(lab) == 0)
    lab.freeradius.stop()
    untold = list(add(lab, 3))  # whose Start waits on the bus
    wait_for("the bus to have them", lambda: on_the_bus(lab)["records"] == 3)
    wait_for("all to be durable", lambda: not lab.call("status")["sync"]["waiting"])
    reboot(lab)
    assert lab.call("status")["sessions"]["active"] == 0
    lab.freeradius.start()
    wait_for("the Stops", lambda: all_are(lab, told + untold, ["Start", "Stop"]))
    wait_for("nothing to wait", lambda: waiting(lab) == 0)
    for _, stop in records(lab, *told, *untold).values():
        assert stop["Acct-Terminate-Cause"] == "NAS-Reboot"
        assert not [name for name in stop if name.startswith(("Acct-Input", "Acct-Output", "Holdfast-P"))]
    wait_for("the bus to forget", lambda: on_the_bus(lab)["records"] == 0)
    restart(lab)
    fresh, = add(lab)
    wait_for("the Start", lambda: all_are(lab, [fresh], ["Start"]))
    assert all_are(lab, told + untold, ["Start", "Stop"])
