# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Subscribers open ports by themselves (RFC 6888 REQ-9, RFC 6887): a client's requests
# to its gateway, what is reached through them from the internet, and that neither a
# restart nor a swap is to be seen in them.
import contextlib
import os
import re
import socket
import struct
import time

import pytest

import sandbox
from lab import GATEWAY, INTERNET, Lab, default_config, wait_for
from pcp import ANNOUNCE, FILTER, MAP, PREFER_FAILURE, TCP, THIRD_PARTY, UDP, PcpClient
from traffic import WhoCalled, ask, udp_socket

SUCCESS, UNSUPP_VERSION, NOT_AUTHORIZED, MALFORMED_REQUEST, UNSUPP_OPCODE, UNSUPP_OPTION, MALFORMED_OPTION = range(7)
UNSUPP_PROTOCOL, USER_EX_QUOTA, CANNOT_PROVIDE, ADDRESS_MISMATCH = 9, 10, 11, 12
DAVE = {"address": "10.9.0.2", "mac": "02:00:00:00:00:0d", "interface": "access0", "outer_vid": 7,
        "forwards": [{"protocol": "udp", "inner_port": 5060}]}
PCP = {"min_lifetime": 1, "max_lifetime": 7200, "max_mappings": 6}


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["cgnat"]["pools"][0]["pcp"] = PCP
    config["sessions"] = [DAVE]
    with Lab(config) as lab:
        lab.start_daemons()
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        yield lab


@pytest.fixture
def client(lab):
    time.sleep(0.5)  # a little of what one subscriber may ask
    with PcpClient(lab.alice.namespace, lab.alice.address, GATEWAY) as client:
        yield client
        assert client.map(0, lifetime=0, protocol=0).result == SUCCESS
    wait_for("the leases to be over", lambda: not leases(lab))


@pytest.fixture(scope="module")
def server(lab):
    with WhoCalled(lab.internet, INTERNET) as server:
        yield server


def leases(lab):
    return {(entry["protocol"], entry["inner_port"]): entry for entry in lab.call("cgnat.pcp")["mappings"]}


def results(lab):
    return lab.call("cgnat.pcp")["results"]


@contextlib.contextmanager
def listening(lab, port):
    inside = udp_socket(lab.alice.namespace, port)
    with inside:
        yield inside


def reached(lab, inside, end, patience=60):
    """Whether a datagram from somebody out there arrives."""
    inside.settimeout(patience)
    with udp_socket(lab.internet) as outside:
        outside.sendto(b"hello", end)
        try:
            return inside.recv(16) == b"hello"
        except TimeoutError:
            return False


def restart(lab):
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()


# ---- what is asked for and given ---------------------------------------------------

def test_rfc6888_req9_subscriber_opens_a_port_and_is_reached(lab, client):
    with listening(lab, 5000) as inside:
        granted = client.map(5000, lifetime=600)
        assert (granted.result, granted.version, granted.opcode, granted.lifetime) == (SUCCESS, 2, MAP, 600)
        assert (granted.nonce, granted.protocol, granted.inner_port) == (client.nonce, UDP, 5000)
        assert granted.address.startswith("203.0.113.") and granted.port >= 1024
        assert reached(lab, inside, (granted.address, granted.port))
        (entry,) = lab.call("cgnat.pcp", {"address": lab.alice.address})["mappings"]
        assert (entry["public"], entry["public_port"], entry["peer_s"]) == (granted.address, granted.port, None)
        assert 590 <= entry["lifetime_s"] <= 600
        (mapping,) = lab.call("cgnat.mappings", {"filter": {"address": lab.alice.address, "protocol": "udp"}})["mappings"]
        assert (mapping["pcp"], mapping["forward"], mapping["expires_s"]) == (True, False, None)
        assert client.map(5000, lifetime=0).result == SUCCESS
        assert not reached(lab, inside, (granted.address, granted.port), 0.3)


def test_rfc6888_req9_tcp_server_is_reached_by_anybody(lab, client):
    granted = client.map(8080, protocol=TCP)
    with sandbox.entered(lab.alice.namespace):
        listener = socket.create_server(("0.0.0.0", 8080))
    with sandbox.entered(lab.internet):
        caller = socket.create_connection((granted.address, granted.port), timeout=20)
    served, _ = listener.accept()
    served.sendall(b"hello")
    assert caller.recv(16) == b"hello"
    assert client.map(8080, lifetime=0, protocol=TCP).result == SUCCESS
    served.sendall(b"more")
    assert caller.recv(16) == b"more"  # what runs may finish
    for one in (caller, served, listener):
        one.close()


def test_rfc6887_s8_same_request_twice_is_one_mapping(lab, client):
    first = client.map(5000)
    for _ in range(3):
        again = client.map(5000)
        assert (again.result, again.address, again.port) == (SUCCESS, first.address, first.port)
    assert len(leases(lab)) == 1


def test_rfc6887_s11_3_suggested_port_is_given_where_it_can_be(lab, client):
    first = client.map(5000)
    wanted = first.port & ~511 | ((first.port + 1) & 511)  # in the block that is alice's
    second = client.map(5001, port=wanted, address=first.address)
    assert (second.result, second.port) == (SUCCESS, wanted)
    third = client.map(5002, port=wanted)
    assert third.result == SUCCESS and third.port != wanted
    failed = client.map(5003, port=wanted, options=PREFER_FAILURE)
    assert failed.result == CANNOT_PROVIDE and ("udp", 5003) not in leases(lab)
    exact = client.map(5001, port=wanted, options=PREFER_FAILURE)
    assert (exact.result, exact.port, exact.rest) == (SUCCESS, wanted, PREFER_FAILURE)
    assert client.map(5001, port=wanted, address="203.0.113.99", options=PREFER_FAILURE).result == CANNOT_PROVIDE


def test_rfc6887_s11_3_open_mapping_is_returned(lab, server, client):
    with udp_socket(lab.alice.namespace, 5004) as inside:
        seen = ask(inside, INTERNET)
        granted = client.map(5004)
        assert (granted.result, granted.address, granted.port) == (SUCCESS, *seen)
        assert client.map(5004, port=seen[1] ^ 1, options=PREFER_FAILURE).result == CANNOT_PROVIDE


def test_rfc6887_s12_peer_prolongs_a_flow(lab, server, client):
    with udp_socket(lab.alice.namespace, 5005) as inside:
        seen = ask(inside, INTERNET)
        granted = client.peer(5005, (INTERNET, 7000), lifetime=900)
        assert (granted.result, granted.address, granted.port, granted.lifetime) == (SUCCESS, *seen, 900)
        assert granted.rest == struct.pack("!HH", 7000, 0) + bytes(10) + b"\xff\xff" + socket.inet_aton(INTERNET)
        entry = leases(lab)["udp", 5005]
        assert entry["map_s"] is None and entry["peer_s"] == entry["lifetime_s"]
        assert client.peer(5005, (INTERNET, 7000), nonce=bytes(12)).result == NOT_AUTHORIZED
        both = client.map(5005, lifetime=300)
        assert both.port == seen[1] and leases(lab)["udp", 5005]["lifetime_s"] > 800
        assert client.map(5005, lifetime=0).result == SUCCESS  # the PEER stays
        assert leases(lab)["udp", 5005]["map_s"] is None
        assert client.peer(5005, (INTERNET, 7000), lifetime=0).result == SUCCESS
        wait_for("its end", lambda: not leases(lab))
        assert ask(inside, INTERNET) == seen  # the flow goes on


def test_rfc6887_s11_3_nonce_of_another_is_refused(lab, client):
    granted = client.map(5000, lifetime=1000)
    stolen = client.map(5000, lifetime=0, nonce=bytes(12))
    assert stolen.result == NOT_AUTHORIZED and 990 <= stolen.lifetime <= 1001
    assert client.map(5000, nonce=bytes(12)).result == NOT_AUTHORIZED
    assert client.map(0, lifetime=0, protocol=0, nonce=bytes(12)).result == SUCCESS  # of hers, nothing
    assert leases(lab)["udp", 5000]["public_port"] == granted.port


def test_rfc6887_s15_lifetime_is_bounded_and_runs_out(lab, client):
    assert client.map(5000, lifetime=86400).lifetime == 7200
    assert client.map(5000, lifetime=0xffffffff).lifetime == 7200
    with listening(lab, 5001) as inside, lab.rpc() as follower:
        follower.call("events.follow")
        granted = client.map(5001, lifetime=2)
        assert (granted.result, granted.lifetime) == (SUCCESS, 2)
        assert reached(lab, inside, (granted.address, granted.port))

        def told():
            follower.call("status")
            events = [note["params"] for note in follower.notifications if note["params"].get("inner_port") == 5001]
            return events if len(events) == 2 else None
        events = wait_for("its end", told)
        assert not reached(lab, inside, (granted.address, granted.port), 0.3)
    assert [(event["type"], event.get("why")) for event in events] == [("pcp_opened", None), ("pcp_closed", "expired")]
    assert {(event["address"], event["protocol"], event["inner_port"], event["public"], event["public_port"])
            for event in events} == {(lab.alice.address, "udp", 5001, granted.address, granted.port)}


def test_rfc6887_s15_1_deleting_nothing_succeeds(client):
    assert client.map(5999, lifetime=0).result == SUCCESS
    assert client.map(5999, lifetime=0, protocol=TCP).lifetime == 0


def test_rfc6887_wrong_requests_hear_what_is_wrong(lab, client):
    time.sleep(1.5)  # so much is asked at once of what one subscriber may ask, and each once
    client.socket.settimeout(5)
    before = results(lab)
    assert client.map(5000, version=1).result == UNSUPP_VERSION
    assert client.map(5000, client="10.0.9.9").result == ADDRESS_MISMATCH
    assert client.exchange(client.header(7, 0)).result == UNSUPP_OPCODE
    assert client.exchange(client.header(MAP, 60)).result == MALFORMED_REQUEST
    assert client.map(5000, options=THIRD_PARTY).result == UNSUPP_OPTION
    assert client.map(5000, options=FILTER).result == UNSUPP_OPTION
    assert client.map(5000, options=b"\x90\x00\x00\x00").result == SUCCESS  # optional, not known
    assert client.map(5000, options=PREFER_FAILURE * 2).result == MALFORMED_OPTION
    assert client.map(0, protocol=0).result == UNSUPP_PROTOCOL
    assert client.map(5000, protocol=132).result == UNSUPP_PROTOCOL
    assert client.map(1023).result == NOT_AUTHORIZED
    assert client.map(5351).result == NOT_AUTHORIZED
    counted = {name: count - before[name] for name, count in results(lab).items() if count != before[name]}
    assert counted == {"unsupp_version": 1, "address_mismatch": 1, "unsupp_opcode": 1, "malformed_request": 1,
                       "unsupp_option": 2, "success": 1, "malformed_option": 1, "unsupp_protocol": 2,
                       "not_authorized": 2}


def test_rfc6887_quota_of_a_subscriber(lab, client):
    for port in range(6000, 6006):
        assert client.map(port).result == SUCCESS
    assert client.map(6006).result == USER_EX_QUOTA
    assert client.map(6000).result == SUCCESS  # what there is may be renewed
    assert client.map(6000, lifetime=0).result == client.map(6006).result == SUCCESS


def test_rfc6887_s9_nat_pmp_client_is_told_the_version(lab):
    said = lab.alice.run("natpmpc", "-g", GATEWAY, check=False)
    assert said.returncode and "unsupported nat-pmp version" in said.stderr, said


def test_rfc6887_s15_1_port_forwardings_of_the_operator_are_not_the_clients(lab):
    dave = lab.client("dave", DAVE["mac"], ("8100:7",))
    dave.set_static(DAVE["address"], 8)
    (forward,) = lab.call("cgnat.forward.list", {"address": DAVE["address"]})["forwards"]
    with PcpClient(dave.namespace, DAVE["address"], GATEWAY) as client:  # behind a tag
        granted = client.map(5060)
        assert (granted.result, granted.address, granted.port) == (SUCCESS, forward["public"], forward["public_port"])
        assert client.map(5060, lifetime=0).result == NOT_AUTHORIZED
    assert lab.call("cgnat.forward.list", {"address": DAVE["address"]})["forwards"] == [forward]
    assert not leases(lab)


# ---- what outlives what --------------------------------------------------------------

def test_rfc6887_s8_5_restart_keeps_mapping_lifetime_and_epoch(lab, client):
    with listening(lab, 5000) as inside:
        granted = client.map(5000, lifetime=600)
        announced = client.announce()
        counts = lab.call("cgnat.pcp")
        lab.controld.kill()
        assert reached(lab, inside, (granted.address, granted.port))  # with nobody there
        client.socket.sendto(client.header(ANNOUNCE, 0), (GATEWAY, 5351))  # answered after the restart
        lab.reap(lab.controld)
        lab.start_controld()
        client.socket.settimeout(20)
        assert client.socket.recv(64)
        client.socket.settimeout(0.5)
        after = lab.call("cgnat.pcp")
        assert {**after["results"], "success": 0} == {**counts["results"], "success": 0}
        assert after["results"]["success"] == counts["results"]["success"] + 1
        assert after["announced"] == counts["announced"]  # nothing was lost, nobody was told so
        (entry,) = after["mappings"]
        assert (entry["public_port"], entry["inner_port"]) == (granted.port, 5000)
        assert entry["lifetime_s"] <= counts["mappings"][0]["lifetime_s"] and entry["lifetime_s"] > 580
        epoch = client.announce().epoch
        assert announced.epoch <= epoch <= announced.epoch + 20
        assert client.map(5000, nonce=bytes(12)).result == NOT_AUTHORIZED
        renewed = client.map(5000, lifetime=900)
        assert (renewed.result, renewed.port, renewed.lifetime) == (SUCCESS, granted.port, 900)
        assert reached(lab, inside, (granted.address, granted.port))


def test_rfc6887_s15_lease_ends_in_time_with_controld_dead(lab, client):
    with listening(lab, 5000) as inside:
        granted = client.map(5000, lifetime=3)
        lab.controld.kill()
        lab.reap(lab.controld)
        assert reached(lab, inside, (granted.address, granted.port))
        time.sleep(4.6)  # the lease of three seconds and a run of the sweep; a packet would tell nothing more
        assert not reached(lab, inside, (granted.address, granted.port), 0.3)
        lab.start_controld()
        assert not leases(lab)
        assert client.map(5000).result == SUCCESS


def test_swap_of_the_data_plane_is_not_seen(lab, client):
    with listening(lab, 5000) as inside:
        granted = client.map(5000)
        assert lab.call("issu.status")["current"] == 1
        lab.cli("issu", "upgrade", lab.second_build())
        assert reached(lab, inside, (granted.address, granted.port))
        renewed = client.map(5000)
        assert (renewed.port, renewed.epoch >= granted.epoch) == (granted.port, True)
        assert client.map(5001).result == SUCCESS


def test_it_is_off_and_on_live_and_nothing_ends(lab, client):
    granted = client.map(5000)
    pool = lab.config["cgnat"]["pools"][0]
    pool["pcp"] = {"enabled": False}
    assert lab.reload()["changed"] and not lab.call("cgnat.pools")["pools"][0]["pcp"]
    assert client.exchange(client.header(ANNOUNCE, 0), tries=1) is None
    with listening(lab, 5000) as inside:
        assert reached(lab, inside, (granted.address, granted.port))
    pool["pcp"] = PCP
    assert lab.reload()["changed"]
    assert client.map(5000).port == granted.port


def test_operator_sees_leases_and_answers(lab, client):
    granted = client.map(5000, lifetime=600)
    shown = lab.cli("cgnat", "pcp", "--address", lab.alice.address).stdout
    assert re.search(rf"{lab.alice.address}\s+udp\s+5000\s+{granted.address}\s+{granted.port}\s+(600|59\d)\s", shown), shown
    assert re.search(r"success\s+\d+", shown)
    assert lab.cli_json("cgnat", "pcp", "--limit", 1)["total"] == 1
    assert not lab.cli_json("cgnat", "pcp", "--address", "10.9.9.9")["mappings"]


def test_rfc6887_s14_1_new_session_is_told_that_it_has_nothing(lab):
    with PcpClient(lab.alice.namespace, lab.alice.address, GATEWAY) as client:
        granted = client.map(5000)
        before = client.announce().epoch
        with sandbox.entered(lab.alice.namespace):
            everybody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        everybody.bind(("0.0.0.0", 5350))
        everybody.settimeout(60)
        announced = lab.call("cgnat.pcp")["announced"]
        assert before >= 2
        lab.call("session.disconnect", {"address": lab.alice.address})
        assert not leases(lab) and client.exchange(client.header(ANNOUNCE, 0), tries=1) is None
        lab.alice.renew()
        message, (source, port) = everybody.recvfrom(64)
        everybody.close()
        version, opcode, result, epoch = struct.unpack("!BBxB4xI", message[:12])
        assert (version, opcode, result, source, port) == (2, 0x80, 0, GATEWAY, 5351) and epoch < before
        assert lab.call("cgnat.pcp")["announced"] == announced + 1
        wait_for("a session", lambda: lab.call("session.list", {"filter": {"address": lab.alice.address}})["sessions"])
        assert client.map(5000, nonce=os.urandom(12)).result == SUCCESS
        assert granted.port
