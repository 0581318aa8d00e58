# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A bridge (dataplane/bridge.h): whose packets are whose before, at and after its opening, what is
# moved when, and that what is moved is all there was.
import ctypes
import os
import threading
import time

import pytest

import abi
import bridge as bridges
import frames
import golden
from bridge import ARRAYS, DONE, FAILED, MORE, NEW, OLD, closed
from plane import PUBLIC

SESSIONS = 400
ROUNDS = 3

def up(session, port=4000):
    return frames.up(session, frames.udp(port))


def opened(plane, bridge):
    """A session with a mapping that was made by the old program, and the bridge is open: session, frame up, public end."""
    session = plane.session("10.0.0.5")
    public = frames.public_end(plane.access(up(session)))
    bridge.open()
    return session, public


# ---- before, and the opening ---------------------------------------------------------------


def test_until_it_opens_packets_are_the_old_programs(plane, bridge):
    session = plane.session("10.0.0.5")
    assert bridge.run("access", up(session), "acc1").verdict == "FORWARD_UP"
    assert session.record.up_packets == 1 and not any(bytes(bridge.subscriber))
    assert bridge.state.state == OLD and bridge.moved() == {}


def test_closed_and_nobody_else_comes_it_is_as_before(plane, bridge):
    """One CPU is never proven: the packet waits its time, ends the attempt and is the old program's."""
    session = plane.session("10.0.0.5")
    bridge.state.state = closed(7)
    with bridges.pinned(0):
        assert bridge.run("access", up(session), "acc1").verdict == "FORWARD_UP"
    assert session.record.up_packets == 1 and bridge.moved() == {}
    assert bridge.state.state == OLD and [bridge.cpu[cpu].seen for cpu in range(2)] == [closed(7), 0]


def test_closed_and_all_others_proven_it_opens(plane, bridge):
    session = plane.session("10.0.0.5")
    bridge.copy()
    bridge.state.state, bridge.cpu[1].seen = closed(7), closed(7)
    with bridges.pinned(0):
        assert bridge.run("access", up(session), "acc1").verdict == "FORWARD_UP"
    assert bridge.state.state == NEW
    assert session.record.up_packets == 0 and bridge.subscriber[session.slot].up_packets == 1


def test_proof_of_an_earlier_attempt_is_none(plane, bridge):
    session = plane.session("10.0.0.5")
    bridge.state.state, bridge.cpu[1].seen = closed(8), closed(7)
    with bridges.pinned(0):
        bridge.run("access", up(session), "acc1")
    assert bridge.state.state == OLD and session.record.up_packets == 1


def test_without_an_old_program_nothing_is_touched(plane, bridge):
    session = plane.session("10.0.0.5")
    bridge.maps["bridge_old_access"].delete(bridges.ZERO)
    try:
        assert bridge.run("access", up(session), "acc1").verdict == "DROP_INTERNAL"
    finally:
        bridge.old_set(bridge.old)
    assert session.record.up_packets == 0 and bridge.moved() == {}


# ---- open --------------------------------------------------------------------------------------


def test_a_packet_moves_what_it_touches_and_counters_go_on(plane, bridge):
    session, public = opened(plane, bridge)
    idle = plane.session("10.0.0.6")
    assert frames.public_end(bridge.run("access", up(session), "acc1")) == public
    place = {"subscriber": {session.slot}, "pool_address": {public >> 16}, "mapping": {public // abi.PORTS_PER_BUCKET}}
    assert bridge.moved() == place
    down = frames.down(PUBLIC[public >> 16], frames.reply_to("udp", public & 0xffff))
    assert bridge.run("core", down, "core1").verdict == "FORWARD_DOWN"
    assert bridge.moved() == {**place, "port_block": {(public & 0xffff) >> 6}}
    record = bridge.subscriber[session.slot]
    assert (record.up_packets, record.down_packets, session.record.up_packets) == (2, 1, 1)
    assert record.session_id == session.record.session_id and not bridge.subscriber[idle.slot].session_id


def test_the_sweep_waits_until_all_is_moved(plane, bridge):
    session, _ = opened(plane, bridge)
    plane.close_session(session)
    runs = plane.meta.sweep_runs
    bridge.object.run_syscall("bng_sweep")
    assert plane.meta.sweep_runs == runs
    assert bridge.run_all()[0] == DONE
    bridge.object.run_syscall("bng_sweep")
    assert plane.meta.sweep_runs == runs + 1


def test_all_is_moved_in_chunks_and_agrees(plane, bridge):
    sessions = [plane.session(f"10.0.1.{number}") for number in range(1, 41)]
    for session in sessions:
        plane.access(up(session))
    bridge.open()
    for session in sessions[::4]:
        assert bridge.run("access", up(session), "acc1").verdict == "FORWARD_UP"
    entries = sum(bridge.old.maps[name].entries for name in ARRAYS)
    answer, runs = bridge.run_all()
    assert (answer, bridge.state.moved, bridge.state.entries) == (DONE, entries, entries)
    assert runs >= entries // 128
    for name in ARRAYS:
        assert bridge.moved()[name] == set(range(bridge.old.maps[name].entries))
    assert bridge.run_all("bng_migrate_check")[0] == DONE
    assert bridge.state.map[0].found.held == 40
    assert bridge.chunk() == DONE and bridge.chunk("bng_migrate_check") == DONE
    assert sum(record.up_packets for record in bridge.subscriber) == 50


def test_what_was_not_moved_cannot_be_checked(plane, bridge):
    opened(plane, bridge)
    assert bridge.chunk() == MORE and bridge.chunk("bng_migrate_check") == FAILED


def test_before_it_is_open_nothing_can_be_moved(plane, bridge):
    assert bridge.chunk() == FAILED and bridge.moved() == {}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_entry_that_is_not_what_was_moved_is_found(plane, bridge, name):
    array = getattr(plane, name)
    byte = ctypes.c_ubyte.from_address(ctypes.addressof(array[len(array) - 3]) + 21)
    byte.value = 3
    opened(plane, bridge)
    assert bridge.run_all()[0] == DONE
    byte.value = 2
    assert bridge.run_all("bng_migrate_check")[0] == FAILED


def test_two_entries_exchanged_are_found(plane, bridge):
    session, _ = opened(plane, bridge)
    assert bridge.run_all()[0] == DONE
    one, other = plane.subscriber[session.slot], plane.subscriber[session.slot + 1]
    content = bytes(one), bytes(other)
    ctypes.memmove(ctypes.addressof(one), content[1], len(content[1]))
    ctypes.memmove(ctypes.addressof(other), content[0], len(content[0]))
    assert bridge.run_all("bng_migrate_check")[0] == FAILED


def test_what_another_cpu_is_moving_is_met_again(plane, bridge):
    """bng_migrate does not wait, and is not done before it is moved."""
    opened(plane, bridge)
    bridge.marks["subscriber"][77] = bridges.MOVING
    for _ in range(bridge.old.maps["subscriber"].entries // 128 + 40):
        assert bridge.chunk() == MORE
    assert bridge.state.move.array == 0
    bridge.marks["subscriber"][77] = bridges.STAYS
    assert bridge.run_all()[0] == DONE and bridge.run_all("bng_migrate_check")[0] == DONE


def test_who_waits_in_vain_for_an_entry_loses_the_packet_with_a_reason(plane, bridge):
    session, _ = opened(plane, bridge)
    bridge.marks["subscriber"][session.slot] = bridges.MOVING
    with bridges.pinned(0):
        assert bridge.run("access", up(session), "acc1").verdict == "DROP_INTERNAL"
        assert not bridge.subscriber[session.slot].session_id
        bridge.marks["subscriber"][session.slot] = bridges.STAYS
        assert bridge.run("access", up(session), "acc1").verdict == "FORWARD_UP"


def test_who_waits_for_an_entry_gets_it(plane, bridge):
    """Another CPU is at it when the packet comes, and done a little later: tried until it was so."""
    session, _ = opened(plane, bridge)
    bridge.run("access", up(session), "acc1")
    runner = bridge.object.runner("bng_access", up(session), plane.ifindex["acc1"])
    mark, actions = bridge.marks["subscriber"], []

    def packet(begun):
        with bridges.pinned(1):
            begun.set()
            actions.append(runner())
    with bridges.pinned(0):
        for attempt in range(500):
            mark[session.slot], begun = bridges.MOVING, threading.Event()
            other, before = threading.Thread(target=packet, args=(begun,)), bridge.cpu[1].waited
            other.start()
            begun.wait()
            time.sleep(0.001 * (attempt % 5))  # a packet waits for 20 ms
            mark[session.slot] = bridges.MOVED
            other.join()
            if bridge.cpu[1].waited > before:
                assert actions[-1] == abi.XDP_REDIRECT
                return
    raise AssertionError("no packet came in between")


# ---- several CPUs ------------------------------------------------------------------------------


def test_packets_of_two_cpus_while_all_is_moved(plane, bridge):
    """Up on one, down on the other, bng_migrate in between: nothing is lost, counted twice or forgotten."""
    sessions = [plane.session(f"10.0.{number >> 8}.{number & 255}") for number in range(1, SESSIONS + 1)]
    ports = [frames.public_end(plane.access(up(session))) for session in sessions]
    ends = [inner_end(plane.mapping, port) for port in ports]
    bridge.open()
    plane.clock_set()
    before = plane.verdicts()
    ups = [bridge.object.runner("bng_access", up(session), plane.ifindex["acc1"]) for session in sessions]
    downs = [bridge.object.runner("bng_core", frames.down(PUBLIC[port >> 16], frames.reply_to("udp", port & 0xffff)),
                                  plane.ifindex["core1"]) for port in ports]
    answers = []
    run_together((0, lambda: [run() for _ in range(ROUNDS) for run in ups]),
                 (1, lambda: [run() for _ in range(ROUNDS) for run in downs]),
                 (0, lambda: answers.append(bridge.run_all())))
    assert answers[0][0] == DONE and bridge.run_all("bng_migrate_check")[0] == DONE
    after = plane.verdicts()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "FORWARD_UP": ROUNDS * SESSIONS, "FORWARD_DOWN": ROUNDS * SESSIONS}
    records = [bridge.subscriber[session.slot] for session in sessions]
    assert {(record.up_packets, record.down_packets, record.drop_packets, record.mappings) for record in records} == {
        (1 + ROUNDS, ROUNDS, 0, 1)}
    assert ends == [inner_end(bridge.mapping, port) for port in ports]


def inner_end(buckets, port):
    """A mapping without its time."""
    return bytes(buckets[port // abi.PORTS_PER_BUCKET].entry[port % abi.PORTS_PER_BUCKET])[:4]


def run_together(*parts):
    """Each (CPU, function) in a thread of its own, begun at once; what one of them raised is raised."""
    barrier, raised = threading.Barrier(len(parts)), []

    def run(cpu, function):
        os.sched_setaffinity(threading.get_native_id(), {cpu})
        barrier.wait()
        try:
            function()
        except BaseException as error:  # told by the test's own thread
            raised.append(error)

    threads = [threading.Thread(target=run, args=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
