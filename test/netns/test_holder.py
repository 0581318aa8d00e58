# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# bpfholder, one promise after the other: staging, swaps, links, refusals, the store.
import array
import grp
import json
import os
import pwd
import socket
import subprocess
import sys
import threading
import time

import pytest

from holder_fixture import GROUP, BINARY, HolderLab, object_file
from rpc import RpcClient
from sandbox import entered

CONFLICT, INCOMPATIBLE, LIMIT, SYSTEM, NOT_FOUND, NOT_PERMITTED = -32003, -32004, -32005, -32006, -32002, -32001
INVALID_PARAMS = -32602
KERNEL_OF_SMALL_UNITS = (6, 9)  # counts the stack of a chain of calls in units of 16 bytes, not 32
FRAME = b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01" + b"\x88\xb5" + bytes(50)


@pytest.fixture
def lab():
    with HolderLab() as made:
        made.start()
        yield made


def send(lab, interface, count):
    """Frames from outside; each must be taken by the cable."""
    with lab.open_wire(interface) as sender:
        for _ in range(count):
            sender.send(FRAME)


def received_after(lab, interface, before, expected):
    """Packets that arrived outside since `before`, waited for."""
    deadline = time.monotonic() + 60
    while True:
        got = lab.link_statistics(interface)["rx"]["packets"] - before
        if got >= expected or time.monotonic() > deadline:
            return got
        time.sleep(0.02)


def results(staged):
    """libbpf puts the object's name in front of .bss."""
    return {row["name"][row["name"].find("."):] if "." in row["name"] else row["name"]: row["result"]
            for row in staged["maps"]}


def test_first_object(lab):
    staged = lab.stage("holder_v1")
    assert staged["generation"] == 1
    assert {row["name"]: row["type"] for row in staged["programs"]} == {
        "bng_access": "xdp", "bng_core": "xdp", "send_on": "xdp", "bng_sweep": "syscall"}
    assert results(staged) == {"session": "new", "count": "new", "tx": "new", "swept": "new", "tails": "scratch",
                               "scratch": "scratch", ".bss": "scratch"}
    assert lab.refused("map.open", {"names": ["session"]}).code == NOT_FOUND
    assert lab.commit(1) == {"from": 0, "to": 1, "links": [], "skew_us": 0.0}
    with lab.client() as client:
        result, fds = client.call_fds("map.open", {"names": ["session", "count"]})
        assert result == {"names": ["session", "count"]} and len(fds) == 2
        result, more = client.call_fds("program.open", {"names": ["bng_sweep"]})
        assert result == {"names": ["bng_sweep"]} and len(more) == 1
        for fd in fds + more:
            os.close(fd)


def test_swap_and_rollback(lab):
    assert lab.begin() == 1
    lab.assert_runs(1)
    staged = lab.stage("holder_v2")
    assert {name: result for name, result in results(staged).items() if result != "scratch"} == {
        "session": "same", "count": "same", "tx": "same", "swept": "same"}
    one, two = lab.programs_of(1), lab.programs_of(2)
    report = lab.call("swap.commit", {"generation": 2, "expected": 1})
    assert (report["from"], report["to"]) == (1, 2)
    assert [(link["interface"], link["role"], link["old_program"], link["new_program"]) for link in report["links"]] == [
        ("a0", "access", one["bng_access"], two["bng_access"]), ("c0", "core", one["bng_core"], two["bng_core"])]
    assert all(link["update_us"] > 0 for link in report["links"]) and report["skew_us"] > 0
    lab.assert_runs(2)
    assert lab.call("swap.status") == {"current": 2, "previous": 1, "journal": {"step": "idle", "from": 1, "to": 2},
                                       "trial": None, "canary": None, "migration": None}
    assert lab.call("swap.rollback")["to"] == 1
    lab.assert_runs(1)
    assert lab.call("swap.status")["previous"] == 2
    error = lab.refused("swap.commit", {"generation": 2, "expected": 2})
    assert error.code == CONFLICT and error.data == {"current": 1}
    assert lab.refused("swap.commit", {"generation": 1}).code == CONFLICT
    assert lab.refused("swap.commit", {"generation": 77}).code == NOT_FOUND
    assert lab.refused("swap.rollback", {"generation": 1}).code == CONFLICT


def test_generations_are_kept_and_numbers_never_come_back(lab):
    lab.begin()
    for expected in (2, 3, 4, 5, 6):
        assert lab.stage_and_commit("holder_v2") == expected
    states = {entry["generation"]: entry["state"] for entry in lab.call("holder.status")["generations"]}
    assert states == {2: "kept", 3: "kept", 4: "kept", 5: "previous", 6: "current"}
    assert sorted(path.name for path in lab.pin("gen").iterdir()) == ["2", "3", "4", "5", "6"]
    assert lab.stage("holder_v1")["generation"] == 7
    lab.call("object.drop", {"generation": 7})
    assert lab.stage("holder_v1")["generation"] == 8
    assert lab.refused("object.drop", {"generation": 6}).code == CONFLICT
    lab.call("object.drop", {"generation": 5})
    assert lab.call("swap.status")["previous"] == 4
    for _ in range(3):
        lab.stage("holder_v1")
    error = lab.stage_refused("holder_v1")
    assert error.code == LIMIT and "drop one" in error.message


def test_swaps_under_traffic_lose_nothing(lab):
    lab.begin()
    total, each = 0, 40000
    before = {name: lab.link_statistics(name) for name in ("a1", "c1")}
    for version in ("holder_v2", "holder_v1") * 5:
        generation = lab.stage(version)["generation"]
        senders = [threading.Thread(target=send, args=(lab, name, each // 10)) for name in ("a1", "c1")]
        for thread in senders:
            thread.start()
        for _ in range(5):
            lab.commit(generation)
            lab.call("swap.rollback")
        lab.commit(generation)
        for thread in senders:
            thread.join()
        total += each // 10
    for came_in, went_out in (("a1", "c1"), ("c1", "a1")):
        refused = lab.link_statistics(came_in)["tx"]["dropped"] - before[came_in]["tx"]["dropped"]
        assert refused == 0
        assert received_after(lab, went_out, before[went_out]["rx"]["packets"], total) == total
    counts = lab.counts()
    assert sum(counts.values()) == 2 * total and set(counts) == {1, 2}


def test_tail_calls_survive_the_holder(lab):
    lab.begin()
    lab.kill()
    before = lab.link_statistics("c1")["rx"]["packets"]
    send(lab, "a1", 1000)
    assert received_after(lab, "c1", before, 1000) == 1000
    lab.start()
    lab.stage_and_commit("holder_v2")
    send(lab, "a1", 1000)
    assert received_after(lab, "c1", before, 2000) == 2000
    assert lab.counts() == {1: 1000, 2: 1000}


def snapshot(lab):
    """Everything that a refusal must leave as it was."""
    status = lab.call("holder.status")
    pins = sorted(str(path.relative_to(lab.state)) for path in (lab.state / "bpf").rglob("*"))
    return {name: status[name] for name in ("generation", "previous", "generations", "links", "maps")}, pins, \
        lab.attached_programs()


def test_exchanged_fields_are_refused_and_named(lab):
    lab.begin()
    before = snapshot(lab)
    error = lab.stage_refused("holder_exchanged")
    assert error.code == INCOMPATIBLE
    assert error.data == {"map": "session", "result": "incompatible", "field": "value.outer_vid",
                          "found": "inner_vid (u16, byte 4)", "expected": "outer_vid (u16, byte 4)"}
    for part in ("stage holder_exchanged", "map session", "value.outer_vid", "nothing was changed"):
        assert part in error.message
    assert snapshot(lab) == before


def test_growth_into_reserved_bytes_is_compatible(lab):
    lab.begin()
    staged = lab.stage("holder_grown")
    row = next(row for row in staged["maps"] if row["name"] == "session")
    assert row == {"name": "session", "result": "compatible", "detail": "value.limit"}
    lab.commit(staged["generation"])
    lab.assert_runs(staged["generation"])
    assert results(lab.stage("holder_grown"))["session"] == "same"
    lab.call("swap.rollback")
    lab.assert_runs(1)


def test_sizes_are_the_running_maps(lab):
    staged = lab.stage("holder_v1", session=64)
    lab.commit(staged["generation"])
    assert next(row["max_entries"] for row in lab.call("holder.status")["maps"] if row["name"] == "session") == 64
    assert results(lab.stage("holder_v2"))["session"] == "same"
    assert results(lab.stage("holder_v2", session=64))["session"] == "same"
    error = lab.stage_refused("holder_v2", session=65)
    assert error.code == INCOMPATIBLE
    assert (error.data["field"], error.data["found"], error.data["expected"]) == ("max_entries", "65", "64")
    assert lab.stage_refused("holder_v2", nonsense=1).code == INVALID_PARAMS
    assert lab.stage_refused("holder_v2", session=0).code == INVALID_PARAMS


def test_verifier_refusal_shows_its_last_lines(lab):
    lab.begin()
    before = snapshot(lab)
    error = lab.stage_refused("holder_refused")
    assert error.code == SYSTEM and error.data["program"] == "bng_core"
    assert 1 < len(error.data["log"]) <= 20
    assert any("invalid access to packet" in line for line in error.data["log"])
    assert "bng_core" in error.message and "nothing was changed" in error.message
    assert snapshot(lab) == before


def test_what_only_an_old_kernel_refuses(lab):
    """It counts stack in larger units. test/kernel stages the same object on Linux 6.1."""
    lab.begin()
    before = snapshot(lab)
    if tuple(map(int, os.uname().release.split(".")[:2])) < KERNEL_OF_SMALL_UNITS:
        error = lab.stage_refused("holder_deep")
        assert error.code == SYSTEM and error.data["program"] == "bng_core"
        assert any("combined stack size" in line for line in error.data["log"])
        assert snapshot(lab) == before
    else:
        generation = lab.stage("holder_deep")["generation"]
        assert set(lab.programs_of(generation)) == set(lab.programs_of(1))
        lab.commit(generation)
        lab.assert_runs(generation)


@pytest.mark.parametrize("name, code, word", [
    ("holder_pinned_tails", INCOMPATIBLE, "program array"), ("holder_foreign_type", INCOMPATIBLE, "bng_filter")])
def test_objects_that_are_not_taken(lab, name, code, word):
    error = lab.stage_refused(name)
    assert error.code == code and word in error.message
    assert lab.call("holder.status")["generations"] == []


def test_a_durable_devmap_binds_the_kind_of_programs(lab):
    """The kernel says only EINVAL when programs with frags use a DEVMAP of programs without: the message guesses."""
    lab.begin()
    error = lab.stage_refused("holder_other_kind")
    assert error.code == SYSTEM and "send_on" in error.message and "DEVMAP" in error.message
    lab.assert_runs(1)


def test_what_is_no_object(lab):
    reader, writer = os.pipe()
    cases = [(os.memfd_create("empty"), SYSTEM), (reader, SYSTEM), (os.open("/", os.O_RDONLY), SYSTEM),
             (os.open("/etc/hostname", os.O_RDONLY), INCOMPATIBLE)]
    whole = object_file("holder_v1").read_bytes()
    for length in (4, 64, 1000, len(whole) // 2, len(whole) - 1):
        fd = os.memfd_create("cut")
        os.write(fd, whole[:length])
        cases.append((fd, None))
    for fd, code in cases:
        error = lab.refused("object.stage", {"name": "x"}, [fd])
        assert code in (None, error.code), error
        os.close(fd)
    os.close(writer)
    assert lab.refused("object.stage", {"name": "x"}).code == INVALID_PARAMS
    assert lab.call("holder.status")["generations"] == []


def test_an_object_without_a_needed_program(lab):
    lab.begin()
    generation = lab.stage("holder_no_core")["generation"]
    error = lab.refused("swap.commit", {"generation": generation})
    assert error.code == CONFLICT and "bng_core" in error.message and "c0" in error.message
    lab.assert_runs(1)


def test_second_interface_detached_behind_our_back(lab):
    lab.begin()
    generation = lab.stage("holder_v2")["generation"]
    lab.detach_behind_its_back("c0")
    error = lab.refused("swap.commit", {"generation": generation})
    assert error.code == SYSTEM and "c0" in error.message and error.data["errno"] == 67
    one = lab.programs_of(1)
    assert lab.attached_programs() == {"a0": one["bng_access"]}
    states = {link["interface"]: link["state"] for link in lab.call("holder.status")["links"]}
    assert states == {"a0": "attached", "c0": "detached"}
    assert lab.call("swap.status") == {"current": 1, "previous": 0, "journal": {"step": "idle", "from": 1, "to": 2},
                                       "trial": None, "canary": None, "migration": None}
    assert lab.attach("c0", "core")["adopted"] is False
    lab.commit(generation)
    lab.assert_runs(generation)


def test_second_interface_refused_by_the_kernel():
    with HolderLab(mtu=1500) as lab:
        lab.start()
        lab.begin("holder_frags")
        lab.sandbox.run(lab.namespace, "ip", "link", "set", "c0", "mtu", "9000")
        lab.sandbox.run(lab.outside, "ip", "link", "set", "c1", "mtu", "9000")
        generation = lab.stage("holder_no_frags")["generation"]
        error = lab.refused("swap.commit", {"generation": generation})
        assert error.code == SYSTEM and "c0" in error.message and "old program" in error.message
        lab.assert_runs(1)
        assert lab.call("swap.status")["current"] == 1
        lab.sandbox.run(lab.outside, "ip", "link", "set", "c1", "mtu", "1500")
        lab.sandbox.run(lab.namespace, "ip", "link", "set", "c0", "mtu", "1500")
        lab.commit(generation)
        lab.assert_runs(generation)
        lab.stop()


def test_new_durable_map_belongs_to_the_first_commit(lab):
    lab.begin()
    first, second = lab.stage("holder_new_map"), lab.stage("holder_new_map")
    assert results(first)["extra"] == results(second)["extra"] == "new"
    assert lab.refused("map.open", {"names": ["extra"]}).code == NOT_FOUND
    lab.commit(first["generation"])
    error = lab.refused("swap.commit", {"generation": second["generation"]})
    assert error.code == CONFLICT and "extra" in error.message
    lab.assert_runs(first["generation"])
    lab.call("object.drop", {"generation": second["generation"]})
    assert results(lab.stage("holder_new_map"))["extra"] == "same"


def test_attach_is_idempotent_and_strict(lab):
    assert lab.refused("link.attach", {"interface": "a0", "role": "access"}).code == CONFLICT
    lab.begin()
    again = lab.attach("a0", "access")
    assert again["adopted"] is True and again["mode"] == "native" and again["ifindex"] == lab.ifindex("a0")
    assert lab.refused("link.attach", {"interface": "a0", "role": "core", "mode": "native"}).code == CONFLICT
    assert lab.refused("link.attach", {"interface": "a0", "role": "access", "mode": "generic"}).code == CONFLICT
    assert lab.refused("link.attach", {"interface": "nowhere", "role": "access"}).code == NOT_FOUND
    assert lab.refused("link.attach", {"interface": "a0", "role": "nothing"}).code == CONFLICT
    lab.sandbox.run(lab.namespace, "ip", "link", "add", "g.1", "type", "veth", "peer", "name", "g.2")
    generic = lab.attach("g.1", "access", "generic")
    assert generic["mode"] == "generic" and generic["adopted"] is False
    lab.kill()
    lab.start()
    links = {link["interface"]: (link["role"], link["mode"]) for link in lab.call("holder.status")["links"]}
    assert links == {"a0": ("access", "native"), "c0": ("core", "native"), "g.1": ("access", "generic")}


def test_foreign_program_is_named_and_left_alone(lab):
    lab.stage_and_commit("holder_v1")
    lab.sandbox.run(lab.namespace, "ip", "link", "set", "a0", "xdpdrv", "obj", object_file("lab_vlan"), "sec", "xdp")
    before = lab.attached_programs()
    error = lab.refused("link.attach", {"interface": "a0", "role": "access", "mode": "native"})
    assert error.code == CONFLICT and error.data["interface"] == "a0"
    assert error.data["program_id"] == before["a0"] and error.data["program_name"]
    assert error.data["program_name"] in error.data["owner"] and error.data["owner"] in error.message
    assert lab.attached_programs() == before
    assert lab.refused("link.attach", {"interface": "a0", "role": "access", "mode": "generic"}).code == CONFLICT
    lab.sandbox.run(lab.namespace, "ip", "link", "set", "a0", "xdp", "off")
    assert lab.attach("a0", "access")["adopted"] is False


def test_detach_needs_force(lab):
    lab.begin()
    error = lab.refused("link.detach", {"interface": "a0"})
    assert error.code == CONFLICT and "force" in error.message
    assert lab.refused("link.detach", {"interface": "a0", "force": False}).code == CONFLICT
    lab.assert_runs(1)
    assert lab.call("link.detach", {"interface": "a0", "force": True}) == {}
    assert list(lab.attached_programs()) == ["c0"]
    assert lab.refused("link.detach", {"interface": "a0", "force": True}).code == NOT_FOUND


def as_user(lab, uid, gid, groups, method, params):
    """A call by somebody else: (code of the error, or 0)."""
    script = ("import sys, json; sys.path.insert(0, sys.argv[1]); from rpc import RpcClient, RpcError\n"
              "try: RpcClient(sys.argv[2]).call(sys.argv[3], json.loads(sys.argv[4]))\n"
              "except RpcError as error: print(error.code)\n"
              "except PermissionError: print('EACCES')\n"
              "else: print(0)\n")
    result = subprocess.run([sys.executable, "-c", script, os.path.dirname(sys.modules["rpc"].__file__),
                             str(lab.state / "holder.sock"), method, json.dumps(params)],
                            user=uid, group=gid, extra_groups=groups, capture_output=True, text=True,
                            env={name: value for name, value in os.environ.items() if name != "BNG_RPC_TRACE"})
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_permissions(lab):
    lab.begin()
    nobody, nogroup, bng = pwd.getpwnam("nobody").pw_uid, grp.getgrnam("nogroup").gr_gid, grp.getgrnam(GROUP).gr_gid
    detach = {"interface": "a0", "force": True}
    assert as_user(lab, nobody, nogroup, [], "holder.status", {}) == "EACCES"
    os.chmod(lab.state / "holder.sock", 0o666)
    assert as_user(lab, nobody, nogroup, [], "holder.status", {}) == str(NOT_PERMITTED)
    assert as_user(lab, nobody, bng, [], "holder.status", {}) == "0"
    assert as_user(lab, nobody, nogroup, [nogroup, bng], "holder.status", {}) == "0"
    assert as_user(lab, nobody, bng, [bng], "link.detach", detach) == str(NOT_PERMITTED)
    lab.assert_runs(1)
    assert as_user(lab, 0, 0, [], "link.detach", detach) == "0"


def test_store(lab):
    with open(os.devnull, "rb") as null, lab.client() as client:
        assert client.call("fd.store", {"name": "controld.listener"}, [null.fileno()]) == {"replaced": False}
        assert client.call("fd.store", {"name": "controld.listener"}, [null.fileno()]) == {"replaced": True}
        assert client.call("fd.list") == {"names": ["controld.listener"]}
        for _ in range(2):
            result, fds = client.call_fds("fd.take", {"name": "controld.listener"})
            assert result == {"name": "controld.listener"}
            assert len(fds) == 1 and os.path.sameopenfile(fds[0], null.fileno())
            os.close(fds[0])
        assert client.call("fd.drop", {"name": "controld.listener"}) == {}
        assert client.call("fd.list") == {"names": []}
    for method in ("fd.take", "fd.drop"):
        assert lab.refused(method, {"name": "controld.listener"}).code == NOT_FOUND
        assert lab.refused(method, {"name": "../x"}).code == INVALID_PARAMS
    with open(os.devnull, "rb") as null, lab.client() as client:
        assert lab.refused("fd.store", {"name": "a:b"}, [null.fileno()]).code == INVALID_PARAMS
        assert lab.refused("fd.store", {"name": "a"}).code == INVALID_PARAMS
        assert lab.refused("fd.store", {"name": "a"}, [null.fileno()] * 2).code == INVALID_PARAMS
        for index in range(256):
            client.call("fd.store", {"name": f"n{index}"}, [null.fileno()])
        assert lab.refused("fd.store", {"name": "n256"}, [null.fileno()]).code == LIMIT
        assert lab.call("fd.store", {"name": "n63"}, [null.fileno()]) == {"replaced": True}


def test_stored_socket_answers_after_its_owner_died(lab):
    """A packet that came in while nobody had the socket is there for the next owner."""
    pair = lab.call("veth.ensure", {"name": "punt0", "peer": "punt1"})
    assert pair["created"] is True and pair["ifindex"] == lab.ifindex("punt0")
    assert lab.call("veth.ensure", {"name": "punt0", "peer": "punt1"}) == dict(pair, created=False)
    assert lab.refused("veth.ensure", {"name": "a0", "peer": "c0"}).code == SYSTEM
    assert lab.refused("veth.ensure", {"name": "x" * 16, "peer": "y"}).code == INVALID_PARAMS
    assert lab.call("socket.packet", {"interface": "punt1", "name": "punt"}) == {"name": "punt", "created": True}
    with entered(lab.namespace):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind(("punt0", 0))
    sender.send(FRAME)
    with lab.client() as client:
        result, fds = client.call_fds("socket.packet", {"interface": "punt1", "name": "punt"})
    assert result == {"name": "punt", "created": False}
    receiver = socket.socket(fileno=fds[0])
    assert receiver.recv(2048) == FRAME
    receiver.send(FRAME)
    with pytest.raises(BlockingIOError):
        receiver.recv(2048)
    receiver.close()
    sender.close()


def test_events_reach_every_subscriber(lab):
    with lab.client() as one, lab.client() as two, lab.client() as deaf:
        assert one.call("holder.subscribe") == {} and two.call("holder.subscribe") == {}
        deaf.call("swap.status")
        lab.begin()
        lab.stage_and_commit("holder_v2")
        lab.detach_behind_its_back("c0")
        expected = [{"type": "stage", "generation": 1, "name": "holder_v1"}, {"type": "swap", "from": 0, "to": 1},
                    {"type": "link", "interface": "a0", "state": "attached"},
                    {"type": "link", "interface": "c0", "state": "attached"},
                    {"type": "stage", "generation": 2, "name": "holder_v2"}, {"type": "swap", "from": 1, "to": 2},
                    {"type": "link", "interface": "c0", "state": "detached"}]
        for client in (one, two):
            seen = [client.next_notification(20) for _ in expected]
            assert [entry["params"] for entry in seen] == expected
            assert {entry["method"] for entry in seen} == {"holder.event"}
        assert deaf.next_notification(0.1) is None


def test_sweep_runs_each_second_with_nobody_there(lab):
    lab.begin()
    begun, first = time.monotonic(), lab.swept()
    while (runs := lab.swept() - first) < 3:
        assert time.monotonic() - begun < 60
        time.sleep(0.2)
    assert runs <= time.monotonic() - begun + 1
    assert lab.call("holder.status")["sweep"]["errors"] == 0
    with lab.client() as client:
        client.call("holder.subscribe")
        lab.stage_and_commit("holder_sweep_fails")
        types = [client.next_notification(20)["params"] for _ in range(3)]
        assert types[-1] == {"type": "sweep_error", "error": -22}
        while lab.call("holder.status")["sweep"]["errors"] < 2:
            assert time.monotonic() - begun < 120
            time.sleep(0.1)
        assert client.next_notification(0.1) is None


def test_controller(lab):
    with lab.client() as client:
        assert client.call("controller.hello", {"version": "1", "epoch": 7}) == {
            "generation": 0, "ready": False, "previous_epoch": 0, "away_ns": 0}
        with pytest.raises(Exception, match="hello"):
            client.call("controller.ready", {"epoch": 8})
        assert client.call("controller.ready", {"epoch": 7}) == {}
        status = lab.call("holder.status")["controller"]
        assert status == {"version": "1", "epoch": 7, "pid": os.getpid(), "ready": True, "connected": True,
                          "phase": "", "failure": None}
        leaves = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    while lab.call("holder.status")["controller"]["connected"]:
        time.sleep(0.01)
    left = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    hello = lab.call("controller.hello", {"version": "2", "epoch": 9})
    assert hello["previous_epoch"] == 7 and leaves <= hello["away_ns"] <= left


def test_status(lab):
    lab.begin()
    status = lab.call("holder.status")
    assert status["pid"] == lab.process.pid and status["generation"] == 1 and status["previous"] == 0
    assert [(link["interface"], link["role"], link["mode"], link["generation"], link["state"])
            for link in status["links"]] == [("a0", "access", "native", 1, "attached"), ("c0", "core", "native", 1, "attached")]
    rows = {row["name"]: row for row in status["maps"]}
    assert sorted(rows) == ["count", "session", "swept", "tx"]
    assert (rows["session"]["type"], rows["session"]["key_size"], rows["session"]["value_size"],
            rows["session"]["max_entries"]) == ("array", 4, 32, 16)


def test_only_one_holder_for_a_directory(lab):
    second = subprocess.run([BINARY, "--state", lab.state, "--group", GROUP], capture_output=True, text=True, timeout=60)
    assert second.returncode == 1 and "another bpfholder" in second.stderr
    unknown = subprocess.run([BINARY, "--state", lab.state, "--group", "nobody-has-this"], capture_output=True, text=True)
    assert unknown.returncode == 2 and "groupadd" in unknown.stderr
    assert lab.call("holder.status")["pid"] == lab.process.pid


def test_service_manager_keeps_descriptors(lab):
    """systemd's protocol: FDSTORE=1 for what is stored, LISTEN_FDS for what comes back."""
    lab.stop()
    path = str(lab.sandbox.directory / "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(20)
    lab.start(NOTIFY_SOCKET=path)
    assert manager.recv(100) == b"READY=1"
    with open(os.devnull, "rb") as null:
        lab.call("fd.store", {"name": "keep.me"}, [null.fileno()])
        text, ancillary, _, _ = manager.recvmsg(200, socket.CMSG_SPACE(4))
        assert text == b"FDSTORE=1\nFDPOLL=0\nFDNAME=keep.me"
        kept = array.array("i", ancillary[0][2])[0]
        assert os.path.sameopenfile(kept, null.fileno())
        lab.kill()
        # As systemd starts it: descriptor 3, and its own process id in the environment.
        launch = (f"import os, sys; os.dup2({kept}, 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', "
                  "LISTEN_FDNAMES='keep.me'); os.execv(sys.argv[1], sys.argv[1:])")
        lab.process = lab.sandbox.start(lab.namespace, sys.executable, "-c", launch, BINARY, "--state", lab.state,
                                        "--group", GROUP, log="holder.log", pass_fds=[kept])
        for _ in range(1000):
            try:
                with RpcClient(lab.state / "holder.sock") as client:
                    result, fds = client.call_fds("fd.take", {"name": "keep.me"})
                break
            except OSError:
                time.sleep(0.02)
        assert os.path.sameopenfile(fds[0], null.fileno())
        os.close(fds[0])
        os.close(kept)
    manager.close()


def test_a_renamed_interface_keeps_its_link(lab):
    """Another interface under the old name gets nothing until the running link is given up on purpose."""
    lab.begin()
    before = lab.attached_programs()
    for command in ("set a0 down", "set a0 name away", "set away up", "add a0 type veth peer name a9"):
        lab.sandbox.run(lab.namespace, "ip", "link", *command.split())
    error = lab.refused("link.attach", {"interface": "a0", "role": "access", "mode": "native"})
    assert error.code == CONFLICT
    assert lab.attached_programs() == {"away": before["a0"], "c0": before["c0"]}
