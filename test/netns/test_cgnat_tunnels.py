# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# GRE and ESP of real IP stacks through the gateway: what is sent arrives, once and
# whole, also while controld is away and across a swap; who comes second is refused.
import signal
import socket

import pytest

import sandbox
from lab import INTERNET, Lab, default_config, wait_for

PUBLIC = "203.0.113.1"
GRE, ESP = 47, 50
SO_RCVBUFFORCE = 33
PROTOCOLS = {"gre": GRE, "esp": ESP}
HEADERS = {GRE: bytes.fromhex("3001880b00100007"), ESP: bytes.fromhex("00c0ffee00000001")}
protocols = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["cgnat"]["pools"][0].update(prefixes=[f"{PUBLIC}/32"], timeouts={"tunnel": 90})
    with Lab(config) as lab:
        lab.start_daemons()
        lab.alice, lab.bob = lab.client("alice", "02:00:00:00:00:0a"), lab.client("bob", "02:00:00:00:00:0b")
        for client in (lab.alice, lab.bob):
            client.start_dhcp()
        for client in (lab.alice, lab.bob):
            client.wait_bound()
        yield lab


@pytest.fixture(scope="module")
def servers(lab):
    return {protocol: End(lab.internet, protocol, INTERNET) for protocol in PROTOCOLS.values()}


class End:
    """One end of a tunnel: the kernel makes the IP header, fragments and puts together."""

    def __init__(self, namespace, protocol, address=""):
        self.protocol, self.next = protocol, 0
        with sandbox.entered(namespace):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        self.socket.bind((address, 0))
        self.socket.settimeout(20)

    def send(self, address, count=1, size=0):
        """Numbered packets: what the other end must find."""
        sent = []
        for _ in range(count):
            self.next += 1
            sent.append(HEADERS[self.protocol] + self.next.to_bytes(4, "big") + bytes(size))
            self.socket.sendto(sent[-1], (address, 0))
        return sent

    def receive(self, count, source):
        found = []
        for _ in range(count):
            packet, (address, _) = self.socket.recvfrom(65535)
            assert address == source
            found.append(packet[20:])
        return found

    def nothing_waits(self):
        self.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            self.socket.recvfrom(65535)
        self.socket.settimeout(20)
        return True


@pytest.fixture
def tunnel(lab, servers, protocol):
    """Alice's, in use: (her end, the server's)."""
    end, server = End(lab.alice.namespace, protocol), servers[protocol]
    sent = end.send(INTERNET)
    assert server.receive(1, PUBLIC) == sent
    yield end, server
    end.socket.close()


def tunnels(lab):
    reply = lab.call("cgnat.tunnels")
    assert reply["total"] == len(reply["tunnels"])
    return sorted((entry["protocol"], entry["inner"], entry["public"], entry["remote"], entry["session"])
                  for entry in reply["tunnels"])


@protocols
def test_what_is_sent_arrives_once(lab, tunnel, protocol):
    end, server = tunnel
    before = lab.drops()
    for size in (0, 1400, 4000):
        assert end.send(INTERNET, 50, size) == server.receive(50, PUBLIC)
        assert server.send(PUBLIC, 50, size) == end.receive(50, INTERNET)
    assert end.nothing_waits() and server.nothing_waits()
    after = lab.drops()
    assert {name: after[name] - before[name] for name in after if name.startswith("drop_") and after[name] != before[name]} == {}


@protocols
def test_a_tunnel_is_shown(lab, tunnel, protocol):
    name = next(name for name, number in PROTOCOLS.items() if number == protocol)
    (entry,) = [entry for entry in lab.call("cgnat.tunnels", {"filter": {"address": lab.alice.address}})["tunnels"]
                if entry["protocol"] == name]
    assert (entry["inner"], entry["public"], entry["remote"]) == (lab.alice.address, PUBLIC, INTERNET)
    assert 60 < entry["expires_s"] <= 91
    assert lab.call("cgnat.tunnels", {"filter": {"address": lab.bob.address}}) == {"tunnels": [], "total": 0}
    assert lab.call("cgnat.tunnels", {"filter": {"public": "203.0.113.9"}})["total"] == 0
    lines = lab.cli("cgnat", "tunnels").stdout.splitlines()
    assert lines[0].split() == ["PROTOCOL", "INNER", "PUBLIC", "REMOTE", "EXPIRES", "SESSION"]
    assert [name, lab.alice.address, PUBLIC, INTERNET] in [line.split()[:4] for line in lines[1:]]
    used = {entry["name"]: entry["used"] for entry in lab.call("maps")["maps"]}
    assert used["tunnel"] == lab.call("cgnat.tunnels")["total"]
    assert not [entry for entry in lab.call("cgnat.mappings")["mappings"] if entry["protocol"] == name]


@protocols
def test_the_second_subscriber_is_refused(lab, tunnel, protocol):
    end, server = tunnel
    other, before = End(lab.bob.namespace, protocol), lab.drops()["drop_tunnel_taken"]
    other.send(INTERNET, 20)
    wait_for("20 refusals", lambda: lab.drops()["drop_tunnel_taken"] == before + 20)
    assert server.nothing_waits()
    assert end.send(INTERNET) == server.receive(1, PUBLIC)
    assert server.send(PUBLIC) == end.receive(1, INTERNET)
    other.socket.close()


@protocols
def test_controld_away_and_a_swap(lab, tunnel, protocol):
    end, server = tunnel
    known, digest = tunnels(lab), lab.digest()
    lab.stop(lab.controld, how=signal.SIGKILL)
    assert server.send(PUBLIC, 10) == end.receive(10, INTERNET)
    assert end.send(INTERNET, 10) == server.receive(10, PUBLIC)
    lab.start_controld()
    assert tunnels(lab) == known and lab.digest() == digest
    with lab.rpc() as client, open(lab.object, "rb") as file:
        report = client.call("issu.upgrade", {"name": "bng"}, [file.fileno()])
    assert report["hitless"] is True
    assert server.send(PUBLIC, 10) == end.receive(10, INTERNET)
    assert end.send(INTERNET, 10) == server.receive(10, PUBLIC)
    assert tunnels(lab) == known and lab.digest() == digest


def test_the_end_of_a_session_makes_room(lab, servers):
    end, other, server = End(lab.alice.namespace, GRE), End(lab.bob.namespace, GRE), servers[GRE]
    assert end.send(INTERNET) == server.receive(1, PUBLIC)
    lab.call("session.disconnect", {"address": lab.alice.address})
    assert other.send(INTERNET) == server.receive(1, PUBLIC)
    assert server.send(PUBLIC) == other.receive(1, INTERNET)
    assert {(protocol, inner) for protocol, inner, *_ in tunnels(lab)} == {("gre", lab.bob.address)}
    wait_for("the other to go", lambda: {entry["name"]: entry["used"] for entry in lab.call("maps")["maps"]}["tunnel"] == 1)
