# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A pool that is used up: who is refused and that there is nothing left is told as it
# happens, once, not for every packet (RFC 6888 REQ-11).
import pytest
from scapy.all import Ether, IP, UDP  # pylint: disable=no-name-in-module

from lab import INTERNET, Lab, default_config, wait_for

BLOCKS = 15  # of an address with blocks of 4,096 ports
TRIES = 20


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["cgnat"]["pools"].append({"name": "tiny", "prefixes": ["203.0.113.200/32"], "block_size": 4096,
                                     "blocks_per_subscriber": 1})
    with Lab(config) as lab:
        lab.start_daemons()
        yield lab


def subscriber(number):
    return {"address": f"10.9.1.{number}", "mac": f"02:00:00:09:01:{number:02x}", "interface": "access1", "pool": "tiny"}


def send(lab, session, *ports):
    frame = Ether(src=session["mac"], dst=lab.mac(lab.gateway, "access1")) / IP(src=session["address"], dst=INTERNET)
    lab.send_frames(lab.load, "up0", [frame / UDP(sport=port, dport=9) / b"x" for port in ports])


def test_rfc6888_req11c_management_is_told_of_exhaustion(lab):
    sessions = [subscriber(number) for number in range(1, BLOCKS + 2)]
    lab.call("session.add", {"sessions": sessions})
    *lucky, late = sessions
    with lab.rpc() as follower:
        follower.call("events.follow")
        for session in lucky:
            send(lab, session, 4000)
        send(lab, late, *range(4000, 4000 + TRIES))
        wait_for("every packet to be refused", lambda: lab.drops()["drop_cgnat_no_block"] == TRIES)
        told = []
        while len([event for event in told if event["type"] != "block_allocated"]) < 2:
            told.append(follower.next_notification(60)["params"])
    assert [event["type"] for event in told].count("block_allocated") == BLOCKS
    # Which of the two is first is nobody's promise: the one is looked at every second.
    pool, refused = sorted((event for event in told if event["type"] != "block_allocated"), key=lambda event: event["type"])
    session = lab.call("session.show", {"address": late["address"]})["id"]
    assert {name: refused[name] for name in ("type", "session", "address", "reason")} == {
        "type": "subscriber_refused", "session": session, "address": late["address"], "reason": "drop_cgnat_no_block"}
    assert (pool["type"], pool["pool"], pool["limit"]) == ("mappings_refused", "tiny", 0)
    assert 0 < pool["no_block"] <= TRIES
