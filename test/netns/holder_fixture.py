# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A holder in a namespace of its own between two cables:
#   outside a1 == a0 [bng_access]  holder's namespace  [bng_core] c0 == c1 outside
# with the test objects of test/bpf/holder.bpf.c.
import contextlib
import json
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from lab import PATIENCE_S, wait_for
from rpc import RpcClient, RpcError
from sandbox import Sandbox, open_wire

BUILD = pathlib.Path(os.environ["BNG_BUILD"])
BINARY = BUILD / "bin" / "bpfholder"
GROUP = "bng"


def object_file(name):
    return BUILD / "bpf" / f"{name}.bpf.o"


def steps():
    """Every place where the holder can be told to die, read from its source."""
    top = pathlib.Path(__file__).resolve().parents[2]
    sources = [*(top / "holder").glob("*.c"), top / "lib" / "bpf" / "group_keeper.c"]
    return sorted({name for source in sources for call in re.findall(r"\bstep\(([^;{]*)\);", source.read_text())
                   for name in re.findall(r'"(\w+)"', call)})


class HolderLab:
    def __init__(self, mtu=1500):
        self.sandbox = Sandbox()
        self.namespace = self.sandbox.namespace("bng")
        self.outside = self.sandbox.namespace("out")
        self.sandbox.veth(self.outside, "a1", self.namespace, "a0", mtu=mtu)
        self.sandbox.veth(self.outside, "c1", self.namespace, "c0", mtu=mtu)
        for name in ("a1", "c1"):
            self.sandbox.run(self.outside, "ethtool", "-K", name, "gro", "on")
        self.state = self.sandbox.directory / "state"
        self.process = None
        self.command = [BINARY]
        self.arguments = []  # besides --state and --group

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """A holder that still runs ends in order, and no sanitizer has said anything."""
        with contextlib.closing(self.sandbox):
            if self.process and self.process.poll() is None:
                self.stop()
            if self.process:
                assert "Sanitizer" not in self.log() and "runtime error" not in self.log()

    def start(self, die_at=None, wait=True, **environment):
        # A small quarantine, so that memory in use can be compared under ASan.
        env = dict(os.environ, **environment)
        if die_at:
            env["BNG_HOLDER_DIE_AT"] = die_at
        self.process = self.sandbox.start(self.namespace, *self.command, "--state", self.state, "--group", GROUP, *self.arguments,
                                          log="holder.log", env=env)
        if wait:
            wait_for("the holder", self.has_come_up)

    def has_come_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"holder ended: {self.process.returncode}\n{self.log()}")
        return self.is_up()

    def is_up(self):
        with contextlib.suppress(OSError), self.client() as client:
            client.call("swap.status")
            return True
        return False

    def kill(self):
        self.sandbox.stop(self.process, signal.SIGKILL)

    def stop(self):
        status = self.sandbox.stop(self.process, signal.SIGTERM)
        assert status == 0, self.log()

    def dies(self, action=None):
        """At the step that it was told, in a request if need be."""
        if action:
            try:
                answer = action()
            except OSError:
                pass
            else:
                raise AssertionError(f"answered by a holder that was to die: {answer}")
        assert self.process.wait(PATIENCE_S) == -signal.SIGKILL

    def exec(self, path=BINARY):
        with open(path, "rb") as file:
            return self.call("holder.exec", None, [file.fileno()])

    def wait_for_execs(self, count):
        def execs():
            with contextlib.suppress(OSError):  # in the moment of exec
                return self.has_come_up() and self.call("holder.status")["execs"]
        wait_for("the new one", lambda: execs() == count)

    def wait_for_ticks(self, count):
        """What it does each second is done so often from now on."""
        def runs():
            return self.call("holder.status")["sweep"]["runs"]
        before = runs()
        wait_for(f"{count} runs of the sweep", lambda: runs() >= before + count)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def log(self):
        return (self.sandbox.directory / "holder.log").read_text()

    def client(self):
        return RpcClient(self.state / "holder.sock")

    def call(self, method, params=None, fds=()):
        with self.client() as client:
            return client.call(method, params, fds)

    def refused(self, method, params=None, fds=()):
        """The error of a call that must be refused."""
        try:
            result = self.call(method, params, fds)
        except RpcError as error:
            return error
        raise AssertionError(f"{method} was not refused: {result}")

    def stage(self, name, canary=False, **sizes):
        params = {"name": name, "canary": canary}
        if sizes:
            params["max_entries"] = sizes
        with open(object_file(name), "rb") as file:
            return self.call("object.stage", params, [file.fileno()])

    def stage_refused(self, name, **sizes):
        try:
            result = self.stage(name, **sizes)
        except RpcError as error:
            return error
        raise AssertionError(f"{name} was not refused: {result}")

    def commit(self, generation):
        return self.call("swap.commit", {"generation": generation})

    def stage_and_commit(self, name):
        generation = self.stage(name)["generation"]
        self.commit(generation)
        return generation

    def attach(self, interface, role, mode="native"):
        return self.call("link.attach", {"interface": interface, "role": role, "mode": mode})

    def begin(self, name="holder_v1"):
        """One committed generation, both interfaces attached, packets flow both ways."""
        generation = self.stage_and_commit(name)
        self.attach("a0", "access")
        self.attach("c0", "core")
        for index, interface in enumerate(("a0", "c0")):
            self.set_tx(index, self.ifindex(interface))
        return generation

    def ifindex(self, interface):
        text = self.sandbox.run(self.namespace, "ip", "-j", "link", "show", interface).stdout
        return json.loads(text)[0]["ifindex"]

    def bpftool(self, *arguments):
        result = self.sandbox.run(self.namespace, "bpftool", "-j", *arguments)
        return json.loads(result.stdout or "null")

    def pin(self, path):
        return self.state / "bpf" / path

    def set_tx(self, index, ifindex):
        def in_bytes(value):
            return [str(byte) for byte in value.to_bytes(4, "little")]
        self.bpftool("map", "update", "pinned", self.pin("map/tx"), "key", *in_bytes(index),
                     "value", *in_bytes(ifindex))

    def counts(self):
        """Packets seen by each version of the program: {version: packets}."""
        entries = self.bpftool("map", "dump", "pinned", self.pin("map/count"))
        sums = {entry["formatted"]["key"]: sum(value["value"] for value in entry["formatted"]["values"])
                for entry in entries}
        return {version: packets for version, packets in sums.items() if packets}

    def swept(self):
        return self.bpftool("map", "dump", "pinned", self.pin("map/swept"))[0]["formatted"]["value"]

    def attached_programs(self):
        """What the kernel runs, asked from it: {interface: program id}."""
        links = json.loads(self.sandbox.run(self.namespace, "ip", "-j", "-d", "link").stdout)
        return {link["ifname"]: link["xdp"]["prog"]["id"] for link in links if "xdp" in link}

    def programs_of(self, generation):
        for entry in self.call("holder.status")["generations"]:
            if entry["generation"] == generation:
                return {program["name"]: program["id"] for program in entry["programs"]}
        raise AssertionError(f"generation {generation} is not there")

    def assert_runs(self, generation):
        programs = self.programs_of(generation)
        running = self.attached_programs()
        assert {name: running.get(name) for name in ("a0", "c0")} == \
            {"a0": programs["bng_access"], "c0": programs["bng_core"]}

    def detach_behind_its_back(self, interface):
        program = self.attached_programs()[interface]
        links = [link["id"] for link in self.bpftool("link") if link.get("prog_id") == program]
        assert len(links) == 1
        self.bpftool("link", "detach", "id", str(links[0]))

    def link_statistics(self, name):
        text = self.sandbox.run(self.outside, "ip", "-j", "-s", "link", "show", name).stdout
        return json.loads(text)[0]["stats64"]

    def open_wire(self, interface):
        return open_wire(self.outside, interface)


def holder_with(first="holder_v1"):
    """A fixture for pytest: a holder that runs, and has begun with this object."""
    @pytest.fixture
    def lab():
        with HolderLab() as made:
            made.start()
            made.begin(first)
            yield made
    return lab


SUBSCRIBERS = 256


def mac(number):
    return bytes([2, 0, 0, 0, 0, number])


class Load:
    """All subscribers in turn, both ways, from two threads, until it is ended; counts what it sent of each."""

    def __init__(self, lab, pause):
        self.lab, self.pause, self.ending = lab, pause, threading.Event()
        self.sent = [0] * SUBSCRIBERS, [0] * SUBSCRIBERS  # up, down
        self.before = {name: lab.link_statistics(name)["rx"]["packets"] for name in ("a1", "c1")}
        self.wires = lab.open_wire("a1"), lab.open_wire("c1")
        self.threads = [threading.Thread(target=self.run, args=(way,)) for way in (0, 1)]

    def run(self, way):
        server, wire, sent = bytes([2, 0, 0, 0, 1, 0]), self.wires[way], self.sent[way]
        frames = [(mac(number) + server if way else server + mac(number)) + bytes(50) for number in range(SUBSCRIBERS)]
        while not self.ending.is_set():
            for number, frame in enumerate(frames):
                wire.send(frame)
                sent[number] += 1
            time.sleep(self.pause)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        for wire in self.wires:
            wire.close()

    def goes_on(self):
        """Until each has sent once more, both ways, since now."""
        before = [sent[-1] for sent in self.sent]
        wait_for("a round of all", lambda: all(sent[-1] >= was + 2 for sent, was in zip(self.sent, before)))

    def of_each(self):
        return [up + down for up, down in zip(*self.sent)]

    def lost(self, expected=0):
        """How many did not come out, upwards and downwards; what is on its way is waited for."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            lost = [sum(sent) - self.lab.link_statistics(name)["rx"]["packets"] + self.before[name]
                    for sent, name in zip(self.sent, ("c1", "a1"))]
            if sum(lost) <= expected or time.monotonic() > deadline:
                return lost
            time.sleep(0.05)
