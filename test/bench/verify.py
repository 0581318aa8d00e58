#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What comparing a new object with the running one costs where there are many sessions: time,
# memory of bng-controld, and memory of the maps that both objects get. Prints what it
# measured; judges nothing but that the comparison passed.
import argparse
import os
import pathlib
import shutil
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("BNG_BUILD", str(TOP / "build" / "release"))
sys.path.insert(0, str(TOP / "test" / "lab"))

from lab import Lab, default_config  # noqa: E402 pylint: disable=wrong-import-position

FIRST = (10 << 24) + (128 << 16) + 256  # outside the DHCP pool: each address is in a hash, too
BATCH = 1000


def config(sessions):
    settings = default_config()
    settings["sizes"]["subscribers"] = max(131072, 2 * sessions)
    settings["issu"] = {"verify": {"packets": 0}}
    return settings


def wanted(number):
    address = ".".join(str(FIRST + number >> shift & 255) for shift in (24, 16, 8, 0))
    mac = "02:00:01:" + ":".join(f"{number >> shift & 255:02x}" for shift in (16, 8, 0))
    return {"address": address, "mac": mac, "interface": "access1"}


def peak(lab):
    """The most that bng-controld had of its own, in MiB; from now on it is counted anew."""
    folder = pathlib.Path(f"/proc/{lab.controld.pid}")
    lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    (folder / "clear_refs").write_text("5")
    return int(lines["VmHWM"].split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description="Time and memory of a comparison, by sessions.")
    parser.add_argument("--sessions", type=int, default=100000)
    args = parser.parse_args()
    settings = config(args.sessions)
    with Lab(settings) as lab:
        shutil.copytree(TOP / "test" / "golden", lab.directory / "golden")
        settings["issu"]["verify"]["golden"] = str(lab.directory / "golden")
        lab.start_daemons()
        for first in range(0, args.sessions, BATCH):
            lab.call("session.add", {"sessions": [wanted(first + i) for i in range(min(BATCH, args.sessions - first))]})
        maps = sum(entry["bytes"] for entry in lab.call("maps")["maps"])
        peak(lab)
        before = peak(lab)
        with lab.rpc() as client, open(lab.object, "rb") as file:
            client.socket.settimeout(300)
            report = client.call("issu.plan", {"name": "same"}, [file.fileno()])
        steps = {step["step"]: step["ms"] / 1000 for step in report["steps"]}
        print(f"{args.sessions:,} sessions: object loaded in {steps['object staged']:.1f} s, compared in "
              f"{steps['packets compared']:.1f} s ({report['verify']['runs']:,} runs of packets by each)")
        print(f"  bng-controld: at most {peak(lab):.0f} MiB meanwhile, {before:.0f} before; maps: {maps / 2**20:.0f} MiB, "
              f"and twice as much for the two objects")
        print("  " + "; ".join(filter(None, (report["reason"] or "passed", report["verify"]["note"]))))
    return 0 if report["possible"] else 1


if __name__ == "__main__":
    sys.exit(main())
