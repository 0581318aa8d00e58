# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A gateway that accounts its sessions at a FreeRADIUS, and what that FreeRADIUS was told.
import collections
import ipaddress
import pathlib
import time

import radius
from lab import INTERNET, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT = 18120


class Freeradius:
    """Started and stopped as the test wants."""

    def __init__(self, lab, users=""):
        self.lab, self.process, self.users = lab, None, users

    def start(self):
        self.process = radius.start_freeradius(self.lab, TOP, [("only", INTERNET, PORT, True)], self.users)
        wait_for("FreeRADIUS", lambda: "Ready to process" in self.lab.log("freeradius"))

    def stop(self):
        self.process.kill()
        self.lab.reap(self.process)
        (self.lab.directory / "freeradius.log").unlink()


def prepare(lab, users=""):
    """FreeRADIUS runs, and the configuration names it."""
    dictionary = lab.directory / "dictionary"  # where user bng can read it
    for name in ("dictionary", "dictionary.holdfast"):
        (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
    lab.freeradius = Freeradius(lab, users)
    lab.freeradius.start()
    lab.config["radius"] = {
        "servers": [{"name": "only", "address": INTERNET, "port": PORT, "acct_port": PORT + 1, "secret": radius.SECRET,
                     "timeout_ms": 5000, "retries": 1}],
        "nas_identifier": "bng-test", "nas_address": "198.51.100.1", "dictionary": str(dictionary), "dead_seconds": 1}
    lab.config["accounting"] = {"enabled": True, "local_sessions": True}


numbers = iter(range(1, 60000))


def add(lab, count=1):
    """Sessions, as {Acct-Session-Id: address}."""
    wanted = []
    for number in [next(numbers) for _ in range(count)]:
        address = str(ipaddress.IPv4Address("10.9.0.0") + number)
        wanted.append({"address": address, "mac": f"02:00:00:09:{number >> 8:02x}:{number & 255:02x}", "interface": "access1"})
    ids = lab.call("session.add", {"sessions": wanted})["ids"]
    return {f"{session:016x}": entry["address"] for session, entry in zip(ids, wanted)}


def records(lab, *sessions):
    """Of each session, its records in the order in which they arrived."""
    found = collections.defaultdict(list)
    for record in radius.accounted(lab):
        found[record["Acct-Session-Id"]].append(record)
    return {session: found[session] for session in sessions}


def kinds(lab, *sessions):
    return {session: [record["Acct-Status-Type"] for record in entries] for session, entries in records(lab, *sessions).items()}


def stats(lab):
    return lab.call("accounting.stats")


def waiting(lab):
    return sum(stats(lab)["waiting"].values())


def all_are(lab, sessions, wanted):
    return set(map(tuple, kinds(lab, *sessions).values())) == {tuple(wanted)}


def configure(lab, timeout_ms=5000, **accounting):
    lab.config["radius"]["servers"][0]["timeout_ms"] = timeout_ms
    lab.config["accounting"] = {"enabled": True, "local_sessions": True, **accounting}
    lab.write_config()
    lab.call("config.reload")


def restart(lab, pause=0.0):
    lab.controld.kill()
    lab.reap(lab.controld)
    time.sleep(pause)
    lab.start_controld()
