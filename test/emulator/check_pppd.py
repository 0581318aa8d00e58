# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The emulator's PPPoE clients against a server that is not ours: Debian's pppoe-server
# with pppd. What it accepts from us, and what we accept from it, is PPPoE.
import lab as lab_module
import pppd_machine
import sandbox
from lab import wait_for
from subscribers import Subscribers

COUNT = 3  # for each method
ALL = COUNT * len(pppd_machine.METHODS)


class Machine(sandbox.Sandbox):
    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def test_pppd_is_content_and_so_are_we():
    with Machine() as machine:
        network = machine.namespace("network")
        users = [(f"user{number}", f"password{number}") for number in range(ALL + 1)]
        pppd_machine.start(machine, network, lab_module.BUILD, users)
        wait_for("pppoe-server", lambda: "serving 6.1" in machine.log("pppd"), 60)
        with Subscribers(machine, network, access="tap0", core=None, most=64) as people:
            # A pppd that is starting does not hear its first packet.
            people.do("set", retry_ms=2000)
            for method in pppd_machine.METHODS:
                people.add("pppoe", COUNT, service=method)
            report = people.start(0, ALL)
            assert (report["up"], report["failed"], report["faults"]) == (ALL, {}, {}), (report, machine.log("pppd"))
            prefixes = [session["address"].rsplit(".", 2)[0] for session in people.sessions()]
            assert prefixes == ["10.64"] * COUNT + ["10.65"] * COUNT + ["10.66"] * COUNT
            people.do("traffic", echo_rate=4)
            people.wait("echoes both ways", lambda report: report["echo"]["replies"] > 4 * ALL and report["echo"]["asked"] > ALL)
            report = people.drain()
            assert (report["echo"]["lost"], report["faults"], report["up"]) == (0, {}, ALL)
            stranger = people.add("pppoe", 1, service="mschap2", password="wrong")
            assert people.start(stranger, 1)["failed"] == {"auth_rejected": 1}
            people.do("stop", count=ALL)
            wait_for("pppd to see the end", lambda: machine.log("pppd").count("Connection terminated.") >= ALL + 1)
            assert people.report()["ended"] == {"stopped": ALL}
