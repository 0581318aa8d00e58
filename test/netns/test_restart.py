# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Processes come and go under load. Whatever dies, established flows lose
# nothing, known subscribers open new flows, and what was mapped stays mapped.
import json
import os
import signal
import socket
import time

import pytest
from scapy.all import BOOTP, DHCP, Ether, IP, UDP  # pylint: disable=no-name-in-module

import sandbox
import features
from lab import GATEWAY, INTERNET, Lab, wait_for
from meter import Meter, add_sessions, faults
from traffic import WhoCalled, ask, tcp_ask, udp_socket

SUBSCRIBERS = 200
FLOWS = 2000
AWAY_SECONDS = float(os.environ.get("BNG_TEST_AWAY_SECONDS", "20"))


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        features.turn_on(lab.config, features.FILTERED, 4 * FLOWS, lab.directory)
        lab.start_daemons()
        add_sessions(lab, SUBSCRIBERS)
        lab.alice = lab.client("alice", "02:00:00:00:00:0a")
        lab.alice.start_dhcp()
        lab.alice.wait_bound()
        yield lab


@pytest.fixture
def load(lab):
    """Numbered packets both ways at full speed while the test runs."""
    with Meter(lab, SUBSCRIBERS, FLOWS, max_flows=2 * FLOWS) as meter:
        assert meter.prime()["up"]["lost"] == 0
        meter.start("both")
        yield meter


def check_load(meter):
    report = meter.stop()
    assert faults(report) == {}
    assert report["up"]["received"] > 10000 and report["down"]["received"] > 10000


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["term", "kill"])
def test_controld_restart_loses_and_changes_nothing(lab, load, how):
    before, people = lab.mappings(), lab.sessions()
    programs = lab.programs()
    old = lab.controld.pid
    if how == signal.SIGTERM:
        assert lab.stop(lab.controld) == 0
    else:
        lab.controld.kill()
        lab.reap(lab.controld)
    lab.start_controld()
    status = lab.call("status")
    assert status["pid"] != old
    assert status["start"]["adopted"]["sessions"] == len(people) == SUBSCRIBERS + 1
    assert lab.sessions() == people
    assert lab.mappings() == before and len(before) >= FLOWS
    assert lab.programs() == programs
    check_load(load)


def test_controld_dead_for_a_while(lab, load):
    carol = lab.client("carol", "02:00:00:00:00:0c")
    with WhoCalled(lab.internet, INTERNET), udp_socket(lab.alice.namespace) as talker:
        public = ask(talker, INTERNET)
        before, people = lab.mappings(), lab.sessions()
        lab.controld.kill()
        lab.reap(lab.controld)
        died = time.monotonic()
        load.command(f"flows {2 * FLOWS}")
        carol_asks_at = died + AWAY_SECONDS - 5
        while time.monotonic() < carol_asks_at:
            assert ask(talker, INTERNET) == public
            assert tcp_ask(lab.alice.namespace, INTERNET)[0] == public[0]
            assert lab.alice.ping(GATEWAY, 1) == 1
            time.sleep(0.5)
        carol.start_dhcp()
        time.sleep(max(0, died + AWAY_SECONDS - time.monotonic()))
        assert carol.address == ""
        lab.start_controld()
        assert carol.wait_bound() not in (None, "", lab.alice.address)
        after = lab.mappings()
    assert {flow: after.get(flow) for flow in before if flow[0] == "udp"} == \
        {flow: port for flow, port in before.items() if flow[0] == "udp"}
    assert len([flow for flow in after if flow[0] == "udp"]) >= 2 * FLOWS
    assert {number: lab.sessions()[number] for number in people} == people
    report = load.stop()
    assert faults(report) == {} and report["mappings"]["count"] == 2 * FLOWS


def discover(mac, xid):
    return (Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
            / BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=xid, flags=0x8000)
            / DHCP(options=[("message-type", "discover"), "end"]))


def offer_for(listener, xid, timeout):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            frame = Ether(listener.recv(2048))
        except TimeoutError:
            continue
        if DHCP in frame and frame[BOOTP].xid == xid and ("message-type", 2) in frame[DHCP].options:
            return frame[BOOTP].yiaddr
    return None


def test_request_sent_during_the_blip_is_answered_after_it(lab):
    mac, xid = "02:00:00:00:00:0d", 0x12345678
    dora = lab.client("dora", mac)
    with sandbox.entered(dora.namespace):
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with listener:
        listener.bind(("eth0", 0))
        listener.settimeout(0.2)
        lab.stop(lab.controld)
        lab.send_frames(dora.namespace, "eth0", [discover(mac, xid)])
        assert offer_for(listener, xid, 1) is None
        lab.start_controld()
        assert (offer_for(listener, xid, 60) or "").startswith("10.0.")


def test_holder_killed_under_load(lab, load):
    before, programs = lab.mappings(), lab.programs()
    epoch = lab.call("status")["epoch"]
    lab.holder.kill()
    lab.reap(lab.holder)
    time.sleep(1)  # packets go on with nobody there
    lab.start_holder()
    assert lab.programs() == programs
    wait_for("controld to be with the new holder", lambda: lab.call("status")["holder"]["pid"] == lab.holder.pid)
    assert lab.call("status")["epoch"] == epoch
    report = json.loads(lab.cli("--json", "issu", "upgrade", lab.object).stdout)
    assert report["hitless"] is True
    after = lab.programs()
    assert set(after) == set(programs) and all(after[name] != programs[name] for name in programs)
    assert lab.mappings() == before
    check_load(load)


def test_both_dead_new_flows_open(lab, load):
    """With every process of ours gone the data plane still opens flows."""
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.holder.kill()
    lab.reap(lab.holder)
    load.command(f"flows {2 * FLOWS}")
    with WhoCalled(lab.internet, INTERNET):
        assert lab.alice.ping(GATEWAY, 3) == 3
        for _ in range(10):
            assert tcp_ask(lab.alice.namespace, INTERNET)
    lab.start_daemons()
    report = load.stop()
    assert faults(report) == {} and report["mappings"]["count"] == 2 * FLOWS
