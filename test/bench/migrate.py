#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Durable maps that take the place of others under load, with sessions and mappings in number:
# growth through bng-controld, as an operator does it; and to another layout (test/bpf/other_layout.py)
# and back, where this script is the controller, since a bng-controld knows one layout. Every packet
# is numbered, and what there was is digested before and after. Prints what was measured; exits non-zero when a packet is
# lost or anything differs.
import argparse
import os
import pathlib
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BNG_BUILD", str(TOP / "build" / "release"))
sys.path.insert(0, str(TOP / "test" / "lab"))

from lab import BUILD, CORE, Lab, default_config, wait_for  # noqa: E402 pylint: disable=wrong-import-position
from meter import FIRST_ADDRESS, FIRST_MAC, Meter, faults, mac_text  # noqa: E402 pylint: disable=wrong-import-position

SMALL = {"subscribers": 131072, "public_addresses": 128, "port_blocks": 131072, "exempt": 1024}
POOL = 32  # addresses of DHCP that nobody takes
BATCH = 5000
SETTLED = 1  # seconds of traffic before and after


def config():
    settings = default_config()
    settings["sizes"] = dict(SMALL)
    settings["dhcp4"]["pools"][0].update(prefix="10.0.0.0/27", last="10.0.0.30")  # each of its addresses has a place
    settings["cgnat"]["pools"][0] = {"name": "default", "prefixes": ["203.0.112.0/25"], "block_size": 64, "blocks_per_subscriber": 4,
                                     "mappings_per_subscriber": 256, "timeouts": {"udp": 3600}}
    return settings


def check(good, what):
    if not good:
        raise SystemExit(f"test-migrate: {what}")


def say(what, text):
    print(f"  {what:<24} {text}", flush=True)


def available():
    """Bytes that could still be had."""
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


class Memory:
    """How much of the machine's memory was taken, at most, since it began."""

    def __enter__(self):
        self.before = self.least = available()
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while not self.is_over.wait(0.01):
            self.least = min(self.least, available())

    def __exit__(self, *exception):
        self.is_over.set()
        self.thread.join()

    @property
    def peak(self):
        return self.before - self.least


class Load:
    """Numbered packets both ways while something happens, and what became of them."""

    def __init__(self, meter, rate):
        self.meter, self.rate = meter, rate

    def __enter__(self):
        self.meter.start("both", rate=self.rate)
        time.sleep(SETTLED)
        return self

    def __exit__(self, kind, *exception):
        if kind:
            return
        time.sleep(SETTLED)
        report = self.meter.stop()
        check(faults(report) == {}, f"packets went wrong: {faults(report)}")
        sent = report["up"]["sent"] + report["down"]["sent"]
        received = report["up"]["received"] + report["down"]["received"]
        check(sent == received > 0, f"{sent} packets sent, {received} received")
        gap = max(report[direction]["longest_gap_us"] for direction in ("up", "down")) / 1000
        say("packets", f"{sent:,} sent, {received:,} received, lost 0; longest gap {gap:.1f} ms")


def add(lab, first, count):
    for number in range(first, first + count, BATCH):
        lab.call("session.add", {"sessions": [
            dict(address=str(FIRST_ADDRESS + each), mac=mac_text(FIRST_MAC + each), interface="access1")
            for each in range(number, min(number + BATCH, first + count))]})


def say_digest(lab, before):
    after = lab.digest()
    check(after == before, f"the digest was {before}, now {after}")
    say("as before", f"{after['sessions']['count']:,} sessions (sha256 {after['sessions']['sha256'][:12]}), "
                     f"{after['mappings']['count']:,} mappings (sha256 {after['mappings']['sha256'][:12]})")


def say_migration(migration, peak):
    check(migration["state"] == "done" and migration["moved"] == migration["entries"], f"it ended as {migration}")
    for entry in migration["maps"]:
        if entry["entries_old"] != entry["entries_new"]:
            say("map " + entry["name"], f"{entry['entries_old']:,} -> {entry['entries_new']:,}")
    say("opening", f"{migration['opening_us']:,} us, {migration['attempts']} attempts")
    say("move", f"{migration['moved']:,} entries in {migration['move_ms']:,} ms, counts and checksums equal")
    say("memory", f"{peak / 1e6:,.0f} MB more at most, while both sets of maps were there")


def upgrade(lab):
    with lab.rpc(timeout=300) as client, open(lab.object, "rb") as file:
        report = client.call("issu.upgrade", {"name": lab.object.name}, [file.fileno()])
    check(report["hitless"], f"the upgrade to the ordinary object: {report['lost']}")


def grow(lab, meter, args):
    print(f"growth: room for {SMALL['subscribers']:,} sessions becomes room for {args.grow:,}")
    before = lab.digest()
    with Memory() as memory, Load(meter, args.rate):
        lab.config["sizes"].update(subscribers=args.grow, public_addresses=256, port_blocks=262144, exempt=4096)
        lab.write_config()
        lab.cli("issu", "migrate", lab.bridge)
        check(lab.stop(lab.controld) == 0, "bng-controld did not end well")
        lab.start_controld()
    status = lab.call("status")
    say_migration(status["migration"], memory.peak)
    say("control plane", f"away {status['start']['away_ms']:,.0f} ms")
    say_digest(lab, before)
    say("verify", lab.cli("issu", "verify", "--seconds", "2").stdout.strip().splitlines()[-1].strip())
    print("the ordinary object in place of the bridge")
    with Load(meter, args.rate):
        upgrade(lab)
    say_digest(lab, before)


def fill(lab, meter, args):
    """As many sessions as there is room for now, and those from before go on."""
    count = args.grow - 1 - POOL - args.sessions
    print(f"{count:,} sessions more than there were")
    mappings = lab.digest()["mappings"]
    with Load(meter, args.rate):
        add(lab, args.sessions, count)
    sessions = lab.call("status")["sessions"]
    check(sessions["active"] == args.sessions + count and sessions["capacity"] == args.grow - 1, f"sessions: {sessions}")
    check(lab.digest()["mappings"] == mappings, "mappings changed")
    say("sessions", f"{sessions['active']:,} active, room for {sessions['capacity']:,}; mappings as before")


class Controller:
    """A controller of another release: it has said hello and is not ready, which is when maps may migrate."""

    def __init__(self, lab):
        self.holder = lab.rpc("holder", timeout=300)
        self.holder.call("controller.hello", {"version": "test-migrate", "epoch": time.time_ns() // 1000})

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.holder.close()

    def stage(self, path):
        with open(path, "rb") as file:
            staged = self.holder.call("object.stage", {"name": path.name}, [file.fileno()])
        return staged["generation"], {entry["name"]: entry for entry in staged["maps"]}

    def migrate(self, bridge):
        generation, maps = self.stage(bridge)
        changed = sorted(name for name, entry in maps.items() if entry["result"] == "migrate" and "detail" in entry)
        check(changed == ["port_block", "subscriber"], f"{bridge.name} changes {changed}")
        self.holder.call("swap.migrate", {"generation": generation})
        return wait_for(f"{bridge.name} to end", self.ended, timeout=300)

    def ended(self):
        migration = self.holder.call("swap.status")["migration"]
        return migration if migration["state"] != "moving" else None

    def commit(self, path):
        generation, maps = self.stage(path)
        check(not {entry["result"] for entry in maps.values()} & {"new", "migrate"}, f"{path.name} has maps of its own: {maps}")
        self.holder.call("swap.commit", {"generation": generation})


def change_layout(lab, meter, args):
    print("another layout: each field of sessions and port blocks elsewhere, the records larger; and back")
    before = lab.digest()
    check(lab.stop(lab.controld) == 0, "bng-controld did not end well")
    with Load(meter, args.rate), Controller(lab) as controller:
        for bridge, ordinary in (("bridge_to_other", BUILD / "bpf" / "other_layout.bpf.o"), ("bridge_from_other", lab.object)):
            with Memory() as memory:
                migration = controller.migrate(BUILD / "bpf" / f"{bridge}.bpf.o")
            print(f" {bridge}, then {ordinary.name}")
            say_migration(migration, memory.peak)
            controller.commit(ordinary)
            time.sleep(SETTLED)
    lab.start_controld()
    say_digest(lab, before)
    say("verify", lab.cli("issu", "verify", "--seconds", "2").stdout.strip().splitlines()[-1].strip())


def main():
    parser = argparse.ArgumentParser(description="Maps that take the place of others under load.")
    parser.add_argument("--sessions", type=int, default=100000)
    parser.add_argument("--mappings", type=int, default=1000000)
    parser.add_argument("--grow", type=int, default=1000000, help="room for so many sessions")
    parser.add_argument("--rate", type=int, default=200000, help="packets a second each way")
    args = parser.parse_args()
    if not 1 <= args.sessions < SMALL["subscribers"] <= args.grow:
        parser.error(f"--sessions must be below {SMALL['subscribers']}, --grow not")
    with Lab(config()) as lab:
        lab.ip(lab.internet, f"route add 203.0.112.0/25 via {CORE}")
        lab.start_daemons()
        add(lab, 0, args.sessions)
        with Meter(lab, args.sessions, args.mappings) as meter:
            primed = meter.prime()
            check(faults(primed) == {} and primed["mappings"]["count"] == args.mappings, f"mappings: {primed['mappings']}")
            change_layout(lab, meter, args)
            grow(lab, meter, args)
            fill(lab, meter, args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
