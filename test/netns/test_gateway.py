# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The gateway as subscribers meet it: real DHCP clients, one untagged and one
# behind two tags, real sockets, and what it must not let through. Counters are
# compared exactly.
import ipaddress
import pathlib

import pytest
from scapy.all import ARP, Dot1AD, Dot1Q, Ether, IP, Raw, UDP  # pylint: disable=no-name-in-module

import lab as lab_module
from lab import EXEMPT, GATEWAY, INTERNET, Lab
from traffic import Iperf, WhoCalled, ask, tcp_ask, udp_socket

ALICE = "02:00:00:00:00:0a"
BOB = "02:00:00:00:00:0b"
MALLORY = "02:00:00:00:00:66"
BOB_TAGS = ["88a8:100", "8100:7"]
OTHER_SERVER = "198.18.0.2"
POOL = ipaddress.ip_network(lab_module.POOL)


@pytest.fixture(scope="module")
def lab():
    with Lab() as lab:
        lab.start_daemons()
        lab.alice = lab.client("alice", ALICE)
        lab.bob = lab.client("bob", BOB, BOB_TAGS)
        for client in (lab.alice, lab.bob):
            client.start_dhcp()
        for client in (lab.alice, lab.bob):
            client.wait_bound()
        yield lab


@pytest.fixture(scope="module")
def server(lab):
    lab.ip(lab.internet, f"address add {OTHER_SERVER}/32 dev lo")
    with WhoCalled(lab.internet, INTERNET, OTHER_SERVER, EXEMPT) as server:
        yield server


@pytest.fixture(params=["alice", "bob"])
def client(lab, request):
    return getattr(lab, request.param)


def counted(lab, before):
    """Verdicts that moved since `before`, and by how much; kernels look for their neighbours when they like."""
    return {name: packets - before[name] for name, packets in lab.drops().items()
            if packets != before[name] and name not in ("answer_arp", "pass_local")}


def gateway_mac(lab):
    return lab.mac(lab.gateway, "access0")


def subscriber_frame(lab, source, mac=ALICE, tags=(), destination=INTERNET):
    frame = Ether(src=mac, dst=gateway_mac(lab))
    for tag in tags:
        tpid, vid = tag.split(":")
        frame /= (Dot1AD if tpid == "88a8" else Dot1Q)(vlan=int(vid))
    return frame / IP(src=source, dst=destination) / UDP(sport=4444, dport=5555) / Raw(b"x" * 32)


def test_lease_is_what_the_configuration_says(lab, client):
    lease = client.lease()
    assert lease["router"] == GATEWAY and lease["dns"] == EXEMPT
    assert lease["mtu"] == "1500" and lease["lease"] == "3600"
    session = lab.call("session.show", {"address": client.address})
    assert session["mac"] == client.mac and session["interface"] == "access0"
    assert (session.get("outer_vid") or 0, session.get("inner_vid") or 0) == ((100, 7) if client.tags else (0, 0))


def test_clients_have_different_addresses(lab):
    assert lab.alice.address != lab.bob.address


def test_gateway_answers_echo_in_xdp(lab, client):
    assert client.ping(GATEWAY, 1) == 1  # the client's ARP is answered by now
    before = lab.drops()
    assert client.ping(GATEWAY, 20, 0.01) == 20
    assert counted(lab, before).get("answer_echo") == 20


def test_rfc5508_req1_ping_goes_through_the_nat(lab, client):
    assert client.ping(INTERNET, 10) == 10
    mappings = lab.call("cgnat.mappings", {"filter": {"address": client.address, "protocol": "icmp"}})["mappings"]
    assert mappings and all(ipaddress.ip_address(mapping["public"]) in POOL for mapping in mappings)


def test_udp_mapping_does_not_depend_on_the_destination(lab, server, client):
    with udp_socket(client.namespace) as talker:
        first = ask(talker, INTERNET)
        second = ask(talker, OTHER_SERVER)
    assert first == second and ipaddress.ip_address(first[0]) in POOL
    mapping = lab.call("cgnat.mappings", {"filter": {"address": client.address, "protocol": "udp"}})["mappings"]
    assert first in [(entry["public"], entry["public_port"]) for entry in mapping]


def test_anybody_may_answer_a_mapping(lab, server, client):
    with udp_socket(client.namespace) as talker, udp_socket(lab.internet, 9999) as stranger:
        public = ask(talker, INTERNET)
        stranger.sendto(b"hello", public)
        assert talker.recvfrom(100)[0] == b"hello"


def test_one_public_address_per_subscriber(lab, server, client):
    seen = set()
    for _ in range(20):
        with udp_socket(client.namespace) as talker:
            seen.add(ask(talker, INTERNET)[0])
        seen.add(tcp_ask(client.namespace, INTERNET)[0])
    assert len(seen) == 1


def test_exempt_destination_sees_the_inner_address(server, client):
    with udp_socket(client.namespace) as talker:
        assert ask(talker, EXEMPT) == (client.address, talker.getsockname()[1])
    assert tcp_ask(client.namespace, EXEMPT)[0] == client.address


@pytest.mark.parametrize("reverse", [False, True], ids=["up", "down"])
def test_tcp_moves_data_without_a_drop(lab, client, reverse):
    before = lab.drops()
    received, _ = Iperf(client, INTERNET, 2, reverse=reverse).result()
    assert received > 5_000_000
    assert {name: count for name, count in counted(lab, before).items() if name.startswith("drop_")} == {}


def test_expired_ttl_is_told_by_icmp(lab, client):
    before = lab.drops()
    result = client.run("ping", "-n", "-c", "1", "-W", "60", "-t", "1", INTERNET, check=False)
    assert f"From {GATEWAY}" in result.stdout and "Time to live exceeded" in result.stdout
    assert counted(lab, before).get("answer_ttl") == 1


@pytest.mark.parametrize("reason, forge", [
    ("drop_no_session", lambda lab: subscriber_frame(lab, "10.0.77.77")),
    ("drop_spoof_mac", lambda lab: subscriber_frame(lab, lab.alice.address, mac=MALLORY)),
    ("drop_spoof_vlan", lambda lab: subscriber_frame(lab, lab.alice.address, tags=["8100:7"])),
    ("drop_spoof_vlan", lambda lab: subscriber_frame(lab, lab.bob.address, mac=BOB)),
    ("drop_spoof_vlan", lambda lab: subscriber_frame(lab, lab.bob.address, mac=BOB, tags=["88a8:100", "8100:8"])),
    ("drop_spoof_vlan", lambda lab: subscriber_frame(lab, lab.bob.address, mac=BOB, tags=["8100:100", "8100:7"])),
    ("drop_spoof_mac", lambda lab: subscriber_frame(lab, lab.bob.address, mac=ALICE, tags=BOB_TAGS)),
], ids=["nobodys-address", "wrong-mac", "tag-where-none-is", "no-tag", "wrong-inner-tag", "wrong-tpid", "neighbours-address"])
def test_spoofed_packet_is_dropped_with_its_reason(lab, reason, forge):
    frame = forge(lab)
    before = lab.drops()
    lab.send_frames(lab.access, "uplink", [frame] * 50)
    lab_module.wait_for("50 packets to be counted", lambda: sum(counted(lab, before).values()) >= 50)
    assert counted(lab, before) == {reason: 50}


def test_spoof_from_another_interface_is_dropped(lab):
    frame = subscriber_frame(lab, lab.alice.address)
    frame[Ether].dst = lab.mac(lab.gateway, "access1")
    before = lab.drops()
    lab.send_frames(lab.load, "up0", [frame] * 50)
    lab_module.wait_for("50 packets to be counted", lambda: sum(counted(lab, before).values()) >= 50)
    assert counted(lab, before) == {"drop_spoof_interface": 50}


def test_unsolicited_packets_do_not_reach_anybody(lab):
    core_mac = lab.mac(lab.gateway, "core0")
    unused = next(str(address) for address in POOL.hosts()
                  if not lab.call("cgnat.mappings", {"filter": {"public": str(address)}})["mappings"])
    frame = Ether(src=lab.mac(lab.internet, "eth0"), dst=core_mac) / IP(src=INTERNET, dst=unused) / UDP(dport=2000)
    before = lab.drops()
    lab.send_frames(lab.internet, "eth0", [frame] * 50)
    lab_module.wait_for("50 packets to be counted", lambda: sum(counted(lab, before).values()) >= 50)
    assert counted(lab, before) == {"drop_cgnat_no_mapping": 50}


def test_arp_for_other_addresses_is_not_answered(lab):
    who_has = Ether(src=ALICE, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=ALICE, psrc=lab.alice.address, pdst="10.0.0.2")
    before = lab.drops()
    lab.send_frames(lab.access, "uplink", [who_has] * 10)
    lab_module.wait_for("10 packets to be counted", lambda: sum(counted(lab, before).values()) >= 10)
    assert counted(lab, before) == {"drop_arp": 10}


def test_controld_has_no_privilege(lab):
    status = pathlib.Path(f"/proc/{lab.controld.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {name: int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == \
        {"CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert fields["NoNewPrivs"] == "1"
    assert "0" not in fields["Uid"].split() + fields["Gid"].split() + fields["Groups"].split()


def test_disconnect_ends_forwarding_at_once(lab):
    carol = lab.client("carol", "02:00:00:00:00:0c")
    carol.start_dhcp()
    address = carol.wait_bound()
    assert carol.ping(INTERNET, 2) == 2
    lab.stop(carol.dhcp_process)
    lab.call("session.disconnect", {"address": address})
    before = lab.drops()
    assert carol.ping(INTERNET, 3, patience=2) == 0
    assert counted(lab, before).get("drop_no_session") == 3
