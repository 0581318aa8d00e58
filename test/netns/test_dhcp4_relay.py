# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Leases of another server, a real Kea in the lab's internet: sessions follow what passes by,
# renewals go through the relay, and nothing of an exchange is lost by a killed controld.
import signal
import socket

import pytest

import lab as lab_module
import sandbox
from kea import LEASE, kea_lease, start_kea
from lab import CORE, CORE_PEER, EXEMPT, GATEWAY, INTERNET, Lab, wait_for

MAC, SECOND, THIRD = (f"02:00:00:00:09:0{last}" for last in range(1, 4))


def config():
    wanted = lab_module.default_config()
    wanted["dhcp4"]["pools"][0].update(relay={"servers": [CORE_PEER], "giaddr": CORE})
    return wanted


@pytest.fixture(scope="module")
def lab():
    with Lab(config()) as lab:
        lab.kea, lab.leases = start_kea(lab)
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        yield lab


def session_of(lab, mac):
    return next((entry for entry in lab.call("session.list")["sessions"] if entry["mac"] == mac and entry["state"] == "active"),
                None)


def stats(lab):
    return lab.call("dhcp4.stats")


@pytest.fixture(scope="module")
def client(lab):
    client = lab.client("relayed", MAC, ["88a8:100", "8100:7"])
    client.start_dhcp(again=20)
    client.wait_bound()
    return client


def test_session_opens_when_the_ack_passes_by(lab, client):
    lease = client.lease()
    assert (lease["router"], lease["dns"], lease["lease"]) == (GATEWAY, EXEMPT, str(LEASE))
    session = session_of(lab, MAC)
    assert session["address"] == lease["ip"] == kea_lease(lab.leases, MAC)[0]
    assert (session["outer_vid"], session["inner_vid"], session["kind"], session["lease_seconds"]) == (100, 7, "dhcp", LEASE)
    counts = stats(lab)
    assert counts["authorisation"]["relayed"] == counts["authorisation"]["returned"] == 2
    assert counts["sent"] == {"offer": 0, "ack": 0, "nak": 0} and not any(counts["refused"].values())
    assert client.ping(INTERNET) == 3


def test_unicast_renewal_goes_through_the_relay(lab, client):
    session, counts, before = session_of(lab, MAC), stats(lab), client.renewals()
    client.renew()
    wait_for("the renewal", lambda: stats(lab)["leases"]["renewed"] == counts["leases"]["renewed"] + 1)
    wait_for("the client", lambda: client.renewals() == before + 1)
    after = session_of(lab, MAC)
    assert (after["id"], after["address"]) == (session["id"], session["address"])
    assert after["lease_expires"] > session["lease_expires"]
    assert stats(lab)["authorisation"]["relayed"] == counts["authorisation"]["relayed"] + 1


def test_reply_that_comes_while_controld_is_away_is_handed_on_after_it(lab, client):
    session, renewed = session_of(lab, MAC), client.renewals()
    lab.kea.send_signal(signal.SIGSTOP)
    before = stats(lab)["authorisation"]["relayed"]
    client.renew()
    wait_for("the request", lambda: stats(lab)["authorisation"]["relayed"] > before)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.kea.send_signal(signal.SIGCONT)
    lab.start_controld()
    wait_for("the renewal", lambda: stats(lab)["leases"]["renewed"] >= 1)
    wait_for("the client", lambda: client.renewals() > renewed)
    after = session_of(lab, MAC)
    assert (after["id"], after["address"]) == (session["id"], session["address"])
    assert after["lease_expires"] > session["lease_expires"]
    assert client.ping(INTERNET) == 3


def test_client_between_offer_and_ack_completes_after_a_kill(lab, client):
    second = lab.client("killed", SECOND)
    second.start_dhcp()
    wait_for("an exchange", lambda: stats(lab)["received"]["discover"])
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    address = second.wait_bound()
    wait_for("the session", lambda: session_of(lab, SECOND))
    assert session_of(lab, SECOND)["address"] == address == kea_lease(lab.leases, SECOND)[0]


def test_release_ends_session_and_lease(lab, client):
    client.dhcp_process.send_signal(signal.SIGUSR2)
    wait_for("the end of the session", lambda: session_of(lab, MAC) is None)
    wait_for("the end of the lease", lambda: kea_lease(lab.leases, MAC)[1:] in ((0, "0"), (LEASE, "2")))


def test_others_do_not_answer_for_the_server(lab, client):
    """Neither from another address nor from another of its ports."""
    before = stats(lab)["refused"]
    sandbox.run(["ip", "-n", lab.internet, "address", "add", "198.18.0.9/32", "dev", "lo"])
    for number, sender in enumerate((("198.18.0.9", 67), (CORE_PEER, 6767)), 1):
        with sandbox.entered(lab.internet):
            other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with other:
            other.bind(sender)
            other.sendto(bytes(300), (CORE, 67))
        wait_for("the refusal", lambda: stats(lab)["refused"]["other_server"] == before["other_server"] + number)
    assert stats(lab)["refused"] == before | {"other_server": before["other_server"] + 2}


def test_a_new_holder_gets_the_socket_again(lab, client):
    name = f"controld.dhcp4.{CORE}"
    assert name in lab.call("fd.list", server="holder")["names"]
    lab.holder.kill()
    lab.reap(lab.holder)
    lab.start_holder()
    wait_for("the socket", lambda: name in lab.call("fd.list", server="holder")["names"])
