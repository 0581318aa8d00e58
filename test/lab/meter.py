# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The loss meter (test/bench/) on the lab's load interfaces: subscribers with
# sessions of their own on access1, numbered packets both ways, and what became
# of every one of them.
import ipaddress
import os
import pathlib
import subprocess

import lab as lab_module
from commands import CommandServer

FIRST_ADDRESS = ipaddress.ip_address("10.128.0.10")
FIRST_MAC = 0x020100000001
BACKGROUND = 10  # niceness


def mac_text(number):
    return ":".join(f"{number:012x}"[i:i + 2] for i in range(0, 12, 2))


def add_sessions(lab, count, **limits):
    """Opens the sessions of the meter's subscribers, all in one call."""
    sessions = [dict(address=str(FIRST_ADDRESS + number), mac=mac_text(FIRST_MAC + number), interface="access1", **limits)
                for number in range(count)]
    return lab.call("session.add", {"sessions": sessions})


class Meter(CommandServer):
    """A running bng-meter; its sessions must exist."""

    def __init__(self, lab, subscribers, flows, max_flows=0, size="64", rate=0):
        self.lab = lab
        super().__init__("bng-meter", lab.start(
            lab.load, lab_module.BUILD / "bin" / "bng-meter", "--commands",
            "--access", "up0", "--core", "down0",
            "--gateway-access-mac", lab.mac(lab.gateway, "access1"),
            "--gateway-core-mac", lab.mac(lab.gateway, "core1"),
            "--subscribers", subscribers, "--flows", flows, "--max-flows", max_flows or flows, "--size", size,
            "--address", FIRST_ADDRESS, "--mac", mac_text(FIRST_MAC), "--remote", "198.19.0.1", "--remotes", "16",
            "--rate", rate, log="meter.log", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True),
            lambda: lab.log("meter"))

    def prime(self):
        """One packet upwards on every flow, until each has its public port."""
        return self.command("prime")

    def start(self, direction="both", rate=0):
        self.command(f"start {direction} rate={rate}")

    def leave_time_to_others(self):
        """Its threads do not sleep, and there are few CPUs."""
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), BACKGROUND)

    def report(self):
        return self.command("report")

    def stop(self):
        return self.command("stop")

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.write("quit\n")
            self.process.stdin.close()
        self.process.wait(60)
        self.lab.processes.remove(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


FAULTS = ("lost", "reordered", "duplicated", "bad_ip_checksum", "bad_udp_checksum", "misdelivered", "remapped")


def faults(report):
    """Everything that went wrong in a report, by direction; {} when nothing did."""
    return {f"{direction} {name}": report[direction][name] for direction in ("up", "down") for name in FAULTS
            if report[direction][name]}
