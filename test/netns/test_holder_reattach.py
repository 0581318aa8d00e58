# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A link that was detached behind the holder's back: noticed, told, and
# attached again where that was asked for. What the operator detached stays so.
import subprocess
import time

import pytest

from holder_fixture import HolderLab
from lab import Lab, wait_for


@pytest.fixture
def lab():
    with HolderLab() as made:
        made.arguments = ["--reattach"]
        made.start()
        made.begin()
        yield made


def wait_attached(lab, names=("a0", "c0")):
    wait_for("them to be attached", lambda: set(lab.attached_programs()) == set(names))
    lab.call("holder.status")  # which it answers when it has pinned what it attached


def states(lab):
    return {link["interface"]: (link["state"], link["mode"]) for link in lab.call("holder.status")["links"]}


def test_noticed_and_left_alone():
    """How long it takes is told: a second at most, where others leave this machine to us."""
    with HolderLab() as lab:
        lab.start()
        lab.begin()
        with lab.client() as follower:
            follower.call("holder.subscribe")
            for interface in ("c0", "a0"):
                lab.detach_behind_its_back(interface)
                begun = time.monotonic()
                assert follower.next_notification(20)["params"] == {"type": "link", "interface": interface,
                                                                    "state": "detached"}
                print(f"\n{interface}: noticed after {time.monotonic() - begun:.2f} s")
        lab.wait_for_ticks(2)
        assert lab.attached_programs() == {}
        assert states(lab) == {"a0": ("detached", "native"), "c0": ("detached", "native")}
        lab.attach("c0", "core")
        assert set(lab.attached_programs()) == {"c0"}
        lab.stop()


def test_attached_again_and_again(lab):
    with lab.client() as follower:
        follower.call("holder.subscribe")
        for _ in range(3):
            lab.detach_behind_its_back("c0")
            told = [follower.next_notification(20)["params"] for _ in range(2)]
            assert [event["state"] for event in told] == ["detached", "attached"]
            lab.assert_runs(1)
    generation = lab.stage_and_commit("holder_v2")
    lab.assert_runs(generation)
    lab.kill()
    lab.start()
    lab.assert_runs(generation)


def test_what_the_operator_detached_stays_so(lab):
    lab.call("link.detach", {"interface": "c0", "force": True})
    lab.wait_for_ticks(2)
    assert set(lab.attached_programs()) == {"a0"} and "attached again" not in lab.log()


def test_the_mode_is_kept_over_a_restart(lab):
    lab.call("link.detach", {"interface": "c0", "force": True})
    lab.attach("c0", "core", mode="generic")
    lab.detach_behind_its_back("c0")
    wait_attached(lab)
    lab.kill()
    lab.detach_behind_its_back("c0")
    lab.start()
    wait_attached(lab)
    assert states(lab) == {"a0": ("attached", "native"), "c0": ("attached", "generic")}


def test_somebody_elses_program_is_left_and_told_once(lab):
    lab.kill()
    lab.detach_behind_its_back("c0")
    foreign = lab.sandbox.directory / "foreign.o"
    source = "int pass(void *x) { return 2; } char _license[] __attribute__((section(\"license\"))) = \"GPL\";"
    lab.sandbox.run(lab.namespace, "sh", "-c", f"echo '__attribute__((section(\"xdp\"))) {source}' | "
                    f"clang -O2 -target bpf -c -x c - -o {foreign}")
    lab.sandbox.run(lab.namespace, "ip", "link", "set", "c0", "xdpdrv", "obj", str(foreign), "sec", "xdp")
    other = lab.attached_programs()["c0"]
    lab.start()
    wait_for("it to be said", lambda: "tried again every second" in lab.log())
    lab.wait_for_ticks(3)
    assert lab.attached_programs()["c0"] == other
    assert lab.log().count("tried again every second") == 1 and f"XDP program {other}, not ours" in lab.log()
    lab.sandbox.run(lab.namespace, "ip", "link", "set", "c0", "xdpdrv", "off")
    wait_attached(lab)
    lab.assert_runs(1)


def test_an_interface_that_comes_back(lab):
    lab.sandbox.run(lab.namespace, "ip", "link", "del", "c0")
    lab.wait_for_ticks(2)
    lab.sandbox.veth(lab.outside, "c1", lab.namespace, "c0")
    wait_attached(lab)
    lab.assert_runs(1)


@pytest.mark.parametrize("step", ["again_pin", "again_rename"])
def test_death_while_attaching_again(lab, step):
    lab.kill()
    lab.start(die_at=step)
    lab.detach_behind_its_back("c0")
    lab.dies()
    lab.start()
    wait_attached(lab)
    lab.assert_runs(1)
    assert {path.name for path in lab.pin("if/c0").iterdir()} == {"link", "role"}


def test_the_operator_hears_of_it():
    with Lab() as lab:
        lab.start_holder()
        lab.start_controld()
        interface = next(iter(lab.programs()))
        with lab.rpc() as follower:
            follower.call("events.follow")
            tear_off(lab, interface)
            event = follower.next_notification(20)["params"]
            assert (event["type"], event["interface"]) == ("link_detached", interface)
            assert lab.call("status")["detached"] == [interface]
            assert f"{interface} runs no program" in lab.cli("status").stdout
            assert f"interface {interface}: its program was detached" in lab.log("controld")
            for command in ("plan", "upgrade"):
                refused = lab.cli("issu", command, lab.object, check=False)
                assert refused.returncode == 1 and f"links found: {interface} runs no program" in refused.stderr, refused.stderr
                assert "object staged" not in refused.stdout
            lab.stop(lab.holder)
            lab.start_holder(arguments=["--reattach"])
            types = []
            while "link_attached" not in types:
                types.append(follower.next_notification(10)["params"]["type"])
        assert lab.call("status")["detached"] == []
        assert interface in lab.programs()


def tear_off(lab, interface):
    lab.run(lab.gateway, "bpftool", "link", "detach", "pinned", str(lab.state / "bpf/if" / interface / "link"))


def test_a_reload_attaches_again_what_was_torn_off():
    """Not what the operator took off; and somebody else's program there stops no reload."""
    with Lab() as lab:
        lab.start_daemons()
        before = lab.programs()
        for interface in ("access0", "core0", "core1"):
            tear_off(lab, interface)
        lab.call("link.detach", {"interface": "core1", "force": True}, server="holder")
        source = ("__attribute__((section(\"xdp\"))) int pass(void *x) { return 2; } "
                  "char _license[] __attribute__((section(\"license\"))) = \"GPL\";")
        foreign = lab.directory / "foreign.o"
        subprocess.run(["clang", "-O2", "-target", "bpf", "-c", "-x", "c", "-", "-o", foreign], input=source, text=True, check=True)
        lab.run(lab.gateway, "ip", "link", "set", "access0", "xdpdrv", "obj", foreign, "sec", "xdp")
        other = lab.programs()["access0"]
        lab.config["cgnat"]["exempt"].append("192.0.3.0/24")
        lab.write_config()
        lab.cli("config", "reload")
        torn = {"access0": other, "core0": before["core0"]}
        assert lab.programs() == {name: torn.get(name, program) for name, program in before.items() if name != "core1"}
        assert f"to access0 (native) failed: attach access0 as access: XDP program {other}, not ours" in lab.log("controld")
        assert lab.call("status")["detached"] == ["access0"]
        lab.run(lab.gateway, "ip", "link", "set", "access0", "xdpdrv", "off")
        lab.cli("config", "reload")
        assert lab.programs() == {name: program for name, program in before.items() if name != "core1"}
        assert lab.call("status")["detached"] == []
        lab.stop(lab.controld)
        lab.start_controld()
        assert lab.programs() == before
