# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A UDP server that is restarted again and again under load, through a reuseport group of the
# holder, which is killed meanwhile: what is sent is received, each flow by one generation.
import collections
import select
import signal
import socket
import struct
import subprocess
import threading

from holder_fixture import BUILD, HolderLab
from sandbox import entered

HERE, PORT = "127.0.0.1", 7000
RESTARTS, CONCURRENT, ROUNDS = 64, 32, 40


class Servers:
    """bng-group-server: each process is a generation."""

    def __init__(self, lab):
        self.lab, self.processes, self.served = lab, {}, {}

    def start(self, number):
        self.processes[number] = self.lab.sandbox.start(
            self.lab.namespace, BUILD / "bin" / "bng-group-server", self.lab.state / "holder.sock", "echo", number, PORT, 2,
            stdout=subprocess.PIPE, log="server.log")
        assert self.processes[number].stdout.readline() == b"working\n"

    def leave(self, number):
        self.processes[number].send_signal(signal.SIGTERM)

    def ended(self, number):
        """Waits for its end; it must have answered all that it was asked and left no flow open."""
        words = self.processes[number].stdout.readline().split()
        assert self.processes.pop(number).wait(60) == 0
        assert words[::2] == [b"served", b"begun", b"open"] and words[5] == b"0"
        self.served[number] = int(words[1]), int(words[3])


class Load(threading.Thread):
    """Flows one after the other, CONCURRENT at a time: each sends ROUNDS datagrams, the next
    one when the last was answered, and notes who answered."""

    def __init__(self, lab):
        super().__init__()
        self.lab, self.ending = lab, False
        self.sent = self.received = self.flows = 0
        self.moved, self.wrong, self.by = [], [], collections.Counter()

    def begin(self, poller, flows):
        with entered(self.lab.namespace):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # No two flows are from one place: the kernel's choice of ports would repeat itself.
        made.bind((f"127.1.0.{1 + self.flows // 40000}", 10000 + self.flows % 40000))
        made.connect((HERE, PORT))
        flows[made.fileno()] = [made, self.flows, 0, None]
        self.flows += 1
        poller.register(made, select.EPOLLIN)
        self.send(flows[made.fileno()])

    def send(self, flow):
        made, number, at, _ = flow
        made.send(struct.pack("!IIB", number, at, at == ROUNDS - 1))
        self.sent += 1

    def answer(self, flow):
        generation, number, at, _ = struct.unpack("!QIIB", flow[0].recv(64))
        self.received += 1
        self.by[generation] += 1
        if (number, at) != (flow[1], flow[2]):
            self.wrong.append((number, at, flow))
        if flow[3] not in (None, generation):
            self.moved.append((flow[1], at, flow[3], generation))
        flow[2:] = at + 1, generation

    def run(self):
        flows = {}
        with select.epoll() as poller:
            while flows or not self.ending:
                while len(flows) < CONCURRENT and not self.ending:
                    self.begin(poller, flows)
                ready = poller.poll(30)
                if not ready:
                    return
                for fd, _ in ready:
                    flow = flows[fd]
                    self.answer(flow)
                    if flow[2] < ROUNDS:
                        self.send(flow)
                    else:
                        flows.pop(fd)[0].close()


def test_64_restarts_under_load_with_the_holder_killed_meanwhile():
    with HolderLab() as lab:
        lab.start()
        restart_under_load(lab)
        lab.stop()
        assert "Sanitizer" not in lab.log() and "runtime error" not in lab.log()


def restart_under_load(lab):
    servers, load = Servers(lab), Load(lab)
    servers.start(0)
    load.start()
    for number in range(1, RESTARTS + 1):
        if number % 8 == 4:
            lab.kill()
            lab.start()
        servers.start(number)
        servers.leave(number - 1)
        if number >= 5:
            servers.ended(number - 5)
    load.ending = True
    load.join()
    for number in sorted(servers.processes)[:-1]:
        servers.ended(number)
    assert load.sent == load.received and load.sent > RESTARTS * ROUNDS
    assert load.moved == [] and load.wrong == []
    (whole,) = lab.call("group.status")["groups"]
    assert whole["unrouted"] == 0
    (last,) = whole["generations"]
    assert last["generation"] == RESTARTS and last["overflowed"] == 0
    # Everything that was sent is counted in one generation or another, and each flow once.
    assert last["datagrams"] + whole["gone"]["datagrams"] == load.sent
    assert last["begun"] + whole["gone"]["begun"] == load.flows
    assert {number: served for number, (served, _) in servers.served.items() if served} == {
        number: count for number, count in load.by.items() if number != RESTARTS}
    print(f"{RESTARTS} restarts: {load.flows} flows, sent {load.sent}, received {load.received}, moved {len(load.moved)}")
    for process in servers.processes.values():
        lab.sandbox.stop(process, signal.SIGKILL)
