# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# controld and bngsync, both real: what is known of sessions outlives either of them being
# killed at any moment, and a bus that is away, empty or broken stops nothing.
import random
import time

import pytest

from lab import Lab, wait_for


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        lab.number = 0
        yield lab


def add(lab, count):
    """Addresses of so many new sessions."""
    first, lab.number = lab.number, lab.number + count
    entries = [{"address": f"10.0.{100 + n // 250}.{n % 250 + 1}", "mac": f"02:00:00:01:{n >> 8:02x}:{n & 255:02x}",
                "interface": "access0", "pool": "default"} for n in range(first, first + count)]
    lab.call("session.add", {"sessions": entries})
    return [entry["address"] for entry in entries]


def active(lab):
    return lab.call("status")["sessions"]["active"]


def sync(lab):
    return lab.call("status")["sync"]


def records(lab):
    return {topic["name"]: topic["records"] for topic in lab.call("sync.status", server="bngsync")["topics"]}["session"]


def kill(lab, process):
    process.kill()
    lab.reap(process)


def wait_quiet(lab):
    wait_for("all to be durable", lambda: sync(lab)["up"] and not sync(lab)["waiting"])


def shown(lab, address):
    return lab.call("session.show", {"address": address})


def test_every_session_has_a_record_and_a_restart_reads_it(lab):
    addresses = add(lab, 1000)
    wait_quiet(lab)
    assert records(lab) == active(lab) == 1000
    before = [shown(lab, address)["history"] for address in addresses[:20]]
    kill(lab, lab.controld)
    lab.start_controld()
    wait_quiet(lab)  # it tells the bus what it has seen
    wait_for("all to be told", lambda: sync(lab) == {"up": True, "synced": True, "reason": "", "waiting": 0})
    status = lab.call("status")
    assert status["start"]["adopted"]["sessions"] == 1000
    details = {phase["name"]: phase["detail"] for phase in status["start"]["phases"]}
    assert details["records received"] == "bngsync has told what it keeps"
    assert details["sessions adopted"].endswith(" 1001 records")  # one is of the start before: what it saw
    after = [shown(lab, address) for address in addresses[:20]]
    assert [entry["history"] for entry in after] == before and all(entry["known"] for entry in after)
    assert records(lab) == 1000


def test_an_ended_session_has_no_record(lab):
    address = add(lab, 1)[0]
    wait_quiet(lab)
    before = records(lab)
    lab.call("session.disconnect", {"address": address})
    wait_for("its record to go", lambda: records(lab) == before - 1)


def test_without_the_bus_everything_goes_on_and_is_told_later(lab):
    wait_quiet(lab)
    before = records(lab)
    kill(lab, lab.bngsync)
    wait_for("it to be noticed", lambda: not sync(lab)["up"])
    addresses = add(lab, 10)
    lab.call("session.disconnect", {"address": addresses[0]})
    assert sync(lab)["waiting"] >= 10 and "bngsync" in sync(lab)["reason"]
    assert "AWAY" in lab.cli("status").stdout and "serving from memory and maps" in lab.cli("status").stdout
    kill(lab, lab.controld)  # what waited is lost with it: the sessions are not
    lab.start_controld()
    assert not sync(lab)["synced"] and active(lab) == before + 9
    assert not shown(lab, addresses[1])["known"]
    lab.start_bngsync()
    wait_for("what it kept", lambda: sync(lab)["synced"])
    wait_quiet(lab)
    assert shown(lab, addresses[1])["known"]
    wait_for("a record for each", lambda: records(lab) == active(lab) == before + 9)


def test_an_empty_store_is_filled_again(lab):
    wait_quiet(lab)
    kill(lab, lab.bngsync)
    for file in (lab.state / "store").iterdir():
        file.unlink()
    lab.start_bngsync()
    wait_for("all records", lambda: records(lab) == active(lab) > 1000)
    assert "another store" in lab.log("controld")


def test_killed_at_any_moment_nobody_forgets_a_session(lab):
    """Either side is killed while sessions come and go; each that is up has a record, and nothing else has."""
    choose, rounds = random.Random(4), 8
    for turn in range(rounds):
        addresses = add(lab, 200)
        for address in addresses[:choose.randrange(1, 40)]:
            lab.call("session.disconnect", {"address": address})
        time.sleep(choose.random() * 0.02)  # how far it has got with what it was told
        kill(lab, lab.controld if turn % 2 else lab.bngsync)
        if turn % 2:
            lab.start_controld()
        else:
            lab.start_bngsync()
    wait_for("it to be as it was", lambda: sync(lab)["synced"])
    wait_quiet(lab)
    wait_for("a record for each", lambda: records(lab) == active(lab))
    listed = lab.call("session.list", {"filter": {"state": "active"}, "limit": 100})["sessions"]
    assert all(shown(lab, entry["address"])["known"] for entry in listed[::5])


def test_a_broken_store_is_said_and_stops_nothing(lab):
    wait_quiet(lab)
    kill(lab, lab.bngsync)
    store = lab.state / "store" / "sync.db"
    store.write_bytes(b"this is no database" * 1000)
    for name in ("sync.db-wal", "sync.db-shm"):
        (store.parent / name).unlink(missing_ok=True)
    try:
        lab.start_bngsync()
    except RuntimeError as error:  # it says why and ends
        assert "sync.db" in str(error)
        lab.processes.remove(lab.bngsync)
    address = add(lab, 1)[0]
    assert shown(lab, address)["known"] and not sync(lab)["up"] and sync(lab)["reason"]
    assert "sync" in lab.cli("status").stdout
