# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The loss meter is believed by every other test, so it is proved here: against a
# gateway that does exactly one wrong, exactly n times (fault.bpf.c).
import json
import os
import pathlib
import signal

import pytest

import topology
import run as bench

BUILD = pathlib.Path(os.environ.get("BNG_BUILD", bench.ROOT / "build" / "test")).resolve()
PACKETS = 25600  # whole turns of 64 both ways
FAULTS = {name: 0 for name in ("lost", "reordered", "duplicated", "bad_ip_checksum", "bad_udp_checksum", "misdelivered",
                               "remapped", "refused", "skipped")}


@pytest.fixture
def place():
    with topology.Place() as place:
        yield place


def gateway(place, kind, *arguments, program=None):
    return place.serve("gateway", place.gateway, BUILD / "bin" / "bng-bench-gateway", kind, "--access", "access0",
                       "--core", "core0", "--object", BUILD / "bpf" / f"{program or kind}.bpf.o", *arguments)


def meter(place, *arguments, flows=100, subscribers=10, size="64", check_mac=False):
    case = bench.Case(subscribers, flows, size=size)
    return topology.start_meter(BUILD, place, case, check_mac, *arguments)


def wrong(part):
    return {name: part[name] for name in FAULTS if part[name]}


@pytest.mark.parametrize("size", ["64", "65", "512", "imix", "1518"])
@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_every_packet_of_a_good_gateway_is_counted(place, size, direction):
    gateway(place, "bare")
    load = meter(place, size=size)
    primed = load.command("prime")
    assert primed["up"]["sent"] == primed["up"]["received"] == primed["mappings"]["count"] == 100
    report = load.command(f"run {direction} packets={PACKETS}")
    share = {"up": (PACKETS, 0), "down": (0, PACKETS), "both": None}[direction]
    for index, name in enumerate(("up", "down")):
        part = report[name]
        assert part["sent"] == part["received"] == part["generated"]
        assert wrong(part) == {}
        if share:
            assert part["sent"] == share[index]
    assert report["up"]["sent"] + report["down"]["sent"] == PACKETS
    frame = {"64": 60, "65": 61, "512": 508, "1518": 1514}.get(size)
    if frame:
        assert report["up"]["bytes"] + report["down"]["bytes"] == PACKETS * frame


# What one wrong packet in `every` shows as, of PACKETS on one flow.
EVERY = 50
EXPECTED = [
    ("drop", EVERY, "up", {"lost": PACKETS // EVERY}),
    ("drop", EVERY, "down", {"lost": PACKETS // EVERY}),
    ("ip-checksum", EVERY, "up", {"lost": PACKETS // EVERY, "bad_ip_checksum": PACKETS // EVERY}),
    ("udp-payload", EVERY, "up", {"lost": PACKETS // EVERY, "bad_udp_checksum": PACKETS // EVERY}),
    ("udp-payload", EVERY, "down", {"lost": PACKETS // EVERY, "bad_udp_checksum": PACKETS // EVERY}),
    ("misdeliver", EVERY, "up", {"lost": PACKETS // EVERY, "misdelivered": PACKETS // EVERY}),
    ("misdeliver", EVERY, "down", {"lost": PACKETS // EVERY, "misdelivered": PACKETS // EVERY}),
    ("duplicate", EVERY, "up", {"duplicated": PACKETS // EVERY}),
    ("duplicate", EVERY, "down", {"duplicated": PACKETS // EVERY}),
    ("swap", 1, "up", {"reordered": PACKETS // 2}),
    ("remap", EVERY, "up", {"remapped": 2 * (PACKETS // EVERY) - 1}),  # there and back, the last one only there
]


@pytest.mark.parametrize("fault,every,direction,expected", EXPECTED)
def test_every_wrong_is_noticed(place, fault, every, direction, expected):
    gateway(place, "fault", "--fault", fault, "--every", every)
    load = meter(place, flows=1, subscribers=1)
    if direction == "down":
        load.command("prime")
    report = load.command(f"run {direction} packets={PACKETS}")
    assert report[direction]["sent"] == PACKETS
    assert wrong(report[direction]) == expected


def test_the_longest_gap_is_the_time_of_silence(place):
    gateway(place, "bare")
    load = meter(place, flows=10)
    load.command("start up rate=20000")
    bench.time.sleep(0.1)
    place.ip("link set core0 down")
    bench.time.sleep(0.25)
    place.ip("link set core0 up")
    bench.time.sleep(0.1)
    report = load.command("stop")["up"]
    assert report["longest_gap_us"] > 250_000
    assert report["lost"] > 100


def test_a_rate_is_kept(place):
    gateway(place, "bare")
    load = meter(place)
    report = load.command("run up seconds=1 rate=50000")["up"]
    assert 1000 < report["sent"] < 55000  # slower where the CPU is shared, never faster
    assert wrong(report) == {}


def test_flows_join_while_it_runs(place):
    gateway(place, "bare")
    load = meter(place, "--max-flows", 500)
    load.command("start both")
    bench.time.sleep(0.1)
    load.command("flows 500")
    bench.time.sleep(0.1)
    report = load.command("stop")
    assert report["mappings"]["count"] == 500
    assert {name: value for part in ("up", "down") for name, value in wrong(report[part]).items() if name != "skipped"} == {}


def test_a_signal_ends_it_with_a_report(place):
    gateway(place, "bare")
    load = meter(place)
    load.command("start both")
    bench.time.sleep(0.1)
    load.process.send_signal(signal.SIGTERM)
    report = load.read()
    assert report["phase"] == "stop"
    assert report["up"]["sent"] == report["up"]["received"] > 0
    assert load.process.wait(60) == 0  # also for the leak checker


def test_wrong_commands_are_refused(place):
    gateway(place, "bare")
    load = meter(place)
    for line in ("run sideways packets=1", "run up", "run up packets=-1", "run up speed=1", "flows 0", "flows 101", "stop",
                 "nonsense"):
        with pytest.raises(RuntimeError, match="expected|no phase"):
            load.command(line)
    assert load.command("run up packets=1")["up"]["received"] == 1


@pytest.mark.parametrize("tags", [(), ("--outer-vid", 100), ("--outer-vid", 100, "--inner-vid", 7)])
@pytest.mark.parametrize("size", ["64", "imix"])
def test_the_data_plane_forwards_tagged_subscribers(place, tags, size):
    place.run(place.access, "ip", "link", "set", "acc0", "mtu", 1508)
    place.run(place.gateway, "ip", "link", "set", "access0", "mtu", 1508)
    gateway(place, "direct", "--subscribers", 10, *tags, program="bng")
    load = meter(place, *tags, size=size, check_mac=True)
    load.command("prime")
    report = load.command(f"run both packets={PACKETS}")
    for part in (report["up"], report["down"]):
        assert part["sent"] == part["received"] == PACKETS // 2
        assert wrong(part) == {}
    assert report["mappings"]["count"] == 100


def test_what_the_wire_refuses_is_not_sent_and_not_lost(place):
    """Without an XDP program on its other end and without GRO, a veth takes no frames from XDP."""
    load = meter(place)
    report = load.command(f"run up packets={PACKETS}")["up"]
    assert (report["generated"], report["refused"], report["sent"], report["lost"]) == (PACKETS, PACKETS, 0, 0)


@pytest.mark.parametrize("arguments,message", [
    (["--access", "nothere@{access}"], "find device nothere"),
    (["--access", "acc0@nowhere"], "open network namespace"),
    (["--size", "63"], "a number from 64 to 1518"),
    (["--flows", "70000", "--subscribers", "1"], "not more ports per subscriber"),
    (["--remotes", "3"], "a power of two"),
    (["--inner-vid", "5"], "--outer-vid with it"),
    (["--object", "/nonexistent"], "open BPF object /nonexistent"),
])
def test_wrong_options_are_told(place, arguments, message):
    command = [BUILD / "bin" / "bng-meter", "--access", f"acc0@{place.access}", "--core", f"net0@{place.core}",
               "--packets", "1", *(argument.format(access=place.access) for argument in arguments)]
    done = place.run(place.access, *command, check=False)
    assert done.returncode in (1, 2)
    assert message in done.stderr


def test_without_commands_it_primes_runs_and_ends(place):
    gateway(place, "bare")
    done = place.run(place.access, BUILD / "bin" / "bng-meter", "--access", f"acc0@{place.access}", "--core",
                     f"net0@{place.core}", "--gateway-access-mac", place.mac(place.gateway, "access0"),
                     "--gateway-core-mac", place.mac(place.gateway, "core0"), "--no-mac-check", "--subscribers", 7,
                     "--flows", 70, "--direction", "down", "--packets", PACKETS)
    result = json.loads(done.stdout)
    assert result["prime"]["up"]["received"] == result["prime"]["mappings"]["count"] == 70
    assert result["run"]["down"]["received"] == PACKETS
    assert result["run"]["mappings"]["digest"] == result["prime"]["mappings"]["digest"]
