# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A host with a fixed address that only sends: it gets a session where the configuration
# says so, keeps it through a restart of controld, and loses it by silence.
import pytest

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
    client.ping(INTERNET, count=1)
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
    assert client.ping(INTERNET, count=1) == 0
    lab.start_controld()
    wait_for("the session", lambda: session_of(lab, "172.20.1.6"))
    assert client.ping(INTERNET) == 3


def test_other_addresses_get_none_and_prefixes_follow_the_configuration(lab):
    client = host(lab, "other", "02:00:00:00:07:03", OTHER)
    before, received = lab.drops()["drop_no_session"], lab.call("first_packet.stats")["received"]
    assert client.ping(INTERNET, count=2) == 0
    assert lab.drops()["drop_no_session"] == before + 2
    assert lab.call("first_packet.stats")["received"] == received
    lab.config["first_packet"][0].update(prefix="172.21.0.0/16", idle_timeout_seconds=2)
    lab.write_config()
    lab.call("config.reload")
    client.ping(INTERNET, count=1)
    wait_for("the session", lambda: session_of(lab, OTHER))
    assert session_of(lab, ADDRESS)  # what is up stays
    assert client.ping(INTERNET) == 3
    wait_for("the session to end by silence", lambda: session_of(lab, OTHER) is None, 10)
    lab.config["first_packet"] = []
    lab.write_config()
    lab.call("config.reload")
    before = lab.drops()["drop_no_session"]
    assert client.ping(INTERNET, count=1) == 0
    assert lab.drops()["drop_no_session"] == before + 1
