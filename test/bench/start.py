#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# How long the control plane is away when bng-controld is killed and started at once, with
# sessions that RADIUS granted and that are accounted: each phase of the start, and the whole. Beside it stands
# what two libraries take for the same records: SQLite reading them, Python's JSON (in C)
# parsing them. Prints measured values beside the targets; judges nothing but faults.
import argparse
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BNG_BUILD", str(TOP / "build" / "release"))
sys.path.insert(0, str(TOP / "test" / "lab"))

from lab import INTERNET, Lab, default_config, wait_for  # noqa: E402 pylint: disable=wrong-import-position

TARGET_READY_MS = 1000    # from the kill
TARGET_RECORDS_MS = 1000  # received from the bus, and with the features
FIRST = (10 << 24) + 256
SESSIONS_MAX = 1 << 17
BATCH = 1000
SMALL_MS = 5.0
STARTED = 2  # controld/accounting/machine.h: its Start was delivered


def config():
    settings = default_config()
    settings["sizes"]["subscribers"] = 2 * SESSIONS_MAX
    settings["dhcp4"]["pools"][0].update(prefix="10.0.0.0/15", last="10.1.255.254")
    return settings


def wanted(number):
    address = ".".join(str(FIRST + number >> shift & 255) for shift in (24, 16, 8, 0))
    mac = "02:00:01:" + ":".join(f"{number >> shift & 255:02x}" for shift in (16, 8, 0))
    return {"address": address, "mac": mac, "interface": "access0", "pool": "default"}


def granted(value):
    """The record as it is when RADIUS has granted the session."""
    value = json.loads(value)
    user = f"user-{value['mac'].replace(':', '')}@example.net"
    rates = {"up": {"bits_s": 20000000, "burst_bytes": 0}, "down": {"bits_s": 100000000, "burst_bytes": 0}}
    value.update(user=user, source="radius-1", circuit_id=f"olt7 xpon 0/1/3:{value['mac']}", remote_id=value["mac"])
    value["profile"] = dict(rates, user=user, session_timeout_s=86400, interim_s=3600, **{"class": [f"class-{value['id']}"]})
    value["accounting"] = {"state": STARTED, "sequence": 0, "last": int(time.time())}
    return value


def library_ms(lab, keep):
    """SQLite's and Python's JSON's time for all records of sessions in the store: bngsync does not run meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        for path in (lab.state / "store").glob("sync.db*"):
            shutil.copy(path, folder)
        store = sqlite3.connect(pathlib.Path(folder) / "sync.db")
        begun = time.monotonic()
        rows = store.execute("SELECT key, value FROM log WHERE value IS NOT NULL AND "
                             "topic = (SELECT id FROM topic WHERE name = 'session') ORDER BY seq").fetchall()
        keep.update(rows)
        for _, value in rows:
            json.loads(value)
        took = time.monotonic() - begun
        store.close()
    return took * 1000 * len(keep) / len(rows)


def fill(lab, sessions):
    """Sessions, and their records on the bus as RADIUS would have had them written."""
    for first in range(0, sessions, BATCH):
        lab.call("session.add", {"sessions": [wanted(number) for number in range(first, min(first + BATCH, sessions))]})
    wait_for("the records to be durable", lambda: not lab.call("status")["sync"]["waiting"], 120)
    lab.controld.kill()
    lab.reap(lab.controld)
    records = {}
    library_ms(lab, records)
    keys = sorted(records)
    for first in range(0, len(keys), BATCH):
        lab.call("sync.publish", server="bngsync", params={
            "topic": "session", "records": [{"key": key, "value": granted(records[key])} for key in keys[first:first + BATCH]]})
    # From here on they are accounted, and nothing is due: no server needs to be there.
    lab.config["radius"] = {"servers": [{"name": "radius-1", "address": INTERNET, "secret": "bench-start"}], "nas_identifier": "bench-start"}
    lab.config["accounting"] = {"enabled": True}
    lab.start_controld()


def restart(lab):
    """Milliseconds of each phase, of the time away and of the processor, in their order."""
    lab.controld.kill()
    lab.reap(lab.controld)
    lab.start_controld()
    status = lab.call("status")
    rows = {phase["name"]: phase["ms"] for phase in status["start"]["phases"]}
    times = pathlib.Path(f"/proc/{lab.controld.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    rows["away"] = status["start"]["away_ms"]
    rows["processor"] = sum(map(int, times)) * 1000 / os.sysconf("SC_CLK_TCK")
    if not status["sync"]["synced"]:
        raise SystemExit("bench-start: bngsync was not heard in time")
    return rows


def report(sessions, rounds, library):
    middle = {name: statistics.median(row[name] for row in rounds) for name in rounds[0]}
    records = middle["records received"] + middle["sessions adopted"]
    print(f"{sessions:,} sessions, medians of {len(rounds)} restarts (SIGKILL, and started at once)")
    for name, value in middle.items():
        if value >= SMALL_MS and name not in ("away", "processor"):
            print(f"  {name:24} {value:8.1f} ms")
    worst = max(row["away"] for row in rounds)
    print(f"records, to the features   {records:8.1f} ms (target {TARGET_RECORDS_MS:,} for 100,000); {records / library:.2f} of what "
          f"SQLite and a JSON parser alone take ({library:.0f} ms)")
    print(f"away, from kill to ready   {middle['away']:8.1f} ms (target {TARGET_READY_MS:,} for 100,000); longest {worst:.1f} ms;"
          f" processor time of controld {middle['processor']:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description="Killing bng-controld: how long the control plane is away.")
    parser.add_argument("--sessions", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    if not 1 <= args.sessions <= SESSIONS_MAX - 512:
        parser.error(f"--sessions {args.sessions}: must be 1-{SESSIONS_MAX - 512}")
    rounds = []
    with Lab(config()) as lab:
        lab.start_holder()
        lab.start_bngsync()
        lab.start_controld()
        fill(lab, args.sessions)
        restart(lab)  # rates are set by the first
        before = lab.call("cgnat.digest")
        for _ in range(args.rounds):
            rounds.append(restart(lab))
            after = lab.call("cgnat.digest")
            if after != before:
                raise SystemExit(f"bench-start: a restart changed what there was: {before}, now {after}")
        report(args.sessions, rounds, library_ms(lab, {}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
