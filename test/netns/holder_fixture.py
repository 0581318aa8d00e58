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
import time

from rpc import RpcClient, RpcError
from sandbox import Sandbox

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
        deadline = time.monotonic() + 60
        while wait:
            if self.process.poll() is not None:
                raise AssertionError(f"holder ended: {self.process.returncode}\n{self.log()}")
            if self.is_up():
                return
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

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
