# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Option 82 from the wire to RADIUS and back: an access node's circuit and remote id are who a
# client is, FreeRADIUS hears them (its detail files are the judge), the client gets the
# option back, and `session show` tells them.
import pathlib

import pytest
from scapy.all import BOOTP  # pylint: disable=no-name-in-module

import radius
from dhcp import RawClient
from lab import GATEWAY, INTERNET, Lab, default_config, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT = 18150
LINE = "%{circuit_id}/%{remote_id}"
CIRCUIT, REMOTE, BINARY = b"dslam3 eth 1/1/7:100", b"cpe-7", b"\x00\x80\xfe"
USERS = """
"dslam3 eth 1/1/7:100/cpe-7" Cleartext-Password := "line"
\tFramed-IP-Address = 10.0.0.82
"dslam3 eth 1/1/7:100/0080fe" Cleartext-Password := "line"
\tFramed-IP-Address = 10.0.0.83
"access0" Cleartext-Password := "line"
"""


def line(circuit=CIRCUIT, remote=REMOTE, more=b""):
    """Option 82 as an access node adds it; `more`: sub-options that we do not know."""
    subs = b"".join(bytes([code, len(value)]) + value for code, value in ((1, circuit), (2, remote)))
    return [("relay_agent_information", subs + more)]


def option82(frame):
    """(its bytes, whether it is the last option) of a reply; (None, False): there is none."""
    data = bytes(frame[BOOTP])[236 + 4:]
    at, found, last = 0, None, None
    while data[at] != 255:
        if data[at]:
            last = data[at]
            found = data[at + 2:at + 2 + data[at + 1]] if last == 82 else found
        at += 2 + data[at + 1] if data[at] else 1
    return found, last == 82


@pytest.fixture(scope="module")
def lab():
    with Lab(default_config()) as lab:
        for name in ("dictionary", "dictionary.holdfast"):  # where user bng can read them
            (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
        radius.start_freeradius(lab, TOP, [("free", INTERNET, PORT, True)], USERS)
        lab.config["radius"] = {"nas_identifier": "bng-test", "dictionary": str(lab.directory / "dictionary"),
                                "servers": [{"name": "free", "address": INTERNET, "port": PORT, "acct_port": PORT + 1,
                                             "secret": radius.SECRET, "timeout_ms": 5000, "retries": 1}]}
        lab.config["accounting"] = {"enabled": True}
        lab.config["aaa"] = {"hold_off_seconds": 0,
                             "ipoe": {"method": "radius", "username": LINE, "password": "line"}}
        policy(lab, "accept")
        lab.start_holder()
        lab.start_bngsync()
        wait_for("FreeRADIUS", lambda: "Ready to process" in lab.log("freeradius"))
        lab.start_controld()
        yield lab


@pytest.fixture
def client(lab):
    """One that has no session, before and after."""
    client = RawClient(lab, f"line{len(lab.namespaces)}")
    yield client
    lab.config["aaa"]["ipoe"]["username"] = LINE
    for session in sessions(lab):
        lab.call("session.disconnect", {"id": session["id"]})
    wait_for("their release", lambda: lab.call("status")["sessions"]["closing"] == 0)
    policy(lab, "accept")


def policy(lab, name, trusted=()):
    lab.config["dhcp4"].update(option82=name, option82_trusted=list(trusted))
    lab.write_config()
    if lab.controld:
        lab.call("config.reload")


def sessions(lab):
    return lab.call("session.list", {"filter": {"state": "active"}})["sessions"]


def refused(lab):
    return lab.call("dhcp4.stats")["refused"]


def select(client, address, options=()):
    return client.ask("request", options=[("requested_addr", address), ("server_id", GATEWAY), *options])


def text_of(value):
    """FreeRADIUS writes octets in hexadecimal digits."""
    return bytes.fromhex(value[2:]) if value.startswith("0x") else value.encode()


def test_rfc3046_s2_2_rfc4679_s3_line_is_who_the_client_is_and_comes_back(lab, client):
    """A sub-option that we do not know comes back with the others, byte for byte."""
    option = line(more=b"\x06\x03abc")
    before = len(radius.asked(lab))
    kind, address, _, frame = client.ask("discover", options=option)
    assert (kind, address) == ("offer", "10.0.0.82")
    assert option82(frame) == (option[0][1], True)
    kind, address, _, frame = select(client, address, option)
    assert (kind, address) == ("ack", "10.0.0.82")
    assert option82(frame) == (option[0][1], True)
    asked, = radius.asked(lab)[before:]
    assert asked["User-Name"] == "dslam3 eth 1/1/7:100/cpe-7" and asked["Calling-Station-Id"] == client.mac
    assert text_of(asked["ADSL-Agent-Circuit-Id"]) == CIRCUIT and text_of(asked["ADSL-Agent-Remote-Id"]) == REMOTE
    session, = sessions(lab)
    shown = lab.call("session.show", {"id": session["id"]})
    assert (shown["circuit_id"], shown["remote_id"]) == (CIRCUIT.decode(), REMOTE.decode())
    text = lab.cli("session", "show", session["id"]).stdout
    assert CIRCUIT.decode() in text and REMOTE.decode() in text
    told = wait_for("the Start", lambda: [record for record in radius.accounted(lab)
                                          if record["Acct-Session-Id"] == shown["acct_session_id"]])
    assert (told[0]["Acct-Status-Type"], told[0]["Framed-IP-Address"]) == ("Start", "10.0.0.82")
    assert text_of(told[0]["ADSL-Agent-Circuit-Id"]) == CIRCUIT and text_of(told[0]["ADSL-Agent-Remote-Id"]) == REMOTE


def test_rfc4679_s3_ids_that_are_no_text_are_whole(lab, client):
    before = len(radius.asked(lab))
    kind, address, _, frame = client.ask("discover", options=line(remote=BINARY))
    assert (kind, address, option82(frame)[0]) == ("offer", "10.0.0.83", line(remote=BINARY)[0][1])
    assert select(client, address, line(remote=BINARY))[0] == "ack"
    asked, = radius.asked(lab)[before:]
    assert text_of(asked["ADSL-Agent-Remote-Id"]) == BINARY
    session, = sessions(lab)
    assert lab.call("session.show", {"id": session["id"]})["remote_id"] == "%00%80%FE"


def test_a_line_that_is_not_known_gets_nothing(lab, client):
    before = refused(lab)["denied"]
    assert client.unanswered("discover", lambda: refused(lab)["denied"] > before, options=line(remote=b"cpe-8"))
    assert refused(lab)["denied"] == before + 1 and sessions(lab) == []


def test_renewal_needs_no_option(lab, client):
    assert select(client, client.ask("discover", options=line())[1], line())[0] == "ack"
    before, asked = lab.call("dhcp4.stats"), len(radius.asked(lab))
    kind, address, _, frame = client.ask("request", source="10.0.0.82", destination=GATEWAY)
    assert (kind, address, option82(frame)[0]) == ("ack", "10.0.0.82", None)
    assert lab.call("dhcp4.stats")["leases"]["renewed"] == before["leases"]["renewed"] + 1
    assert len(radius.asked(lab)) == asked
    session, = sessions(lab)
    assert lab.call("session.show", {"id": session["id"]})["circuit_id"] == CIRCUIT.decode()


def test_rfc3046_s2_1_option_from_where_no_access_node_is_gets_nothing(lab, client):
    policy(lab, "accept", ["access1"])
    before = refused(lab)
    assert client.unanswered("discover", lambda: refused(lab) != before, options=line())
    after = refused(lab)
    assert {name: count - before[name] for name, count in after.items() if count != before[name]} == {"untrusted_line": 1}


def test_who_has_no_line_is_let_in_unless_it_is_required(lab, client):
    policy(lab, "require")
    before = refused(lab)
    assert client.unanswered("discover", lambda: refused(lab) != before)
    assert refused(lab)["no_line"] == before["no_line"] + 1
    lab.config["aaa"]["ipoe"]["username"] = "%{interface}"
    policy(lab, "ignore")
    asked = len(radius.asked(lab))
    kind, _, _, frame = client.ask("discover", options=line())
    assert (kind, option82(frame)[0]) == ("offer", line()[0][1])  # echoed, but not read
    assert radius.asked(lab)[asked]["User-Name"] == "access0" and "ADSL-Agent-Circuit-Id" not in radius.asked(lab)[asked]


def test_rfc3046_s2_1_1_what_came_by_a_relay_of_somebody_else_is_refused(lab, client):
    """With giaddr it is not from an access node in front of us, but from another network."""
    before = refused(lab)
    assert client.unanswered("discover", lambda: refused(lab) != before, options=line(), giaddr="10.0.0.9", hops=1)
    assert refused(lab)["relayed"] == before["relayed"] + 1 and sessions(lab) == []


def test_an_option_that_leads_out_of_itself_is_malformed(lab, client):
    before = refused(lab)["malformed"]
    assert client.unanswered("discover", lambda: refused(lab)["malformed"] > before,
                             options=[("relay_agent_information", b"\x01\x09port7")])
    assert refused(lab)["malformed"] == before + 1
