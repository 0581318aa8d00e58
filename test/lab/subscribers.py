# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The subscriber emulator (test/emulator/) on the lab's load interfaces: sessions on
# access1, and the peer that sends their traffic back on core1.
import json
import subprocess
import time

import lab as lab_module
from commands import CommandServer


class Subscribers(CommandServer):
    """A running bng-subscribers. `namespace`, `access`, `core`: where its packet sockets are."""

    def __init__(self, lab, namespace=None, access="up0", core="down0", most=32768):
        self.lab = lab
        sides = ["--access", access] + (["--core", core] if core else [])
        super().__init__("bng-subscribers", lab.start(
            namespace or lab.load, lab_module.BUILD / "bin" / "bng-subscribers", *sides, "--max", most,
            log="subscribers.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True),
            lambda: lab.log("subscribers"))

    def do(self, command, **members):
        return self.command(json.dumps(dict(members, command=command)))

    def add(self, kind, count, **members):
        """The number of the first one."""
        return self.do("add", kind=kind, count=count, **members)["first"]

    def report(self, **members):
        return self.do("report", **members)

    def sessions(self, **members):
        return self.do("sessions", **members)["sessions"]

    def wait(self, what, condition, timeout=60):
        """The first report of which the condition is true; the last one is in the error."""
        deadline = time.monotonic() + timeout
        while True:
            report = self.report()
            if condition(report):
                return report
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout} s for {what}: {json.dumps(report)}")
            time.sleep(0.02)

    def start(self, first, count, timeout=60):
        """Starts these and waits until nobody is being set up; the report then."""
        self.do("start", first=first, count=count)
        return self.settled(timeout)

    def settled(self, timeout=60):
        return self.wait("all setups to end", lambda report: report["under_way"] == 0 and "queued" not in report["states"],
                         timeout)

    def drain(self, timeout=60):
        """Traffic stops, what is on its way arrives; the report then."""
        self.do("traffic", rate=0, echo_rate=0)
        deadline = time.monotonic() + timeout
        while True:
            report = self.report()
            if (report["traffic"]["lost"], report["echo"]["lost"]) == (0, 0) or time.monotonic() > deadline:
                return report
            time.sleep(0.02)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        self.process.wait(60)
        self.lab.processes.remove(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def mac_of(number):
    """test/emulator/subscriber.c has the same."""
    return "02:e5:" + number.to_bytes(4, "big").hex(":")


def address_key(session):
    """What must never change of a session that is up."""
    return session["number"], session["address"], session["public"], session["public_port"], session.get("session")
