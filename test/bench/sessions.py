#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# How fast sessions come up, and what one costs in controld: thousands of IPoE and of
# PPPoE subscribers against FreeRADIUS, with accounting and the state bus, everything on
# one machine. Prints measured values beside the targets; judges nothing but faults.
import argparse
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BNG_BUILD", str(TOP / "build" / "release"))
sys.path.insert(0, str(TOP / "test" / "lab"))

from lab import wait_for  # noqa: E402 pylint: disable=wrong-import-position
from scale import ScaleLab  # noqa: E402 pylint: disable=wrong-import-position

TARGETS = {"ipoe": 2000, "pppoe": 1000}  # sessions a second
TARGET_BYTES = 4096                      # of a session in controld
NAMES = {"ipoe": "IPoE", "pppoe": "PPPoE"}


def memory(pid):
    """Bytes that belong to the process: anonymous memory, and what it keeps with the holder."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return {"heap": sizes["Pss_Anon"], "kept": sizes["Pss_Shmem"]}


def settled(lab, sessions):
    """Accounting and those who came up have nothing to do any more: what controld needs for the moment is told apart."""
    def done():
        stats = lab.call("accounting.stats")
        return stats["made"]["start"] >= sessions and stats["waiting"]["start"] == 0 and lab.call("pppoe.stats")["setup"] == 0
    wait_for("accounting", done, 120)


def run_kind(lab, kind, count, before):
    """Brings them up; what controld takes then."""
    first = lab.add(kind, count)
    lab.people.do("reset")
    report = lab.people.start(first, count, 60 + count / 50)
    busy = memory(lab.controld.pid)
    settled(lab, first + report["setup"]["came_up"])
    setup, latency = report["setup"], report["setup"]["latency_ms"]
    after = memory(lab.controld.pid)
    print(f"{NAMES[kind]:6} {setup['came_up']:7,} of {count:,} up in {setup['seconds']:.2f} s: {setup['rate']:,.0f} sessions/s"
          f" (target {TARGETS[kind]:,}); setup p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms, longest"
          f" {latency['max']:.0f} ms")
    print(f"       retransmitted {report['retransmitted']:,}, failed {report['failed'] or 0}, faults {report['faults'] or 0}")
    each = {name: (after[name] - before[name]) / max(1, setup["came_up"]) for name in after}
    print(f"       controld: {sum(each.values()):,.0f} bytes for a session (target {TARGET_BYTES:,}): heap {each['heap']:,.0f},"
          f" kept with the holder {each['kept']:,.0f}; in all {sum(after.values()) / 2 ** 20:.1f} MiB"
          f" ({sum(busy.values()) / 2 ** 20:.1f} MiB as the last one came up)")
    return after, not report["faults"] and not report["failed"]


def main():
    parser = argparse.ArgumentParser(description="Sessions against FreeRADIUS: setup rate and memory.")
    parser.add_argument("--sessions", type=int, default=10000, help="of each kind (%(default)s)")
    parser.add_argument("--under-way", type=int, default=256, help="setups at a time (%(default)s)")
    args = parser.parse_args()
    good = True
    with ScaleLab(interim=600, most=2 * args.sessions) as lab:
        lab.people.do("set", under_way=args.under_way)
        before = memory(lab.controld.pid)
        for kind in ("ipoe", "pppoe"):
            before, fine = run_kind(lab, kind, args.sessions, before)
            good = good and fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
