# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The way to the core is the kernel's routing table: a change is seen within a
# second although answers are cached, and nothing leaves untranslated meanwhile.
import os
import subprocess

import pytest

import abi
import frames
from plane import CORE, MACS, NEXT_HOP, NEXT_HOP_MAC, be32

CACHE_SHIFT = 12
OTHER_MAC = "02:00:00:00:ee:77"
ELSEWHERE = "192.0.2.250"
SECOND = abi.ticks(1)


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def session(plane):
    """On one CPU, as the cache is each CPU's own; whatever a test does to routes and neighbours is undone."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    yield plane.session("10.0.0.5")
    ip("route", "flush", "table", "main", "exact", f"{ELSEWHERE}/32")
    ip("neighbour", "replace", NEXT_HOP, "lladdr", NEXT_HOP_MAC, "dev", "core1", "nud", "permanent")
    ip("neighbour", "flush", "to", "198.18.0.88/32", "nud", "permanent")
    os.sched_setaffinity(0, cpus)


def sent_to(plane, session, remote):
    """MAC that a packet leaves to; it must be whole and translated."""
    frame = frames.up(session, frames.udp(4000), remote=remote)
    result = plane.access(frame)
    if result.verdict != "FORWARD_UP":
        return result.verdict
    mac = frames.parse(result.frame).dst
    assert result.frame == frames.expected_up(frame, frames.endpoint(frames.public_end(result)), mac)
    return mac


def test_a_changed_neighbour_is_seen_within_a_second(plane, session):
    assert sent_to(plane, session, ELSEWHERE) == NEXT_HOP_MAC
    ip("neighbour", "replace", NEXT_HOP, "lladdr", OTHER_MAC, "dev", "core1", "nud", "permanent")
    assert sent_to(plane, session, ELSEWHERE) == NEXT_HOP_MAC  # cached
    plane.advance(SECOND)
    assert sent_to(plane, session, ELSEWHERE) == OTHER_MAC


@pytest.mark.parametrize("route, verdict", [
    (["unreachable"], "DROP_NO_ROUTE"), (["blackhole"], "DROP_NO_ROUTE"), (["prohibit"], "DROP_NO_ROUTE"),
    (["local", "dev", "core1"], "DROP_ADDRESS"),
], ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_route_taken_away_is_seen_within_a_second(plane, session, route, verdict):
    assert sent_to(plane, session, ELSEWHERE) == NEXT_HOP_MAC
    ip("route", "add", route[0], f"{ELSEWHERE}/32", *route[1:], "table", "main")
    plane.advance(SECOND)
    assert sent_to(plane, session, ELSEWHERE) == verdict
    ip("route", "flush", "table", "main", "exact", f"{ELSEWHERE}/32")
    plane.advance(SECOND)
    assert sent_to(plane, session, ELSEWHERE) == NEXT_HOP_MAC


def test_an_unresolved_next_hop_is_used_as_soon_as_it_is_known(plane, session):
    """What says no is not cached."""
    ip("route", "add", f"{ELSEWHERE}/32", "via", "198.18.0.88")
    assert sent_to(plane, session, ELSEWHERE) == "PASS_NEIGHBOUR"
    ip("neighbour", "replace", "198.18.0.88", "lladdr", OTHER_MAC, "dev", "core1", "nud", "permanent")
    assert sent_to(plane, session, ELSEWHERE) == OTHER_MAC


def cache_index(address):
    return (be32(address) * 0x9e3779b1 & 0xffffffff) >> 32 - CACHE_SHIFT


def test_two_destinations_in_one_place_of_the_cache(plane, session):
    """They take turns; neither is sent the other's way."""
    other = next(address for address in (f"8.{a}.{b}.1" for a in range(256) for b in range(256))
                 if cache_index(address) == cache_index(ELSEWHERE))
    ip("route", "add", f"{ELSEWHERE}/32", "via", "198.18.0.88")
    ip("neighbour", "replace", "198.18.0.88", "lladdr", OTHER_MAC, "dev", "core1", "nud", "permanent")
    for _ in range(3):
        assert sent_to(plane, session, ELSEWHERE) == OTHER_MAC
        assert sent_to(plane, session, other) == NEXT_HOP_MAC


def test_frames_leave_with_the_core_interfaces_mac(plane, session):
    result = plane.access(frames.up(session, frames.udp(4000)))
    assert frames.parse(result.frame).src == MACS["core1"]
    plane.tx_delete(CORE)
    assert plane.access(frames.up(session, frames.udp(4000))).verdict == "DROP_NO_INTERFACE"
