# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Orphans: each kind is made on purpose, found, told apart, and removed only if it is
# ours and stale. Other holders and other tests are foreign, and stay.
import os
import pathlib
import shutil
import subprocess

import pytest

from holder_fixture import BUILD, HolderLab

SPARES = [f"bngpark{index}" for index in range(4)]  # two roles, each with its old and its new program


@pytest.fixture
def lab():
    with HolderLab() as made:
        made.start()
        made.begin()
        yield made
        while subprocess.run(["mountpoint", "-q", made.state / "bpf"], check=False).returncode == 0 and mounts(made) > 1:
            subprocess.run(["umount", made.state / "bpf"], check=True)


def rpc_folder():
    return pathlib.Path(__file__).resolve().parent.parent / "lab"


def mounts(lab):
    with open("/proc/self/mountinfo") as file:
        return sum(line.split()[4] == str(lab.state / "bpf") for line in file)


def of_another_test(row):
    """Other tests load programs of the same names."""
    return "of no generation" in row["why"] and f"process {os.getpid()} " not in row["why"]


def rows(lab, kind=None, method="orphans.list", params=None, but=("foreign",)):
    found = lab.call(method, params)["orphans"]
    return [row for row in found if row["class"] not in but and kind in (None, row["kind"]) and not of_another_test(row)]


def stale(lab):
    return {(row["kind"], row["name"]): row["why"] for row in rows(lab, but=("foreign", "ours-live"))}


def removed(lab):
    return {(row["kind"], row["name"]) for row in rows(lab, method="orphans.clean", but=("foreign", "ours-live"))
            if row.get("removed")}


def counts_of(lab):
    found = {}
    for row in rows(lab):
        found.setdefault(row["kind"], []).append(row["class"])
    return {kind: (classes.count("ours-live"), classes.count("ours-stale")) for kind, classes in found.items()}


def test_in_order_nothing_is_stale(lab):
    lab.stage_and_commit("holder_v2")
    lab.stage("holder_v3")
    assert stale(lab) == {} and removed(lab) == set()
    links = rows(lab, "link")
    assert {row["name"] for row in links} == {"a0", "c0"} and {row["why"] for row in links} == {"pin if/a0/link",
                                                                                             "pin if/c0/link"}
    programs = lab.call("holder.status")["generations"]
    assert {row["id"] for row in rows(lab, "program")} == {program["id"] for generation in programs
                                                          for program in generation["programs"]}
    assert {row["name"]: row["class"] for row in rows(lab, "interface")} == dict.fromkeys(SPARES, "ours-live")
    assert {row["id"] for row in rows(lab, "map")} >= {entry["id"] for entry in lab.call("holder.status")["maps"]}
    lab.assert_runs(2)


def test_pins_and_links_that_nothing_needs_go(lab):
    overtaken = lab.stage("holder_v2")["generation"]
    current = lab.stage_and_commit("holder_v3")
    staged = lab.stage("holder_v2")["generation"]
    lab.pin("gen/new/program").mkdir(parents=True)
    lab.pin("if/x9").mkdir()
    os.symlink("gen/9", lab.pin("current_new"))
    lab.pin("mine").mkdir()  # whose?
    lab.sandbox.run(lab.namespace, "ip", "link", "add", "spare0", "type", "veth", "peer", "name", "spare1")
    lab.sandbox.run(lab.namespace, "bpftool", "net", "attach", "xdpdrv", "pinned",
                    lab.pin(f"gen/{current}/program/bng_access"), "dev", "spare0")  # no link: nothing of ours
    expected = {("pin", f"gen/{overtaken}"), ("pin", "gen/new"), ("pin", "if/x9"), ("pin", "current_new")}
    found = stale(lab)
    assert {key for key in found if key[0] == "pin"} == expected
    assert found["pin", f"gen/{overtaken}"] == "generation: staged, never ran, and a later one did"
    assert {key[0] for key in found} <= {"pin", "program", "map"}
    before = counts_of(lab)
    assert not [row for row in rows(lab, method="orphans.clean", params={"dry_run": True}) if "removed" in row]
    assert counts_of(lab) == before
    assert removed(lab) == expected
    assert stale(lab) == {} and lab.pin("mine").exists()
    assert {path.name for path in lab.pin("gen").iterdir()} == {"1", str(current), str(staged)}
    lab.assert_runs(current)
    lab.call("swap.rollback")
    lab.assert_runs(1)


def test_a_durable_map_goes_when_no_generation_has_it_any_more(lab):
    with_extra = lab.stage_and_commit("holder_new_map")
    extra = lab.pin("map/extra")
    for name in ("holder_v2", "holder_v3") * 2:
        lab.stage_and_commit(name)
    assert lab.pin(f"gen/{with_extra}").exists() and stale(lab) == {}  # the fourth that is kept
    again = lab.stage("holder_new_map")["generation"]
    current = lab.stage_and_commit("holder_v2")
    assert not lab.pin(f"gen/{with_extra}").exists() and lab.pin(f"gen/{again}").exists()
    assert {key for key in stale(lab) if key[0] == "pin"} == {("pin", f"gen/{again}")} and removed(lab) == {("pin", f"gen/{again}")}
    assert stale(lab) == {("map", "map/extra"): "no generation that is there has it"}
    staged = lab.stage("holder_new_map")["generation"]
    assert stale(lab) == {} and removed(lab) == set() and extra.exists()  # waited for
    lab.call("object.drop", {"generation": staged})
    others = {path.name for path in lab.pin("map").iterdir()} - {"extra"}
    assert removed(lab) == {("map", "map/extra")} and stale(lab) == {}
    assert {path.name for path in lab.pin("map").iterdir()} == others
    lab.assert_runs(current)
    lab.call("swap.rollback")
    result = {entry["name"]: entry["result"] for entry in lab.stage("holder_new_map")["maps"]}
    assert result["extra"] == "new" and result["session"] == "same"


def test_durable_maps_stay_when_nothing_else_is_left(lab):
    lab.kill()
    shutil.rmtree(lab.pin("gen"))
    lab.pin("current").unlink()
    for interface in ("a0", "c0"):
        shutil.rmtree(lab.pin(f"if/{interface}"))
    lab.start()
    names = {path.name for path in lab.pin("map").iterdir()}
    assert lab.call("holder.status")["generation"] == 0 and "session" in names
    assert not [key for key in stale(lab) if key[0] == "map"]
    removed(lab)
    assert {path.name for path in lab.pin("map").iterdir()} == names
    lab.begin()
    assert names <= {entry["name"] for entry in lab.call("holder.status")["maps"]}


def test_a_link_to_our_program_without_a_pin_of_ours(lab):
    """As a killed holder's candidate would be parked, if somebody kept its descriptor."""
    lab.sandbox.run(lab.namespace, "ip", "link", "add", "spare0", "type", "veth", "peer", "name", "spare1")
    helper = lab.sandbox.directory / "hold_link"
    subprocess.run(["gcc", "-x", "c", "-", "-o", helper, "-lbpf"], check=True, text=True, input="""
#include <bpf/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	int fd = bpf_link_create(bpf_obj_get(argv[1]), (int)if_nametoindex(argv[2]), BPF_XDP, NULL);
	printf("%d\\n", fd);
	fflush(stdout);
	return argc == 3 && fd >= 0 ? pause() : 1;
}
""")
    keeper = lab.sandbox.start(lab.namespace, helper, lab.pin("gen/1/program/bng_access"), "spare0")
    while "spare0" not in lab.attached_programs():
        assert keeper.poll() is None
    program = lab.programs_of(1)["bng_access"]
    assert stale(lab) == {("link", "spare0"): f"runs our program {program} without a pin of ours; process {keeper.pid} "
                                              "(hold_link) has it open"}
    assert removed(lab) == {("link", "spare0")}
    assert "spare0" not in lab.attached_programs()
    lab.assert_runs(1)
    lab.sandbox.stop(keeper)


def test_what_a_process_keeps_open_goes_with_it(lab):
    generation = lab.stage("holder_v2")["generation"]
    with lab.client() as client:
        client.call("swap.commit", {"generation": generation})
        _, fds = client.call_fds("program.open", {"names": ["bng_access"]})
    program = lab.programs_of(generation)["bng_access"]
    assert stale(lab) == {}
    lab.call("swap.rollback")
    lab.call("object.drop", {"generation": generation})
    why = f"of no generation; goes with its owner: process {os.getpid()} "
    found = [row for row in rows(lab, "program", but=("foreign", "ours-live"))]
    assert [row["id"] for row in found] == [program] and found[0]["why"].startswith(why)
    assert removed(lab) == set()
    for fd in fds:
        os.close(fd)
    assert stale(lab) == {}


def test_spare_interfaces_of_nothing(lab):
    lab.stage_and_commit("holder_v2")
    for interface in ("a0", "c0"):
        lab.call("link.detach", {"interface": interface, "force": True})
    assert set(stale(lab)) == {("interface", name) for name in SPARES}
    removed(lab)
    names = lab.sandbox.run(lab.namespace, "ip", "-o", "link").stdout
    assert "bngpark" not in names and stale(lab) == {}
    lab.attach("a0", "access")
    lab.attach("c0", "core")
    lab.stage_and_commit("holder_v3")
    lab.assert_runs(3)


def test_an_empty_file_system_over_ours(lab):
    """It hides every pin. While it is there, nothing is taken for stale."""
    subprocess.run(["mount", "-t", "bpf", "bpffs", lab.state / "bpf"], check=True)
    found = lab.call("orphans.list")["orphans"]
    assert [(row["kind"], row["class"]) for row in found] == [("mount", "ours-stale")]
    assert removed(lab) == {("mount", str(lab.state / "bpf"))} and mounts(lab) == 1
    assert stale(lab) == {}
    lab.stage_and_commit("holder_v2")
    lab.assert_runs(2)


def test_a_file_system_with_pins_over_ours_is_left_alone(lab):
    pin = str(lab.pin("gen/1/program/bng_core"))
    subprocess.run(["mount", "-t", "bpf", "bpffs", lab.state / "bpf"], check=True)
    lab.bpftool("prog", "pin", "id", str(next(iter(lab.attached_programs().values()))), str(lab.pin("theirs")))
    assert [(row["kind"], row["class"]) for row in lab.call("orphans.clean")["orphans"]] == [("mount", "foreign")]
    assert mounts(lab) == 2
    subprocess.run(["umount", lab.state / "bpf"], check=True)
    assert os.path.exists(pin)
    lab.assert_runs(1)


def test_another_holder_is_foreign_and_stays(lab):
    with HolderLab() as other:
        other.start()
        other.begin()
        ids = set(other.programs_of(1).values())
        assert removed(lab) == set()
        seen = {row["id"]: row for row in lab.call("orphans.list")["orphans"] if row["kind"] == "program"}
        xdp = {id for name, id in other.programs_of(1).items() if name != "bng_sweep"}
        assert {seen[id]["class"] for id in xdp} == {"foreign"} and xdp <= ids
        assert all(str(other.state) in seen[id]["why"] for id in xdp)
        other.assert_runs(1)
        other.stop()


@pytest.mark.parametrize("many", [1, 2])
def test_death_while_cleaning(lab, many):
    lab.stage("holder_v2")
    lab.stage_and_commit("holder_v3")
    lab.kill()
    lab.start(die_at="orphans_remove")
    lab.pin("gen/new").mkdir()
    for index in range(many):
        lab.pin(f"if/x{index}").mkdir()
    lab.dies(lambda: lab.call("orphans.clean"))
    lab.start()
    lab.assert_runs(3)
    removed(lab)
    assert stale(lab) == {}
    lab.assert_runs(3)


def test_what_the_operator_reads(lab):
    lab.pin("if/x9").mkdir()

    def cli(*words, **options):
        return subprocess.run([BUILD / "bin" / "bngcli", "--state", lab.state, *words], capture_output=True, text=True, **options)
    assert "x9" in cli("issu", "orphans").stdout
    text = cli("issu", "orphans", "clean", "--dry-run").stdout
    assert "if/x9" in text and "no link of ours is there" in text and lab.pin("if/x9").exists()
    assert "if/x9" in cli("issu", "orphans", "clean").stdout and not lab.pin("if/x9").exists()
    assert "if/x9" not in cli("issu", "orphans", "clean").stdout
    assert "pin if/a0/link" in cli("issu", "orphans", "--all").stdout
    lab.pin("if/x9").mkdir()
    caller = "import sys; from rpc import RpcClient; RpcClient(sys.argv[1]).call(sys.argv[2])"
    untraced = {name: value for name, value in os.environ.items() if name != "BNG_RPC_TRACE"}  # root's file
    for method, allowed in (("orphans.list", True), ("orphans.clean", False)):
        answer = subprocess.run(["setpriv", "--reuid=bng", "--regid=bng", "--clear-groups", "/usr/bin/python3", "-c", caller,
                                 lab.state / "holder.sock", method], capture_output=True, text=True, cwd=rpc_folder(), env=untraced)
        assert (answer.returncode == 0) == allowed and ("-32001" in answer.stderr) != allowed, answer.stderr
    assert lab.pin("if/x9").exists()
