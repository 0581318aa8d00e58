# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The lab's own parts: without them right, nothing that runs in it proves much.
import os
import subprocess
import time

import pytest

import lab as lab_module
import sandbox
from traffic import echoes


@pytest.fixture
def box():
    with sandbox.Sandbox() as box:
        yield box


def tagged_pair(box, near_tags, far_tags):
    """Two hosts, each behind a tagger, the taggers' trunks joined by a bridge."""
    middle = box.namespace("middle")
    sandbox.run(["ip", "-n", middle, "link", "add", "bridge", "type", "bridge"])
    sandbox.run(["ip", "-n", middle, "link", "set", "bridge", "up", "mtu", "1508"])
    wire = [lab_module.BUILD / "bin" / "lab-wire", lab_module.BUILD / "bpf" / "lab_vlan.bpf.o"]
    hosts = []
    for side, tags in (("near", near_tags), ("far", far_tags)):
        host, tagger = box.namespace(side), box.namespace(f"{side}-tagger")
        box.veth(host, "eth0", tagger, "client")
        box.veth(tagger, "trunk", middle, side, 1508)
        sandbox.run(["ip", "-n", middle, "link", "set", side, "master", "bridge"])
        box.run(tagger, *wire, "tag", "client", "trunk", *tags)
        box.run(host, *wire, "pass", "eth0")
        box.run(middle, *wire, "pass", side)
        box.run(host, "ip", "address", "add", f"192.168.0.{len(hosts) + 1}/24", "dev", "eth0")
        hosts.append(host)
    return hosts


@pytest.mark.parametrize("tags", [["8100:7"], ["88a8:100", "8100:7"]], ids=["vlan", "qinq"])
def test_tags_carry_full_size_packets(box, tags):
    near, _ = tagged_pair(box, tags, tags)
    for size in (56, 1472):
        assert echoes(near, "192.168.0.2", size=size, whole=True) == 3


@pytest.mark.parametrize("far", [["88a8:100", "8100:8"], ["88a8:101", "8100:7"], ["8100:100", "8100:7"], ["88a8:100"]])
def test_other_tags_do_not_arrive(box, far):
    near, _ = tagged_pair(box, ["88a8:100", "8100:7"], far)
    assert echoes(near, "192.168.0.2", patience=1) == 0


def test_closing_leaves_nothing_behind():
    box = sandbox.Sandbox()
    namespace = box.namespace("somewhere")
    process = box.start(namespace, "sleep", "1000")
    sandbox.run(["mount", "-t", "tmpfs", "tmpfs", str(make(box.directory / "mount"))])
    box.close()
    assert process.poll() is not None
    assert not box.directory.exists() and not box.record.exists()
    assert not os.path.exists(f"/run/netns/{namespace}")
    assert sandbox.mounts_under(str(box.directory)) == []


def test_sandbox_of_a_killed_owner_is_removed():
    script = ("import sandbox, time\nbox = sandbox.Sandbox()\nn = box.namespace('x')\n"
              "p = box.start(n, 'sleep', '1000')\nprint(box.directory, n, p.pid, flush=True)\ntime.sleep(1000)\n")
    owner = subprocess.Popen(["/usr/bin/python3", "-c", script], cwd=lab_module.HERE, stdout=subprocess.PIPE, text=True)
    directory, namespace, pid = owner.stdout.readline().split()
    assert os.path.exists(f"/run/netns/{namespace}")
    owner.kill()
    owner.wait()
    sandbox.clean_abandoned()
    assert not os.path.exists(directory) and not os.path.exists(f"/run/netns/{namespace}")
    lab_module.wait_for("the process to end", lambda: gone(int(pid)))


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def make(path):
    path.mkdir()
    return path


def test_waiting_says_what_never_came():
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="waited 0.1 s for godot"):
        lab_module.wait_for("godot", lambda: False, timeout=0.1)
    assert time.monotonic() - begin < 15
