#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The benchmark: the same packets through every kind of gateway, in turns, so that
# what the machine does meanwhile touches all alike. docs/performance.md says how
# to read what it prints. Exit status 0: nothing was lost or broken.
import argparse
import contextlib
import dataclasses
import os
import pathlib
import signal
import statistics
import sys
import time

import topology  # noqa: F401 (finds the lab's modules)
import features
import gateways
import report

DIRECTIONS = (*report.DIRECTIONS, "both")
ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Case:
    subscribers: int
    flows: int
    size: str = "64"
    queues: int = 1
    publics: int = 64
    block_size: int = 512
    blocks: int = 8
    kinds: tuple = ("bare", "kernel", "nftables", "holdfast")
    note: str = ""

    @property
    def name(self):
        return f"{self.subscribers:,} subscriber{'s'[:self.subscribers > 1]}, {self.flows:,} flows, {self.size}{self.note and ', ' + self.note}"


RESTART_MARGIN = 0.5  # seconds of traffic before and after
ATTEMPTS = 4         # to get a phase on a busy machine
WAITED_SHARE = 0.02  # of a phase that the generator may wait for its CPU
OURS_ONLY = ("bare", "holdfast")
LARGE = {"block_size": 2048, "blocks": 2}  # for 1,000 mappings each
MANY = {"publics": 128, "block_size": 64, "blocks": 4}  # 100,000 subscribers with a block each and more

# The cases of one group are measured in turns.
GROUPS = [
    [Case(1, 1000, publics=8, **LARGE)],
    [Case(1000, 1000)],
    [Case(1000, 100000)],
    [Case(1000, 1000000, **LARGE)],
    [Case(100000, 100000, **MANY)],
    [Case(100000, 1000000, **MANY)],
    [Case(1000, 100000, kinds=features.kinds(*features.FEATURES, *features.SETS), note="features")],
    [Case(1000, 1000000, kinds=features.kinds(*features.SETS), note="features", **LARGE)],
    [Case(1000, 100000, size="512")],
    [Case(1000, 100000, size="imix")],
    [Case(1000, 100000, kinds=OURS_ONLY, note=report.ONE_QUEUE),
     Case(1000, 100000, queues=2, kinds=OURS_ONLY, note=report.TWO_QUEUES)],
]
QUICK = [[Case(1000, 1000)], [Case(1000, 100000)]]


def say(text):
    print(text, flush=True)


class Benchmark:
    def __init__(self, options):
        self.options = options
        self.rows, self.created, self.restart = [], [], None
        self.measured = self.busy = 0

    def kinds(self, case):
        ours = "direct" if self.options.direct else "holdfast"
        kinds = [ours if kind == "holdfast" else kind for kind in case.kinds
                 if not (self.options.direct and "+" in kind)]
        return [kind for kind in kinds if not self.options.gateways or kind in self.options.gateways]

    def open(self, kind, case):
        return gateways.start(kind, self.options.build, case, self.options)

    def note_created(self, case, kind, phase):
        if kind not in ("bare", "kernel") and "+" not in kind and case.queues == 1 and case.size == "64" and case.flows >= 100000:
            self.created.append({"case": case.name, "kind": kind, "mappings": phase["up"]["mapped"],
                                 "mpps": phase["up"]["mpps"], "gateways": 1})

    def measure(self, gateway, direction):
        """One phase; measured again when the generator had to wait for its CPU. All attempts count as evidence of loss."""
        attempts = []
        for _ in range(ATTEMPTS):
            attempts.append(gateway.meter.command(f"run {direction} seconds={self.options.seconds}"))
            if attempts[-1]["waited_us"] < WAITED_SHARE * self.options.seconds * 1e6:
                break
        best = min(attempts, key=lambda phase: phase["waited_us"])
        self.measured += 1
        self.busy += best["waited_us"] >= WAITED_SHARE * self.options.seconds * 1e6
        return {"best": best, "all": attempts}

    def run_group(self, cases):
        say("# " + " | ".join(case.name for case in cases))
        done = {(case, kind): [] for case in cases for kind in self.kinds(case)}
        with contextlib.ExitStack() as stack:
            opened = {key: stack.enter_context(self.open(key[1], key[0])) for key in done}
            for key, gateway in opened.items():
                self.note_created(*key, gateway.meter.command("prime"))
            for _ in range(self.options.rounds):
                for key, gateway in opened.items():
                    done[key].append({direction: self.measure(gateway, direction) for direction in DIRECTIONS})
        for key, rounds in done.items():
            self.rows.append(report.median_row(*key, rounds))

    def create_once(self, kind, case):
        """The up side of a first packet on every flow of a fresh gateway; again when the CPU was somebody else's."""
        best = None
        for _ in range(ATTEMPTS):
            with self.open(kind, case) as gateway:
                phase = gateway.meter.command("prime")
            if best is None or phase["waited_us"] < best["waited_us"]:
                best = phase
            if best["waited_us"] < WAITED_SHARE * best["up"]["seconds"] * 1e6:
                break
        return best["up"]

    def run_created(self, case):
        """How fast mappings are made, as the median over fresh gateways."""
        kind = "direct" if self.options.direct else "holdfast"
        say(f"# {case.name}: creating mappings, {self.options.rounds} fresh gateways")
        phases = [self.create_once(kind, case) for _ in range(self.options.rounds)]
        self.created = [row for row in self.created if (row["case"], row["kind"]) != (case.name, kind)]
        self.created.append({"case": case.name, "kind": kind, "mappings": min(phase["mapped"] for phase in phases),
                             "mpps": statistics.median(phase["mpps"] for phase in phases), "gateways": len(phases)})

    def run_restart(self, case):
        """controld is ended and started again while the meter sends both ways."""
        say(f"# {case.name}: controld restarted under load")
        with self.open("holdfast", case) as gateway:
            gateway.meter.command("prime")
            before = gateway.call("cgnat.digest")
            gateway.meter.command("start both")
            time.sleep(RESTART_MARGIN)
            began = time.monotonic()
            gateway.place.stop(gateway.controld, timeout=60)
            gateway.start_controld()
            seconds = time.monotonic() - began
            time.sleep(RESTART_MARGIN)
            phase = gateway.meter.command("stop")
            status, after = gateway.call("status"), gateway.call("cgnat.digest")
        self.restart = {
            "case": case.name, "seconds": seconds, "away_ms": status["start"]["away_ms"],
            "adopted": status["start"]["adopted"], "phases": status["start"]["phases"],
            "unchanged": before == after, "before": before, "after": after,
            **{name: sum(phase[direction][name] for direction in report.DIRECTIONS)
               for name in ("sent", "received", *report.FAULTS)},
            "longest_gap_us": max(phase[direction]["longest_gap_us"] for direction in report.DIRECTIONS),
        }

    def run(self, groups):
        with gateways.ConntrackRaised():
            for cases in groups:
                self.run_group(cases)
            if self.options.created:
                for case in self.options.created:
                    self.run_created(case)
            if self.options.restart:
                self.run_restart(self.options.restart)
        report.add_ratios(self.rows)


def print_result(benchmark):
    say("\n" + report.table(benchmark.rows))
    if benchmark.created:
        say("\nmappings created")
    for row in benchmark.created:
        say(f"  {row['mpps']:6.2f} M/s  {row['kind']:<9} {row['case']} ({row['mappings']:,} mappings)")
    restart = benchmark.restart
    if restart:
        adopted = ", ".join(f"{value:,} {name}" for name, value in restart["adopted"].items())
        say(f"\ncontrold restarted, {restart['case']}: ended and "
            f"back in {1000 * restart['seconds']:.0f} ms, away {restart['away_ms']:.0f} ms; adopted {adopted}; "
            f"{'none changed' if restart['unchanged'] else 'CHANGED'}; sent {restart['sent']:,}, lost {restart['lost']}, "
            f"longest gap {restart['longest_gap_us']:.0f} us")
        for phase in restart["phases"]:
            say(f"  {phase['ms']:9.1f} ms  {phase['name']}: {phase['detail']}")
    costs = report.feature_costs(benchmark.rows)
    if costs:
        say("\nwhat a feature costs, nanoseconds a packet\n" + costs)
    found = report.goals(benchmark.rows, benchmark.created)
    if found:
        say("\ntargets\n" + report.goal_lines(found))
    return found


def conclude(benchmark, folder):
    found = print_result(benchmark)
    wrong = report.faults(benchmark.rows)
    if benchmark.restart:
        wrong += [f"restart: {name} {benchmark.restart[name]}" for name in report.FAULTS if benchmark.restart[name]]
        if not benchmark.restart["unchanged"]:
            wrong.append("restart: sessions or mappings changed")
    result = {"machine": report.machine(), "rounds": benchmark.options.rounds, "seconds": benchmark.options.seconds,
              "rows": benchmark.rows, "created": benchmark.created, "restart": benchmark.restart, "targets": found,
              "faults": wrong, "measurements": benchmark.measured, "busy": benchmark.busy}
    folder.mkdir(parents=True, exist_ok=True)
    written = [report.write_json(folder, result), report.plot(benchmark.rows, folder)]
    say("\nwritten: " + ", ".join(str(path) for path in written if path))
    for line in wrong:
        say(f"FAULT {line}")
    missed = sum(not goal["met"] for goal in found)
    if benchmark.busy:
        say(f"the machine was busy: in {benchmark.busy} of {benchmark.measured} measurements the generator waited for its CPU; "
            "their figures are too low")
    say(f"{len(benchmark.rows)} rows, {len(wrong)} faults, {missed} of {len(found)} targets missed")
    return 1 if wrong or (missed and benchmark.options.check) else 0


def parse():
    parser = argparse.ArgumentParser(description="Measures Holdfast against a bare XDP redirect, the kernel and nftables.")
    parser.add_argument("--build", type=lambda text: pathlib.Path(text).resolve(), default=ROOT / "build" / "release")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build" / "bench")
    parser.add_argument("--quick", action="store_true", help="few cases, short rounds: to see that it works")
    parser.add_argument("--only", metavar="TEXT", help="only the cases whose name contains this")
    parser.add_argument("--gateways", type=lambda text: text.split(","), help="only these, for example bare,holdfast")
    parser.add_argument("--rounds", type=int, help="5 (--quick: 3)")
    parser.add_argument("--seconds", type=float, help="for one direction in one round: 0.5 (--quick: 0.2)")
    parser.add_argument("--direct", action="store_true", help="the data plane alone, without holder and controld")
    parser.add_argument("--object", help="another data plane object")
    parser.add_argument("--check", action="store_true", help="a missed target is a failure, too")
    group = parser.add_argument_group("one case of your own")
    for name in ("subscribers", "flows", "queues", "publics", "block-size", "blocks"):
        group.add_argument(f"--{name}", type=int)
    group.add_argument("--size", help="64, 512, imix")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.2 if options.quick else 0.5)
    return options


def choose(options):
    """The cases to run, and the two special measurements."""
    own = {name: getattr(options, name) for name in ("subscribers", "flows", "queues", "publics", "block_size", "blocks", "size")
           if getattr(options, name) is not None}
    if own:
        own.setdefault("subscribers", 1000)
        own.setdefault("flows", own["subscribers"])
        if own["subscribers"] > 10000:
            own = {**MANY, **own}
        elif own["flows"] // own["subscribers"] > 500:
            own = {**LARGE, **own}
        groups = [[Case(**own, kinds=tuple(options.gateways or OURS_ONLY))]]
    else:
        groups = [group for group in (QUICK if options.quick else GROUPS)
                  if not options.only or any(options.only in case.name for case in group)]
    whole = not own and not options.quick and not options.only
    options.created = [Case(1000, 1000000, **LARGE), Case(100000, 1000000, **MANY)] if whole else []
    options.restart = Case(100000, 1000000, **MANY) if whole and not options.direct else None
    return groups


def main():
    options = parse()
    if os.geteuid():
        sys.exit("test/bench/run.py: it makes network namespaces and loads BPF programs; run it as root")
    missing = [name for name in ("bng-meter", "bng-bench-gateway") if not (options.build / "bin" / name).exists()]
    if missing:
        sys.exit(f"test/bench/run.py: {', '.join(missing)} not found in {options.build / 'bin'}; run `make build` or give --build")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    groups = choose(options)
    if not groups:
        sys.exit(f"test/bench/run.py: no case contains \"{options.only}\"; there are: " + "; ".join(case.name for group in GROUPS for case in group))
    benchmark = Benchmark(options)
    try:
        benchmark.run(groups)
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, OSError) as error:
        sys.exit(f"test/bench/run.py: {error}")
    sys.exit(conclude(benchmark, options.output))


if __name__ == "__main__":
    main()
