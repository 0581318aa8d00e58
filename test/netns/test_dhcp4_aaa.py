# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Real DHCP clients that are authorised by RADIUS: what a FreeRADIUS grants and denies, what
# goes on while it is away, and a controld that is killed in the middle. The bus remembers
# the address a client had.
import os
import pathlib
import signal

import pytest

import lab as lab_module
import radius
from lab import GATEWAY, INTERNET, Lab, wait_for
from rpc import RpcError

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT, OWN = 18130, 18132
GRANTED, PLAIN, DENIED, SLOW, BACK = (f"02:00:00:00:08:0{last}" for last in range(1, 6))
USERS = f"""
"{GRANTED}" Cleartext-Password := "line"
\tFramed-IP-Address = 10.0.0.5,
\tSession-Timeout = 1800,
\tMS-Primary-DNS-Server = 192.0.2.99,
\tClass = "gold"
"{PLAIN}" Cleartext-Password := "line"
"""


def config(lab, port):
    lab.config["radius"] = {"nas_identifier": "bng-test", "dictionary": str(lab.dictionary), "dead_seconds": 1,
                            "servers": [{"name": f"free{port}", "address": INTERNET, "port": port, "acct_port": port + 1,
                                         "secret": radius.SECRET, "timeout_ms": 5000, "retries": 1}]}
    lab.config["aaa"] = {"ipoe": {"method": "radius", "username": "%{mac}", "password": "line"}}
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.dictionary = lab.directory / "dictionary"  # where user bng can read it
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        lab.free = radius.start_freeradius(lab, TOP, [("free", INTERNET, PORT, True)], USERS)
        config(lab, PORT)
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        yield lab


def session_of(lab, mac):
    return next((entry for entry in lab.call("session.list")["sessions"] if entry["mac"] == mac and entry["state"] == "active"),
                None)


def authorisation(lab):
    return lab.call("dhcp4.stats")["authorisation"]


def kill_controld(lab):
    lab.controld.kill()
    lab.reap(lab.controld)


@pytest.fixture(scope="module")
def granted(lab):
    client = lab.client("granted", GRANTED, ["88a8:100", "8100:7"])
    client.start_dhcp(again=20)
    client.wait_bound()
    return client


def test_what_was_granted_is_leased(lab, granted):
    lease = granted.lease()
    assert (lease["ip"], lease["lease"], lease["dns"]) == ("10.0.0.5", "1800", "192.0.2.99")
    assert granted.ping(GATEWAY) == 3
    assert authorisation(lab)["asked"] == authorisation(lab)["granted"] == 1


def test_who_is_not_known_gets_nothing(lab, granted):
    before = lab.call("dhcp4.stats")
    client = lab.client("denied", DENIED)
    client.start_dhcp()
    wait_for("the refusal", lambda: lab.call("dhcp4.stats")["refused"]["denied"] > before["refused"]["denied"])
    lab.stop(client.dhcp_process, signal.SIGKILL)
    assert client.address == "" and session_of(lab, DENIED) is None
    assert lab.call("dhcp4.stats")["sent"] == before["sent"]


def test_renewals_are_answered_while_nobody_authorises(lab, granted):
    session = session_of(lab, GRANTED)
    os.kill(lab.free.pid, signal.SIGSTOP)
    try:
        before, renewed = lab.call("dhcp4.stats"), granted.renewals()
        granted.renew()
        wait_for("the renewal", lambda: lab.call("dhcp4.stats")["leases"]["renewed"] == before["leases"]["renewed"] + 1)
        wait_for("the client", lambda: granted.renewals() == renewed + 1)
        kill_controld(lab)
        lab.start_controld()
        granted.renew()
        wait_for("the renewal", lambda: lab.call("dhcp4.stats")["leases"]["renewed"] == 1)
        after = session_of(lab, GRANTED)
        assert (after["id"], after["address"]) == (session["id"], session["address"])
        assert 1700 < after["lease_seconds"] <= 1800  # bounded by what was granted before the restart
        assert authorisation(lab)["asked"] == 0
        assert granted.ping(GATEWAY) == 3
    finally:
        os.kill(lab.free.pid, signal.SIGCONT)


def test_client_in_the_middle_completes_after_a_kill(lab, granted):
    """Killed while the question is under way, and again while the offer is out."""
    server = radius.Server(lab, INTERNET, OWN, decide=lambda user: None)
    config(lab, OWN)
    client = lab.client("slow", SLOW)
    try:
        client.start_dhcp()
        wait_for("the question", lambda: server.requests)
        kill_controld(lab)
        lab.start_controld()
        assert server.answer_held() == 1
        server.decide = lambda user: radius.ACCESS_ACCEPT
        address = client.wait_bound()
        session = session_of(lab, SLOW)
        assert session["address"] == address
        assert {user for _, _, _, _, user in server.requests} == {SLOW}
        kill_controld(lab)
        lab.start_controld()
        assert session_of(lab, SLOW)["id"] == session["id"]
        assert client.ping(GATEWAY) == 3
    finally:
        server.end()
        config(lab, PORT)


def remembered(lab):
    try:
        return lab.call("sync.get", {"topic": "lease", "key": f"previous/access0/0/0/{BACK}"}, server="bngsync")["value"]["address"]
    except RpcError:
        return None


def test_returning_client_gets_its_address_back_after_a_restart(lab, granted):
    wanted = "10.0.77.7"  # not where the server would look first
    lab.config["aaa"]["ipoe"]["method"] = "none"
    lab.write_config()
    lab.call("config.reload")
    client = lab.client("back", BACK)
    environment = dict(os.environ, BNG_LEASE_FILE=str(client.lease_file))
    command = ["udhcpc", "-f", "-i", "eth0", "-s", lab_module.HERE / "udhcpc.sh", "-t", "20", "-T", "1", "-A", "1"]
    process = lab.start(client.namespace, *command, "-r", wanted, log="back.log", env=environment)
    assert client.wait_bound() == wanted
    lab.call("session.disconnect", {"address": wanted})
    lab.stop(process, signal.SIGKILL)
    client.lease_file.unlink()
    wait_for("the record", lambda: remembered(lab) == wanted)
    kill_controld(lab)
    lab.start_controld()
    wait_for("the address to be free", lambda: lab.call("status")["sessions"]["closing"] == 0)
    client.start_dhcp()
    assert client.wait_bound() == wanted
