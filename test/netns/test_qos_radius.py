# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A rate and a routed prefix from RADIUS to the packets of a real client, over reloads and
# a controld that is killed.
import pathlib
import time

import pytest

import radius
from lab import CORE, INTERNET, Lab, wait_for
from traffic import WhoCalled, ask, udp_socket

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT = 18150
GRANTED, PLAIN = "02:00:00:00:09:01", "02:00:00:00:09:02"
HOST = "192.88.99.1"  # in the routed prefix
USERS = f"""
"{GRANTED}" Cleartext-Password := "line"
\tFramed-Route = "192.88.99.0/30 0.0.0.0 1",
\tFramed-Route += "10.0.0.0/24 0.0.0.0 1",
\tMikrotik-Rate-Limit = "64k/10M"
"{PLAIN}" Cleartext-Password := "line"
"""


def configure(lab, up):
    lab.config["qos"] = {"default_up": {"rate": up}}
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.dictionary = lab.directory / "dictionary"  # where user bng can read it
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        radius.start_freeradius(lab, TOP, [("free", INTERNET, PORT, True)], USERS)
        lab.config["radius"] = {"nas_identifier": "bng-test", "dictionary": str(lab.dictionary),
                                "servers": [{"name": "free", "address": INTERNET, "port": PORT, "acct_port": PORT + 1,
                                             "secret": radius.SECRET, "timeout_ms": 5000}]}
        lab.config["aaa"] = {"ipoe": {"method": "radius", "username": "%{mac}", "password": "line"}}
        configure(lab, "5M")
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        lab.clients = {}
        for name, mac in (("granted", GRANTED), ("plain", PLAIN)):
            lab.clients[mac] = lab.client(name, mac)
            lab.clients[mac].start_dhcp()
            lab.clients[mac].wait_bound()
        yield lab


def rates(lab, mac):
    session = lab.call("session.show", {"address": lab.clients[mac].address})
    return tuple(rate and rate["bits_s"] for rate in (session["rate_up"], session["rate_down"]))


def drops(lab, reason):
    return next((row["packets"] for row in lab.call("drops")["reasons"] if row["name"] == reason), 0)


def check(lab, default_up):
    assert rates(lab, GRANTED) == (64_000, 10_000_000)
    assert rates(lab, PLAIN) == (default_up, None)
    (routes,) = lab.call("routes.list")["routes"]
    assert routes["address"] == lab.clients[GRANTED].address and routes["prefixes"] == ["192.88.99.0/30"]
    assert routes["refused"] == [{"prefix": "10.0.0.0/24", "why": "a DHCP pool or a gateway has addresses of it"}]


def test_what_is_granted_is_in_force_and_stays_so(lab):
    check(lab, 5_000_000)
    configure(lab, "7M")
    check(lab, 7_000_000)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    check(lab, 7_000_000)
    configure(lab, 0)
    assert rates(lab, PLAIN) == (None, None)
    status = lab.call("qos.show")
    assert (status["default_up"], status["sessions"], status["limited"]) == (None, 2, 1)


def test_a_host_in_the_routed_prefix_is_reached_and_seen_as_itself(lab):
    client = lab.clients[GRANTED]
    client.run("ip", "address", "add", f"{HOST}/32", "dev", "lo")
    lab.ip(lab.internet, f"route add 192.88.99.0/30 via {CORE}")
    with WhoCalled(lab.internet, INTERNET), udp_socket(client.namespace, 5000, HOST) as caller:
        assert ask(caller, INTERNET) == (HOST, 5000)
        assert drops(lab, "drop_no_session") == 0
        with udp_socket(lab.internet) as remote:
            remote.sendto(b"hello", (HOST, 5000))
            assert caller.recvfrom(2048)[0] == b"hello"


def test_no_more_passes_than_the_rate_gives(lab):
    """64 kbit/s with a burst of 15,000 bytes: of 100 packets of 1,000 bytes sent at once, 15 and 8 for each second it takes."""
    client = lab.clients[GRANTED]
    begun = time.monotonic()
    before, session = drops(lab, "drop_rate_up"), lab.call("session.show", {"address": client.address})
    with udp_socket(client.namespace) as sender:
        for _ in range(100):
            sender.sendto(bytes(972), (INTERNET, 9999))

    def moved():
        after = lab.call("session.show", {"address": client.address})
        return after["up_packets"] - session["up_packets"], after["rate_up_drops"] - session["rate_up_drops"]
    wait_for("each to be judged", lambda: sum(moved()) >= 100)
    passed, dropped = moved()
    assert passed + dropped == 100 and dropped == drops(lab, "drop_rate_up") - before
    assert 10 <= passed <= 16 + 8 * (time.monotonic() - begun)  # DHCP and ARP are free
