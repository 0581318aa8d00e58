# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The relay in front of two servers, one of which says nothing, the other a real Kea; and
# behind a FreeRADIUS: who is not let in is not relayed. What the silent server hears is
# the judge of what was relayed.
import pathlib
import select
import socket
import threading

import pytest

import radius
import sandbox
from dhcp import RawClient
from kea import SHORTEST, kea_lease, start_kea
from lab import CORE, CORE_PEER, GATEWAY, INTERNET, Lab, default_config, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT = 18160
SILENT = "198.18.0.66"
DISCOVER, REQUEST, RELEASE = 1, 3, 7


class SilentServer:
    """Keeps the kinds of messages that came to it."""

    def __init__(self, lab):
        sandbox.run(["ip", "-n", lab.internet, "address", "add", f"{SILENT}/32", "dev", "lo"])
        with sandbox.entered(lab.internet):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((SILENT, 67))
        self.heard, self.ending = [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending:
            if select.select([self.socket], [], [], 0.05)[0]:
                message = self.socket.recv(2048)
                self.heard.append(message[message.index(b"\x35\x01", 240) + 2])

    def end(self):
        self.ending = True
        self.thread.join()
        self.socket.close()


@pytest.fixture(scope="module")
def lab():
    with Lab(default_config()) as lab:
        lab.config["dhcp4"]["pools"][0].update(relay={"servers": [SILENT, CORE_PEER], "giaddr": CORE})
        for name in ("dictionary", "dictionary.holdfast"):  # where user bng can read them
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        lab.config["radius"] = {"nas_identifier": "bng-test", "dictionary": str(lab.directory / "dictionary"),
                                "servers": [{"name": "free", "address": INTERNET, "port": PORT, "acct_port": PORT + 1,
                                             "secret": radius.SECRET, "timeout_ms": 5000, "retries": 1}]}
        lab.config["aaa"] = {"ipoe": {"method": "radius", "username": "%{mac}", "password": "line"}}
        lab.silent = SilentServer(lab)
        lab.known = [RawClient(lab, f"known{number}") for number in range(2)]
        lab.unknown = RawClient(lab, "unknown")
        radius.start_freeradius(lab, TOP, [("free", INTERNET, PORT, True)],
                                "".join(f'"{client.mac}" Cleartext-Password := "line"\n' for client in lab.known))
        lab.kea, lab.leases = start_kea(lab)
        lab.start_holder()
        lab.start_bngsync()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        lab.start_controld()
        yield lab
        lab.silent.end()


@pytest.fixture
def moved(lab):
    """Says how much each counter moved since the test began."""
    def flat():
        found = lab.call("dhcp4.stats")
        return {f"{group}.{name}": count for group in ("authorisation", "leases", "refused", "sent")
                for name, count in found[group].items()}
    before = flat()
    lab.silent.heard.clear()
    return lambda: {name: count - before[name] for name, count in flat().items() if count != before[name]}


def session_of(lab, mac):
    return next((entry for entry in lab.call("session.list", {"filter": {"state": "active"}})["sessions"] if entry["mac"] == mac),
                None)


def bind(client, options=()):
    kind, address, found, _ = client.ask("discover", options=options)
    assert (kind, found["server_id"]) == ("offer", GATEWAY)
    wanted = [("requested_addr", address), ("server_id", GATEWAY), *options]
    kind, bound, found, _ = client.ask("request", options=wanted)
    assert (kind, bound) == ("ack", address)
    return address, found["lease_time"]


def test_who_is_denied_is_not_relayed(lab, moved):
    assert lab.unknown.unanswered("discover", lambda: moved().get("refused.denied"))
    assert moved() == {"authorisation.asked": 1, "refused.denied": 1}
    assert lab.silent.heard == [] and kea_lease(lab.leases, lab.unknown.mac) is None and session_of(lab, lab.unknown.mac) is None
    assert [record["User-Name"] for record in radius.asked(lab)] == [lab.unknown.mac]


def test_all_servers_are_asked_and_the_one_that_offered_is_chosen(lab, moved):
    """Discover: both. Select: Kea alone. Renewal, which names no server: both. Release, which
    names the router: Kea alone would do, and both hear it, as nobody knows any more who leased."""
    client = lab.known[0]
    address, lease = bind(client)
    wait_for("the silent server to hear it", lambda: lab.silent.heard)
    assert lab.silent.heard == [DISCOVER]
    assert moved() == {"authorisation.asked": 1, "authorisation.granted": 1, "authorisation.relayed": 2,
                       "authorisation.returned": 2, "leases.bound": 1}
    session = session_of(lab, client.mac)
    assert (session["address"], session["lease_seconds"]) == (address, lease)
    assert kea_lease(lab.leases, client.mac)[:2] == (address, lease)
    assert client.ask("request", source=address, destination=GATEWAY)[:2] == ("ack", address)
    wait_for("the renewal", lambda: lab.silent.heard == [DISCOVER, REQUEST])
    assert session_of(lab, client.mac)["id"] == session["id"] and moved()["leases.renewed"] == 1
    client.send("release", source=address, destination=GATEWAY, options=[("server_id", GATEWAY)])
    wait_for("the end of the session", lambda: session_of(lab, client.mac) is None)
    wait_for("the servers to hear it", lambda: lab.silent.heard == [DISCOVER, REQUEST, RELEASE])
    assert moved()["authorisation.relayed"] == 4 and moved()["authorisation.asked"] == 1
    wait_for("the end of the lease", lambda: kea_lease(lab.leases, client.mac)[1] == 0)


def test_a_lease_that_nobody_renews_ends_the_session(lab, moved):
    client = lab.known[1]
    address, lease = bind(client, options=[("lease_time", SHORTEST)])
    assert lease == SHORTEST == session_of(lab, client.mac)["lease_seconds"]
    relayed = moved()["authorisation.relayed"]
    wait_for("the end of the session", lambda: session_of(lab, client.mac) is None)
    assert moved()["leases.expired"] == 1 and moved()["authorisation.relayed"] == relayed
    wait_for("its release", lambda: lab.call("status")["sessions"]["closing"] == 0)
    again, _ = bind(client)  # authorised anew
    assert again == address and moved()["authorisation.asked"] == 2
