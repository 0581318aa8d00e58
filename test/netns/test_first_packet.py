# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A host with a fixed address that only sends: it gets a session where the configuration
# says so, keeps it through a restart of controld, and loses it by silence.
import time

import pytest
from scapy.all import Ether, IP, UDP  # pylint: disable=no-name-in-module

import lab as lab_module
from lab import GATEWAY, INTERNET, Lab, wait_for

MAC, ADDRESS = "02:00:00:00:07:01", "172.20.1.5"
OTHER = "172.21.1.5"


def config():
    wanted = lab_module.default_config()
    wanted["first_packet"] = [{"interface": "access0", "prefix": "172.20.0.0/16", "nat_pool": "default"}]
    return wanted


@pytest.fixture(scope="module")
def lab():
    with Lab(config()) as lab:
        lab.start_daemons()
        yield lab


def host(lab, name, mac, address):
    """It knows the gateway's MAC by ARP, which needs no session."""
    client = lab.client(name, mac, ["88a8:100", "8100:7"])
    client.run("ip", "address", "add", f"{address}/32", "dev", "eth0")
    client.run("ip", "route", "add", GATEWAY, "dev", "eth0", "src", address)
    client.run("ip", "route", "add", "default", "via", GATEWAY, "src", address)
    return client


def session_of(lab, address):
    return next((entry for entry in lab.call("session.list")["sessions"]
                 if entry["address"] == address and entry["state"] == "active"), None)


def test_host_that_sends_gets_a_session_and_keeps_it(lab):
    client = host(lab, "fixed", MAC, ADDRESS)
    before = lab.drops()["punt_first_packet"]
    client.ping(INTERNET, count=1, patience=0)
    session = wait_for("the session", lambda: session_of(lab, ADDRESS))
    assert client.ping(INTERNET) == 3
    assert (session["mac"], session["kind"], session["outer_vid"], session["inner_vid"]) == (MAC, "first-packet", 100, 7)
    stats = lab.call("first_packet.stats")
    assert (stats["opened"], stats["asked"], stats["taken"]) == (1, 0, 0)
    assert lab.drops()["punt_first_packet"] - before == stats["received"]

    lab.controld.kill()
    lab.reap(lab.controld)
    assert client.ping(INTERNET) == 3
    lab.start_controld()
    assert session_of(lab, ADDRESS)["id"] == session["id"]
    assert lab.call("first_packet.stats")["received"] == 0


def test_packet_that_came_while_controld_was_away_opens_a_session(lab):
    client = host(lab, "early", "02:00:00:00:07:02", "172.20.1.6")
    lab.controld.kill()
    lab.reap(lab.controld)
    assert client.ping(INTERNET, count=1, patience=1) == 0
    lab.start_controld()
    wait_for("the session", lambda: session_of(lab, "172.20.1.6"))
    assert client.ping(INTERNET) == 3


def test_so_many_are_handed_to_controld_as_the_configuration_says(lab):
    client = host(lab, "many", "02:00:00:00:07:04", "172.20.1.9")
    client.ping(INTERNET, count=1, patience=0)
    wait_for("the session", lambda: session_of(lab, "172.20.1.9"))
    lab.config["punt"] = {"first_packet_rate": 1, "first_packet_burst": 1}
    lab.write_config()
    lab.call("config.reload")
    gateway = client.run("ip", "neighbour", "show", GATEWAY).stdout.split()[4]
    frames = [bytes(Ether(src="02:00:00:00:07:04", dst=gateway) / IP(src=f"172.20.9.{number}", dst=INTERNET) / UDP())
              for number in range(1, 21)]
    before, begun = lab.drops(), time.monotonic()
    lab.send_frames(client.namespace, "eth0", frames)
    wait_for("all of them", lambda: handed(lab, before) + limited(lab, before) == len(frames))
    assert 1 <= handed(lab, before) <= 3 + (time.monotonic() - begun)  # one, and one for each second that this took
    del lab.config["punt"]
    lab.write_config()
    lab.call("config.reload")


def handed(lab, before):
    return lab.drops()["punt_first_packet"] - before["punt_first_packet"]


def limited(lab, before):
    return lab.drops()["drop_punt_limit"] - before["drop_punt_limit"]


def test_other_addresses_get_none_and_prefixes_follow_the_configuration(lab):
    client = host(lab, "other", "02:00:00:00:07:03", OTHER)
    before, received = lab.drops()["drop_no_session"], lab.call("first_packet.stats")["received"]
    assert client.ping(INTERNET, count=2, patience=1) == 0
    assert lab.drops()["drop_no_session"] == before + 2
    assert lab.call("first_packet.stats")["received"] == received
    lab.config["first_packet"][0].update(prefix="172.21.0.0/16", idle_timeout_seconds=2)
    lab.write_config()
    lab.call("config.reload")
    wait_for("answers", lambda: client.ping(INTERNET, patience=1) == 3)  # again: silence may have ended it by now
    assert session_of(lab, ADDRESS)  # what is up stays
    wait_for("the session to end by silence", lambda: session_of(lab, OTHER) is None)
    lab.config["first_packet"] = []
    lab.write_config()
    lab.call("config.reload")
    before = lab.drops()["drop_no_session"]
    assert client.ping(INTERNET, count=1, patience=1) == 0
    assert lab.drops()["drop_no_session"] == before + 1
