# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Steering on the real thing: four subscribers want more port blocks than their public
# address has. Observe shows it, enforce moves them, allocation failures stop, and what
# ran before goes on: through a killed controld, a swapped data plane, a live change.
import contextlib
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import sandbox
from lab import GATEWAY, INTERNET, Lab, default_config, wait_for
from rpc import RpcError
from traffic import WhoCalled, tcp_ask

HOT, OTHERS = "203.0.113.1", ["203.0.113.2", "203.0.113.3"]
CLIENTS = ["alice", "bob", "carol", "dave"]
BLOCK, BLOCKS = 4096, 15  # of an address
WANTED = 5 * BLOCK  # by each: together five blocks more than an address has
FIRST_PORT, DEMAND_PORT = 10000, 31000
TERMINALS, IPERF_PORT = {"alice": 7100, "bob": 7101}, 5201
CHUNK = 1000


def address_of(name):
    return f"10.0.1.{CLIENTS.index(name) + 1}"


def mac_of(name):
    return f"02:00:00:00:01:{CLIENTS.index(name) + 1:02x}"


def steering_config():
    config = default_config()
    config["cgnat"]["pools"] = [{"name": "default", "prefixes": [HOT + "/32"], "block_size": BLOCK,
                                 "blocks_per_subscriber": 8}]
    config["cgnat"]["steering"] = {"mode": "observe", "interval_seconds": 1, "half_life_seconds": 1,
                                   "share_per_interval": 0.25, "hold_down_seconds": 3600}
    config["sessions"] = [{"address": address_of(name), "mac": mac_of(name), "interface": "access0"} for name in CLIENTS]
    return config


def open_flow(port):
    """One packet from a source port of its own; called inside the client's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
        flow.bind(("0.0.0.0", port))
        flow.sendto(b"x", (INTERNET, 9))


def open_many(client):
    """WANTED flows of one client, about as fast as the virtual wire takes them."""
    with sandbox.entered(client.namespace):
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    with sender:
        for port in range(FIRST_PORT, FIRST_PORT + WANTED):
            sender.sendto(struct.pack("!HHHHx", port, 9, 9, 0), (INTERNET, 0))
            if port % 50 == 0:
                time.sleep(0.001)


class Demand(threading.Thread):
    """A client that opens 50 new flows a second, while it is let."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.port = client, DEMAND_PORT
        self.ending, self.is_let, self.lock = threading.Event(), True, threading.Lock()

    def run(self):
        with sandbox.entered(self.client.namespace):
            while not self.ending.wait(0.02):
                with self.lock:
                    if self.is_let:
                        open_flow(self.port)
                        self.port += 1

    def let(self, is_let):
        with self.lock:
            self.is_let = is_let


class Echo(threading.Thread):
    """Sends back what it gets on one connection, and knows who called."""

    def __init__(self, namespace, port):
        super().__init__(daemon=True)
        with sandbox.entered(namespace):
            self.listener = socket.create_server((INTERNET, port))
        self.peer = None

    def run(self):
        connection, self.peer = self.listener.accept()
        with connection:
            while data := connection.recv(65536):
                connection.sendall(data)


class Terminal:
    """A long interactive connection: each line that is typed comes back as it was."""

    def __init__(self, lab, client, port):
        self.echo = Echo(lab.internet, port)
        self.echo.start()
        with sandbox.entered(client.namespace):
            self.socket = socket.create_connection((INTERNET, port), timeout=60)
        self.bytes = 0
        self.type()
        self.public = self.echo.peer

    def type(self):
        line = os.urandom(CHUNK)
        self.socket.sendall(line)
        back = b""
        while len(back) < CHUNK:
            back += self.socket.recv(CHUNK - len(back)) or pytest.fail("the connection was closed")
        assert back == line
        self.bytes += CHUNK


class World:
    """The lab, its clients and what runs between them and the internet."""

    def __init__(self, lab):
        self.lab = lab
        self.clients = {name: lab.client(name, mac_of(name)) for name in CLIENTS}
        for name, client in self.clients.items():
            client.set_static(address_of(name))
        self.terminals = {name: Terminal(lab, self.clients[name], port) for name, port in TERMINALS.items()}
        lab.start(lab.internet, "iperf3", "-s", "-1", "-p", IPERF_PORT, log="iperf-server.log")
        wait_for("iperf3 to listen", lambda: f":{IPERF_PORT} " in lab.run(lab.internet, "ss", "-Hltn").stdout)
        self.iperf = lab.start(self.clients["carol"].namespace, "iperf3", "-c", INTERNET, "-p", IPERF_PORT, "-t", 600, "-b",
                               "20M", "--json", "--logfile", lab.directory / "iperf.json", log="iperf.log")
        wait_for("iperf3's connection", lambda: self.tcp_mappings("carol"))
        self.demands = [Demand(client) for client in self.clients.values()]

    def fill(self):
        """Until every port of the address is taken."""
        while self.lab.call("status")["mappings"] < BLOCKS * BLOCK:
            threads = [threading.Thread(target=open_many, args=[client]) for client in self.clients.values()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def pause(self):
        """Returns when all that was sent has passed: an echo that was sent after it is back."""
        for demand in self.demands:
            demand.let(False)
            assert demand.client.ping(GATEWAY, 1) == 1

    def resume(self):
        for demand in self.demands:
            demand.let(True)

    def tcp_mappings(self, name):
        reply = self.lab.call("cgnat.mappings", {"filter": {"address": address_of(name), "protocol": "tcp"}})
        return {entry["inner_port"]: (entry["public"], entry["public_port"]) for entry in reply["mappings"]}

    def publics(self):
        """Where new mappings of each are made."""
        return {name: self.lab.call("session.show", {"address": address_of(name)})["public"] for name in CLIENTS}

    def sent_by(self, name):
        return self.lab.call("session.show", {"address": address_of(name)})["up_bytes"]

    def failures(self):
        pool, = self.lab.call("cgnat.pools")["pools"]
        return sum(address["alloc_failures"] for address in pool["addresses"]), self.lab.drops()["drop_cgnat_no_block"]

    def steering(self):
        return self.lab.call("cgnat.steering")

    def check_streams(self):
        """What ran before the first move has lost nothing, and is where it was."""
        for terminal in self.terminals.values():
            terminal.type()
        for name, ends in self.before.items():
            assert ends.items() <= self.tcp_mappings(name).items()
        assert self.iperf.poll() is None


@pytest.fixture(scope="module")
def world():
    with Lab(steering_config()) as lab:
        lab.start_daemons()
        world = World(lab)
        world.fill()
        world.before = {name: world.tcp_mappings(name) for name in CLIENTS}
        assert [len(world.before[name]) for name in CLIENTS] == [1, 1, 2, 0]  # iperf3 has a second connection
        for demand in world.demands:
            demand.start()
        lab.config["cgnat"]["pools"][0]["prefixes"] += [address + "/32" for address in OTHERS]
        lab.write_config()
        lab.call("config.reload")
        yield world
        for demand in world.demands:
            demand.ending.set()


def addresses(reputation):
    pool, = reputation["pools"]
    return {entry["address"]: entry for entry in pool["addresses"]}


def on_a_terminal(lab, *arguments):
    """What bngcli prints where its output is a terminal."""
    master, slave = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run([lab.directory / "bngcli", "--state", lab.state, *arguments], stdout=slave, env=environment, check=True)
    os.close(slave)
    said = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while data := os.read(master, 65536):
            said += data
    os.close(master)
    return said.decode()


def test_observe_shows_it_and_changes_nothing(world):
    lab, moved = world.lab, []
    with lab.rpc() as follower:
        follower.call("events.follow")
        wait_for("somebody who would move", lambda: lab.call("cgnat.reputation")["pools"][0]["would_move"])
        while len(moved) < 2:
            event = follower.next_notification(60)["params"]
            moved += [event] * (event["type"] == "steering_would_move")
    assert {(event["from"], event["to"] in OTHERS) for event in moved} == {(HOT, True)}
    shown = addresses(lab.cli_json("cgnat", "reputation"))
    assert (shown[HOT]["status"], shown[HOT]["subscribers"], shown[HOT]["free"]) == ("degraded", 4, 0)
    assert shown[HOT]["failures_per_s"] > 20
    assert [(shown[other]["status"], shown[other]["score"]) for other in OTHERS] == [("healthy", 100)] * 2
    text = lab.cli("cgnat", "reputation").stdout
    assert "pool default (3 public addresses, 4 subscribers)" in text and "steering: observe" in text
    assert "1 subscribers would move (enforce is off), 4 eligible" in text
    assert "\033[" not in text and "\033[31m" in on_a_terminal(lab, "cgnat", "reputation")
    assert set(world.publics().values()) == {HOT} and world.steering()["moves_total"] == 0
    assert shown[HOT]["blocks"] == BLOCKS


def test_enforce_moves_one_by_one_and_says_why(world):
    lab = world.lab
    assert lab.cli("cgnat", "steering", "set", "enforce").stdout == "steering: enforce (was observe)\n"
    wait_for("the first move", lambda: world.steering()["moves"])
    world.check_streams()
    said = world.steering()
    assert (said["mode"], said["configured"]) == ("enforce", "observe")
    for move in said["moves"]:
        assert (move["from"], move["pool"]) == (HOT, "default") and move["to"] in OTHERS
        assert move["why"].startswith("score ") and "is below 70, load " in move["why"]
    text = lab.cli("cgnat", "steering").stdout
    assert "mode                 enforce (configured: observe)" in text and said["moves"][0]["why"] in text


def test_controld_killed_between_moves_goes_on_where_it_was(world):
    lab = world.lab
    world.pause()
    before, moved = lab.digest(), world.steering()["moves"]
    publics = world.publics()
    assert 1 <= len(moved) < len(CLIENTS)
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    after = world.steering()
    assert lab.digest() == before
    assert after["mode"] == "enforce" and after["held_down"] == after["moves_total"] >= len(moved)
    assert {key: value for key, value in world.publics().items() if value != HOT}.items() >= \
        {key: value for key, value in publics.items() if value != HOT}.items()
    assert [move for move in after["moves"] if move["session"] in {one["session"] for one in moved}] == moved
    world.check_streams()


def test_a_swap_with_moves_in_progress_keeps_everything(world):
    lab = world.lab
    before = lab.digest()
    with open(lab.object, "rb") as file, lab.rpc() as client:
        report = client.call("issu.upgrade", {"name": "bng"}, [file.fileno()])
    assert report["hitless"] is True and report["lost"] == ""
    assert lab.digest() == before
    world.check_streams()


def test_allocation_failures_stop_and_nobody_moves_twice(world):
    world.resume()
    first = {move["session"]: move for move in world.steering()["moves"]}

    def quiet():
        before = world.failures()
        time.sleep(1.5)  # in which each of them opens 75 flows
        return world.failures() == before
    wait_for("failures to stop", quiet)
    assert min(demand.port for demand in world.demands) > DEMAND_PORT + 100  # there was demand
    moves = {move["session"]: move for move in world.steering()["moves"]}
    assert first.items() <= moves.items()  # whoever was moved is where it was moved to
    assert len(moves) >= 2 and HOT not in {move["to"] for move in moves.values()}
    wait_for("healthy addresses", lambda: {entry["status"] for entry in addresses(world.lab.call("cgnat.reputation")).values()}
             == {"healthy"})
    time.sleep(2)  # several rounds in which nobody may be moved
    assert {move["session"]: move for move in world.steering()["moves"]} == moves  # and it is over


def test_moved_subscribers_are_served_at_both_addresses(world):
    lab = world.lab
    with WhoCalled(lab.internet, INTERNET):
        for name, public in world.publics().items():
            assert tcp_ask(world.clients[name].namespace, INTERNET)[0] == public
    world.check_streams()
    assert {terminal.public[0] for terminal in world.terminals.values()} == {HOT}
    assert {terminal.echo.peer for terminal in world.terminals.values()} == \
        {terminal.public for terminal in world.terminals.values()}
    sent = world.sent_by("carol")
    wait_for("iperf3 to send another megabyte", lambda: world.sent_by("carol") > sent + 1_000_000)
    world.iperf.send_signal(signal.SIGINT)
    lab.reap(world.iperf)
    report = json.loads((lab.directory / "iperf.json").read_text())
    assert report["error"] == "interrupt - the client has terminated"  # by us, and by nothing else


def test_the_mode_is_what_was_set_last(world):
    lab = world.lab
    steering = lab.config["cgnat"]["steering"]
    steering["threshold"] = 60
    assert lab.reload()["applied"] == ["/cgnat/steering/threshold: 70.0 -> 60"]
    said = world.steering()
    assert (said["mode"], said["policy"]["threshold"]) == ("enforce", 60)
    steering["mode"] = "off"
    lab.write_config()
    lab.call("config.reload")
    assert (world.steering()["mode"], world.steering()["configured"]) == ("off", "off")
    assert lab.call("cgnat.steering.set", {"mode": "observe"}) == {"mode": "observe", "was": "off"}
    for wrong in ({"mode": "on"}, {"mode": 1}, {}, {"mode": "off", "pool": "default"}):
        with pytest.raises(RpcError) as caught:
            lab.call("cgnat.steering.set", wrong)
        assert caught.value.code == -32602
    assert lab.cli("cgnat", "steering", "set", "on", check=False).returncode == 2
