# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# PPPoE end to end: a client of our own (test/lab/pppoe.py: this kernel has no ppp), the
# data plane, controld, bngsync and FreeRADIUS; killed in every phase of a session's setup.
import pathlib
import select
import socket
import threading
import time

import pytest

import radius
import sandbox
from lab import CORE, EXEMPT, INTERNET, Lab, default_config, wait_for
from pppoe import (CHAP, HOST_UNIQ, IPCP, LCP, MAX_PAYLOAD, PAP, SERVICE, SYSTEM_ERROR, PppoeClient, checksum, tags)

TOP = pathlib.Path(__file__).resolve().parents[2]
FREE, OWN = 18130, 18134
GATEWAY = "10.64.0.1"
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
USERS = """
pool Cleartext-Password := "arctangent"
fixed Cleartext-Password := "arctangent"
\tFramed-IP-Address = 10.64.0.200,
\tMS-Primary-DNS-Server = 192.0.2.7
other Cleartext-Password := "arctangent"
\tFramed-Pool = "business",
\tSession-Timeout = 7200
lost Cleartext-Password := "arctangent"
\tFramed-Pool = "nowhere"
"""


def config():
    wanted = default_config()
    pool = {"dns": [EXEMPT, "192.0.2.54"], "nat_pool": "default", "gateway": GATEWAY}
    wanted["pppoe"] = {
        "interfaces": ["access0"], "ac_name": "lab", "setup_seconds": 30, "keepalive": {"interval_seconds": 0},
        "pools": [{"name": "dsl", "prefix": "10.64.0.0/24", "first": "10.64.0.10", "last": "10.64.0.250", **pool},
                  {"name": "business", "prefix": "10.65.0.0/24", "first": "10.65.0.10", "last": "10.65.0.20", **pool}],
        "limits": {"mac_rate": 1000, "mac_burst": 1000}}
    wanted["gateways"].append({"interface": "access0", "address": GATEWAY})
    return wanted


def use_server(lab, port, **more):
    lab.config["radius"] = {
        "servers": [{"name": f"aaa{port}", "address": INTERNET, "port": port, "acct_port": port + 1, "secret": radius.SECRET,
                     "timeout_ms": 20000, "retries": 0, **more}],
        "nas_identifier": "bng-test", "dictionary": str(lab.dictionary), "dead_seconds": 1}
    lab.config["aaa"] = {"hold_off_seconds": 0, "pppoe": {"method": "radius"}}
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


@pytest.fixture(scope="module")
def lab():
    with Lab(config()) as lab:
        lab.dictionary = lab.directory / "dictionary"  # where user bng can read it
        for name in ("dictionary", "dictionary.holdfast"):
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        radius.start_freeradius(lab, TOP, [("free", INTERNET, FREE, True)], users=USERS)
        use_server(lab, FREE)
        lab.start_daemons()
        lab.start_bngsync()
        lab.plain = lab.client("plain", "02:00:00:00:0b:01")
        lab.tagged = lab.client("tagged", "02:00:00:00:0b:02", ["88a8:100", "8100:7"])
        lab.large = lab.client("large", "02:00:00:00:0b:03", mtu=1508)
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        yield lab


@pytest.fixture
def dial(lab):
    """Clients that have a session, or are on the way; ended with the test."""
    made = []

    def start(client=None, wait=True, **more):
        made.append(PppoeClient(client or lab.plain, **{"user": "pool", **more}))
        made[-1].dial()
        if wait:
            made[-1].wait_up()
        return made[-1]
    yield start
    faults = [fault for client in made for fault in client.faults]
    for client in made:
        if client.session:
            client.padt()
        client.close()
    wait_for("the end of all sessions", lambda: lab.call("pppoe.stats")["peers"] == 0)
    assert faults == []


def stats(lab):
    found = lab.call("pppoe.stats")
    return {**{f"{part}.{name}": value for part in ("received", "sent", "refused") for name, value in found[part].items()},
            **found["sessions"]}


def change(lab, before):
    return {name: value - before[name] for name, value in stats(lab).items() if value != before[name]}


def session_of(lab, client):
    return lab.call("session.show", {"address": client.ip})


def open_sessions(lab):
    return [entry["id"] for entry in lab.call("session.list", {"filter": {"state": "active"}})["sessions"]]


def kill(lab):
    lab.controld.kill()
    lab.reap(lab.controld)


# ---- Up, data, down ------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["plain", "tagged"])
def test_a_session_comes_up_and_carries_data(lab, dial, where):
    before = stats(lab)
    client = dial(getattr(lab, where), line=(b"eth 1/1", b"customer 9"), again=10)
    session = session_of(lab, client)
    assert (session["kind"], session["mac"], session["state"]) == ("pppoe", getattr(lab, where).mac, "active")
    assert (session["outer_vid"], session["inner_vid"]) == ((100, 7) if where == "tagged" else (0, 0))
    asked = radius.asked(lab)[-1]
    assert (asked["ADSL-Agent-Circuit-Id"], asked["ADSL-Agent-Remote-Id"]) == (
        "0x" + b"eth 1/1".hex(), "0x" + b"customer 9".hex())
    assert asked["NAS-Port-Type"] == ("PPPoEoQinQ" if where == "tagged" else "PPPoEoE")
    assert asked["NAS-Port-Id"] == ("access0:100.7" if where == "tagged" else "access0")
    assert client.ip.startswith("10.64.0.") and client.dns == [EXEMPT, "192.0.2.54"]
    assert client.gateway == bytes([10, 64, 0, 1])
    assert client.reaches(INTERNET) == 3 and client.reaches(EXEMPT) == 3 and client.reaches(GATEWAY) == 3
    client.echo()
    wait_for("the echo reply", lambda: client.echo_got == 1)
    found = change(lab, before)
    assert {name: found.get(name) for name in ("started", "asked", "granted", "opened", "sent.pado", "sent.pads")} == \
        dict.fromkeys(("started", "asked", "granted", "opened", "sent.pado", "sent.pads"), 1)
    client.padt()
    wait_for("its end", lambda: session["id"] not in open_sessions(lab))
    assert change(lab, before)["ended"] == 1


@pytest.mark.parametrize("where", ["plain", "tagged"])
def test_a_packet_that_is_too_large_comes_in_fragments(lab, dial, where):
    client, pieces = dial(getattr(lab, where)), []
    client._data = pieces.append
    lab.run(lab.internet, "ip", "route", "replace", f"{client.ip}/32", "via", CORE)
    ping = lab.start(lab.internet, "ping", "-I", EXEMPT, "-M", "dont", "-s", "1472", "-c", "1", "-W", "1", client.ip)
    wait_for("two fragments", lambda: len(pieces) == 2)
    ping.wait()
    assert [len(piece) for piece in pieces] == [1492, 28]
    assert [int.from_bytes(piece[6:8], "big") for piece in pieces] == [0x2000, 1472 // 8]
    assert all(checksum(piece[:20]) == 0 for piece in pieces)
    assert checksum(pieces[0][20:] + pieces[1][20:]) == 0  # of the whole echo request


@pytest.mark.parametrize("auth", ["pap", "chap"])
def test_each_way_to_say_who_one_is(lab, dial, auth):
    lab.config["pppoe"]["auth"] = [auth]
    lab.write_config()
    lab.call("config.reload")
    client = dial()
    assert client.auth == {"pap": PAP, "chap": CHAP}[auth] and client.reaches(INTERNET) == 3
    wrong = dial(lab.tagged, wait=False, password="wrong")
    wait_for("the refusal", lambda: wrong.padts == 1)
    assert not wrong.auth_ok and not wrong.is_up
    del lab.config["pppoe"]["auth"]
    lab.write_config()
    lab.call("config.reload")


def test_what_the_server_grants(lab, dial):
    fixed = dial(user="fixed")
    assert fixed.ip == "10.64.0.200" and fixed.dns == ["192.0.2.7"] and fixed.reaches(INTERNET) == 3
    other = dial(lab.tagged, user="other")
    assert other.ip.startswith("10.65.0.") and other.reaches(INTERNET) == 3
    before = stats(lab)
    other.padt()
    lost = dial(lab.tagged, user="lost", wait=False, again=10)
    wait_for("the refusal", lambda: lost.padts == 1)
    assert change(lab, before)["denied"] == 1


def test_a_client_that_comes_back_gets_its_address(lab, dial):
    wait_for("the release of all", lambda: not lab.call("session.list", {})["sessions"])
    client = dial()
    address, session = client.ip, client.session
    client.padt()
    wait_for("the release", lambda: address not in {entry["address"] for entry in lab.call("session.list", {})["sessions"]})
    client.dial()
    assert client.wait_up() == address and client.session != session


def test_a_client_that_was_switched_off_replaces_its_session(lab, dial):
    before = stats(lab)
    client = dial(user="fixed", line=(b"line 1", None))
    first = session_of(lab, client)["id"]
    time.sleep(1.1)  # another cookie
    client.dial()
    assert client.wait_up() == "10.64.0.200"  # waited for until it was released
    assert session_of(lab, client)["id"] != first
    assert change(lab, before)["replaced"] == 1
    thief = dial(wait=False, line=(b"line 2", None), again=10)
    wait_for("the refusal", lambda: thief.errors)
    assert SYSTEM_ERROR in thief.errors[0] and change(lab, before)["refused.mac_limit"] == 1
    assert client.reaches(INTERNET) == 3
    thief.session = 0


def test_terminated_and_renegotiated(lab, dial):
    before = stats(lab)
    client = dial()
    first = session_of(lab, client)["id"]
    with client.lock:
        client.lcp, client.ipcp, client.auth_ok = ({"acked": False, "acks": False, "id": 50},
                                                   {"acked": False, "acks": False, "id": 50}, False)
        client.due = 0
    wait_for("LCP anew", lambda: change(lab, before).get("renegotiated") == 1)
    client.wait_up()
    assert session_of(lab, client)["id"] != first and client.reaches(INTERNET) == 3
    client.terminate()
    assert client.terminated.wait(60)
    wait_for("PADT", lambda: client.padts == 1)
    assert change(lab, before)["ended"] == 2


def test_disconnected_by_the_operator(lab, dial):
    client = dial()
    lab.call("session.disconnect", {"address": client.ip})
    assert client.terminated.wait(60)
    wait_for("PADT", lambda: client.padts == 1)
    assert not open_sessions(lab)


def test_discovery_by_the_letter(lab, dial):
    client = dial(wait=False, max_payload=1500)
    client.wait_up()
    assert MAX_PAYLOAD not in dict(client.pads)  # not configured
    before = stats(lab)
    # A cookie of somebody else, none at all, and frames that are none.
    mine = client.cookie
    client.discovery(0x19, tags((SERVICE, b""), (HOST_UNIQ, b"x"), (0x104, bytes(20))))
    client.discovery(0x19, tags((SERVICE, b""), (HOST_UNIQ, b"x")))
    client.discovery(0x09, tags((HOST_UNIQ, b"x")), b"\xff" * 6)
    client.discovery(0xA7, b"", session=(client.session + 1) & 0xFFFF)
    assert mine == client.cookie
    wait_for("their refusal", lambda: change(lab, before).get("refused.no_session") == 1)
    found = change(lab, before)
    assert (found["refused.cookie"], found["refused.malformed"]) == (2, 1) and client.is_up


def test_keepalive_ends_who_is_gone(lab, dial):
    lab.config["pppoe"]["keepalive"] = {"interval_seconds": 2, "missed": 1}
    lab.write_config()
    lab.call("config.reload")
    before = stats(lab)
    client, dead = dial(), dial(lab.tagged)
    dead.answers_echo = False
    gone = session_of(lab, dead)["id"]
    wait_for("the end of who is gone", lambda: change(lab, before).get("lost") == 1)
    assert gone not in open_sessions(lab) and client.reaches(INTERNET) == 3
    lab.config["pppoe"]["keepalive"] = {"interval_seconds": 0}
    lab.write_config()
    lab.call("config.reload")


# ---- How large ------------------------------------------------------------------------------------


@pytest.fixture
def echo(lab):
    """Sends back what comes, whole or not at all; counts it."""
    with sandbox.entered(lab.internet):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    server.bind((INTERNET, 7))
    lengths, ending = [], threading.Event()

    def run():
        while not ending.is_set():
            if select.select([server], [], [], 0.02)[0]:
                data, sender = server.recvfrom(4096)
                lengths.append(len(data) + 28)
                server.sendto(data, sender)
    thread = threading.Thread(target=run)
    thread.start()
    yield lengths
    ending.set()
    thread.join()
    server.close()


@pytest.fixture
def payloads_of_1500(lab):
    change_config(lab, mru=1500)
    yield
    change_config(lab, mru=1492)


def change_config(lab, **members):
    lab.config["pppoe"].update(members)
    lab.write_config()
    lab.call("config.reload")


def passes_whole(lab, client, echo, length, count=20):
    """Packets of this length, there and back, each of them once and in one piece."""
    before = lab.drops()
    with client.lock:
        client.packets.clear()
        for _ in range(count):
            client.udp(INTERNET, 7, 5000, length)
    wait_for("all of them", lambda: len(client.packets) >= count and len(echo) >= count)
    after = lab.drops()
    assert echo == [length] * count
    assert [(port, len(packet), packet[6] & 0x3F, packet[7]) for port, packet in client.packets] == [(5000, length, 0, 0)] * count
    moved = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert (moved["forward_up"], moved["forward_down"]) == (count, count)
    assert not [name for name in moved if name.startswith("drop")] and "punt_large" not in moved


def test_rfc4638_s4_rfc4638_s5_1_full_size_packets_for_who_asks(lab, dial, echo, payloads_of_1500):
    client = dial(lab.large, mru=1500, max_payload=1500)
    assert dict(client.pads)[MAX_PAYLOAD] == (1500).to_bytes(2, "big")
    assert (client.peer_mru, client.told_mru, session_of(lab, client)["mtu"]) == (1500, None, 1500)
    passes_whole(lab, client, echo, 1500)


def test_rfc2516_s7_rfc4638_s5_1_who_does_not_ask_gets_1492(lab, dial, echo, payloads_of_1500):
    client = dial(lab.large, mru=1500)
    assert MAX_PAYLOAD not in dict(client.pads)
    assert (client.peer_mru, client.told_mru, session_of(lab, client)["mtu"]) == (1492, 1492, 1492)
    passes_whole(lab, client, echo, 1492)


def test_behind_two_tags_no_more_is_agreed_on_than_fits(lab, dial, echo):
    def interface_mtu(mtu):
        lab.ip(lab.gateway, f"link set access0 mtu {mtu}")
        lab.call("config.reload")  # looks at the devices at once
    interface_mtu(1500)
    try:
        client = dial(lab.tagged)
        assert (client.peer_mru, client.told_mru, session_of(lab, client)["mtu"]) == (1488, 1488, 1488)
        passes_whole(lab, client, echo, 1488)
    finally:
        interface_mtu(1508)


# ---- Killed ------------------------------------------------------------------------------------------


def wait_phase(lab, client, phase):
    wait_for(f"phase {phase}", lambda: [entry for entry in lab.call("pppoe.setup")["setups"] if entry["phase"] == phase])


@pytest.mark.parametrize("held, phase", [(LCP, "establish"), (CHAP, "authenticate"), (IPCP, "network")])
def test_killed_while_the_client_is_slow(lab, dial, held, phase):
    """The client does not answer one protocol until controld is a new one."""
    client = dial(wait=False, hold=[held])
    wait_phase(lab, client, phase)
    wait_for("the client to read its PADS", lambda: client.session)
    session = client.session
    kill(lab)
    with client.lock:
        client.hold.clear()
    time.sleep(0.5)  # it says again what nobody answers
    lab.start_controld()
    client.wait_up()
    assert client.session == session and client.padts == 0 and client.reaches(INTERNET) == 3
    assert stats(lab)["adopted"] == 1 and stats(lab)["started"] == 0


def test_killed_between_pado_and_padr(lab, dial):
    client = PppoeClient(lab.plain, user="pool")
    try:
        client.padi()
        wait_for("an offer", lambda: client.offers)
        source, found = client.offers[0]
        kill(lab)
        lab.start_controld()
        client.server, client.cookie, client.state, client.due = source, dict(found)[0x104], "padr", 0
        client.wait_up()
        assert client.faults == [] and stats(lab)["received.padi"] == 0
    finally:
        client.padt()
        client.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_radius_is_asked(lab, dial, when):
    """The answer comes while nobody is there, or after the restart."""
    slow = radius.Server(lab, INTERNET, OWN, decide=lambda user: None)
    try:
        use_server(lab, OWN)
        client = dial(wait=False)
        wait_for("the question", lambda: slow.held)
        kill(lab)
        if when == "before":
            slow.answer_held()
        lab.start_controld()
        if when == "after":
            time.sleep(0.5)  # in which a start might ask once more, and must not
            slow.answer_held()
        client.wait_up()
        assert len(slow.requests) == 1 and client.padts == 0 and client.reaches(INTERNET) == 3
        client.padt()
    finally:
        use_server(lab, FREE)
        slow.end()


def test_without_controld_the_session_lives(lab, dial):
    """Data and LCP echo go on; nothing is asked or ended because of the restart."""
    client = dial(lab.tagged, user="other")
    before = session_of(lab, client)
    kill(lab)
    stop = threading.Event()

    def beat():
        while not stop.wait(0.05):
            with client.lock:
                client.echo()
    beating = threading.Thread(target=beat)
    beating.start()
    pings = 0
    while client.echo_sent < 30 or pings < 10:
        assert client.reaches(INTERNET, 2) == 2
        pings += 2
    stop.set()
    beating.join()
    wait_for("all echo replies", lambda: client.echo_got == client.echo_sent)
    lab.start_controld()
    after = session_of(lab, client)
    assert {name: after[name] for name in ("id", "address", "opened", "user", "authorised_by")} == \
        {name: before[name] for name in ("id", "address", "opened", "user", "authorised_by")}
    assert client.padts == 0 and stats(lab)["asked"] == 0 and client.reaches(INTERNET) == 3


def test_ended_during_the_blip(lab, dial):
    """A PADT that came while nobody was there is heard after it."""
    client = dial()
    kill(lab)
    client.discovery(0xA7, b"", session=client.session)
    lab.start_controld()
    wait_for("the end of the session", lambda: not open_sessions(lab))
    assert stats(lab)["received.padt"] == 1
