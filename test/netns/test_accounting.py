# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# RADIUS accounting as FreeRADIUS sees it: its detail file is the judge. Every record
# arrives once, in order, whatever is killed or stopped meanwhile.
import mmap
import random
import struct
import time

import pytest
from scapy.all import Ether, IP, UDP  # pylint: disable=no-name-in-module

import accounting
import radius
from accounting import add, all_are, configure, kinds, records, restart, stats, waiting
from lab import INTERNET, Lab, wait_for

RECORD, COUNTERS = 256, 64  # struct bng_subscriber: its size, and where its counters are


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        accounting.prepare(lab)
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        yield lab


def set_counters(lab, slot, *values):
    """up_packets, up_bytes, down_packets, down_bytes of a session, in the live map."""
    with lab.rpc("holder") as holder:
        _, (fd,) = holder.call_fds("map.open", {"names": ["subscriber"]})
        size = lab.config["sizes"]["subscribers"] * RECORD
        with mmap.mmap(fd, size) as memory:
            struct.pack_into("=4Q", memory, slot * RECORD + COUNTERS, *values)
        holder.received_fds.append(fd)


def test_rfc2866_s5_1_the_gateway_says_once_that_it_is_there(lab):
    wait_for("Accounting-On", lambda: any(entry["Acct-Status-Type"] == "Accounting-On" for entry in radius.accounted(lab)))
    restart(lab)
    session = list(add(lab))
    wait_for("a Start", lambda: all_are(lab, session, ["Start"]))
    first = radius.accounted(lab)[0]
    assert (first["Acct-Status-Type"], first["NAS-Identifier"], first["NAS-IP-Address"]) == ("Accounting-On", "bng-test", "198.51.100.1")
    assert [entry["Acct-Status-Type"] for entry in radius.accounted(lab)].count("Accounting-On") == 1


def test_rfc2866_s5_1_rfc2866_s5_10_a_session_from_start_to_stop(lab):
    (session, address), = add(lab).items()
    wait_for("the Start", lambda: all_are(lab, [session], ["Start"]))
    shown = lab.call("session.show", {"address": address})
    lab.send_frames(lab.load, "up0", [Ether(src=shown["mac"], dst=lab.mac(lab.gateway, "access1")) /
                                      IP(src=address, dst=INTERNET) / UDP(sport=4000, dport=9) / b"x"])
    wait_for("a port block", lambda: lab.call("session.show", {"address": address})["blocks"])
    block, = lab.call("session.show", {"address": address})["blocks"]
    set_counters(lab, shown["slot"], 7, (3 << 32) + 5, 11, (9 << 32) + 13)
    lab.call("session.disconnect", {"address": address})
    wait_for("the Stop", lambda: all_are(lab, [session], ["Start", "Stop"]))
    start, stop = records(lab, session)[session]
    for record in (start, stop):
        assert record["User-Name"] == record["Calling-Station-Id"] == shown["mac"]
        assert (record["Framed-IP-Address"], record["NAS-Port-Id"], record["NAS-Port-Type"]) == (address, "access1", "Ethernet")
        assert (record["Acct-Authentic"], record["NAS-Identifier"]) == ("Local", "bng-test")
        assert abs(int(time.time()) - time.mktime(time.strptime(record["Event-Timestamp"], "%b %d %Y %H:%M:%S %Z"))) < 60
    assert "Acct-Input-Octets" not in start and "Acct-Terminate-Cause" not in start
    assert {name: int(value) for name, value in stop.items() if name.startswith(("Acct-Input", "Acct-Output"))} == {
        "Acct-Input-Octets": 5, "Acct-Input-Gigawords": 3, "Acct-Input-Packets": 7,
        "Acct-Output-Octets": 13, "Acct-Output-Gigawords": 9, "Acct-Output-Packets": 11}
    assert stop["Acct-Terminate-Cause"] == "Admin-Reset"
    assert (stop["Holdfast-Public-Address"], int(stop["Holdfast-Port-First"]), int(stop["Holdfast-Port-Last"])) == \
        (block["public"], block["first"], block["last"])
    wait_for("nothing to wait", lambda: waiting(lab) == 0)


def test_no_kill_of_controld_makes_a_record_twice(lab):
    chance = random.Random(4)
    up = list(add(lab, 20))
    for _ in range(6):
        more = add(lab, 10)
        time.sleep(chance.random() * 0.02)
        restart(lab)
        up += more
    wait_for("every Start", lambda: all_are(lab, up, ["Start"]))
    down = up[::2]
    with lab.rpc() as client:
        client.call("status")  # so that it is this controld that has the connection
        client.send_all([("session.disconnect", {"id": int(session, 16)}) for session in down])
        time.sleep(chance.random() * 0.02)
    restart(lab)
    active = {entry["id"] for entry in lab.call("session.list", {"filter": {"state": "active"}})["sessions"]}
    for session in active & {int(session, 16) for session in down}:  # whose disconnect was not read any more
        lab.call("session.disconnect", {"id": session})
    restart(lab)
    wait_for("every Stop", lambda: all_are(lab, down, ["Start", "Stop"]))
    wait_for("nothing to wait", lambda: waiting(lab) == 0)
    assert all_are(lab, up[1::2], ["Start"]) and all_are(lab, down, ["Start", "Stop"])


def test_interim_records_go_on_over_restarts(lab):
    configure(lab, interim_s=1)
    (session, address), = add(lab).items()
    slot = lab.call("session.show", {"address": address})["slot"]
    for turn in range(1, 4):
        set_counters(lab, slot, turn, turn << 31, 2 * turn, turn << 32)
        wait_for("an interim record", lambda: len(records(lab, session)[session]) > turn)
        restart(lab)
    lab.call("session.disconnect", {"address": address})
    configure(lab)
    wait_for("the Stop", lambda: kinds(lab, session)[session][-1] == "Stop")
    start, *interims, stop = records(lab, session)[session]
    assert start["Acct-Status-Type"] == "Start" and len(interims) >= 3
    assert {entry["Acct-Status-Type"] for entry in interims} == {"Interim-Update"}
    octets = [(int(entry["Acct-Input-Gigawords"]) << 32) + int(entry["Acct-Input-Octets"]) for entry in [*interims, stop]]
    assert octets == sorted(octets) and octets[-1] == 3 << 31
    times = [int(entry["Acct-Session-Time"]) for entry in [*interims, stop]]
    # A second lies between two of them: none is there twice, a restart makes none come early.
    assert all(after - before >= 1 for before, after in zip(times, times[1:-1])), times


def test_rfc2866_s2_servers_away_for_a_while_get_each_record_once(lab):
    configure(lab, timeout_ms=200)
    before = list(add(lab, 5))
    wait_for("the Starts", lambda: all_are(lab, before, ["Start"]) and waiting(lab) == 0)
    with lab.rpc() as follower:
        follower.call("events.follow")
        lab.freeradius.stop()
        during = add(lab, 40)
        for session in before:
            lab.call("session.disconnect", {"id": int(session, 16)})
        told = []
        while "accounting_stalled" not in told:
            told.append(follower.next_notification(60)["params"]["type"])
        restart(lab)
    assert stats(lab)["waiting"]["start"] == 40 and stats(lab)["waiting"]["stop"] == 5 and stats(lab)["oldest_s"] is not None
    wait_for("a stall", lambda: stats(lab)["state"] == "stalled")
    time.sleep(1)  # which is what Acct-Delay-Time tells at least
    lab.freeradius.start()
    wait_for("delivery", lambda: waiting(lab) == 0)
    assert all_are(lab, before, ["Start", "Stop"]) and all_are(lab, during, ["Start"])
    late = records(lab, *before)
    assert all(int(entries[1]["Acct-Delay-Time"]) >= 1 for entries in late.values())
    assert stats(lab)["state"] == "ok"


def test_the_bus_away_is_no_reason_to_wait(lab):
    (known, known_address), = add(lab).items()
    wait_for("the Start", lambda: all_are(lab, [known], ["Start"]))
    lab.bngsync.kill()
    lab.reap(lab.bngsync)
    wait_for("the bus to be missed", lambda: not stats(lab)["durable"])
    (other, other_address), (short, short_address) = add(lab, 2).items()
    wait_for("the Starts", lambda: all_are(lab, [other, short], ["Start"]))
    lab.call("session.disconnect", {"address": short_address})
    wait_for("a Stop without the bus", lambda: all_are(lab, [short], ["Start", "Stop"]))
    restart(lab)
    assert stats(lab)["bytes_max"] is None and not stats(lab)["durable"]  # who was not told of the disk goes by the number
    lab.call("session.disconnect", {"address": known_address})  # who it was only the bus knows
    lab.start_bngsync()
    wait_for("the Stop", lambda: all_are(lab, [known, short], ["Start", "Stop"]))
    restart(lab)
    lab.call("session.disconnect", {"address": other_address})
    wait_for("every Stop", lambda: all_are(lab, [known, short, other], ["Start", "Stop"]))
    wait_for("nothing to wait", lambda: waiting(lab) == 0)
